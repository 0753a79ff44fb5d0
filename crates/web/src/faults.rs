//! Layer: tells about every answer of a service with a status of 500 and more.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::{Method, Uri};
use syfthub_domain::ErrorCode;
use syfthub_domain::fault::{FAILED, FORESEEN, FaultReport, FaultSink, UNHANDLED};
use syfthub_logging::correlation::{CorrelationId, HEADER};
use syfthub_logging::redact::redact_query;

use crate::Fault;

/// Adds the layer around all others, so that faults of layers are seen too.
pub fn reporting(router: Router, sink: FaultSink) -> Router {
    Router::new().fallback_service(router).layer(from_fn_with_state(sink, layer))
}

async fn layer(State(sink): State<FaultSink>, request: Request, next: Next) -> Response {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let answer = next.run(request).await;
    if let Some(report) = report(&answer, &method, &uri) {
        sink.take(report);
    }
    answer
}

/// What is to be reported about an answer, if it is a fault.
pub fn report(answer: &Response, method: &Method, uri: &Uri) -> Option<FaultReport> {
    // A probe says every few seconds that a service is not ready; that is its purpose.
    if !answer.status().is_server_error() || uri.path().starts_with("/health") {
        return None;
    }
    let id = answer.headers().get(HEADER).and_then(|value| value.to_str().ok());
    let fault = answer.extensions().get::<Fault>().map(|fault| fault.0.as_ref());
    Some(FaultReport {
        correlation_id: CorrelationId::from_header(id).as_str().to_owned(),
        event: match fault {
            Some(fault) if fault.code == ErrorCode::Internal => UNHANDLED,
            Some(_) => FORESEEN,
            None => FAILED,
        },
        message: fault.map(|fault| fault.message.clone()),
        code: fault.map(|fault| fault.code),
        chain: fault.map(|fault| fault.chain.clone()).unwrap_or_default(),
        method: method.as_str().to_owned(),
        path: uri.path().to_owned(),
        query: uri.query().map(redact_query),
        status: answer.status().as_u16(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::body::Body;
    use axum::routing::get;
    use http::StatusCode;
    use syfthub_domain::Error;
    use tower::ServiceExt as _;

    use super::*;
    use crate::{ApiError, correlation};

    #[tokio::test]
    async fn answers_of_500_and_more_are_told_and_nothing_else() {
        let told: Arc<Mutex<Vec<FaultReport>>> = Arc::default();
        let sink = Arc::clone(&told);
        let failing = async || -> Result<(), ApiError> { Err(Error::internal("disk").into()) };
        let router = Router::new()
            .route("/x", get(failing))
            .route("/bare", get(async || StatusCode::BAD_GATEWAY))
            .route("/fine", get(async || "fine"))
            .route("/health/ready", get(failing))
            .layer(axum::middleware::from_fn(correlation::layer));
        let router = reporting(router, FaultSink::new(move |report| sink.lock().unwrap().push(report)));
        for path in ["/x?token=1&page=2", "/bare", "/fine", "/unknown", "/health/ready"] {
            let request = Request::get(path).header(HEADER, "my-request-1").body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap();
        }
        let told = told.lock().unwrap();
        let events: Vec<_> =
            told.iter().map(|report| (report.event, report.path.as_str(), report.status)).collect();
        assert_eq!(events, [(UNHANDLED, "/x", 500), (FAILED, "/bare", 502)]);
        assert_eq!((told[0].correlation_id.as_str(), told[0].chain.as_str()), ("my-request-1", "disk"));
        assert_eq!(told[0].query.as_deref(), Some("token=[REDACTED]&page=2"));
    }
}
