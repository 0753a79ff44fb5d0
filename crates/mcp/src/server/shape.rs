//! The edges of the transport: what clients may leave out, and refusals in the shape of the protocol.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::json;

/// Longest refusal of the transport, in bytes; they are sentences.
const LONGEST: usize = 4096;
/// JSON-RPC's code for a request that is none.
const INVALID_REQUEST: i32 = -32600;
const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// Layer around the transport.
pub(super) async fn layer(mut request: Request, next: Next) -> Response {
    if request.method() == Method::POST && takes_json(&request) {
        request.headers_mut().insert(header::ACCEPT, BOTH);
    }
    let answer = next.run(request).await;
    if answer.status().is_client_error() && !is_json(&answer) { in_shape(answer).await } else { answer }
}

/// Clients are to accept JSON and event streams. One that names only JSON, everything or nothing gets JSON too: a
/// stream comes only to who asked for progress.
fn takes_json(request: &Request) -> bool {
    let named: Vec<&str> =
        request.headers().get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let all = named.join(",").to_ascii_lowercase();
    let mut kinds = all.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
    all.trim().is_empty() || kinds.any(|kind| matches!(kind, "*/*" | "application/*" | "application/json"))
}

fn is_json(answer: &Response) -> bool {
    let kind = answer.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

/// The same refusal as an error of JSON-RPC, which is what clients show.
async fn in_shape(answer: Response) -> Response {
    let (mut parts, body) = answer.into_parts();
    let told = to_bytes(body, LONGEST).await.unwrap_or_default();
    let told = String::from_utf8_lossy(&told);
    let message = match told.trim() {
        "" => parts.status.canonical_reason().unwrap_or("Refused"),
        text => text,
    };
    let message = match parts.status {
        StatusCode::METHOD_NOT_ALLOWED => "This endpoint takes POST only; it keeps no stream and no session",
        _ => message,
    };
    let error = json!({"jsonrpc": "2.0", "id": null, "error": {"code": INVALID_REQUEST, "message": message}});
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, Body::from(error.to_string()))
}
