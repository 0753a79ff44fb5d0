//! Cross-origin access. Never with credentials: the browser's session cookie works on the own origin only.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header};
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer, ExposeHeaders};

/// Headers of answers that scripts of other origins may read.
const EXPOSED: [&str; 9] = [
    "x-correlation-id",
    "retry-after",
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "www-authenticate",
    "etag",
    "mcp-session-id",
    "mcp-protocol-version",
];

/// Which paths scripts of every origin may ask; those of all others none may.
pub type OpenPaths = fn(&str) -> bool;

/// Layer: opens some paths to scripts of every origin and says nothing on the others, where only pages live.
pub async fn by_path(State(is_open): State<OpenPaths>, request: Request, next: Next) -> Response {
    if !is_open(request.uri().path()) {
        return next.run(request).await;
    }
    let asked = request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD).cloned();
    let headers = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    let mut answer = match asked {
        Some(method) if request.method() == Method::OPTIONS => {
            let mut answer = StatusCode::NO_CONTENT.into_response();
            let told = answer.headers_mut();
            told.insert(header::ACCESS_CONTROL_ALLOW_METHODS, method);
            told.extend(headers.map(|headers| (header::ACCESS_CONTROL_ALLOW_HEADERS, headers)));
            told.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
            let varies = "Access-Control-Request-Method, Access-Control-Request-Headers";
            told.append(header::VARY, HeaderValue::from_static(varies));
            answer
        }
        _ => next.run(request).await,
    };
    let told = answer.headers_mut();
    told.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if let Ok(exposed) = HeaderValue::from_str(&EXPOSED.join(", ")) {
        told.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    answer
}

/// Answers preflights for the listed origins; `*` allows every origin (without credentials, so it gives
/// away nothing that is not public).
pub fn layer(origins: &[String]) -> CorsLayer {
    let origin = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        let listed =
            origins.iter().filter_map(|origin| HeaderValue::from_str(origin.trim_end_matches('/')).ok());
        AllowOrigin::list(listed)
    };
    CorsLayer::new()
        .allow_origin(origin)
        .allow_methods(AllowMethods::mirror_request())
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(ExposeHeaders::list(EXPOSED.map(http::HeaderName::from_static)))
        .max_age(Duration::from_mins(10))
}
