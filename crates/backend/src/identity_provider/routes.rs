//! `/api/v1/token`, `/api/v1/verify` and the public keys.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use syfthub_domain::Error;
use syfthub_web::{ApiResult, ClientIp, Fields, JsonBody, QueryFields, etag};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::IdentityProvider;
use super::rotation::JWKS_MAX_AGE;
use super::wire::{Audiences, Jwks, SatelliteToken, Verification, VerifyRequest};
use crate::access::User;
use crate::limits::{Limits, Scope};
use crate::router::AppState;

/// Tokens must not be kept by anything on the way.
const NO_STORE: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(token))
        .routes(routes!(guest_token))
        .routes(routes!(audiences))
        .routes(routes!(verify))
        .routes(routes!(jwks))
}

fn audience(mut query: Fields) -> ApiResult<String> {
    let aud = query.string("aud").length(0, 255).required();
    let valid = query.finish()?;
    Ok(aud.take(&valid))
}

/// A token that proves the caller to the services of one user
#[utoipa::path(get, path = "/api/v1/token", tag = "identity", security(("bearer" = [])),
    params(("aud" = String, Query, min_length = 1, max_length = 255, pattern = r"\S", description = "Username of the service's owner")),
    responses((status = 200, body = SatelliteToken), (status = 400), (status = 401), (status = 404), (status = 422)))]
async fn token(
    State(idp): State<Arc<IdentityProvider>>,
    User(caller): User,
    QueryFields(query): QueryFields,
) -> ApiResult<impl IntoResponse> {
    let minted = idp.mint(&caller, &audience(query)?).await?;
    Ok((NO_STORE, Json(SatelliteToken::from(minted))))
}

/// A token that lets a guest reach the public endpoints of one user
#[utoipa::path(get, path = "/api/v1/token/guest", tag = "identity",
    params(("aud" = String, Query, min_length = 1, max_length = 255, pattern = r"\S", description = "Username of the service's owner")),
    responses((status = 200, body = SatelliteToken), (status = 400), (status = 403, description = "The hub is not open to guests"), (status = 404), (status = 422), (status = 429)))]
async fn guest_token(
    State(limits): State<Arc<Limits>>,
    State(idp): State<Arc<IdentityProvider>>,
    ClientIp(ip): ClientIp,
    QueryFields(query): QueryFields,
) -> ApiResult<impl IntoResponse> {
    limits.check(Scope::GuestToken, ip).await?;
    let minted = idp.mint_guest(&audience(query)?).await?;
    Ok((NO_STORE, Json(SatelliteToken::from(minted))))
}

/// Whom tokens can be made for
#[utoipa::path(get, path = "/api/v1/token/audiences", tag = "identity", security(("bearer" = [])),
    responses((status = 200, body = Audiences), (status = 401)))]
async fn audiences(
    State(idp): State<Arc<IdentityProvider>>,
    User(_caller): User,
) -> ApiResult<Json<Audiences>> {
    Ok(Json(Audiences { allowed_audiences: idp.audiences().await?, idp_configured: true }))
}

/// Check a token that was sent to the caller's service
#[utoipa::path(post, path = "/api/v1/verify", tag = "identity", security(("bearer" = [])),
    request_body = VerifyRequest,
    responses((status = 200, body = Verification), (status = 401), (status = 422)))]
async fn verify(
    State(idp): State<Arc<IdentityProvider>>,
    User(caller): User,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<Verification>> {
    let mut fields = Fields::body(body)?;
    let token = fields.string("token").required();
    let valid = fields.finish()?;
    Ok(Json(idp.verify(&caller, &token.take(&valid)).await?))
}

/// The public keys that tokens are verified with
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "identity", responses((status = 200, body = Jwks), (status = 304)))]
async fn jwks(State(idp): State<Arc<IdentityProvider>>, headers: HeaderMap) -> ApiResult<Response> {
    let mut answer = etag::json(&headers, &idp.jwks().await)?;
    let age = format!("public, max-age={}", JWKS_MAX_AGE.as_secs());
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_str(&age).map_err(Error::internal)?);
    Ok(answer)
}
