//! Faults on their way to the operator's table of error reports.

use std::fmt;
use std::sync::Arc;

use crate::{Error, ErrorCode};

/// The event of a fault that no rule foresaw.
pub const UNHANDLED: &str = "error.unhandled";
/// The event of a fault that a rule foresaw, for example of something that is not configured.
pub const FORESEEN: &str = "error.domain";
/// The event of an answer that says nothing about its cause.
pub const FAILED: &str = "request.failed";

/// What went wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultReport {
    /// The request it belongs to.
    pub correlation_id: String,
    /// [`UNHANDLED`], [`FORESEEN`] or [`FAILED`].
    pub event: &'static str,
    /// What the client was told, if it was told something.
    pub message: Option<String>,
    /// Row of the table of errors.
    pub code: Option<ErrorCode>,
    /// The causes, from the outermost to the root; never for clients.
    pub chain: String,
    /// HTTP method, or `RPC`, or `MCP`.
    pub method: String,
    /// Path of the request, or name of what was called.
    pub path: String,
    /// Query of the request, without secrets.
    pub query: Option<String>,
    /// Status of the answer.
    pub status: u16,
}

impl FaultReport {
    /// The report of an error that ended a call; `None` for one that the caller is to blame for.
    pub fn of(error: &Error, correlation_id: String, method: &str, path: &str) -> Option<Self> {
        let status = error.code.http_status();
        (status >= 500).then(|| Self {
            correlation_id,
            event: if error.code == ErrorCode::Internal { UNHANDLED } else { FORESEEN },
            message: Some(error.message.clone()),
            code: Some(error.code),
            chain: error.chain(),
            method: method.to_owned(),
            path: path.to_owned(),
            query: None,
            status,
        })
    }
}

/// Takes reports. It never waits and never fails: what cannot be kept is lost.
#[derive(Clone)]
pub struct FaultSink(Arc<dyn Fn(FaultReport) + Send + Sync>);

impl FaultSink {
    /// A sink that does this with every report.
    pub fn new(take: impl Fn(FaultReport) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    /// Takes a report.
    pub fn take(&self, report: FaultReport) {
        (self.0)(report);
    }
}

impl fmt::Debug for FaultSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultSink")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_faults_of_ours_are_reported() {
        let of = |error: &Error| FaultReport::of(error, "c".to_owned(), "GET", "/x");
        assert_eq!(of(&Error::not_found("no")), None);
        let internal = of(&Error::internal("the disk is on fire")).unwrap();
        assert_eq!(
            (internal.event, internal.status, internal.chain.as_str()),
            (UNHANDLED, 500, "the disk is on fire")
        );
        assert_eq!(of(&Error::new(ErrorCode::Unavailable, "later")).unwrap().event, FORESEEN);
    }
}
