//! `/api/v1/auth/grants`: what the caller has agreed to.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use syfthub_domain::UserId;
use syfthub_store::Page;
use syfthub_web::{ApiResult, PathId, QueryFields};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::OAuth;
use super::wire::{EndedGrants, GrantView};
use crate::access::{Admin, User};
use crate::router::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_grants, end_grants))
        .routes(routes!(end_grant))
        .routes(routes!(end_grants_of_user))
        .merge(super::admin_routes::routes())
}

/// Which clients the caller has let in
///
/// Live grants of OAuth clients, the one used last first; uses are recorded once a minute.
#[utoipa::path(get, path = "/api/v1/auth/grants", tag = "sessions", security(("bearer" = [])),
    params(
        ("skip" = Option<i64>, Query, minimum = 0, maximum = 1_000_000, description = "Grants left out at the front"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 100, description = "Grants given at most; 100 if absent"),
    ),
    responses((status = 200, body = Vec<GrantView>), (status = 401), (status = 403), (status = 422)))]
async fn list_grants(
    State(oauth): State<Arc<OAuth>>,
    User(caller): User,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Json<Vec<GrantView>>> {
    let skip = query.int("skip").range(0, 1_000_000).or(0);
    let limit = query.int("limit").range(1, 100).or(100);
    query.finish()?;
    let page = Page::new(u32::try_from(skip).unwrap_or(0), u32::try_from(limit).unwrap_or(100));
    let rows = oauth.list(&caller, page).await?;
    Ok(Json(rows.into_iter().map(GrantView::from).collect()))
}

/// End every grant of the caller
///
/// All tokens that OAuth clients hold for the caller are refused from now on, and every client must ask again.
#[utoipa::path(delete, path = "/api/v1/auth/grants", tag = "sessions", security(("bearer" = [])),
    responses((status = 200, body = EndedGrants), (status = 401), (status = 403)))]
async fn end_grants(State(oauth): State<Arc<OAuth>>, User(caller): User) -> ApiResult<Json<EndedGrants>> {
    Ok(Json(EndedGrants { ended: oauth.end_all(&caller, caller.user_id).await? }))
}

/// End one grant of the caller
///
/// The tokens of this client are refused from now on, and it must ask again.
#[utoipa::path(delete, path = "/api/v1/auth/grants/{id}", tag = "sessions", security(("bearer" = [])),
    params(("id" = String, Path, description = "Id of the grant", max_length = 100)),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
async fn end_grant(
    State(oauth): State<Arc<OAuth>>,
    User(caller): User,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    oauth.end_one(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End every grant of an account
///
/// For an administrator: whatever OAuth clients hold for this account is refused from now on.
#[utoipa::path(delete, path = "/api/v1/users/{id}/grants", tag = "users", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Row id of the account")),
    responses((status = 200, body = EndedGrants), (status = 401), (status = 403), (status = 404), (status = 422)))]
async fn end_grants_of_user(
    State(oauth): State<Arc<OAuth>>,
    Admin(caller): Admin,
    PathId(id): PathId,
) -> ApiResult<Json<EndedGrants>> {
    Ok(Json(EndedGrants { ended: oauth.end_all(&caller, UserId(id)).await? }))
}
