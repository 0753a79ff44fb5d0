//! The one error envelope, and the type that handlers return.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};
use syfthub_domain::{Clock, Detail, Error, ErrorCode, SystemClock, Timestamp};
use syfthub_logging::correlation;

use crate::dpop;

/// What went wrong, on an answer with a status of 500 and more, for a layer that keeps account of faults.
#[derive(Debug, Clone)]
pub struct Fault(pub std::sync::Arc<FaultFacts>);

/// See [`Fault`]. Nothing of it but the message was told to the client.
#[derive(Debug, Clone)]
pub struct FaultFacts {
    /// Row of the table of errors.
    pub code: ErrorCode,
    /// What the client was told.
    pub message: String,
    /// The causes, from the outermost to the root.
    pub chain: String,
}

/// What a handler returns.
pub type ApiResult<T> = Result<T, ApiError>;

/// An error on its way to a client. Boxed, because results of handlers are mostly good.
#[derive(Debug)]
pub struct ApiError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    error: Error,
    billing: Option<Value>,
    headers: HeaderMap,
}

impl ApiError {
    /// The error behind it.
    pub fn error(&self) -> &Error {
        &self.0.error
    }

    /// Takes the error out.
    pub fn into_error(self) -> Error {
        self.0.error
    }

    /// Adds what was charged although the request failed; it appears as `billing`.
    #[must_use]
    pub fn with_billing(mut self, billing: Value) -> Self {
        self.0.billing = Some(billing);
        self
    }

    /// Adds a response header, for example a rate limit's.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self(Box::new(Inner { error, billing: None, headers: HeaderMap::new() }))
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.error.fmt(f)
    }
}

impl std::error::Error for ApiError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0.error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Inner { error, billing, headers } = *self.0;
        log(&error);
        let status =
            StatusCode::from_u16(error.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut body = envelope(&error, SystemClock.now());
        if let (Some(billing), Value::Object(keys)) = (billing, &mut body) {
            keys.insert("billing".to_owned(), billing);
        }
        let mut answer = (status, Json(body)).into_response();
        let challenge = match error.code {
            ErrorCode::Unauthenticated => Some("Bearer".to_owned()),
            ErrorCode::InvalidDpopProof => Some(dpop::challenge("error=\"invalid_dpop_proof\"")),
            _ => None,
        };
        if let Some(challenge) = challenge.and_then(|text| HeaderValue::from_str(&text).ok()) {
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(after) = error.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        answer.headers_mut().extend(headers);
        if status.is_server_error() {
            let chain = error.chain();
            let facts = FaultFacts { code: error.code, message: error.message, chain };
            answer.extensions_mut().insert(Fault(std::sync::Arc::new(facts)));
        }
        answer
    }
}

/// The body of every error: a superset that all described clients can read. `detail` keeps the three
/// shapes that the published SDKs parse; everything else is additional.
pub fn envelope(error: &Error, now: Timestamp) -> Value {
    let code = error.code.name();
    let mut body = json!({
        "detail": detail(error),
        "error": {"code": code, "message": error.message},
        "message": error.message,
        "correlation_id": correlation::current().map(|id| id.as_str().to_owned()),
        "statusCode": error.code.http_status(),
        "success": false,
        "timestamp": now,
    });
    let details = match &error.detail {
        Detail::Text => None,
        Detail::Coded(extras) if extras.is_empty() => None,
        Detail::Coded(extras) => Some(Value::Object(extras.clone())),
        Detail::Fields(fields) => serde_json::to_value(fields).ok(),
    };
    if let (Some(details), Value::Object(keys)) = (details, &mut body) {
        keys.insert("details".to_owned(), details);
    }
    body
}

fn detail(error: &Error) -> Value {
    match &error.detail {
        Detail::Text => Value::String(error.message.clone()),
        Detail::Fields(fields) => serde_json::to_value(fields).unwrap_or_default(),
        Detail::Coded(extras) => {
            let mut object = Map::new();
            object.insert("code".to_owned(), error.code.name().into());
            object.insert("message".to_owned(), error.message.clone().into());
            object.extend(extras.clone());
            Value::Object(object)
        }
    }
}

/// Logs an error once, at the edge. The causes of a 4xx are of interest only when someone looks.
fn log(error: &Error) {
    let code = error.code.name();
    let told = if error.code.repeats_others() { error.code.description() } else { &error.message };
    let chain = error.chain();
    match error.code.http_status() {
        500.. if error.code == ErrorCode::Internal => {
            tracing::error!(target: "syfthub.api.error", code, told, chain, "error.unhandled");
        }
        500.. => tracing::error!(target: "syfthub.api.error", code, told, chain, "error.domain"),
        422 => tracing::debug!(target: "syfthub.api.error", code, "error.validation"),
        404 => tracing::debug!(target: "syfthub.api.error", code, told, "error.not_found"),
        401 => tracing::debug!(target: "syfthub.api.error", code, told, chain, "error.unauthorized"),
        403 => tracing::debug!(target: "syfthub.api.error", code, told, chain, "error.forbidden"),
        _ => tracing::debug!(target: "syfthub.api.error", code, told, chain, "error.domain"),
    }
}
