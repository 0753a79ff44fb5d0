//! Answers for paths and methods that do not exist.

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use syfthub_domain::{Error, ErrorCode};

use crate::error::ApiError;

/// Gives `router` JSON answers for unknown paths and methods. Call it when all routes are there.
pub fn with_json_fallbacks(router: Router) -> Router {
    router.fallback(not_found).method_not_allowed_fallback(method_not_allowed)
}

/// 404, as JSON; a gRPC client gets gRPC's own "unimplemented", which it can tell from a page.
pub async fn not_found(request: Request) -> Response {
    if is_grpc(request.headers()) {
        let mut answer = StatusCode::OK.into_response();
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-status", HeaderValue::from_static("12"));
        return answer;
    }
    ApiError::from(Error::not_found("Not Found")).into_response()
}

/// 405, as JSON.
pub async fn method_not_allowed() -> ApiError {
    Error::new(ErrorCode::MethodNotAllowed, "Method Not Allowed").into()
}

/// Whether a request comes from a gRPC client.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/grpc"))
}
