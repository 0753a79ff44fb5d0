//! `/api/v1/users/me/aggregators`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use syfthub_domain::AggregatorId;
use syfthub_web::{ApiResult, Fields, JsonBody, PathId, QueryFields};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{
    NewUserAggregator, UserAggregator, UserAggregatorChange, UserAggregatorList, UserAggregators,
};
use super::{Aggregators, Change, NewAggregator};
use crate::access::User;
use crate::router::AppState;
use crate::web_address;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create, list))
        .routes(routes!(get, update, delete))
        .routes(routes!(set_default))
}

/// Add an aggregator of the caller's choice
#[utoipa::path(post, path = "/api/v1/users/me/aggregators", tag = "aggregators", security(("bearer" = [])),
    request_body = NewUserAggregator,
    responses((status = 201, body = UserAggregator), (status = 400, description = "There are too many already"),
        (status = 401), (status = 403), (status = 422)))]
async fn create(
    State(aggregators): State<Arc<Aggregators>>,
    User(caller): User,
    JsonBody(body): JsonBody,
) -> ApiResult<(StatusCode, Json<UserAggregator>)> {
    let mut fields = Fields::body(body)?;
    let name = fields.string("name").length(1, 100).required();
    let url = fields.string("url").length(1, 500).rule(|text| web_address::check(text)).required();
    let is_default = fields.boolean("is_default").optional().unwrap_or(false);
    let valid = fields.finish()?;
    let new = NewAggregator { name: name.take(&valid), url: url.take(&valid), is_default };
    let row = aggregators.create(caller.user_id, new).await?;
    Ok((StatusCode::CREATED, Json(row.into())))
}

/// The caller's aggregators, newest first
///
/// A bare array, or an object with the id of the default when `envelope` is set.
#[utoipa::path(get, path = "/api/v1/users/me/aggregators", tag = "aggregators", security(("bearer" = [])),
    params(("envelope" = Option<bool>, Query, description = "Answer with an object in place of a bare array")),
    responses((status = 200, body = UserAggregatorList), (status = 401), (status = 403), (status = 422)))]
async fn list(
    State(aggregators): State<Arc<Aggregators>>,
    User(caller): User,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Json<UserAggregatorList>> {
    let envelope = query.boolean("envelope").or(false);
    query.finish()?;
    let rows = aggregators.list(caller.user_id).await?;
    let default_aggregator_id = rows.iter().find(|row| row.is_default).map(|row| row.id.0);
    let shown: Vec<UserAggregator> = rows.into_iter().map(UserAggregator::from).collect();
    Ok(Json(if envelope {
        UserAggregatorList::Envelope(UserAggregators { aggregators: shown, default_aggregator_id })
    } else {
        UserAggregatorList::Plain(shown)
    }))
}

/// One of the caller's aggregators
#[utoipa::path(get, path = "/api/v1/users/me/aggregators/{id}", tag = "aggregators", security(("bearer" = [])),
    params(("id" = i64, Path)),
    responses((status = 200, body = UserAggregator), (status = 401), (status = 403), (status = 404), (status = 422)))]
async fn get(
    State(aggregators): State<Arc<Aggregators>>,
    User(caller): User,
    PathId(id): PathId,
) -> ApiResult<Json<UserAggregator>> {
    Ok(Json(aggregators.get(caller.user_id, AggregatorId(id)).await?.into()))
}

/// Change one of the caller's aggregators
#[utoipa::path(put, path = "/api/v1/users/me/aggregators/{id}", tag = "aggregators", security(("bearer" = [])),
    params(("id" = i64, Path)), request_body = UserAggregatorChange,
    responses((status = 200, body = UserAggregator), (status = 401), (status = 403), (status = 404), (status = 422)))]
async fn update(
    State(aggregators): State<Arc<Aggregators>>,
    User(caller): User,
    PathId(id): PathId,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<UserAggregator>> {
    let mut fields = Fields::body(body)?;
    let name = fields.string("name").length(1, 100).optional();
    let url = fields.string("url").length(1, 500).rule(|text| web_address::check(text)).optional();
    let is_default = fields.boolean("is_default").optional();
    fields.finish()?;
    let change = Change { name, url, is_default };
    Ok(Json(aggregators.update(caller.user_id, AggregatorId(id), change).await?.into()))
}

/// Remove one of the caller's aggregators
#[utoipa::path(delete, path = "/api/v1/users/me/aggregators/{id}", tag = "aggregators", security(("bearer" = [])),
    params(("id" = i64, Path)),
    responses((status = 204), (status = 401), (status = 403), (status = 404), (status = 422)))]
async fn delete(
    State(aggregators): State<Arc<Aggregators>>,
    User(caller): User,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    aggregators.delete(caller.user_id, AggregatorId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make one of the caller's aggregators the default
#[utoipa::path(patch, path = "/api/v1/users/me/aggregators/{id}/default", tag = "aggregators", security(("bearer" = [])),
    params(("id" = i64, Path)),
    responses((status = 200, body = UserAggregator), (status = 401), (status = 403), (status = 404), (status = 422)))]
async fn set_default(
    State(aggregators): State<Arc<Aggregators>>,
    User(caller): User,
    PathId(id): PathId,
) -> ApiResult<Json<UserAggregator>> {
    Ok(Json(aggregators.set_default(caller.user_id, AggregatorId(id)).await?.into()))
}
