//! Layer: writes a report about every answer of the hub with a status of 500 and more.

use std::sync::{Arc, OnceLock};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{Method, Uri};
use serde_json::json;
use syfthub_domain::{ErrorCode, UserId};
use syfthub_logging::correlation;
use syfthub_logging::redact::redact_query;
use syfthub_store::error_logs::NewErrorLog;
use syfthub_web::Fault;

use super::ErrorReports;
use super::input::{self, clipped};
use super::recorder::Teller;

/// The event of a fault that no rule foresaw.
const UNHANDLED: &str = "error.unhandled";

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
    // A probe says every few seconds that the hub is not ready; that is its purpose.
    if answer.status().is_server_error() && !uri.path().starts_with("/health") {
        let row = row(&answer, &method, &uri, slot.0.get().copied());
        // Everybody can ask for what is not configured, as often as they like.
        let teller = if row.event == UNHANDLED { Teller::Hub } else { Teller::Outside };
        reports.record(teller, row);
    }
    answer
}

fn row(answer: &Response, method: &Method, uri: &Uri, user_id: Option<UserId>) -> NewErrorLog {
    let id = answer.headers().get(correlation::HEADER).and_then(|value| value.to_str().ok());
    let fault = answer.extensions().get::<Fault>().map(|fault| fault.0.as_ref());
    let event = match fault {
        Some(fault) if fault.code == ErrorCode::Internal => UNHANDLED,
        Some(_) => "error.domain",
        None => "request.failed",
    };
    let query = uri.query().map(|query| clipped(&redact_query(query), input::LINE));
    NewErrorLog {
        correlation_id: correlation::CorrelationId::from_header(id).as_str().to_owned(),
        service: "backend".to_owned(),
        level: "ERROR".to_owned(),
        event: event.to_owned(),
        message: fault.map(|fault| clipped(&fault.message, input::TEXT)),
        user_id,
        endpoint: Some(clipped(uri.path(), 255)),
        method: Some(clipped(method.as_str(), 10)),
        error_code: fault.map(|fault| fault.code.name().to_owned()),
        stack_trace: fault
            .filter(|fault| !fault.chain.is_empty())
            .map(|fault| clipped(&fault.chain, input::TEXT)),
        context: Some(json!({"status": answer.status().as_u16(), "query": query})),
        ..NewErrorLog::default()
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
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
