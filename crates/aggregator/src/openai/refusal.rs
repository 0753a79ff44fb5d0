//! Errors in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`.

use std::fmt::Write as _;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use syfthub_domain::{Detail, Error, ErrorCode, FieldError, Loc};
use syfthub_web::ApiError;

use crate::chat::ModelRefusal;

/// Most that is read of a refusal of another layer, in bytes.
const MAX_REFUSAL: usize = 64 * 1024;

/// What a client is told of an error.
#[derive(Debug, PartialEq)]
struct Told {
    status: u16,
    kind: &'static str,
    param: Option<String>,
    code: String,
    message: String,
}

/// The answer to a request that was refused.
pub(super) fn response(refused: ApiError) -> Response {
    let told = told(refused.error());
    let mut answer = refused.into_response();
    // Everything but the body is what it is on all routes: limits, the time to wait, what the log was told.
    *answer.status_mut() = StatusCode::from_u16(told.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *answer.body_mut() = Body::from(body(&told).to_string());
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.headers_mut().remove(header::CONTENT_LENGTH);
    answer
}

/// Layer: gives what the layers around the routes refuse below `/v1` the shape that its clients read.
pub(crate) async fn shaped(request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_ours = path == "/v1" || path.starts_with("/v1/");
    let answer = next.run(request).await;
    if !is_ours || answer.status().as_u16() < 400 {
        return answer;
    }
    let (mut parts, body) = answer.into_parts();
    let text = axum::body::to_bytes(body, MAX_REFUSAL).await.unwrap_or_default();
    let json: Value = serde_json::from_slice(&text).unwrap_or_default();
    if json["error"]["type"].is_string() {
        return Response::from_parts(parts, text.into());
    }
    let status = parts.status.as_u16();
    let usual = parts.status.canonical_reason().unwrap_or("The request was refused");
    let told = Told {
        status,
        kind: if status < 500 { INVALID } else { SERVER },
        param: None,
        code: json["error"]["code"].as_str().unwrap_or("refused").to_ascii_lowercase(),
        message: json["message"].as_str().unwrap_or(usual).to_owned(),
    };
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(self::body(&told).to_string()))
}

/// The same for a stream that has begun.
pub(super) fn event(error: &Error, billing: &Value) -> Value {
    let mut body = body(&told(error));
    if !billing.is_null() {
        body["error"]["billing"] = billing.clone();
    }
    body
}

fn body(told: &Told) -> Value {
    json!({"error": {"message": told.message, "type": told.kind, "param": told.param, "code": told.code}})
}

fn told(error: &Error) -> Told {
    let (status, kind, code) = status_of(error);
    let own = error.code.name().to_ascii_lowercase();
    let code = code.map_or(own, str::to_owned);
    let (param, message) = match &error.detail {
        Detail::Fields(fields) => (fields.first().map(param), sentences(fields)),
        Detail::Coded(extras) => {
            let param = extras.get("param").and_then(Value::as_str).map(str::to_owned);
            (param, error.message.clone())
        }
        Detail::Text if error.code == ErrorCode::NotFound => {
            (Some("model".to_owned()), error.message.clone())
        }
        Detail::Text => (None, error.message.clone()),
    };
    Told { status, kind, param, code, message }
}

const INVALID: &str = "invalid_request_error";
const SERVER: &str = "server_error";

fn status_of(error: &Error) -> (u16, &'static str, Option<&'static str>) {
    let refusal = error.source.as_deref().and_then(|source| source.downcast_ref::<ModelRefusal>());
    match (error.code, refusal) {
        (_, Some(ModelRefusal::Timeout)) => (504, SERVER, Some("model_timeout")),
        (_, Some(ModelRefusal::Status(429))) => (429, "rate_limit_error", Some("model_rate_limited")),
        (_, Some(ModelRefusal::Status(400 | 413 | 422))) => (400, INVALID, Some("refused_by_model")),
        (_, Some(ModelRefusal::Status(402))) => (402, INVALID, Some("payment_required")),
        (ErrorCode::Unauthenticated, _) => (401, INVALID, Some("invalid_api_key")),
        (ErrorCode::ModelAccessDenied | ErrorCode::SourceAccessDenied, _) => (403, "permission_error", None),
        (ErrorCode::NotFound, _) => (404, INVALID, Some("model_not_found")),
        (ErrorCode::RateLimited, _) => (429, "rate_limit_error", Some("rate_limit_exceeded")),
        // A key that was used with another request: not a field of this one.
        (ErrorCode::ValidationError, _) if is_of_header(error) => (422, INVALID, Some("invalid_value")),
        (ErrorCode::ValidationError | ErrorCode::BadRequest, _) => (400, INVALID, Some("invalid_value")),
        (ErrorCode::GenerationFailed | ErrorCode::RetrievalFailed, _) => (502, SERVER, None),
        (code, _) if code.http_status() == 403 => (403, "permission_error", None),
        (code, _) if code.http_status() < 500 => (code.http_status(), INVALID, None),
        (code, _) => (code.http_status(), SERVER, None),
    }
}

fn is_of_header(error: &Error) -> bool {
    let Detail::Fields(fields) = &error.detail else { return false };
    fields
        .first()
        .and_then(|field| field.loc.first())
        .is_some_and(|loc| *loc == Loc::Key("header".to_owned()))
}

/// `messages[0].content` of `["body", "messages", 0, "content"]`.
fn param(field: &FieldError) -> String {
    let mut path = String::new();
    for step in field.loc.iter().skip(1) {
        match step {
            Loc::Key(key) if path.is_empty() => path.push_str(key),
            Loc::Key(key) => {
                path.push('.');
                path.push_str(key);
            }
            // Writing to a String cannot fail.
            Loc::Index(index) => drop(write!(path, "[{index}]")),
        }
    }
    path
}

/// All that is wrong in one text, because the shape has one place for it.
fn sentences(fields: &[FieldError]) -> String {
    let sentence = |field: &FieldError| {
        let text = field.msg.strip_prefix("Value error, ").unwrap_or(&field.msg);
        match param(field) {
            path if path.is_empty() => text.to_owned(),
            path => format!("{path}: {text}"),
        }
    };
    fields.iter().map(sentence).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::get;
    use syfthub_config::Settings;
    use syfthub_web::stack::Stack;
    use tower::ServiceExt as _;

    use super::*;

    #[test]
    fn every_field_that_is_wrong_is_told() {
        let fields = vec![
            FieldError::new(
                "missing",
                vec!["body".into(), "messages".into(), 0.into(), "role".into()],
                "Field required",
            ),
            FieldError::new("value_error", vec!["body".into(), "n".into()], "Value error, only 1 is served"),
        ];
        let told = told(&Error::fields(fields));
        assert_eq!((told.status, told.kind, told.param.as_deref()), (400, INVALID, Some("messages[0].role")));
        assert_eq!(told.message, "messages[0].role: Field required; n: only 1 is served");
    }

    #[test]
    fn what_the_model_answered_decides_the_status() {
        let failed = |refusal| Error::new(ErrorCode::GenerationFailed, "no").with_source(refusal);
        for (refusal, status) in [
            (ModelRefusal::Timeout, 504),
            (ModelRefusal::Status(429), 429),
            (ModelRefusal::Status(422), 400),
            (ModelRefusal::Status(500), 502),
        ] {
            assert_eq!(told(&failed(refusal)).status, status, "{refusal:?}");
        }
        let denied = Error::new(ErrorCode::ModelAccessDenied, "no").with_source(ModelRefusal::Status(403));
        assert_eq!((told(&denied).status, told(&denied).code.as_str()), (403, "model_access_denied"));
        let key = told(&Error::unauthenticated("no"));
        assert_eq!((key.status, key.code.as_str()), (401, "invalid_api_key"));
    }

    /// A router as the service wraps it, with one route that never answers and one that panics.
    fn wrapped() -> Router {
        async fn panics() -> Response {
            panic!("secret detail")
        }
        let routes = Router::new()
            .route("/v1/slow", get(std::future::pending::<Response>))
            .route("/v1/broken", get(panics))
            .route("/slow", get(std::future::pending::<Response>));
        let stack = Stack::new(&Settings::for_tests(Path::new("unused")))
            .with_request_timeout(Duration::from_secs(185));
        stack.wrap(routes).layer(from_fn(shaped))
    }

    async fn asked(path: &str) -> (u16, Value) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = wrapped().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), MAX_REFUSAL).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_outer_layers_refuse_has_the_shape_too() {
        let (status, late) = asked("/v1/slow").await;
        assert_eq!((status, late["error"]["type"].as_str()), (504, Some(SERVER)));
        assert_eq!(late["error"]["code"], "upstream_timeout");
        assert!(late["error"]["message"].as_str().unwrap().contains("in time"));
        let (status, broken) = asked("/v1/broken").await;
        assert_eq!((status, broken["error"]["type"].as_str()), (500, Some(SERVER)));
        assert!(!broken.to_string().contains("secret detail"), "{broken}");
        let (status, other) = asked("/slow").await;
        assert_eq!((status, other["statusCode"].as_u64()), (504, Some(504)), "the hub's own shape elsewhere");
    }
}
