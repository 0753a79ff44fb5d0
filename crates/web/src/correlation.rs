//! Layer: every request has a correlation id, in its log lines, in the calls it causes and in its answer.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use syfthub_logging::correlation::{self, CorrelationId};
use syfthub_logging::trace_context;
use tracing::Instrument;

const HEADER: HeaderName = HeaderName::from_static(correlation::HEADER);

/// Puts the id of a request, or a new one, on an answer that no layer has seen.
pub fn stamp(request: &HeaderMap, answer: &mut HeaderMap) {
    let given = request.get(&HEADER).and_then(|value| value.to_str().ok());
    if let Ok(value) = HeaderValue::from_str(CorrelationId::from_header(given).as_str()) {
        answer.insert(HEADER, value);
    }
}

pub(crate) async fn layer(request: Request, next: Next) -> Response {
    // Several services behind one port each have this layer; the outermost counts.
    if correlation::current().is_some() {
        return next.run(request).await;
    }
    let given = request.headers().get(&HEADER).and_then(|value| value.to_str().ok());
    let id = CorrelationId::from_header(given);
    let remote = trace_context::extract(request.headers());
    let span = tracing::info_span!("http", method = %request.method(), path = request.uri().path());
    remote.attach(&span);
    let run = trace_context::scope(remote, next.run(request).instrument(span));
    let mut answer = correlation::scope(id.clone(), run).await;
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        answer.headers_mut().insert(HEADER, value);
    }
    answer
}
