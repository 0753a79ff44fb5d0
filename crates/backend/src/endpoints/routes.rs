//! `/api/v1/endpoints`: what the caller publishes, and single endpoints.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use syfthub_domain::{EndpointId, EndpointType, Visibility};
use syfthub_store::Page;
use syfthub_store::endpoints::OwnerFilter;
use syfthub_web::{ApiResult, Fields, JsonBody, PathId, QueryFields};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::requests::{
    EndpointAdminUpdate, EndpointCreate, EndpointUpdate, SyncRequest, VisibilityName,
};
use super::wire::{FullEndpoint, Reported, Starred, Synced};
use super::{Endpoints, input, mapper};
use crate::access::User;
use crate::monitor::wire::ReportBody;
use crate::router::AppState;

/// Rows that one may skip; far above what any hub lists.
const MAX_SKIP: i64 = 10_000_000;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(sync))
        .routes(routes!(report_health))
        .routes(routes!(update_by_slug, delete_by_slug))
        .routes(routes!(get, update, delete))
        .routes(routes!(admin_update))
        .routes(routes!(exists))
        .routes(routes!(star, unstar, star_by_patch))
        .routes(routes!(unstar_by_patch))
        .routes(routes!(starred))
}

/// Reads `skip` and `limit`; `None` only while another field is wrong.
pub(crate) fn page(query: &mut Fields, default: u32, max: u32) -> Option<Page> {
    let skip = query.int("skip").range(0, MAX_SKIP).or(0);
    let limit = query.int("limit").range(1, i64::from(max)).or(i64::from(default));
    Some(Page::new(u32::try_from(skip).ok()?, u32::try_from(limit).ok()?))
}

/// Reads the inclusive type filter.
pub(crate) fn kind(query: &mut Fields) -> Option<EndpointType> {
    query.string("endpoint_type").choice::<EndpointType>(input::TYPES).optional()
}

/// Publish an endpoint
#[utoipa::path(post, path = "/api/v1/endpoints", tag = "endpoints", security(("bearer" = [])),
    request_body = EndpointCreate,
    responses((status = 201, body = FullEndpoint), (status = 400), (status = 401), (status = 422)))]
async fn create(
    State(endpoints): State<Arc<Endpoints>>,
    User(caller): User,
    JsonBody(body): JsonBody,
) -> ApiResult<(StatusCode, Json<FullEndpoint>)> {
    let made = endpoints.create(&caller, input::create(body)?).await?;
    Ok((StatusCode::CREATED, Json(mapper::full(&made, Some(&caller)))))
}

/// The caller's endpoints in every state, last changed first
#[utoipa::path(get, path = "/api/v1/endpoints", tag = "endpoints", security(("bearer" = [])),
    params(("skip" = Option<u32>, Query, minimum = 0, maximum = 10_000_000, description = "Rows to leave out"), ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Rows to return; 10 if not given"),
        ("visibility" = Option<VisibilityName>, Query, description = "Only these"), ("search" = Option<String>, Query, max_length = 200, description = "Part of the name or description")),
    responses((status = 200, body = Vec<FullEndpoint>), (status = 401), (status = 422)))]
async fn list(
    State(endpoints): State<Arc<Endpoints>>,
    User(caller): User,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Json<Vec<FullEndpoint>>> {
    let page = page(&mut query, 10, 100);
    let visibility = query.string("visibility").choice::<Visibility>(input::VISIBILITIES).optional();
    let search = query.string("search").length(0, 200).optional().filter(|text| !text.trim().is_empty());
    query.finish()?;
    let filter = OwnerFilter { visibility, search, active_only: false };
    let rows = endpoints.own(&caller, &filter, page.unwrap_or_default()).await?;
    Ok(Json(rows.iter().map(|row| mapper::full(row, Some(&caller))).collect()))
}

/// Replace all endpoints of the caller
///
/// All or nothing: when one item is refused nothing changes. Ids, stars and health start anew.
#[utoipa::path(post, path = "/api/v1/endpoints/sync", tag = "endpoints", security(("bearer" = [])),
    request_body = SyncRequest,
    responses((status = 200, body = Synced), (status = 400), (status = 401), (status = 422)))]
async fn sync(
    State(endpoints): State<Arc<Endpoints>>,
    User(caller): User,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<Synced>> {
    let replaced = endpoints.sync(&caller, input::sync(body)?).await?;
    let shown: Vec<FullEndpoint> =
        replaced.endpoints.iter().map(|row| mapper::full(row, Some(&caller))).collect();
    Ok(Json(Synced { synced: shown.len(), deleted: replaced.deleted, endpoints: shown }))
}

/// Report the health of the caller's endpoints, and where they are served
#[utoipa::path(post, path = "/api/v1/endpoints/health", tag = "endpoints", security(("bearer" = [])),
    request_body = ReportBody,
    responses((status = 200, body = Reported), (status = 401), (status = 403), (status = 422)))]
async fn report_health(
    State(endpoints): State<Arc<Endpoints>>,
    User(caller): User,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<Reported>> {
    let report = input::health_report(body, caller.username.as_str())?;
    Ok(Json(endpoints.report_health(&caller, report).await?))
}

/// One endpoint that the caller may see
#[utoipa::path(get, path = "/api/v1/endpoints/{id}", tag = "endpoints", security(("bearer" = [])),
    params(("id" = i64, Path)), responses((status = 200, body = FullEndpoint), (status = 401), (status = 404)))]
async fn get(
    State(endpoints): State<Arc<Endpoints>>,
    User(caller): User,
    PathId(id): PathId,
) -> ApiResult<Json<FullEndpoint>> {
    Ok(Json(mapper::full(&endpoints.get(&caller, EndpointId(id)).await?, Some(&caller))))
}

/// Change an endpoint that the caller runs
#[utoipa::path(patch, path = "/api/v1/endpoints/{id}", tag = "endpoints", security(("bearer" = [])),
    params(("id" = i64, Path)), request_body = EndpointUpdate,
    responses((status = 200, body = FullEndpoint), (status = 403), (status = 404), (status = 422)))]
async fn update(
    State(endpoints): State<Arc<Endpoints>>,
    User(caller): User,
    PathId(id): PathId,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<FullEndpoint>> {
    let changed = endpoints.update(&caller, EndpointId(id), input::update(body)?).await?;
    Ok(Json(mapper::full(&changed, Some(&caller))))
}

/// Set what only an admin may set
#[utoipa::path(patch, path = "/api/v1/endpoints/{id}/admin", tag = "endpoints", security(("bearer" = [])),
    params(("id" = i64, Path)), request_body = EndpointAdminUpdate,
    responses((status = 200, body = FullEndpoint), (status = 403), (status = 404), (status = 422)))]
async fn admin_update(
    State(endpoints): State<Arc<Endpoints>>,
    User(caller): User,
    PathId(id): PathId,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<FullEndpoint>> {
    let changed = endpoints.admin_update(&caller, EndpointId(id), input::admin_update(body)?).await?;
    Ok(Json(mapper::full(&changed, Some(&caller))))
}

/// Remove an endpoint that the caller runs
#[utoipa::path(delete, path = "/api/v1/endpoints/{id}", tag = "endpoints", security(("bearer" = [])),
    params(("id" = i64, Path)), responses((status = 204), (status = 403), (status = 404)))]
async fn delete(
    State(endpoints): State<Arc<Endpoints>>,
    User(caller): User,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    endpoints.delete(&caller, EndpointId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Change the caller's endpoint with this slug
#[utoipa::path(patch, path = "/api/v1/endpoints/slug/{slug}", tag = "endpoints", security(("bearer" = [])),
    params(("slug" = String, Path)), request_body = EndpointUpdate,
    responses((status = 200, body = FullEndpoint), (status = 404), (status = 422)))]
async fn update_by_slug(
    State(endpoints): State<Arc<Endpoints>>,
    User(caller): User,
    Path(slug): Path<String>,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<FullEndpoint>> {
    let id = endpoints.own_id(&caller, &slug).await?;
    let changed = endpoints.update(&caller, id, input::update(body)?).await?;
    Ok(Json(mapper::full(&changed, Some(&caller))))
}

/// Remove the caller's endpoint with this slug
#[utoipa::path(delete, path = "/api/v1/endpoints/slug/{slug}", tag = "endpoints", security(("bearer" = [])),
    params(("slug" = String, Path)), responses((status = 204), (status = 404)))]
async fn delete_by_slug(
    State(endpoints): State<Arc<Endpoints>>,
    User(caller): User,
    Path(slug): Path<String>,
) -> ApiResult<StatusCode> {
    let id = endpoints.own_id(&caller, &slug).await?;
    endpoints.delete(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether the caller has an active endpoint with this slug
#[utoipa::path(get, path = "/api/v1/endpoints/{id}/exists", tag = "endpoints", security(("bearer" = [])),
    params(("id" = String, Path, description = "The slug")), responses((status = 200, body = bool, content_type = "application/json"), (status = 401)))]
async fn exists(
    State(endpoints): State<Arc<Endpoints>>,
    User(caller): User,
    Path(slug): Path<String>,
) -> ApiResult<Json<bool>> {
    Ok(Json(endpoints.exists(&caller, &slug).await?))
}

/// Star an endpoint; `starred` is false when it was starred before
#[utoipa::path(post, path = "/api/v1/endpoints/{id}/star", tag = "endpoints", security(("bearer" = [])),
    params(("id" = i64, Path)), responses((status = 201, body = Starred), (status = 404)))]
async fn star(
    State(endpoints): State<Arc<Endpoints>>,
    User(caller): User,
    PathId(id): PathId,
) -> ApiResult<(StatusCode, Json<Starred>)> {
    let starred = endpoints.star(&caller, EndpointId(id)).await?;
    Ok((StatusCode::CREATED, Json(Starred { starred })))
}

/// Take a star back
#[utoipa::path(delete, path = "/api/v1/endpoints/{id}/star", tag = "endpoints", security(("bearer" = [])),
    params(("id" = i64, Path)), responses((status = 204)))]
async fn unstar(
    State(endpoints): State<Arc<Endpoints>>,
    User(caller): User,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    endpoints.unstar(&caller, EndpointId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Star an endpoint, as the first released SDK asks for it; use POST
#[utoipa::path(patch, path = "/api/v1/endpoints/{id}/star", tag = "endpoints", security(("bearer" = [])),
    params(("id" = i64, Path)), responses((status = 200, body = Starred), (status = 404)))]
async fn star_by_patch(
    State(endpoints): State<Arc<Endpoints>>,
    User(caller): User,
    PathId(id): PathId,
) -> ApiResult<Json<Starred>> {
    Ok(Json(Starred { starred: endpoints.star(&caller, EndpointId(id)).await? }))
}

/// Take a star back, as the first released SDK asks for it; use DELETE
#[utoipa::path(patch, path = "/api/v1/endpoints/{id}/unstar", tag = "endpoints", security(("bearer" = [])),
    params(("id" = i64, Path)), responses((status = 200, body = Starred)))]
async fn unstar_by_patch(
    State(endpoints): State<Arc<Endpoints>>,
    User(caller): User,
    PathId(id): PathId,
) -> ApiResult<Json<Starred>> {
    endpoints.unstar(&caller, EndpointId(id)).await?;
    Ok(Json(Starred { starred: false }))
}

/// Whether the caller has starred an endpoint
#[utoipa::path(get, path = "/api/v1/endpoints/{id}/starred", tag = "endpoints", security(("bearer" = [])),
    params(("id" = i64, Path)), responses((status = 200, body = Starred)))]
async fn starred(
    State(endpoints): State<Arc<Endpoints>>,
    User(caller): User,
    PathId(id): PathId,
) -> ApiResult<Json<Starred>> {
    Ok(Json(Starred { starred: endpoints.is_starred(&caller, EndpointId(id)).await? }))
}
