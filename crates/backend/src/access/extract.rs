//! The callers that handlers ask for. Scopes are enforced here, by one table for every route.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use http::request::Parts;
use syfthub_auth::dpop::{Expected, ProofError};
use syfthub_auth::{Action, Principal};
use syfthub_config::Secret;
use syfthub_domain::Error;
use syfthub_web::dpop::{self, Bound};
use syfthub_web::{ApiError, Bearer, ClientIp};

use crate::error_reports::observe::CallerSlot;
use crate::router::AppState;

/// Somebody who is signed in, with a credential that covers this request. 401 and 403 otherwise.
#[derive(Debug, Clone)]
pub(crate) struct User(pub(crate) Principal);

/// An administrator who is signed in, with a credential that covers this request. 401 and 403 otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Admin(pub(crate) Principal);

/// Whoever asks. A credential that is not good, or does not cover this request, is as good as none. 401 for nobody on
/// a hub that is not open to guests.
#[derive(Debug, Clone)]
pub(crate) struct Viewer(pub(crate) Option<Principal>);

/// The credential itself, of a [`User`]; for the few rules that end it.
#[derive(Debug, Clone)]
pub(crate) struct Credential(pub(crate) Secret);

/// What a request shows: a token in its header, by itself or with the proof of a key, else the session cookie of a browser.
enum Shown {
    Token(Secret),
    Bound(Secret),
    Cookie(Secret),
}

impl Shown {
    fn find(parts: &Parts, state: &AppState) -> Option<Self> {
        let Bearer(token) = Bearer::from_headers(&parts.headers);
        let bound = || Bound::from_headers(&parts.headers).map(|Bound(token)| Self::Bound(token));
        token
            .map(Self::Token)
            .or_else(bound)
            .or_else(|| state.access.cookie().read(&parts.headers).map(Self::Cookie))
    }

    fn required(parts: &Parts, state: &AppState) -> Result<Self, ApiError> {
        Self::find(parts, state).ok_or_else(|| Error::unauthenticated("Not authenticated").into())
    }
}

/// Whoever proved the key of their token with this request. The proof is good once, so that it is kept for the other
/// extractors of the request who it was.
#[derive(Clone)]
struct Proven(Principal);

async fn proven(
    parts: &mut Parts,
    state: &AppState,
    token: &Secret,
    from: Option<IpAddr>,
) -> Result<Principal, ApiError> {
    if let Some(Proven(principal)) = parts.extensions.get() {
        return Ok(principal.clone());
    }
    let proof = dpop::proof(&parts.headers).and_then(|proof| proof.ok_or(ProofError::Missing));
    let addresses = state.access.addresses(parts.uri.path());
    let request =
        Expected { method: parts.method.as_str(), addresses: &addresses, access_token: Some(token.expose()) };
    let principal = state.access.authenticate_bound(proof.map_err(Error::from)?, request, from).await?;
    parts.extensions.insert(Proven(principal.clone()));
    Ok(principal)
}

async fn principal(parts: &mut Parts, state: &AppState, shown: &Shown) -> Result<Principal, ApiError> {
    let from = parts.extensions.get::<ClientIp>().map(|ip| ip.0);
    let principal = match shown {
        Shown::Token(token) => state.access.authenticate(token.expose(), from).await?,
        Shown::Bound(token) => proven(parts, state, token, from).await?,
        Shown::Cookie(value) => {
            state.access.cookie().require_own_script(&parts.method, &parts.headers)?;
            state.access.authenticate_browser(value.expose(), from).await?
        }
    };
    if let Some(slot) = parts.extensions.get::<CallerSlot>() {
        slot.fill(principal.user_id);
    }
    principal.require(Action::classify(parts.method.as_str(), parts.uri.path()))?;
    Ok(principal)
}

/// Whoever asks, also on a hub that is not open to guests.
pub(crate) async fn whoever(parts: &mut Parts, state: &AppState) -> Result<Option<Principal>, ApiError> {
    let Some(shown) = Shown::find(parts, state) else { return Ok(None) };
    match principal(parts, state, &shown).await {
        Ok(principal) => Ok(Some(principal)),
        Err(error) if error.error().code.http_status() < 500 => Ok(None),
        Err(error) => Err(error),
    }
}

impl FromRequestParts<AppState> for User {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let shown = Shown::required(parts, state)?;
        principal(parts, state, &shown).await.map(Self)
    }
}

impl FromRequestParts<AppState> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let User(caller) = User::from_request_parts(parts, state).await?;
        if !caller.is_admin() {
            return Err(Error::forbidden("This needs an administrator").into());
        }
        Ok(Self(caller))
    }
}

impl FromRequestParts<AppState> for Viewer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let viewer = whoever(parts, state).await?;
        if viewer.is_none() {
            state.hub_settings.admit_anonymous()?;
        }
        Ok(Self(viewer))
    }
}

impl FromRequestParts<AppState> for Credential {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let (Shown::Token(secret) | Shown::Bound(secret) | Shown::Cookie(secret)) =
            Shown::required(parts, state)?;
        Ok(Self(secret))
    }
}
