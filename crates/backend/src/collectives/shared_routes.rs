//! Shared endpoints below `/api/v1/collectives`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use syfthub_domain::{CollectiveId, Result};
use syfthub_web::{ApiResult, Fields, JsonBody, PathId, QueryFields, path_id};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::bodies::{NewSharedEndpoint, SharedEndpointChange};
use super::wire::{BillingSummary, SharedEndpoint};
use super::{Collectives, bodies};
use crate::access::{User, Viewer};
use crate::audit::Origin;
use crate::router::AppState;

/// Most collectives of one question.
const MAX_BULK: usize = 100;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(bulk))
        .routes(routes!(list_by_slug))
        .routes(routes!(get_by_slug))
        .routes(routes!(endpoint_paths))
        .routes(routes!(billing_summary))
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
}

/// What several collectives share
///
/// Unknown ids are left out; without any id the answer is empty.
#[utoipa::path(get, path = "/api/v1/collectives/shared-endpoints/bulk", tag = "shared endpoints", security((), ("bearer" = [])),
    params(("collective_id" = Option<Vec<i64>>, Query, explode = true, description = "A collective; repeat it for several, at most a hundred")),
    responses((status = 200, body = Vec<SharedEndpoint>), (status = 422)))]
async fn bulk(
    State(collectives): State<Arc<Collectives>>,
    Viewer(viewer): Viewer,
    QueryFields(query): QueryFields,
) -> ApiResult<Json<Vec<SharedEndpoint>>> {
    let ids = collective_ids(query)?;
    Ok(Json(collectives.shared_of(&ids, viewer.as_ref()).await?))
}

fn collective_ids(mut query: Fields) -> Result<Vec<CollectiveId>> {
    let rule = |texts: &Vec<String>| {
        if texts.iter().all(|text| text.parse::<i64>().is_ok()) {
            return Ok(());
        }
        Err("must be whole numbers".to_owned())
    };
    let texts = query.strings("collective_id").items(0, MAX_BULK).rule(rule).optional().unwrap_or_default();
    query.finish()?;
    Ok(texts.iter().filter_map(|text| text.parse().ok()).map(CollectiveId).collect())
}

/// What a collective shares, newest first, by its slug
#[utoipa::path(get, path = "/api/v1/collectives/by-slug/{slug}/shared-endpoints", tag = "shared endpoints", security((), ("bearer" = [])),
    params(("slug" = String, Path)), responses((status = 200, body = Vec<SharedEndpoint>), (status = 404)))]
async fn list_by_slug(
    State(collectives): State<Arc<Collectives>>,
    Viewer(viewer): Viewer,
    Path(slug): Path<String>,
) -> ApiResult<Json<Vec<SharedEndpoint>>> {
    let collective = collectives.by_slug(&slug).await?;
    Ok(Json(collectives.shared_list(&collective, viewer.as_ref()).await?))
}

/// One shared endpoint by both slugs
#[utoipa::path(get, path = "/api/v1/collectives/by-slug/{slug}/shared-endpoints/{shared}", tag = "shared endpoints", security((), ("bearer" = [])),
    params(("slug" = String, Path), ("shared" = String, Path)),
    responses((status = 200, body = SharedEndpoint), (status = 404)))]
async fn get_by_slug(
    State(collectives): State<Arc<Collectives>>,
    Viewer(viewer): Viewer,
    Path((slug, shared)): Path<(String, String)>,
) -> ApiResult<Json<SharedEndpoint>> {
    let collective = collectives.by_slug(&slug).await?;
    Ok(Json(collectives.shared(&collective, &shared, viewer.as_ref()).await?))
}

/// Paths of the endpoints that are shared, as `owner/slug`
///
/// Those that are approved members still and that the caller may see. `all` stands for the whole collective.
#[utoipa::path(get, path = "/api/v1/collectives/by-slug/{slug}/shared-endpoints/{shared}/endpoint-paths", tag = "shared endpoints", security((), ("bearer" = [])),
    params(("slug" = String, Path), ("shared" = String, Path)),
    responses((status = 200, body = Vec<String>), (status = 404)))]
async fn endpoint_paths(
    State(collectives): State<Arc<Collectives>>,
    Viewer(viewer): Viewer,
    Path((slug, shared)): Path<(String, String)>,
) -> ApiResult<Json<Vec<String>>> {
    Ok(Json(collectives.paths(&slug, Some(&shared), viewer.as_ref()).await?))
}

/// What the endpoints that are shared cost the caller
#[utoipa::path(get, path = "/api/v1/collectives/by-slug/{slug}/shared-endpoints/{shared}/billing-summary", tag = "shared endpoints", security(("bearer" = [])),
    params(("slug" = String, Path), ("shared" = String, Path)),
    responses((status = 200, body = BillingSummary), (status = 401), (status = 403), (status = 404)))]
async fn billing_summary(
    State(collectives): State<Arc<Collectives>>,
    User(caller): User,
    Path((slug, shared)): Path<(String, String)>,
) -> ApiResult<Json<BillingSummary>> {
    Ok(Json(collectives.billing_summary(&slug, Some(&shared), &caller).await?))
}

/// What a collective shares, newest first
#[utoipa::path(get, path = "/api/v1/collectives/{id}/shared-endpoints", tag = "shared endpoints", security((), ("bearer" = [])),
    params(("id" = i64, Path)),
    responses((status = 200, body = Vec<SharedEndpoint>), (status = 404), (status = 422)))]
async fn list(
    State(collectives): State<Arc<Collectives>>,
    Viewer(viewer): Viewer,
    PathId(id): PathId,
) -> ApiResult<Json<Vec<SharedEndpoint>>> {
    let collective = collectives.get(CollectiveId(id)).await?;
    Ok(Json(collectives.shared_list(&collective, viewer.as_ref()).await?))
}

/// Share members of a collective of the caller under a path of their own
#[utoipa::path(post, path = "/api/v1/collectives/{id}/shared-endpoints", tag = "shared endpoints", security(("bearer" = [])),
    params(("id" = i64, Path)), request_body = NewSharedEndpoint,
    responses((status = 201, body = SharedEndpoint), (status = 400, description = "Some are not approved members, or there are too many"),
        (status = 401), (status = 403), (status = 404), (status = 409, description = "The slug is taken"), (status = 422)))]
async fn create(
    State(collectives): State<Arc<Collectives>>,
    User(caller): User,
    origin: Origin,
    PathId(id): PathId,
    JsonBody(body): JsonBody,
) -> ApiResult<(StatusCode, Json<SharedEndpoint>)> {
    let create = bodies::create_shared(body)?;
    let made = collectives.share(&caller, CollectiveId(id), create, &origin).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// One shared endpoint
#[utoipa::path(get, path = "/api/v1/collectives/{id}/shared-endpoints/{shared}", tag = "shared endpoints", security((), ("bearer" = [])),
    params(("id" = i64, Path), ("shared" = String, Path)),
    responses((status = 200, body = SharedEndpoint), (status = 404), (status = 422)))]
async fn get(
    State(collectives): State<Arc<Collectives>>,
    Viewer(viewer): Viewer,
    Path((id, shared)): Path<(String, String)>,
) -> ApiResult<Json<SharedEndpoint>> {
    let collective = collectives.get(CollectiveId(path_id("id", &id)?)).await?;
    Ok(Json(collectives.shared(&collective, &shared, viewer.as_ref()).await?))
}

/// Change what a collective of the caller shares
#[utoipa::path(patch, path = "/api/v1/collectives/{id}/shared-endpoints/{shared}", tag = "shared endpoints", security(("bearer" = [])),
    params(("id" = i64, Path), ("shared" = String, Path)), request_body = SharedEndpointChange,
    responses((status = 200, body = SharedEndpoint), (status = 400, description = "Some are not approved members"),
        (status = 401), (status = 403), (status = 404), (status = 422)))]
async fn update(
    State(collectives): State<Arc<Collectives>>,
    User(caller): User,
    origin: Origin,
    Path((id, shared)): Path<(String, String)>,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<SharedEndpoint>> {
    let id = CollectiveId(path_id("id", &id)?);
    let update = bodies::update_shared(body)?;
    Ok(Json(collectives.update_shared(&caller, id, &shared, update, &origin).await?))
}

/// Stop sharing; what was shared stays in the collective
#[utoipa::path(delete, path = "/api/v1/collectives/{id}/shared-endpoints/{shared}", tag = "shared endpoints", security(("bearer" = [])),
    params(("id" = i64, Path), ("shared" = String, Path)),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 422)))]
async fn delete(
    State(collectives): State<Arc<Collectives>>,
    User(caller): User,
    origin: Origin,
    Path((id, shared)): Path<(String, String)>,
) -> ApiResult<StatusCode> {
    let id = CollectiveId(path_id("id", &id)?);
    collectives.unshare(&caller, id, &shared, &origin).await?;
    Ok(StatusCode::NO_CONTENT)
}
