//! `/api/v1/users` and `/api/v1/auth/me`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use syfthub_web::{ApiResult, ClientIp};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Users;
use super::wire::{EmailAvailability, PublicProfile, User as UserJson, UsernameAvailability};
use crate::access::{User, Viewer};
use crate::limits::{Limits, Scope};
use crate::router::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    super::account_routes::routes()
        .routes(routes!(auth_me))
        .routes(routes!(me))
        .routes(routes!(public_profile))
        .routes(routes!(check_username))
        .routes(routes!(check_email))
}

/// The caller
#[utoipa::path(get, path = "/api/v1/auth/me", tag = "auth", security(("bearer" = [])),
    responses((status = 200, body = UserJson), (status = 401)))]
async fn auth_me(State(users): State<Arc<Users>>, User(caller): User) -> ApiResult<Json<UserJson>> {
    Ok(Json(users.get(caller.user_id).await?.into()))
}

/// The caller
#[utoipa::path(get, path = "/api/v1/users/me", tag = "users", security(("bearer" = [])),
    responses((status = 200, body = UserJson), (status = 401)))]
async fn me(State(users): State<Arc<Users>>, User(caller): User) -> ApiResult<Json<UserJson>> {
    Ok(Json(users.get(caller.user_id).await?.into()))
}

/// What everybody may know about a user
#[utoipa::path(get, path = "/api/v1/users/public/{username}", tag = "users", security((), ("bearer" = [])), params(("username" = String, Path)),
    responses((status = 200, body = PublicProfile), (status = 404)))]
async fn public_profile(
    State(users): State<Arc<Users>>,
    Viewer(_viewer): Viewer,
    Path(username): Path<String>,
) -> ApiResult<Json<PublicProfile>> {
    Ok(Json(users.public(&username).await?.into()))
}

/// Whether a username is free
#[utoipa::path(get, path = "/api/v1/users/check-username/{username}", tag = "users",
    params(("username" = String, Path)), responses((status = 200, body = UsernameAvailability), (status = 429)))]
async fn check_username(
    State(limits): State<Arc<Limits>>,
    State(users): State<Arc<Users>>,
    ClientIp(ip): ClientIp,
    Path(username): Path<String>,
) -> ApiResult<Json<UsernameAvailability>> {
    limits.check(Scope::CheckUsername, ip).await?;
    let (available, username) = users.is_username_free(&username).await?;
    Ok(Json(UsernameAvailability { available, username }))
}

/// Whether a mail address is free; limited, because it tells who has an account
#[utoipa::path(get, path = "/api/v1/users/check-email/{email}", tag = "users",
    params(("email" = String, Path)), responses((status = 200, body = EmailAvailability), (status = 429)))]
async fn check_email(
    State(limits): State<Arc<Limits>>,
    State(users): State<Arc<Users>>,
    ClientIp(ip): ClientIp,
    Path(email): Path<String>,
) -> ApiResult<Json<EmailAvailability>> {
    limits.check(Scope::CheckEmail, ip).await?;
    let (available, email) = users.is_email_free(&email).await?;
    Ok(Json(EmailAvailability { available, email }))
}
