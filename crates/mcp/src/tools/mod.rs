//! The tools. They know nothing of the protocol: JSON arguments in, a JSON object out.

pub(crate) mod chat;
mod citations;
pub(crate) mod discover;

use serde_json::Value;
use syfthub_domain::{Error, SharedClock};
use syfthub_rpc::{Peer, status};

/// What the tools call.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    hub: Peer,
    chat: Peer,
    clock: SharedClock,
}

impl Tools {
    pub(crate) fn new(hub: Peer, chat: Peer, clock: SharedClock) -> Self {
        Self { hub, chat, clock }
    }
}

/// The object that a tool gives, and whether it did what was asked.
pub(crate) enum Outcome {
    Good(Value),
    Bad(Value),
}

/// Where a tool says how far it is.
pub(crate) trait Progress: Sync {
    /// `step` grows from call to call.
    fn report(&self, step: u32, message: String) -> impl Future<Output = ()> + Send;
}

fn error_of(refused: &tonic::Status) -> Error {
    status::from_status(refused)
}

/// Logs what the caller is not told.
fn log(tool: &str, error: &Error) {
    if error.code.http_status() >= 500 {
        tracing::error!(tool, code = error.code.name(), chain = error.chain(), "mcp.tool.failed");
    } else {
        tracing::info!(tool, code = error.code.name(), "mcp.tool.failed");
    }
}
