//! `/api/v1/collectives`: collectives themselves, and what stands behind their paths.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use syfthub_domain::{CollectiveId, UserId};
use syfthub_store::collectives::CollectiveFilter;
use syfthub_web::{ApiResult, JsonBody, PathId, QueryFields};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::bodies::{CollectiveChange, NewCollective};
use super::wire::{BillingSummary, Collective};
use super::{Collectives, bodies, member_routes, shared_routes};
use crate::access::{User, Viewer};
use crate::audit::Origin;
use crate::endpoints::Endpoints;
use crate::endpoints::routes::page;
use crate::router::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(by_slug))
        .routes(routes!(by_endpoint))
        .routes(routes!(endpoint_paths))
        .routes(routes!(billing_summary))
        .routes(routes!(get, update, delete))
        .merge(member_routes::routes())
        .merge(shared_routes::routes())
}

/// Make a collective
#[utoipa::path(post, path = "/api/v1/collectives", tag = "collectives", security(("bearer" = [])),
    request_body = NewCollective,
    responses((status = 201, body = Collective), (status = 400, description = "The account runs too many already"),
        (status = 401), (status = 403), (status = 409, description = "The slug is taken"), (status = 422)))]
async fn create(
    State(collectives): State<Arc<Collectives>>,
    User(caller): User,
    origin: Origin,
    JsonBody(body): JsonBody,
) -> ApiResult<(StatusCode, Json<Collective>)> {
    let made = collectives.create(&caller, bodies::create(body)?, &origin).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// Collectives, newest first
#[utoipa::path(get, path = "/api/v1/collectives", tag = "collectives", security((), ("bearer" = [])),
    params(("skip" = Option<u32>, Query, minimum = 0, maximum = 10_000_000, description = "Collectives to leave out"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Collectives to return; 50 if not given"),
        ("owner_id" = Option<i64>, Query, minimum = 1, description = "Only those that this user runs"),
        ("search" = Option<String>, Query, min_length = 1, max_length = 200, description = "In name, description and tags")),
    responses((status = 200, body = Vec<Collective>), (status = 422)))]
async fn list(
    State(collectives): State<Arc<Collectives>>,
    Viewer(_viewer): Viewer,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Json<Vec<Collective>>> {
    let page = page(&mut query, 50, 100);
    let owner = query.int("owner_id").at_least(1).optional().map(UserId);
    let search = query.string("search").length(1, 200).optional();
    query.finish()?;
    let rows = collectives.list(&CollectiveFilter { owner, search }, page.unwrap_or_default()).await?;
    Ok(Json(rows.into_iter().map(Collective::from).collect()))
}

/// One collective by its slug
#[utoipa::path(get, path = "/api/v1/collectives/by-slug/{slug}", tag = "collectives", security((), ("bearer" = [])),
    params(("slug" = String, Path)), responses((status = 200, body = Collective), (status = 404)))]
async fn by_slug(
    State(collectives): State<Arc<Collectives>>,
    Viewer(_viewer): Viewer,
    Path(slug): Path<String>,
) -> ApiResult<Json<Collective>> {
    Ok(Json(collectives.by_slug(&slug).await?.into()))
}

/// The collectives that an endpoint belongs to, newest first
///
/// None for a path that leads nowhere the caller may see.
#[utoipa::path(get, path = "/api/v1/collectives/by-endpoint/{owner}/{slug}", tag = "collectives", security((), ("bearer" = [])),
    params(("owner" = String, Path), ("slug" = String, Path)), responses((status = 200, body = Vec<Collective>)))]
async fn by_endpoint(
    State(collectives): State<Arc<Collectives>>,
    State(endpoints): State<Arc<Endpoints>>,
    Viewer(viewer): Viewer,
    Path((owner, slug)): Path<(String, String)>,
) -> ApiResult<Json<Vec<Collective>>> {
    let rows = collectives.by_endpoint(&endpoints, &owner, &slug, viewer.as_ref()).await?;
    Ok(Json(rows.into_iter().map(Collective::from).collect()))
}

/// Paths of the members of a collective, as `owner/slug`
///
/// Approved members that the caller may see; for a guest these are the public ones.
#[utoipa::path(get, path = "/api/v1/collectives/by-slug/{slug}/endpoint-paths", tag = "collectives", security((), ("bearer" = [])),
    params(("slug" = String, Path)), responses((status = 200, body = Vec<String>), (status = 404)))]
async fn endpoint_paths(
    State(collectives): State<Arc<Collectives>>,
    Viewer(viewer): Viewer,
    Path(slug): Path<String>,
) -> ApiResult<Json<Vec<String>>> {
    Ok(Json(collectives.paths(&slug, None, viewer.as_ref()).await?))
}

/// What the members of a collective cost the caller
#[utoipa::path(get, path = "/api/v1/collectives/by-slug/{slug}/billing-summary", tag = "collectives", security(("bearer" = [])),
    params(("slug" = String, Path)),
    responses((status = 200, body = BillingSummary), (status = 401), (status = 403), (status = 404)))]
async fn billing_summary(
    State(collectives): State<Arc<Collectives>>,
    User(caller): User,
    Path(slug): Path<String>,
) -> ApiResult<Json<BillingSummary>> {
    Ok(Json(collectives.billing_summary(&slug, None, &caller).await?))
}

/// One collective
#[utoipa::path(get, path = "/api/v1/collectives/{id}", tag = "collectives", security((), ("bearer" = [])),
    params(("id" = i64, Path)), responses((status = 200, body = Collective), (status = 404), (status = 422)))]
async fn get(
    State(collectives): State<Arc<Collectives>>,
    Viewer(_viewer): Viewer,
    PathId(id): PathId,
) -> ApiResult<Json<Collective>> {
    Ok(Json(collectives.get(CollectiveId(id)).await?.into()))
}

/// Change a collective that the caller runs
#[utoipa::path(patch, path = "/api/v1/collectives/{id}", tag = "collectives", security(("bearer" = [])),
    params(("id" = i64, Path)), request_body = CollectiveChange,
    responses((status = 200, body = Collective), (status = 401), (status = 403), (status = 404), (status = 422)))]
async fn update(
    State(collectives): State<Arc<Collectives>>,
    User(caller): User,
    origin: Origin,
    PathId(id): PathId,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<Collective>> {
    let update = bodies::update(body)?;
    Ok(Json(collectives.update(&caller, CollectiveId(id), update, &origin).await?.into()))
}

/// Remove a collective that the caller runs
#[utoipa::path(delete, path = "/api/v1/collectives/{id}", tag = "collectives", security(("bearer" = [])),
    params(("id" = i64, Path)),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 422)))]
async fn delete(
    State(collectives): State<Arc<Collectives>>,
    User(caller): User,
    origin: Origin,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    collectives.delete(&caller, CollectiveId(id), &origin).await?;
    Ok(StatusCode::NO_CONTENT)
}
