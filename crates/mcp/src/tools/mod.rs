//! The tools. They know nothing of the protocol: JSON arguments in, a JSON object out.

pub(crate) mod asking;
pub(crate) mod chat;
mod citations;
pub(crate) mod discover;
pub(crate) mod endpoint;
pub(crate) mod publish;
pub(crate) mod search;

use serde_json::{Map, Value, json};
use syfthub_domain::fault::{FaultReport, FaultSink};
use syfthub_domain::{Detail, Error, ErrorCode, SharedClock};
use syfthub_logging::correlation;
use syfthub_rpc::{Peer, status};

/// A tool, under the name that clients' configurations know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Lists what there is.
    Discover,
    /// Asks a model.
    Chat,
    /// Shows one endpoint.
    Get,
    /// Asks data sources for documents.
    Search,
    /// Tells how an endpoint is.
    Health,
    /// Publishes one.
    Publish,
    /// Changes one.
    Update,
}

impl Kind {
    /// In the order in which they are listed; clients know the first two longest.
    pub(crate) const ALL: [Self; 7] =
        [Self::Discover, Self::Chat, Self::Get, Self::Search, Self::Health, Self::Publish, Self::Update];

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Discover => discover::NAME,
            Self::Chat => chat::NAME,
            Self::Get => endpoint::GET,
            Self::Search => search::NAME,
            Self::Health => endpoint::HEALTH,
            Self::Publish => publish::PUBLISH,
            Self::Update => publish::UPDATE,
        }
    }

    /// The tool of this name.
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What a credential must allow.
    pub(crate) const fn need(self) -> Need {
        match self {
            Self::Publish | Self::Update => Need::Write,
            Self::Discover | Self::Chat | Self::Get | Self::Search | Self::Health => Need::Read,
        }
    }
}

/// What a credential must allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// To look and to ask.
    Read,
    /// To change what the user owns.
    Write,
}

impl Need {
    /// Whether one of these scopes allows it.
    pub(crate) fn is_met_by(self, scopes: &[String]) -> bool {
        scopes.iter().any(|scope| match scope.as_str() {
            "full" | "write" => true,
            "read" => self == Self::Read,
            _ => false,
        })
    }

    /// All scopes that a client should ask for, at once.
    pub(crate) const fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Read => &["read"],
            Self::Write => &["read", "write"],
        }
    }
}

/// What the tools call.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    pub(crate) hub: Peer,
    chat: Peer,
    clock: SharedClock,
    faults: FaultSink,
}

impl Tools {
    pub(crate) fn new(hub: Peer, chat: Peer, clock: SharedClock, faults: FaultSink) -> Self {
        Self { hub, chat, clock, faults }
    }

    /// Logs what the caller is not told. A tool that failed is a good answer of the protocol, so nobody further out
    /// would report it.
    fn failed(&self, tool: &str, error: &Error) {
        if error.code.http_status() < 500 {
            tracing::info!(tool, code = error.code.name(), "mcp.tool.failed");
            return;
        }
        tracing::error!(tool, code = error.code.name(), chain = error.chain(), "mcp.tool.failed");
        let id = correlation::current().map(|id| id.as_str().to_owned()).unwrap_or_default();
        if let Some(report) = FaultReport::of(error, id, "MCP", tool) {
            self.faults.take(report);
        }
    }

    /// The result of a tool that could not do it; `about` says what it was asked. Where the hub names fields that are
    /// wrong, the arguments were.
    fn failure(&self, tool: &str, error: Error, about: Map<String, Value>) -> Outcome {
        if matches!(error.detail, Detail::Fields(_)) {
            return Outcome::Wrong(error);
        }
        self.failed(tool, &error);
        let mut told = Map::new();
        told.insert("success".to_owned(), false.into());
        told.insert("error".to_owned(), error.message.into());
        told.insert("error_type".to_owned(), class(error.code).into());
        told.extend(about);
        told.insert("timestamp".to_owned(), json!(self.clock.now()));
        Outcome::Bad(Value::Object(told))
    }
}

/// What went wrong, as coarsely as a language model needs it.
fn class(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::NotFound | ErrorCode::AudienceNotFound => "endpoint_not_found",
        ErrorCode::Unauthenticated | ErrorCode::PermissionDenied => "authentication",
        ErrorCode::RetrievalFailed
        | ErrorCode::GenerationFailed
        | ErrorCode::ModelAccessDenied
        | ErrorCode::SourceAccessDenied
        | ErrorCode::UpstreamFailed
        | ErrorCode::UpstreamTimeout
        | ErrorCode::Unavailable => "aggregator",
        _ => "other",
    }
}

/// The object that a tool gives, and whether it did what was asked.
pub(crate) enum Outcome {
    Good(Value),
    Bad(Value),
    /// The arguments were wrong in a way that only the hub could see.
    Wrong(Error),
}

/// Where a tool says how far it is.
pub(crate) trait Progress: Sync {
    /// `step` grows from call to call.
    fn report(&self, step: u32, message: String) -> impl Future<Output = ()> + Send;
}

pub(crate) fn error_of(refused: &tonic::Status) -> Error {
    status::from_status(refused)
}

/// The object of a JSON value made by `json!`.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_allow_what_they_say() {
        let met = |need: Need, scopes: &[&str]| {
            need.is_met_by(&scopes.iter().map(|scope| (*scope).to_owned()).collect::<Vec<_>>())
        };
        for scopes in [&["read"][..], &["write"], &["full"], &["openid", "read"]] {
            assert!(met(Need::Read, scopes), "{scopes:?}");
        }
        assert!(!met(Need::Read, &["openid", "profile"]) && !met(Need::Read, &[]));
        assert!(met(Need::Write, &["write"]) && met(Need::Write, &["full"]));
        assert!(!met(Need::Write, &["read"]));
    }
}
