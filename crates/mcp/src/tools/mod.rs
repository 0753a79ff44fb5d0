//! The tools. They know nothing of the protocol: JSON arguments in, a JSON object out.

pub(crate) mod chat;
mod citations;
pub(crate) mod discover;

use serde_json::Value;
use syfthub_domain::fault::{FaultReport, FaultSink};
use syfthub_domain::{Error, SharedClock};
use syfthub_logging::correlation;
use syfthub_rpc::{Peer, status};

/// What the tools call.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    hub: Peer,
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
