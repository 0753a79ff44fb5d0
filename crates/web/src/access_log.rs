//! Layer: one line when a request starts and one when it ends.

use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use syfthub_domain::{Error, ErrorCode};
use syfthub_logging::redact;

use crate::client_ip::ClientIp;
use crate::error::ApiError;

/// Probes and pages that would drown the log.
const SILENT: &[&str] =
    &["/health", "/healthz", "/ready", "/metrics", "/docs", "/redoc", "/openapi.json", "/nginx-health"];
/// A body longer than this is not logged, in bytes.
const MAX_LOGGED_BODY: usize = 64 * 1024;
/// Most headers that are logged.
const MAX_HEADERS: usize = 100;
/// Longest user agent that is logged, in characters.
const MAX_AGENT: usize = 256;

/// What is logged, redacted (`LOG_REQUEST_HEADERS`, `LOG_REQUEST_BODY`, `LOG_RESPONSE_BODY`).
#[derive(Debug, Clone, Copy, Default)]
pub struct AccessLog {
    /// Headers of requests.
    pub request_headers: bool,
    /// Bodies of requests that are JSON.
    pub request_body: bool,
    /// Bodies of error answers.
    pub response_body: bool,
}

/// Marks a request that an outer layer logs already.
#[derive(Clone, Copy)]
struct Logged;

struct Facts {
    method: String,
    path: String,
    query: String,
    client_ip: String,
    user_agent: String,
}

/// A body that does not come within `patience` is answered with 408 where it is read for the log; the
/// time limit of the handler has not begun then.
pub(crate) async fn layer(
    State((options, patience)): State<(AccessLog, Duration)>,
    mut request: Request,
    next: Next,
) -> Response {
    if silent(request.uri().path()) || request.extensions_mut().insert(Logged).is_some() {
        return next.run(request).await;
    }
    let facts = Facts::of(&request);
    let headers = options.request_headers.then(|| told_headers(request.headers()));
    let started = Instant::now();
    let peeked = async { if options.request_body { peek_request(&mut request).await } else { None } };
    let peeked = tokio::time::timeout(patience, peeked).await;
    let (body, late) = peeked.map_or((None, true), |body| (body, false));
    tracing::info!(
        target: "syfthub.api.access",
        method = facts.method, path = facts.path, query = facts.query,
        client_ip = facts.client_ip, user_agent = facts.user_agent, headers, body,
        "request.started"
    );
    let mut answer = if late { overdue() } else { next.run(request).await };
    let duration_ms = started.elapsed().as_secs_f64() * 1000.0;
    let failed = answer.status().is_client_error() || answer.status().is_server_error();
    let body = if options.response_body && failed { peek_answer(&mut answer).await } else { None };
    facts.ended(answer.status(), duration_ms, body.as_deref());
    answer
}

fn overdue() -> Response {
    let text = "The request body did not arrive in time; try again";
    ApiError::from(Error::new(ErrorCode::RequestTimeout, text)).into_response()
}

impl Facts {
    fn of(request: &Request) -> Self {
        let agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Self {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().map(redact::redact_query).unwrap_or_default(),
            client_ip: request.extensions().get::<ClientIp>().map(|ip| ip.0.to_string()).unwrap_or_default(),
            user_agent: agent.unwrap_or_default().chars().take(MAX_AGENT).collect(),
        }
    }

    fn ended(&self, status: StatusCode, duration_ms: f64, body: Option<&str>) {
        let Self { method, path, query, client_ip, user_agent } = self;
        let status_code = status.as_u16();
        macro_rules! line {
            ($level:ident, $event:literal) => {
                tracing::$level!(
                    target: "syfthub.api.access",
                    method, path, query, client_ip, user_agent, status_code, duration_ms, body,
                    $event
                )
            };
        }
        match status_code {
            500.. => line!(error, "request.failed"),
            400..=498 => line!(warn, "request.completed"),
            _ => line!(info, "request.completed"),
        }
    }
}

fn silent(path: &str) -> bool {
    let first = path.get(1..).and_then(|rest| rest.find('/')).map_or(path, |end| &path[..=end]);
    SILENT.contains(&first)
}

/// Headers as JSON; of those that are there twice the last counts.
fn told_headers(headers: &HeaderMap) -> String {
    let told = headers.iter().take(MAX_HEADERS).map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned().into())
    });
    let mut told = Value::Object(told.collect());
    redact::redact_input(&mut told);
    told.to_string()
}

async fn peek_request(request: &mut Request) -> Option<String> {
    if !is_json(request.headers()) || !short(request.headers()) {
        return None;
    }
    let (text, body) = peek(std::mem::take(request.body_mut()), redact::redact_input).await;
    *request.body_mut() = body;
    text
}

async fn peek_answer(answer: &mut Response) -> Option<String> {
    if !is_json(answer.headers()) {
        return None;
    }
    let (text, body) = peek(std::mem::take(answer.body_mut()), redact::redact_json).await;
    *answer.body_mut() = body;
    text
}

/// Reads a body and hands out an equal one. A body that fails on the way is handed on as what came.
async fn peek(body: Body, redact: fn(&mut Value)) -> (Option<String>, Body) {
    let bytes: Bytes = match body.collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) => {
            let failed = futures::stream::once(async move { Err::<Bytes, _>(error) });
            return (None, Body::from_stream(failed));
        }
    };
    let text = (bytes.len() <= MAX_LOGGED_BODY)
        .then(|| serde_json::from_slice::<Value>(&bytes).ok())
        .flatten()
        .map(|mut value| {
            redact(&mut value);
            value.to_string()
        });
    (text, Body::from(bytes))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/json"))
}

/// Only a body that says its length, and a small one, is read ahead of its limit checks.
fn short(headers: &HeaderMap) -> bool {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    length.is_some_and(|length: usize| length <= MAX_LOGGED_BODY)
}

#[cfg(test)]
mod tests {
    use super::silent;

    #[test]
    fn probes_and_documents_are_silent_and_nothing_else() {
        for path in ["/health", "/health/ready", "/docs/index.css", "/metrics", "/openapi.json"] {
            assert!(silent(path), "{path}");
        }
        for path in ["/", "/api/v1/health", "/healthy", "/alice/docs", "/documents"] {
            assert!(!silent(path), "{path}");
        }
    }
}
