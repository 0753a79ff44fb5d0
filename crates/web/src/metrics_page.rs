//! `/metrics` on a port of its own; the public port never serves it.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, header};
use syfthub_logging::Metrics;

/// A router with `GET /metrics`: Prometheus text, or JSON by `Accept`.
pub fn metrics_router(metrics: Metrics) -> Router {
    crate::fallback::with_json_fallbacks(Router::new().route("/metrics", get(render)).with_state(metrics))
}

async fn render(State(metrics): State<Metrics>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let (content_type, body) = metrics.render(accept);
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}
