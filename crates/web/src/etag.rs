//! Entity tags for public listings.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use sha2::{Digest, Sha256};
use syfthub_domain::Error;

use crate::error::ApiResult;

/// Answers with `body` as JSON and its tag, or with 304 when the client has it already
/// (`If-None-Match`).
pub fn json<T: Serialize>(request: &HeaderMap, body: &T) -> ApiResult<Response> {
    let bytes = serde_json::to_vec(body).map_err(Error::internal)?;
    let tag = tag(&bytes)?;
    let mut answer = if has(request, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let mut answer = Response::new(Body::from(bytes));
        let json = HeaderValue::from_static("application/json");
        answer.headers_mut().insert(header::CONTENT_TYPE, json);
        answer
    };
    answer.headers_mut().insert(header::ETAG, tag);
    let check = HeaderValue::from_static("no-cache"); // it may be kept, and must be checked
    answer.headers_mut().entry(header::CACHE_CONTROL).or_insert(check);
    Ok(answer)
}

fn tag(bytes: &[u8]) -> ApiResult<HeaderValue> {
    let digest = Sha256::digest(bytes);
    let text = format!("\"{}\"", hex::encode(&digest[..16]));
    Ok(HeaderValue::from_str(&text).map_err(Error::internal)?)
}

/// Weak comparison, as RFC 9110 asks for `If-None-Match`.
fn has(request: &HeaderMap, tag: &HeaderValue) -> bool {
    request
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|given| given.trim().trim_start_matches("W/"))
        .any(|given| given == "*" || given.as_bytes() == tag.as_bytes())
}
