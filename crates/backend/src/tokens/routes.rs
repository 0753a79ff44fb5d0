//! `/api/v1/auth/tokens`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde_json::Value;
use syfthub_domain::{ApiTokenId, Result, Scope, Timestamp};
use syfthub_store::Page;
use syfthub_web::{ApiResult, Fields, JsonBody, PathId, QueryFields};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{CreatedPat, Pat, PatCreate, PatList, PatUpdate};
use super::{NewToken, Tokens};
use crate::access::User;
use crate::router::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(create, list)).routes(routes!(get, rename, revoke))
}

/// Make a personal access token; it is shown only in this answer
#[utoipa::path(post, path = "/api/v1/auth/tokens", tag = "tokens", security(("bearer" = [])),
    request_body = PatCreate,
    responses((status = 201, body = CreatedPat), (status = 400), (status = 422)))]
async fn create(
    State(tokens): State<Arc<Tokens>>,
    User(caller): User,
    JsonBody(body): JsonBody,
) -> ApiResult<(StatusCode, Json<CreatedPat>)> {
    let new = read_new(body, tokens.now())?;
    let (row, token) = tokens.create(caller.user_id, new).await?;
    let created = CreatedPat { pat: row.into(), token: token.expose().to_owned() };
    Ok((StatusCode::CREATED, Json(created)))
}

fn read_new(body: Value, now: Timestamp) -> Result<NewToken> {
    let mut fields = Fields::body(body)?;
    let name = fields.string("name").trimmed().length(1, 100).required();
    let scopes = fields.strings("scopes").items(1, 10).rule(|names| scopes(names).map(|_| ())).optional();
    let in_future = |text: &str| match Timestamp::parse(text) {
        Some(end) if end > now => Ok(end),
        Some(_) => Err("Expiration date must be in the future".to_owned()),
        None => Err("must be an RFC 3339 time".to_owned()),
    };
    let expires_at = fields.string("expires_at").parse(in_future).optional();
    let valid = fields.finish()?;
    let scopes = scopes.and_then(|names| self::scopes(&names).ok()).unwrap_or_else(|| vec![Scope::Full]);
    Ok(NewToken { name: name.take(&valid), scopes, expires_at })
}

fn scopes(names: &Vec<String>) -> std::result::Result<Vec<Scope>, String> {
    let mut scopes = Vec::with_capacity(names.len());
    for name in names {
        let scope: Scope =
            name.parse().map_err(|_| format!("'{}' is not one of read, write, full", short(name)))?;
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes)
}

fn short(text: &str) -> String {
    text.chars().take(20).collect()
}

/// The caller's tokens, newest first
#[utoipa::path(get, path = "/api/v1/auth/tokens", tag = "tokens", security(("bearer" = [])),
    params(("include_inactive" = Option<bool>, Query, description = "Revoked ones too"),
        ("skip" = Option<u32>, Query, minimum = 0, maximum = 10_000_000, description = "Rows to leave out"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "Rows to return; 100 if not given")),
    responses((status = 200, body = PatList), (status = 401)))]
async fn list(
    State(tokens): State<Arc<Tokens>>,
    User(caller): User,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Json<PatList>> {
    let include_inactive = query.boolean("include_inactive").or(false);
    let page = crate::endpoints::routes::page(&mut query, 100, 500);
    query.finish()?;
    let (rows, total) = tokens.list(&caller, include_inactive, page.unwrap_or(Page::new(0, 100))).await?;
    Ok(Json(PatList { tokens: rows.into_iter().map(Pat::from).collect(), total }))
}

/// One of the caller's tokens
#[utoipa::path(get, path = "/api/v1/auth/tokens/{id}", tag = "tokens", security(("bearer" = [])),
    params(("id" = i64, Path)), responses((status = 200, body = Pat), (status = 404)))]
async fn get(
    State(tokens): State<Arc<Tokens>>,
    User(caller): User,
    PathId(id): PathId,
) -> ApiResult<Json<Pat>> {
    Ok(Json(tokens.get(&caller, ApiTokenId(id)).await?.into()))
}

/// Rename one of the caller's tokens
#[utoipa::path(patch, path = "/api/v1/auth/tokens/{id}", tag = "tokens", security(("bearer" = [])),
    params(("id" = i64, Path)), request_body = PatUpdate,
    responses((status = 200, body = Pat), (status = 404), (status = 422)))]
async fn rename(
    State(tokens): State<Arc<Tokens>>,
    User(caller): User,
    PathId(id): PathId,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<Pat>> {
    let mut fields = Fields::body(body)?;
    let name = fields.string("name").trimmed().length(1, 100).required();
    let valid = fields.finish()?;
    Ok(Json(tokens.rename(&caller, ApiTokenId(id), &name.take(&valid)).await?.into()))
}

/// Revoke one of the caller's tokens
#[utoipa::path(delete, path = "/api/v1/auth/tokens/{id}", tag = "tokens", security(("bearer" = [])),
    params(("id" = i64, Path)), responses((status = 204), (status = 404)))]
async fn revoke(
    State(tokens): State<Arc<Tokens>>,
    User(caller): User,
    PathId(id): PathId,
) -> ApiResult<StatusCode> {
    tokens.revoke(caller.user_id, ApiTokenId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
