//! `/api/v1/collectives/{id}/members` and `/invitations`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use syfthub_domain::{CollectiveId, EndpointId, MembershipStatus, Result};
use syfthub_web::{ApiResult, ClientIp, JsonBody, PathId, QueryFields, path_id};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::bodies::{EndpointByPath, EndpointChoice, Response, Review};
use super::membership::Invited;
use super::wire::CollectiveMember;
use super::{Collectives, bodies};
use crate::access::{User, Viewer};
use crate::audit::Origin;
use crate::limits::{Limits, Scope};
use crate::router::AppState;

/// Names of the closed set for error texts.
const STATUSES: &[&str] = &["pending", "invited", "approved", "rejected"];

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, join))
        .routes(routes!(review))
        .routes(routes!(leave))
        .routes(routes!(invite))
        .routes(routes!(invite_by_path))
        .routes(routes!(invitation))
        .routes(routes!(respond))
}

/// Reads the two ids of a path.
fn ids(path: &(String, String)) -> Result<(CollectiveId, EndpointId)> {
    Ok((CollectiveId(path_id("id", &path.0)?), EndpointId(path_id("endpoint_id", &path.1)?)))
}

/// Endpoints of a collective
///
/// Its owner and admins see all of them; others see approved ones, as far as they may see the endpoint.
#[utoipa::path(get, path = "/api/v1/collectives/{id}/members", tag = "collective members", security((), ("bearer" = [])),
    params(("id" = i64, Path),
        ("status" = Option<String>, Query, pattern = "^(pending|invited|approved|rejected)$", description = "Only those that stand so")),
    responses((status = 200, body = Vec<CollectiveMember>),
        (status = 403, description = "Another status than `approved` is for the owner and admins"), (status = 404), (status = 422)))]
async fn list(
    State(collectives): State<Arc<Collectives>>,
    Viewer(viewer): Viewer,
    PathId(id): PathId,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Json<Vec<CollectiveMember>>> {
    let status = query.string("status").choice::<MembershipStatus>(STATUSES).optional();
    query.finish()?;
    let rows = collectives.members(CollectiveId(id), status, viewer.as_ref()).await?;
    Ok(Json(rows.into_iter().map(CollectiveMember::from).collect()))
}

/// Ask to join with an endpoint of the caller
///
/// It is a member at once when the collective approves everybody or had invited it. Asking again changes nothing.
#[utoipa::path(post, path = "/api/v1/collectives/{id}/members", tag = "collective members", security(("bearer" = [])),
    params(("id" = i64, Path)), request_body = EndpointChoice,
    responses((status = 201, body = CollectiveMember), (status = 400, description = "The endpoint is archived or no data source"),
        (status = 401), (status = 403), (status = 404), (status = 409, description = "It is a member already"), (status = 422)))]
async fn join(
    State(collectives): State<Arc<Collectives>>,
    User(caller): User,
    origin: Origin,
    PathId(id): PathId,
    JsonBody(body): JsonBody,
) -> ApiResult<(StatusCode, Json<CollectiveMember>)> {
    let endpoint = bodies::endpoint(body)?;
    let member = collectives.join(&caller, CollectiveId(id), endpoint, &origin).await?;
    Ok((StatusCode::CREATED, Json(member.into())))
}

/// Answer a request to join a collective of the caller
#[utoipa::path(post, path = "/api/v1/collectives/{id}/members/{endpoint_id}/review", tag = "collective members", security(("bearer" = [])),
    params(("id" = i64, Path), ("endpoint_id" = i64, Path)), request_body = Review,
    responses((status = 200, body = CollectiveMember), (status = 401), (status = 403), (status = 404),
        (status = 409, description = "There is no pending request"), (status = 422)))]
async fn review(
    State(collectives): State<Arc<Collectives>>,
    User(caller): User,
    origin: Origin,
    Path(path): Path<(String, String)>,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<CollectiveMember>> {
    let (id, endpoint) = ids(&path)?;
    let approve = bodies::decision(body, "approve", "reject")?;
    Ok(Json(collectives.review(&caller, id, endpoint, approve, &origin).await?.into()))
}

/// End a membership or take back what was asked
#[utoipa::path(delete, path = "/api/v1/collectives/{id}/members/{endpoint_id}", tag = "collective members", security(("bearer" = [])),
    params(("id" = i64, Path), ("endpoint_id" = i64, Path)),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 422)))]
async fn leave(
    State(collectives): State<Arc<Collectives>>,
    User(caller): User,
    origin: Origin,
    Path(path): Path<(String, String)>,
) -> ApiResult<StatusCode> {
    let (id, endpoint) = ids(&path)?;
    collectives.leave(&caller, id, endpoint, &origin).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Invite an endpoint to a collective of the caller
///
/// Its owner gets a mail, if the hub sends mail. A pending request is approved by it.
#[utoipa::path(post, path = "/api/v1/collectives/{id}/invitations", tag = "collective members", security(("bearer" = [])),
    params(("id" = i64, Path)), request_body = EndpointChoice,
    responses((status = 201, body = CollectiveMember), (status = 400, description = "The endpoint is archived or no data source"),
        (status = 401), (status = 403), (status = 404), (status = 409, description = "It is a member already"), (status = 422), (status = 429)))]
async fn invite(
    State(limits): State<Arc<Limits>>,
    State(collectives): State<Arc<Collectives>>,
    ClientIp(ip): ClientIp,
    User(caller): User,
    origin: Origin,
    PathId(id): PathId,
    JsonBody(body): JsonBody,
) -> ApiResult<(StatusCode, Json<CollectiveMember>)> {
    limits.check_user(Scope::Invitation, caller.user_id, ip).await?;
    let invited = Invited::Id(bodies::endpoint(body)?);
    let member = collectives.invite(&caller, CollectiveId(id), invited, &origin).await?;
    Ok((StatusCode::CREATED, Json(member.into())))
}

/// Invite a public endpoint by its path to a collective of the caller
#[utoipa::path(post, path = "/api/v1/collectives/{id}/invitations/by-path", tag = "collective members", security(("bearer" = [])),
    params(("id" = i64, Path)), request_body = EndpointByPath,
    responses((status = 201, body = CollectiveMember), (status = 400, description = "The endpoint is no data source"),
        (status = 401), (status = 403), (status = 404), (status = 409, description = "It is a member already"), (status = 422), (status = 429)))]
async fn invite_by_path(
    State(limits): State<Arc<Limits>>,
    State(collectives): State<Arc<Collectives>>,
    ClientIp(ip): ClientIp,
    User(caller): User,
    origin: Origin,
    PathId(id): PathId,
    JsonBody(body): JsonBody,
) -> ApiResult<(StatusCode, Json<CollectiveMember>)> {
    limits.check_user(Scope::Invitation, caller.user_id, ip).await?;
    let (owner, slug) = bodies::path(body)?;
    let member = collectives.invite(&caller, CollectiveId(id), Invited::Path(owner, slug), &origin).await?;
    Ok((StatusCode::CREATED, Json(member.into())))
}

/// How an endpoint stands to a collective, for the owners of both
#[utoipa::path(get, path = "/api/v1/collectives/{id}/invitations/{endpoint_id}", tag = "collective members", security(("bearer" = [])),
    params(("id" = i64, Path), ("endpoint_id" = i64, Path)),
    responses((status = 200, body = CollectiveMember), (status = 401), (status = 403), (status = 404), (status = 422)))]
async fn invitation(
    State(collectives): State<Arc<Collectives>>,
    User(caller): User,
    Path(path): Path<(String, String)>,
) -> ApiResult<Json<CollectiveMember>> {
    let (id, endpoint) = ids(&path)?;
    Ok(Json(collectives.invitation(&caller, id, endpoint).await?.into()))
}

/// Answer an invitation of an endpoint of the caller
#[utoipa::path(post, path = "/api/v1/collectives/{id}/invitations/{endpoint_id}/respond", tag = "collective members", security(("bearer" = [])),
    params(("id" = i64, Path), ("endpoint_id" = i64, Path)), request_body = Response,
    responses((status = 200, body = CollectiveMember), (status = 401), (status = 403), (status = 404),
        (status = 409, description = "There is no open invitation"), (status = 422)))]
async fn respond(
    State(collectives): State<Arc<Collectives>>,
    User(caller): User,
    origin: Origin,
    Path(path): Path<(String, String)>,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<CollectiveMember>> {
    let (id, endpoint) = ids(&path)?;
    let accept = bodies::decision(body, "accept", "decline")?;
    Ok(Json(collectives.respond(&caller, id, endpoint, accept, &origin).await?.into()))
}
