//! Layer: writes a report about every answer of the hub with a status of 500 and more.

use std::sync::{Arc, OnceLock};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use syfthub_domain::UserId;
use syfthub_web::faults;

use super::ErrorReports;

/// Where the extractor of callers leaves who it found, for layers further out.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallerSlot(Arc<OnceLock<UserId>>);

impl CallerSlot {
    /// Leaves the caller.
    pub(crate) fn fill(&self, user: UserId) {
        let _ = self.0.set(user); // the second extractor of a request finds the same one
    }
}

/// The layer.
pub(crate) async fn layer(
    State(reports): State<Arc<ErrorReports>>,
    mut request: Request,
    next: Next,
) -> Response {
    let slot = CallerSlot::default();
    request.extensions_mut().insert(slot.clone());
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let answer = next.run(request).await;
    if let Some(report) = faults::report(&answer, &method, &uri) {
        reports.take("backend", report, slot.0.get().copied());
    }
    answer
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use serde_json::json;
    use syfthub_config::Settings;
    use syfthub_domain::{Error, FixedClock, Timestamp};
    use syfthub_store::Db;
    use syfthub_store::error_logs::ErrorLogFilter;
    use syfthub_web::ApiError;
    use tower::ServiceExt as _;

    use super::super::recorder::Recorder;
    use super::*;

    #[tokio::test]
    async fn a_fault_is_written_with_its_causes_and_probes_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::connect(&Settings::for_tests(folder.path()).database).await.unwrap();
        db.migrate().await.unwrap();
        let clock = FixedClock::new(Timestamp::from_secs(1_800_000_000));
        let recorder = Recorder::new(db.clone(), clock.clone());
        let reports = Arc::new(ErrorReports { db, clock, retention: std::time::Duration::MAX, recorder });
        let failing = async || -> Result<(), ApiError> {
            Err(Error::internal(std::io::Error::other("the disk is on fire")).into())
        };
        let router = Router::new()
            .route("/x", get(failing))
            .route("/health/ready", get(failing))
            .layer(from_fn_with_state(Arc::clone(&reports), layer));
        for path in ["/x?code=1&page=2", "/health/ready", "/unknown"] {
            router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        }
        let (rows, total) =
            reports.list(&ErrorLogFilter::default(), syfthub_store::Page::default()).await.unwrap();
        assert_eq!(total, 1);
        assert_eq!((rows[0].event.as_str(), rows[0].endpoint.as_deref()), ("error.unhandled", Some("/x")));
        assert_eq!(rows[0].stack_trace.as_deref(), Some("the disk is on fire"));
        assert_eq!(rows[0].context, Some(json!({"status": 500, "query": "code=[REDACTED]&page=2"})));
    }
}
