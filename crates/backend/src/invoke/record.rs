//! One event for every call, however it ends.

use http::StatusCode;
use syfthub_auth::Principal;
use tokio::time::Instant;

/// A call that is being made. When it is dropped before its end, the caller has left.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) begun: Instant,
    endpoint: String,
    user_id: Option<i64>,
    is_open: bool,
}

impl Record {
    pub(super) fn begin(endpoint: String, viewer: Option<&Principal>) -> Self {
        let user_id = viewer.map(|viewer| viewer.user_id.0);
        Self { begun: Instant::now(), endpoint, user_id, is_open: true }
    }

    /// Writes how it ended: with this status of the endpoint, or why without any.
    pub(super) fn end(mut self, status: Option<StatusCode>, why: Option<&str>) {
        self.write(status, why);
    }

    fn write(&mut self, status: Option<StatusCode>, why: Option<&str>) {
        self.is_open = false;
        let latency_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let Self { endpoint, user_id, .. } = self;
        if status == Some(StatusCode::OK) && why.is_none() {
            tracing::info!(target: "syfthub.api.endpoints", user_id, endpoint, latency_ms, "endpoint.invoked");
        } else {
            let status = status.map(|status| status.as_u16());
            tracing::warn!(
                target: "syfthub.api.endpoints",
                user_id, endpoint, latency_ms, status, why, "endpoint.invoke.failed"
            );
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.is_open {
            self.write(None, Some("the caller left"));
        }
    }
}
