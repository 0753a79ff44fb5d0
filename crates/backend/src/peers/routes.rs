//! `/api/v1/peer-token` and `/api/v1/nats`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use http::header;
use serde_json::Value;
use syfthub_domain::Result;
use syfthub_web::{ApiResult, ClientIp, Fields, JsonBody};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{
    Done, EncryptionKey, GuestPeerTokenRequest, NatsCredentials, NewEncryptionKey, Peer, PeerTokenRequest,
};
use super::{Peers, checked_key};
use crate::access::{User, Viewer};
use crate::audit::Origin;
use crate::hub_settings::HubSettings;
use crate::limits::{Limits, Scope};
use crate::router::AppState;

/// Owners that one token is for.
const MAX_TARGETS: usize = 100;
/// Longest name of one, in characters.
const MAX_TARGET: usize = 100;
/// These answers hold secrets.
const NO_STORE: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(peer_token))
        .routes(routes!(guest_peer_token))
        .routes(routes!(credentials))
        .routes(routes!(set_key))
        .routes(routes!(key))
}

/// A token to reach services behind a firewall
#[utoipa::path(post, path = "/api/v1/peer-token", tag = "nats", security(("bearer" = [])),
    request_body = PeerTokenRequest,
    responses((status = 200, body = Peer), (status = 401), (status = 403), (status = 415), (status = 422),
        (status = 429), (status = 503, description = "NATS is not configured on this hub")))]
async fn peer_token(
    State(limits): State<Arc<Limits>>,
    State(peers): State<Arc<Peers>>,
    User(caller): User,
    ClientIp(ip): ClientIp,
    JsonBody(body): JsonBody,
) -> ApiResult<impl IntoResponse> {
    peers.credential()?;
    limits.check_user(Scope::PeerToken, caller.user_id, ip).await?;
    let targets = targets(body, 1)?;
    Ok((NO_STORE, Json(peers.token_for(caller.user_id, &targets).await?)))
}

/// The same for a guest
#[utoipa::path(post, path = "/api/v1/nats/guest-peer-token", tag = "nats",
    request_body = GuestPeerTokenRequest,
    responses((status = 200, body = Peer), (status = 403, description = "The hub is not open to guests"),
        (status = 415), (status = 422), (status = 429),
        (status = 503, description = "NATS is not configured on this hub")))]
async fn guest_peer_token(
    State(limits): State<Arc<Limits>>,
    State(settings): State<Arc<HubSettings>>,
    State(peers): State<Arc<Peers>>,
    ClientIp(ip): ClientIp,
    JsonBody(body): JsonBody,
) -> ApiResult<impl IntoResponse> {
    peers.credential()?;
    settings.admit_guest()?;
    limits.check_always(Scope::GuestPeerToken, ip).await?;
    let targets = targets(body, 0)?;
    Ok((NO_STORE, Json(peers.token_for_guest(&targets).await?)))
}

/// Reads the owners that a token is for, in lower case.
fn targets(body: Value, least: usize) -> Result<Vec<String>> {
    let mut fields = Fields::body(body)?;
    let fits = |names: &Vec<String>| {
        if names.iter().any(|name| name.chars().count() > MAX_TARGET) {
            return Err(format!("a name has at most {MAX_TARGET} characters"));
        }
        Ok(())
    };
    let names = fields.strings("target_usernames").items(least, MAX_TARGETS).rule(fits);
    let names = if least == 0 { names.optional() } else { names.required().peek().cloned() };
    fields.finish()?;
    Ok(names.unwrap_or_default().iter().map(|name| name.trim().to_lowercase()).collect())
}

/// What the NATS server asks every client for
#[utoipa::path(get, path = "/api/v1/nats/credentials", tag = "nats", security(("bearer" = [])),
    responses((status = 200, body = NatsCredentials), (status = 401), (status = 403),
        (status = 503, description = "NATS is not configured on this hub")))]
async fn credentials(State(peers): State<Arc<Peers>>, User(_caller): User) -> ApiResult<impl IntoResponse> {
    let nats_auth_token = peers.credential()?.expose().to_owned();
    Ok((NO_STORE, Json(NatsCredentials { nats_auth_token })))
}

/// Set the public key under which others write to the caller
#[utoipa::path(put, path = "/api/v1/nats/encryption-key", tag = "nats", security(("bearer" = [])),
    request_body = NewEncryptionKey,
    responses((status = 200, body = Done), (status = 401), (status = 403), (status = 415), (status = 422)))]
async fn set_key(
    State(peers): State<Arc<Peers>>,
    User(caller): User,
    origin: Origin,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<Done>> {
    let mut fields = Fields::body(body)?;
    let key = fields.string("encryption_public_key").trimmed().parse(checked_key).required();
    let valid = fields.finish()?;
    peers.set_key(&origin, caller.user_id, &key.take(&valid)).await?;
    Ok(Json(Done { status: "ok" }))
}

/// The public key of a user
#[utoipa::path(get, path = "/api/v1/nats/encryption-key/{username}", tag = "nats", security(()),
    params(("username" = String, Path, description = "Their name, in any case")),
    responses((status = 200, body = EncryptionKey), (status = 404)))]
async fn key(
    State(peers): State<Arc<Peers>>,
    _: Viewer,
    Path(username): Path<String>,
) -> ApiResult<Json<EncryptionKey>> {
    Ok(Json(EncryptionKey { encryption_public_key: peers.key_of(&username).await? }))
}
