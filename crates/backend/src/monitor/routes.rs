//! The HTTP routes.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use syfthub_web::{ApiResult, JsonBody, QueryFields};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Monitor;
use super::wire::{self, HeartbeatBody, HeartbeatReceived, Uptime};
use crate::access::{User, Viewer};
use crate::router::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(uptime)).routes(routes!(heartbeat))
}

/// How an endpoint was found in the last hours
///
/// Endpoints that are switched off answer too.
#[utoipa::path(get, path = "/api/v1/endpoints/{id}/{slug}/uptime", tag = "endpoints", security((), ("bearer" = [])),
    params(("id" = String, Path, description = "The owner's username", example = "ada"), ("slug" = String, Path, description = "The endpoint's slug"),
        ("window_hours" = Option<u32>, Query, description = "How far back; 24 if it is left out", minimum = 1, maximum = 2160)),
    responses((status = 200, body = Uptime), (status = 404), (status = 422)))]
async fn uptime(
    State(monitor): State<Arc<Monitor>>,
    Viewer(viewer): Viewer,
    Path((owner, slug)): Path<(String, String)>,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Json<Uptime>> {
    let hours = query.int("window_hours").range(1, 2160).or(24);
    query.finish()?;
    let hours = u32::try_from(hours).unwrap_or(24);
    Ok(Json(monitor.uptime(viewer.as_ref(), &owner, &slug, hours).await?))
}

/// Say that the caller's endpoints are up, and where
///
/// For publishers that do not report the health of each endpoint. While it counts, endpoints without a report of
/// their own are healthy.
#[utoipa::path(post, path = "/api/v1/users/me/heartbeat", tag = "users", security(("bearer" = [])),
    request_body = HeartbeatBody,
    responses((status = 200, body = HeartbeatReceived), (status = 401), (status = 403), (status = 422)))]
async fn heartbeat(
    State(monitor): State<Arc<Monitor>>,
    User(caller): User,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<HeartbeatReceived>> {
    let beat = wire::heartbeat(body, caller.username.as_str())?;
    Ok(Json(monitor.heartbeat(&caller, beat).await?))
}
