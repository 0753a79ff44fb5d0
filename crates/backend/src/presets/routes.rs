//! `/api/v1/presets`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use syfthub_domain::{EndpointPath, Error, Result};
use syfthub_web::{ApiResult, JsonBody, QueryFields};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{NewPreset, Preset, PresetChange};
use super::{Presets, input};
use crate::access::{User, Viewer};
use crate::paging::{Numbered, Paged};
use crate::router::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(list_public))
        .routes(routes!(get, update, delete))
}

/// Both halves of the path. What cannot be one leads nowhere.
fn path((owner, slug): (String, String)) -> Result<EndpointPath> {
    EndpointPath::parse(&format!("{owner}/{slug}")).ok_or_else(|| Error::not_found("Preset not found"))
}

/// Save a model, data sources and parameters under a name
#[utoipa::path(post, path = "/api/v1/presets", tag = "presets", security(("bearer" = [])),
    request_body = NewPreset,
    responses((status = 201, body = Preset), (status = 400, description = "There are too many already"),
        (status = 401), (status = 403), (status = 409, description = "An endpoint or a preset of the caller has this name"),
        (status = 422)))]
async fn create(
    State(presets): State<Arc<Presets>>,
    User(caller): User,
    JsonBody(body): JsonBody,
) -> ApiResult<(StatusCode, Json<Preset>)> {
    let made = presets.create(&caller, input::create(body)?).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// The caller's presets, newest first
#[utoipa::path(get, path = "/api/v1/presets", tag = "presets", security(("bearer" = [])),
    params(("page" = Option<i64>, Query, minimum = 1, maximum = 1_000_000, description = "Number of the page, from 1"),
        ("page_size" = Option<i64>, Query, minimum = 1, maximum = 100, description = "Rows of a page; 20 if not given")),
    responses((status = 200, body = Paged<Preset>), (status = 401), (status = 403), (status = 422)))]
async fn list(
    State(presets): State<Arc<Presets>>,
    User(caller): User,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Json<Paged<Preset>>> {
    let page = Numbered::read(&mut query);
    query.finish()?;
    let (rows, total) = presets.own(&caller, page.rows()).await?;
    Ok(Json(page.with(rows.into_iter().map(Preset::from).collect(), total)))
}

/// Public presets of everybody, newest first
///
/// Somebody who is signed in also sees their own private ones.
#[utoipa::path(get, path = "/api/v1/presets/public", tag = "presets", security((), ("bearer" = [])),
    params(("page" = Option<i64>, Query, minimum = 1, maximum = 1_000_000, description = "Number of the page, from 1"),
        ("page_size" = Option<i64>, Query, minimum = 1, maximum = 100, description = "Rows of a page; 20 if not given")),
    responses((status = 200, body = Paged<Preset>), (status = 422)))]
async fn list_public(
    State(presets): State<Arc<Presets>>,
    Viewer(viewer): Viewer,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Json<Paged<Preset>>> {
    let page = Numbered::read(&mut query);
    query.finish()?;
    let (rows, total) = presets.visible(viewer.as_ref(), page.rows()).await?;
    Ok(Json(page.with(rows.into_iter().map(Preset::from).collect(), total)))
}

/// One preset that the caller may see
#[utoipa::path(get, path = "/api/v1/presets/{owner}/{slug}", tag = "presets", security((), ("bearer" = [])),
    params(("owner" = String, Path), ("slug" = String, Path, description = "The preset's slug", example = "research")),
    responses((status = 200, body = Preset), (status = 404)))]
async fn get(
    State(presets): State<Arc<Presets>>,
    Viewer(viewer): Viewer,
    Path(halves): Path<(String, String)>,
) -> ApiResult<Json<Preset>> {
    Ok(Json(presets.get(viewer.as_ref(), &path(halves)?).await?.into()))
}

/// Change a preset
#[utoipa::path(patch, path = "/api/v1/presets/{owner}/{slug}", tag = "presets", security(("bearer" = [])),
    params(("owner" = String, Path), ("slug" = String, Path, description = "The preset's slug", example = "research")),
    request_body = PresetChange,
    responses((status = 200, body = Preset), (status = 401), (status = 403), (status = 404), (status = 422)))]
async fn update(
    State(presets): State<Arc<Presets>>,
    User(caller): User,
    Path(halves): Path<(String, String)>,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<Preset>> {
    let change = input::change(body)?;
    Ok(Json(presets.update(&caller, &path(halves)?, change).await?.into()))
}

/// Remove a preset; its name is free again
#[utoipa::path(delete, path = "/api/v1/presets/{owner}/{slug}", tag = "presets", security(("bearer" = [])),
    params(("owner" = String, Path), ("slug" = String, Path, description = "The preset's slug", example = "research")),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
async fn delete(
    State(presets): State<Arc<Presets>>,
    User(caller): User,
    Path(halves): Path<(String, String)>,
) -> ApiResult<StatusCode> {
    presets.delete(&caller, &path(halves)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
