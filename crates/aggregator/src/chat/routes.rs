//! `/api/v1/chat` and `/api/v1/chat/stream`.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::response::Response;
use axum::routing::post;
use axum::{Json, Router};
use futures::{Stream, StreamExt};
use http::request::Parts;
use http::{HeaderMap, header};
use serde_json::Value;
use sha2::{Digest, Sha256};
use syfthub_config::{Rule, Secret};
use syfthub_domain::{Error, Result};
use syfthub_web::browser::BrowserCookie;
use syfthub_web::limits::RateLimiter;
use syfthub_web::{ApiError, ApiResult, ClientIp, RawJson, sse};

use super::event::Event;
use super::{Ask, Chat, Delivery, request, wire};

/// Longest credential that is looked at, in bytes.
const MAX_CREDENTIAL: usize = 8_192;

/// What the routes need.
#[derive(Debug, Clone)]
pub(crate) struct ChatRoutes {
    pub(crate) chat: Arc<Chat>,
    pub(crate) limiter: RateLimiter,
    pub(crate) rule: Rule,
    pub(crate) cookie: BrowserCookie,
}

pub(crate) fn router(routes: ChatRoutes) -> Router {
    Router::new()
        .route("/api/v1/chat", post(complete))
        .route("/api/v1/chat/stream", post(stream))
        .with_state(routes)
}

async fn complete(State(routes): State<ChatRoutes>, request: Request) -> ApiResult<Json<Value>> {
    let ask = routes.admit(request).await?;
    let mut events = routes.chat.ask(ask, Delivery::Whole);
    while let Some(event) = events.next().await {
        match event {
            Event::Done(answer) => return Ok(Json(wire::response_json(&answer))),
            Event::Failed(failed) => {
                let billing = failed.billing.to_json();
                return Err(ApiError::from(failed.error).with_billing(billing));
            }
            _ => {}
        }
    }
    Err(Error::internal("the chat ended without a last event").into())
}

async fn stream(State(routes): State<ChatRoutes>, request: Request) -> ApiResult<Response> {
    let ask = routes.admit(request).await?;
    Ok(sse::response(frames(routes.chat.ask(ask, Delivery::Streamed))))
}

fn frames(events: impl Stream<Item = Event>) -> impl Stream<Item = sse::Event> {
    events.map(|event| {
        let (name, data) = wire::event_json(&event);
        sse::Event::new(name, data)
    })
}

impl ChatRoutes {
    /// Counts the request, then reads it, and checks who asks when guests are not served. An address
    /// beyond its limit does not get to send a body.
    async fn admit(&self, request: Request) -> ApiResult<Ask> {
        let (mut parts, body) = request.into_parts();
        let Ok(client) = ClientIp::from_request_parts(&mut parts, &()).await;
        self.limiter.check("chat", &client.limit_bucket(), self.rule).await?;
        let authorization = credential(&parts.headers);
        let session = self.session(&parts);
        let body = RawJson::from_request(Request::from_parts(parts, body), &()).await?;
        let body = body.parse_with(request::parse)?;
        let mut ask = request::read(body, authorization, &self.chat.settings)?;
        if ask.credential.is_none() {
            ask.credential = session?;
        }
        if let Some(credential) = &ask.credential {
            self.limiter.check("chat-token", &fingerprint(credential), self.rule).await?;
        }
        self.chat.admit(ask.credential.as_ref()).await?;
        Ok(ask)
    }

    /// The session cookie of a browser, if a script of the hub's own pages sent it. It counts only when the request
    /// has no token, so what is wrong with it is told only then.
    fn session(&self, parts: &Parts) -> Result<Option<Secret>> {
        let Some(cookie) = self.cookie.read(&parts.headers) else { return Ok(None) };
        self.cookie.require_own_script(&parts.method, &parts.headers)?;
        Ok(Some(cookie))
    }
}

/// The credential of the header. Clients send it with and without the word `Bearer`.
fn credential(headers: &HeaderMap) -> Option<Secret> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim();
    let token = match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        Some(_) => return None,
        None => text,
    };
    (!token.is_empty() && token.len() <= MAX_CREDENTIAL).then(|| Secret::new(token))
}

/// A key to count by that does not give the credential away.
fn fingerprint(credential: &Secret) -> String {
    let digest: [u8; 32] = Sha256::digest(credential.expose().as_bytes()).into();
    let [high, low, ..] = digest.as_chunks::<8>().0 else { return String::new() };
    format!("{:016x}{:016x}", u64::from_be_bytes(*high), u64::from_be_bytes(*low))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &'static str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, http::HeaderValue::from_static(value));
        credential(&headers).map(|token| token.expose().to_owned())
    }

    #[test]
    fn the_header_may_come_with_or_without_its_scheme() {
        assert_eq!(read("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(read("bearer  abc").as_deref(), Some("abc"));
        assert_eq!(read("abc").as_deref(), Some("abc"));
        assert_eq!(read("Basic abc"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn a_fingerprint_is_not_the_credential() {
        let print = fingerprint(&Secret::new("syft_pat_x"));
        assert_eq!(print.len(), 32);
        assert!(!print.contains("syft"));
    }
}
