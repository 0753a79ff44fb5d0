//! Refusals of a method that HTTP shall tell as well: the handler leaves them on the request, and the layer around the
//! transport gives the answer their status and headers. Its body stays the error of the protocol.

use std::sync::{Arc, OnceLock};

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer};
use serde_json::json;
use syfthub_domain::Error;

use super::errors::{INSUFFICIENT_SCOPE, TOO_MANY};
use crate::tools::Need;

/// Why a method was refused.
#[derive(Debug)]
enum Refusal {
    /// The credential does not allow it.
    Scope(Need),
    /// It was called too often; in so many seconds it may be called again.
    TooMany(u64),
}

/// Where the handler leaves a refusal.
#[derive(Debug, Clone, Default)]
struct Verdict(Arc<OnceLock<Refusal>>);

/// The credential does not allow it: the client may ask its user for more.
pub(super) fn step_up(context: &RequestContext<RoleServer>, what: &str, need: Need) -> ErrorData {
    leave(context, Refusal::Scope(need));
    let scopes = need.scopes();
    let text = format!("{what} needs the scopes {}; authorize again and ask for them", scopes.join(" "));
    ErrorData::new(INSUFFICIENT_SCOPE, text, Some(json!({"required_scopes": scopes})))
}

/// It was called too often.
pub(super) fn too_many(context: &RequestContext<RoleServer>, error: &Error) -> ErrorData {
    let seconds = error.retry_after.map_or(1, |after| after.as_secs().max(1));
    leave(context, Refusal::TooMany(seconds));
    ErrorData::new(TOO_MANY, error.message.clone(), Some(json!({"retry_after_seconds": seconds})))
}

fn leave(context: &RequestContext<RoleServer>, refusal: Refusal) {
    let verdict = context.extensions.get::<Parts>().and_then(|parts| parts.extensions.get::<Verdict>());
    if let Some(verdict) = verdict {
        // One request has one answer, so nothing was left before.
        let _first = verdict.0.set(refusal);
    }
}

/// Layer: gives refusals their status. The state is the address of the resource's metadata.
pub(crate) async fn layer(State(metadata): State<Arc<str>>, mut request: Request, next: Next) -> Response {
    let verdict = Verdict::default();
    request.extensions_mut().insert(verdict.clone());
    let mut answer = next.run(request).await;
    match verdict.0.get() {
        None => {}
        Some(Refusal::TooMany(seconds)) => {
            *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
        }
        Some(Refusal::Scope(need)) => {
            *answer.status_mut() = StatusCode::FORBIDDEN;
            let scopes = need.scopes().join(" ");
            let challenge = format!(
                "Bearer error=\"insufficient_scope\", scope=\"{scopes}\", resource_metadata=\"{metadata}\", \
                 error_description=\"This needs more than the token allows\""
            );
            if let Ok(challenge) = HeaderValue::try_from(challenge) {
                answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
        }
    }
    answer
}
