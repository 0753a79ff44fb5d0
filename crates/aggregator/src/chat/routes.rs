//! `/api/v1/chat` and `/api/v1/chat/stream`.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures::{StreamExt, stream};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use syfthub_auth::dpop::ProofError;
use syfthub_auth::grant_ticket;
use syfthub_config::{Rule, Secret};
use syfthub_domain::{Error, Result};
use syfthub_proto::identity::VerifyBoundTokenRequest;
use syfthub_web::browser::BrowserCookie;
use syfthub_web::dpop::{self, Bound};
use syfthub_web::limits::RateLimiter;
use syfthub_web::route_table::Owner;
use syfthub_web::{ApiError, ApiResult, ClientIp, RawJson, sse};

use super::event::Event;
use super::{Ask, Chat, Delivery, request, wire};
use crate::detached::{self, Frames, Runs, Wish};
use crate::streams::watched;

/// Longest credential that is looked at, in bytes.
const MAX_CREDENTIAL: usize = 8_192;

/// What the routes need.
#[derive(Debug, Clone)]
pub(crate) struct ChatRoutes {
    pub(crate) chat: Arc<Chat>,
    pub(crate) runs: Arc<Runs>,
    pub(crate) limiter: RateLimiter,
    pub(crate) rule: Rule,
    pub(crate) cookie: BrowserCookie,
    /// The public origin of the hub.
    pub(crate) origin: Arc<str>,
}

pub(crate) fn router(routes: ChatRoutes) -> Router {
    Router::new()
        .route("/api/v1/chat", post(complete))
        .route("/api/v1/chat/stream", post(stream_events))
        .with_state(routes)
}

async fn complete(State(routes): State<ChatRoutes>, request: Request) -> ApiResult<Response> {
    let Admitted { ask, detach } = routes.admit(request, "chat").await?;
    let chat = Arc::clone(&routes.chat);
    let Some(detach) = detach else { return Ok(whole(&chat, ask).await.into_response()) };
    let work = move || stream::once(async move { (KEPT_ANSWER, keep(whole(&chat, ask).await).await) });
    let mut frames = routes.runs.take_up(detach, work).await?;
    let frame = frames.next().await.unwrap_or_default();
    match detached::read(&frame) {
        Some((KEPT_ANSWER, answer)) => Ok(kept(&answer)),
        _ => Err(detached::interrupted().into()),
    }
}

/// The one event of a run whose client wants the whole answer at once.
pub(crate) const KEPT_ANSWER: &str = "answer";

async fn whole(chat: &Arc<Chat>, ask: Ask) -> ApiResult<Json<Value>> {
    let mut events = chat.ask(ask, Delivery::Whole);
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

/// An answer, or a refusal, in a form that can be given to more than one client.
pub(crate) async fn keep(answer: impl IntoResponse) -> Value {
    let (parts, body) = answer.into_response().into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let retry_after = parts.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    json!({"status": parts.status.as_u16(), "retry_after": retry_after, "body": body})
}

/// The answer that was kept.
pub(crate) fn kept(answer: &Value) -> Response {
    let status = answer["status"].as_u64().and_then(|status| u16::try_from(status).ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::OK);
    let mut response = (status, Json(&answer["body"])).into_response();
    if let Some(after) = answer["retry_after"].as_str().and_then(|after| HeaderValue::from_str(after).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, after);
    }
    response
}

async fn stream_events(State(routes): State<ChatRoutes>, request: Request) -> ApiResult<Response> {
    let Admitted { ask, detach } = routes.admit(request, "chat/stream").await?;
    let chat = Arc::clone(&routes.chat);
    let events = move || chat.ask(ask, Delivery::Streamed);
    let frames: Frames = match detach {
        Some(detach) => {
            let events = move || events().map(|event| wire::event_json(&event));
            routes.runs.take_up(detach, events).await?
        }
        None => Box::pin(events().map(|event| wire::frame(&event))),
    };
    Ok(sse::response_of_frames(watched("chat/stream", frames)))
}

/// A request that may be worked on.
struct Admitted {
    ask: Ask,
    /// Present when it shall outlive its client.
    detach: Option<detached::Request>,
}

impl ChatRoutes {
    /// Counts the request, then reads it, and checks who asks when guests are not served. An address
    /// beyond its limit does not get to send a body.
    async fn admit(&self, request: Request, route: &'static str) -> ApiResult<Admitted> {
        let (mut parts, body) = request.into_parts();
        let claim = self.claim(&mut parts).await?;
        let stand = claim.stand();
        let wish = Wish::read(&parts.headers)?;
        let raw = RawJson::from_request(Request::from_parts(parts, body), &()).await?;
        let body = raw.parse_with(request::parse)?;
        let mut ask = request::read(body, claim.authorization, &self.chat.settings)?;
        if ask.credential.is_none() {
            ask.credential = claim.session?;
        }
        self.accept(ask.credential.as_ref(), stand).await?;
        self.chat.keeper().check(&ask).await?;
        let owner = || owner_of(ask.credential.as_ref());
        let detach = wish.map(|wish| detached::Request { wish, owner: owner(), route, body: raw.0 });
        Ok(Admitted { ask, detach })
    }

    /// Counts the request for its address, and says who it claims to be of.
    pub(crate) async fn claim(&self, parts: &mut Parts) -> ApiResult<Claim> {
        let Ok(client) = ClientIp::from_request_parts(parts, &()).await;
        self.limiter.check("chat", &client.limit_bucket(), self.rule).await?;
        let bound = match Bound::from_headers(&parts.headers) {
            Some(Bound(token)) => Some(self.prove(parts, &token).await?),
            None => None,
        };
        let is_bound = bound.is_some();
        let authorization = bound.or_else(|| credential(&parts.headers));
        Ok(Claim { authorization, is_bound, session: self.session(parts) })
    }

    /// Shows a token that is bound to a key to the hub, with the proof of this request, which is good once. What
    /// follows is asked on the ticket that the hub gives for it.
    async fn prove(&self, parts: &Parts, token: &Secret) -> Result<Secret> {
        let proof = dpop::proof(&parts.headers).and_then(|proof| proof.ok_or(ProofError::Missing))?;
        let request = VerifyBoundTokenRequest {
            token: token.expose().to_owned(),
            proof: proof.to_owned(),
            method: parts.method.as_str().to_owned(),
            addresses: dpop::addresses(&self.origin, Owner::Aggregator, parts.uri.path()),
        };
        self.chat.prove(request).await
    }

    /// Counts the request for its credential, and refuses guests when they are not served. What our own services show
    /// one another is no credential here: the hub would believe it of the aggregator.
    pub(crate) async fn accept(&self, credential: Option<&Secret>, stand: Stand) -> ApiResult<()> {
        if let Some(credential) = credential {
            let is_ours = stand.0.is_some_and(|ticket| ticket.expose() == credential.expose());
            if !is_ours && grant_ticket::is_ticket(credential.expose()) {
                return Err(Error::unauthenticated("Could not validate credentials").into());
            }
            self.limiter.check("chat-token", &fingerprint(credential), self.rule).await?;
        }
        self.chat.admit(credential).await?;
        Ok(())
    }

    /// The session cookie of a browser, if a script of the hub's own pages sent it. It counts only when the request
    /// has no token, so what is wrong with it is told only then.
    fn session(&self, parts: &Parts) -> Result<Option<Secret>> {
        let Some(cookie) = self.cookie.read(&parts.headers) else { return Ok(None) };
        self.cookie.require_own_script(&parts.method, &parts.headers)?;
        Ok(Some(cookie))
    }
}

/// Who a request claims to be of.
#[derive(Debug)]
pub(crate) struct Claim {
    authorization: Option<Secret>,
    /// Whether it stands for a token that is bound to a key.
    is_bound: bool,
    session: Result<Option<Secret>>,
}

/// The ticket that the hub gave for the token of a request, if it gave one.
#[derive(Debug)]
pub(crate) struct Stand(Option<Secret>);

impl Claim {
    /// What may be shown of our own services' tickets.
    pub(crate) fn stand(&self) -> Stand {
        Stand(self.authorization.clone().filter(|_| self.is_bound))
    }

    /// The token of the header.
    pub(crate) fn token(self) -> Result<Option<Secret>> {
        request::refuse_cookie(self.authorization.as_ref())?;
        Ok(self.authorization)
    }

    /// The token of the header, else the session of a browser.
    pub(crate) fn credential(self) -> Result<Option<Secret>> {
        request::refuse_cookie(self.authorization.as_ref())?;
        if self.authorization.is_some() { Ok(self.authorization) } else { self.session }
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

/// Whose a request is that can be taken up again.
pub(crate) fn owner_of(credential: Option<&Secret>) -> String {
    credential.map_or_else(|| detached::GUEST.to_owned(), fingerprint)
}

/// A key to count by that does not give the credential away.
fn fingerprint(credential: &Secret) -> String {
    // Tickets change from minute to minute, their grant does not.
    let text = credential.expose();
    let grant = Some(text).filter(|text| grant_ticket::is_ticket(text)).and_then(grant_ticket::named_grant);
    let digest: [u8; 32] = match grant {
        Some(grant) => Sha256::digest(grant.as_bytes()).into(),
        None => Sha256::digest(text.as_bytes()).into(),
    };
    let [high, low, ..] = digest.as_chunks::<8>().0 else { return String::new() };
    format!("{:016x}{:016x}", u64::from_be_bytes(*high), u64::from_be_bytes(*low))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &'static str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static(value));
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
