//! Where a change comes from.

use std::net::IpAddr;

use axum::extract::{FromRequestParts, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::request::Parts;
use syfthub_auth::Principal;
use syfthub_domain::{Timestamp, UserId};
use syfthub_logging::correlation;
use syfthub_store::audit::{Actor, Entry, Outcome};
use syfthub_web::{ApiError, ClientIp};

use crate::access::whoever;
use crate::router::AppState;

/// Longest name of a client program that is kept, in characters.
const LONGEST_AGENT: usize = 160;

tokio::task_local! {
    static ADDRESS: IpAddr;
    static AGENT: Option<String>;
}

/// Layer: rules that are told who asks can also tell from where.
pub(crate) async fn layer(request: Request, next: Next) -> Response {
    let agent = request.headers().get(http::header::USER_AGENT).and_then(|value| value.to_str().ok());
    let agent = agent.map(|text| text.trim().chars().take(LONGEST_AGENT).collect::<String>());
    let agent = agent.filter(|text| !text.is_empty());
    let address = request.extensions().get::<ClientIp>().map(|ip| ip.0);
    let answer = AGENT.scope(agent, next.run(request));
    match address {
        Some(address) => ADDRESS.scope(address, answer).await,
        None => answer.await,
    }
}

/// Does something for a client that one of our own services speaks with, as if it had asked the hub itself.
pub(crate) async fn for_client<T>(address: IpAddr, agent: &str, work: impl Future<Output = T>) -> T {
    let agent = agent.trim().chars().take(LONGEST_AGENT).collect::<String>();
    let agent = Some(agent).filter(|text| !text.is_empty());
    ADDRESS.scope(address, AGENT.scope(agent, work)).await
}

/// What the client whose request the current task works for calls itself, shortened.
pub(crate) fn client_agent() -> Option<String> {
    AGENT.try_with(Clone::clone).ok().flatten()
}

/// The address of the client whose request the current task works for.
pub(crate) fn client_address() -> Option<IpAddr> {
    ADDRESS.try_with(|address| *address).ok()
}

/// Who asks for a change and from where; rules take it and write it into the audit log.
///
/// As an extractor it never refuses: a route that needs somebody signed in asks for that itself.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    user_id: Option<UserId>,
    name: String,
    address: Option<IpAddr>,
    correlation_id: Option<String>,
}

impl Origin {
    /// A part of the hub itself, such as `cli` or `setup`.
    pub(crate) fn system(name: &str) -> Self {
        let correlation_id = correlation::current().map(|id| id.to_string());
        Self { user_id: None, name: name.to_owned(), address: client_address(), correlation_id }
    }

    /// The caller of the current request.
    pub(crate) fn of(caller: &Principal) -> Self {
        Self::system("hub").as_user(caller.user_id, caller.username.as_str())
    }

    /// The account that a change is about, when it makes the change itself; outside a request the command line.
    pub(crate) fn account(id: UserId, name: &str) -> Self {
        let here = Self::system("cli");
        if here.address.is_some() { here.as_user(id, name) } else { here }
    }

    /// The same place, but in the name of this user: one who registers or signs in has no credential yet.
    #[must_use]
    pub(crate) fn as_user(&self, id: UserId, name: &str) -> Self {
        Self { user_id: Some(id), name: name.to_owned(), ..self.clone() }
    }

    /// As the log keeps it.
    pub(crate) fn actor(&self) -> Actor {
        Actor {
            user_id: self.user_id,
            name: self.name.clone(),
            address: self.address.map(|address| address.to_string()),
            correlation_id: self.correlation_id.clone(),
        }
    }

    /// An entry about something that was done; `before`, `after` and another outcome are set on it.
    #[expect(clippy::needless_pass_by_value, reason = "an id or a new text, whichever the caller has")]
    pub(crate) fn entry(
        &self,
        at: Timestamp,
        action: &'static str,
        target_kind: &'static str,
        target: impl ToString,
    ) -> Entry {
        Entry {
            at,
            actor: self.actor(),
            action,
            target_kind,
            target: target.to_string(),
            outcome: Outcome::Success,
            before: None,
            after: None,
        }
    }
}

impl FromRequestParts<AppState> for Origin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let principal = whoever(parts, state).await?;
        let nobody = Self::system("guest");
        Ok(principal.map_or_else(
            || nobody.clone(),
            |caller| nobody.as_user(caller.user_id, caller.username.as_str()),
        ))
    }
}
