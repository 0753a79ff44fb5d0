//! Refusals for programs, in the form of RFC 6749, section 5.2.

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use syfthub_auth::dpop::ProofError;
use syfthub_domain::{Error, ErrorCode};
use syfthub_web::{ApiError, Fault, FaultFacts, dpop};

use super::params::Repeated;

/// How long to wait when the hub did not say.
const RETRY_AFTER_SECONDS: u64 = 5;

/// What a handler of the protocol gives.
pub(crate) type OAuthResult<T> = Result<T, OAuthError>;

/// A refusal. Boxed, because most answers are good.
#[derive(Debug)]
pub(crate) struct OAuthError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    description: String,
    challenge: Option<String>,
    cause: Option<Error>,
}

impl OAuthError {
    /// 400 with one of the standard's words.
    pub(crate) fn new(code: &'static str, description: impl Into<String>) -> Self {
        Self::with_status(StatusCode::BAD_REQUEST, code, description)
    }

    fn with_status(status: StatusCode, code: &'static str, description: impl Into<String>) -> Self {
        let description = description.into();
        Self(Box::new(Inner { status, code, description, challenge: None, cause: None }))
    }

    pub(crate) fn invalid_request(description: impl Into<String>) -> Self {
        Self::new("invalid_request", description)
    }

    pub(crate) fn invalid_grant(description: impl Into<String>) -> Self {
        Self::new("invalid_grant", description)
    }

    /// 401: nobody with this id and secret.
    pub(crate) fn invalid_client(description: impl Into<String>) -> Self {
        let mut error = Self::with_status(StatusCode::UNAUTHORIZED, "invalid_client", description);
        error.0.challenge = Some("Basic realm=\"SyftHub\"".to_owned());
        error
    }

    /// 401 for a token in `Authorization: Bearer`.
    pub(crate) fn invalid_token(description: impl Into<String>) -> Self {
        let description = description.into();
        let challenge = format!("Bearer error=\"invalid_token\", error_description=\"{description}\"");
        let mut error = Self::with_status(StatusCode::UNAUTHORIZED, "invalid_token", description);
        error.0.challenge = Some(challenge);
        error
    }

    /// 401 for a token without a good proof of its key (RFC 9449, section 7.1).
    pub(crate) fn unproven(error: ProofError) -> Self {
        let code = "invalid_dpop_proof";
        let mut told = Self::with_status(StatusCode::UNAUTHORIZED, code, Error::from(error).message);
        told.0.challenge = Some(dpop::challenge(&format!("error=\"{code}\"")));
        told
    }

    /// 401 without a token: there is nothing to call wrong (RFC 6750, section 3.1).
    pub(crate) fn token_missing() -> Self {
        let text = "Send an access token in the header Authorization: Bearer";
        let mut error = Self::with_status(StatusCode::UNAUTHORIZED, "invalid_token", text);
        error.0.challenge = Some("Bearer realm=\"SyftHub\"".to_owned());
        error
    }

    /// 403 for a token that may not do this.
    pub(crate) fn insufficient_scope(scope: &str) -> Self {
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
        let text = format!("The token lacks the scope {scope}");
        let mut error = Self::with_status(StatusCode::FORBIDDEN, "insufficient_scope", text);
        error.0.challenge = Some(challenge);
        error
    }

    pub(crate) fn code(&self) -> &'static str {
        self.0.code
    }

    pub(crate) fn description(&self) -> &str {
        &self.0.description
    }
}

impl From<ProofError> for OAuthError {
    /// RFC 9449, section 5.
    fn from(error: ProofError) -> Self {
        Self::new("invalid_dpop_proof", Error::from(error).message)
    }
}

impl From<Repeated<'_>> for OAuthError {
    fn from(Repeated(name): Repeated<'_>) -> Self {
        Self::invalid_request(format!("The parameter {name} is there more than once"))
    }
}

impl From<ApiError> for OAuthError {
    fn from(error: ApiError) -> Self {
        error.into_error().into()
    }
}

impl From<Error> for OAuthError {
    /// What the hub refused or could not do.
    fn from(error: Error) -> Self {
        let busy = "temporarily_unavailable";
        let (status, code, text) = match error.code {
            ErrorCode::RateLimited => (StatusCode::TOO_MANY_REQUESTS, busy, error.message.clone()),
            ErrorCode::PayloadTooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", error.message.clone())
            }
            code if code.http_status() < 500 => {
                (StatusCode::BAD_REQUEST, "invalid_request", error.message.clone())
            }
            ErrorCode::Internal => {
                let text = "The hub could not answer; its operator finds the cause under the correlation id";
                (StatusCode::INTERNAL_SERVER_ERROR, "server_error", text.to_owned())
            }
            _ => {
                let text = "The hub cannot answer right now; try again shortly";
                (StatusCode::SERVICE_UNAVAILABLE, busy, text.to_owned())
            }
        };
        let mut told = Self::with_status(status, code, text);
        told.0.cause = Some(error);
        told
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let Inner { status, code, description, challenge, cause } = *self.0;
        let body = json!({"error": code, "error_description": description});
        let mut answer = (status, Json(body)).into_response();
        let headers = answer.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = challenge.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            let after = cause.as_ref().and_then(|cause| cause.retry_after);
            let seconds = after.map_or(RETRY_AFTER_SECONDS, |after| after.as_secs().max(1));
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(cause) = cause.filter(|_| status.is_server_error()) {
            report(&mut answer, &cause);
        }
        answer
    }
}

/// Logs what the client is not told, and marks the answer for the table of error reports.
pub(crate) fn report(answer: &mut Response, cause: &Error) {
    let facts = FaultFacts { code: cause.code, message: cause.message.clone(), chain: cause.chain() };
    tracing::error!(code = cause.code.name(), chain = facts.chain, "oauth.failed");
    answer.extensions_mut().insert(Fault(Arc::new(facts)));
}
