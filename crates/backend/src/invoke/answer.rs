//! What an endpoint says, as the hub's own answer.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::de::IgnoredAny;
use serde_json::json;
use syfthub_domain::{Clock as _, Error, ErrorCode, Result, SystemClock};
use syfthub_egress::{Error as EgressError, Response as Answer};
use syfthub_web::envelope;
use tokio::time::Instant;

use super::budget::Held;
use super::record::Record;

/// Largest answer that is no stream.
pub(super) const MAX_ANSWER: usize = 10 * 1024 * 1024;
/// Characters of an endpoint's refusal that are shown.
const MAX_REASON: usize = 200;
const LATENCY: HeaderName = HeaderName::from_static("x-proxy-latency-ms");

/// Forms of a stream that are passed on when the caller asked for one. No browser takes them for a page.
const STREAMED: &[&str] = &[
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/stream+json",
    "text/plain",
];
const EVENTS: &str = "text/event-stream";

/// An answer as it is passed on.
#[derive(Debug)]
pub(super) enum Passed {
    /// It is all here.
    Whole(Response),
    /// Its head is here, the rest comes piece by piece.
    Stream(&'static str, Answer),
}

/// Turns the answer of an endpoint into ours. The call began at `begun`; what is no stream must be complete `time`
/// after that, and is booked on `held` until the caller has it.
pub(super) async fn pass_on(
    answer: Answer,
    wants_stream: bool,
    begun: Instant,
    time: Duration,
    mut held: Held,
) -> Result<Passed> {
    let status = answer.status();
    if !status.is_success() {
        let headers = answer.headers().clone();
        let text = tokio::time::timeout_at(begun + time, answer.excerpt(MAX_REASON * 4)).await;
        return Ok(Passed::Whole(failed(status, &headers, &text.unwrap_or_default())));
    }
    if let Some(kind) = stream_kind(&answer, wants_stream) {
        return Ok(Passed::Stream(kind, answer));
    }
    let reading = answer.bytes_booked(MAX_ANSWER, |bytes| held.take(bytes));
    let body = tokio::time::timeout_at(begun + time, reading).await;
    let mut body = body.map_err(|_| EgressError::Timeout)??;
    if serde_json::from_slice::<IgnoredAny>(&body).is_err() {
        let text = json!({"raw_response": String::from_utf8_lossy(&body)}).to_string();
        held.take(text.len())?;
        body = text.into();
    }
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let mut response = (kind, held.keep(body)).into_response();
    response.headers_mut().insert(LATENCY, latency(begun));
    Ok(Passed::Whole(response))
}

fn stream_kind(answer: &Answer, wants_stream: bool) -> Option<&'static str> {
    let kind = answer.media_type()?;
    if kind == EVENTS {
        return Some(EVENTS);
    }
    STREAMED.iter().copied().find(|known| wants_stream && *known == kind)
}

/// Passes the pieces on as they come. When the client goes away the body is dropped, and the call with it.
pub(super) fn streamed(kind: &'static str, answer: Answer, record: Record) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
        (LATENCY, latency(record.begun)),
    ];
    let pieces = futures::stream::unfold(Some((answer, record)), async |state| {
        let (mut answer, record) = state?;
        match answer.chunk().await {
            Ok(Some(piece)) => Some((Ok(piece), Some((answer, record)))),
            Ok(None) => {
                record.end(Some(StatusCode::OK), None);
                None
            }
            Err(error) => {
                record.end(Some(StatusCode::OK), Some(&error.to_string()));
                Some((Err(error), None))
            }
        }
    });
    (headers, Body::from_stream(pieces)).into_response()
}

fn latency(begun: Instant) -> HeaderValue {
    HeaderValue::from(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX))
}

/// A refusal or failure of the endpoint. A 401 of theirs says nothing about the caller's credential here, and
/// clients answer 401 with a new token and the same request, for ever; a redirect leads nowhere either.
fn failed(theirs: StatusCode, headers: &HeaderMap, text: &str) -> Response {
    let (status, message) = match theirs.as_u16() {
        403 => {
            let reason: String = text.chars().take(MAX_REASON).collect();
            (theirs, format!("Target endpoint denied access: {reason}"))
        }
        401 | 407 => (
            StatusCode::BAD_GATEWAY,
            format!(
                "Target endpoint asks for a credential ({theirs}); call it directly, with a satellite token"
            ),
        ),
        400..=599 => (theirs, "Target endpoint returned an error".to_owned()),
        _ => (StatusCode::BAD_GATEWAY, format!("Target endpoint answered with status {theirs}")),
    };
    let code =
        if theirs == StatusCode::FORBIDDEN { ErrorCode::PermissionDenied } else { ErrorCode::UpstreamFailed };
    let mut body = envelope(&Error::new(code, message), SystemClock.now());
    body["statusCode"] = status.as_u16().into();
    let mut response = (status, Json(body)).into_response();
    // How to pay and when to come back.
    let kept: &[HeaderName] = match theirs.as_u16() {
        402 => &[header::WWW_AUTHENTICATE],
        429 | 503 => &[header::RETRY_AFTER],
        _ => &[],
    };
    for name in kept {
        if let Some(value) = headers.get(name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}
