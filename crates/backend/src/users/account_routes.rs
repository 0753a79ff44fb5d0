//! `/api/v1/users`: changing accounts, and what administrators do with them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use syfthub_domain::UserId;
use syfthub_web::{ApiResult, JsonBody, PathId, QueryFields};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Users;
use super::wire::{User as UserJson, UserUpdate};
use crate::access::{Admin, User};
use crate::audit::Origin;
use crate::endpoints::routes::page;
use crate::router::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(update_me))
        .routes(routes!(read, update, remove))
        .routes(routes!(deactivate))
        .routes(routes!(activate))
}

/// All accounts, active and not, in the order of their ids
#[utoipa::path(get, path = "/api/v1/users", tag = "users", security(("bearer" = [])),
    params(
        ("skip" = Option<u32>, Query, description = "Rows left out at the front", minimum = 0, maximum = 10_000_000),
        ("limit" = Option<u32>, Query, description = "Rows at most; 100 if not given", minimum = 1, maximum = 500)),
    responses((status = 200, body = Vec<UserJson>), (status = 401), (status = 403), (status = 422)))]
async fn list(
    State(users): State<Arc<Users>>,
    Admin(_caller): Admin,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Json<Vec<UserJson>>> {
    let page = page(&mut query, 100, 500);
    query.finish()?;
    let rows = users.list(page.unwrap_or_default()).await?;
    Ok(Json(rows.into_iter().map(UserJson::from).collect()))
}

/// Change the caller's account
///
/// What is not sent stays as it is. `domain` and `bio` are cleared by `null`; `null` elsewhere changes nothing.
#[utoipa::path(put, path = "/api/v1/users/me", tag = "users", security(("bearer" = [])), request_body = UserUpdate,
    responses((status = 200, body = UserJson), (status = 401), (status = 403), (status = 409), (status = 422)))]
async fn update_me(
    State(users): State<Arc<Users>>,
    User(caller): User,
    origin: Origin,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<UserJson>> {
    Ok(Json(users.update(&origin, &caller, caller.user_id, body).await?.into()))
}

/// One account, for itself or an administrator
#[utoipa::path(get, path = "/api/v1/users/{id}", tag = "users", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Row id of the account")),
    responses((status = 200, body = UserJson), (status = 401), (status = 403), (status = 404), (status = 422)))]
async fn read(
    State(users): State<Arc<Users>>,
    User(caller): User,
    PathId(id): PathId,
) -> ApiResult<Json<UserJson>> {
    Ok(Json(users.for_editor(&caller, UserId(id)).await?.into()))
}

/// Change an account, for itself or an administrator
///
/// As `PUT /users/me`; only administrators may set `is_active`.
#[utoipa::path(put, path = "/api/v1/users/{id}", tag = "users", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Row id of the account")), request_body = UserUpdate,
    responses((status = 200, body = UserJson), (status = 401), (status = 403), (status = 404), (status = 409), (status = 422)))]
async fn update(
    State(users): State<Arc<Users>>,
    User(caller): User,
    origin: Origin,
    PathId(id): PathId,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<UserJson>> {
    Ok(Json(users.update(&origin, &caller, UserId(id), body).await?.into()))
}

/// Delete an account with everything it owns, for itself or an administrator
#[utoipa::path(delete, path = "/api/v1/users/{id}", tag = "users", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Row id of the account")),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 409), (status = 422)))]
async fn remove(
    State(users): State<Arc<Users>>,
    User(caller): User,
    origin: Origin,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    users.delete(&origin, &caller, UserId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Switch an account off; its sessions end and its endpoints are no longer listed
#[utoipa::path(patch, path = "/api/v1/users/{id}/deactivate", tag = "users", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Row id of the account")),
    responses((status = 200, body = UserJson), (status = 401), (status = 403), (status = 404), (status = 409), (status = 422)))]
async fn deactivate(
    State(users): State<Arc<Users>>,
    Admin(caller): Admin,
    origin: Origin,
    PathId(id): PathId,
) -> ApiResult<Json<UserJson>> {
    Ok(Json(users.deactivate(&origin, &caller, UserId(id)).await?.into()))
}

/// Switch an account on again
#[utoipa::path(patch, path = "/api/v1/users/{id}/activate", tag = "users", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Row id of the account")),
    responses((status = 200, body = UserJson), (status = 401), (status = 403), (status = 404), (status = 422)))]
async fn activate(
    State(users): State<Arc<Users>>,
    Admin(_caller): Admin,
    origin: Origin,
    PathId(id): PathId,
) -> ApiResult<Json<UserJson>> {
    Ok(Json(users.activate(&origin, UserId(id)).await?.into()))
}
