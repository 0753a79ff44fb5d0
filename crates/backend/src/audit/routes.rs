//! `/api/v1/admin/audit`, `/api/v1/admin/activity` and `/api/v1/auth/activity`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header;
use syfthub_domain::{Timestamp, UserId};
use syfthub_store::activity;
use syfthub_store::audit::{Cursor, Filter};
use syfthub_web::{ApiResult, Fields, QueryFields};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::export::Form;
use super::wire::{
    ActivityEntry, ActivityPage, AuditEntry, AuditPage, AuditReport, cursor_text, read_cursor,
};
use super::{Audit, Origin};
use crate::access::{Admin, User};
use crate::router::AppState;

/// Longest text of a filter, in characters.
const MAX_TEXT: usize = 400;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(audit_log))
        .routes(routes!(export_audit))
        .routes(routes!(verify_audit))
        .routes(routes!(all_activity))
        .routes(routes!(own_activity))
}

/// The audit log, newest first
#[utoipa::path(get, path = "/api/v1/admin/audit", tag = "admin", security(("bearer" = [])),
    params(
        ("actor" = Option<String>, Query, max_length = 400, description = "Name of the account or part of the hub that did it"),
        ("action" = Option<String>, Query, max_length = 400, description = "What was done, for example `user.deactivated`"),
        ("target_kind" = Option<String>, Query, max_length = 400, description = "What kind of thing it was done to, for example `endpoint`"),
        ("target" = Option<String>, Query, max_length = 400, description = "Which one: an id, or `owner/slug`"),
        ("since" = Option<String>, Query, format = "date-time", description = "From this moment on"),
        ("until" = Option<String>, Query, format = "date-time", description = "Before this moment"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 500, description = "Entries of a page, 100 by default"),
        ("cursor" = Option<String>, Query, pattern = "^[0-9]{1,17}_[0-9a-f-]{36}$", description = "`next_cursor` of the page before")),
    responses((status = 200, body = AuditPage), (status = 401), (status = 403), (status = 422)))]
async fn audit_log(
    State(audit): State<Arc<Audit>>,
    Admin(_caller): Admin,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Json<AuditPage>> {
    let filter = read_filter(&mut query);
    let (limit, after) = read_page(&mut query);
    query.finish()?;
    let rows = audit.list(&filter, after.as_ref(), limit).await?;
    let next_cursor = next(limit, rows.len(), rows.last().map(|row| (row.occurred_at, row.id.as_str())));
    Ok(Json(AuditPage { entries: rows.into_iter().map(AuditEntry::from).collect(), next_cursor }))
}

/// The audit log as a file, newest first
#[utoipa::path(get, path = "/api/v1/admin/audit/export", tag = "admin", security(("bearer" = [])),
    params(
        ("format" = Option<String>, Query, pattern = "^(ndjson|csv)$", description = "`ndjson` (default) or `csv`"),
        ("actor" = Option<String>, Query, max_length = 400, description = "Name of the account or part of the hub that did it"),
        ("action" = Option<String>, Query, max_length = 400, description = "What was done"),
        ("target_kind" = Option<String>, Query, max_length = 400, description = "What kind of thing it was done to"),
        ("target" = Option<String>, Query, max_length = 400, description = "Which one"),
        ("since" = Option<String>, Query, format = "date-time", description = "From this moment on"),
        ("until" = Option<String>, Query, format = "date-time", description = "Before this moment")),
    responses((status = 200, content((String = "application/x-ndjson"), (String = "text/csv"))),
        (status = 401), (status = 403), (status = 422)))]
async fn export_audit(
    State(audit): State<Arc<Audit>>,
    Admin(_caller): Admin,
    origin: Origin,
    QueryFields(mut query): QueryFields,
) -> ApiResult<impl IntoResponse> {
    let form = query
        .string("format")
        .parse(|name| match name {
            "ndjson" => Ok(Form::Ndjson),
            "csv" => Ok(Form::Csv),
            _ => Err("must be ndjson or csv".to_owned()),
        })
        .or(Form::Ndjson);
    let filter = read_filter(&mut query);
    query.finish()?;
    let body = audit.export(&origin, filter, form).await?;
    let headers = [
        (header::CONTENT_TYPE, form.media_type().to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"audit.{}\"", form.as_str())),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, body))
}

/// Check that nothing in the audit log was changed or removed
#[utoipa::path(get, path = "/api/v1/admin/audit/verify", tag = "admin", security(("bearer" = [])),
    params(("known_hash" = Option<String>, Query, pattern = "^[0-9a-f]{64}$",
        description = "`head_hash` of an earlier check; that the log still holds it is checked too")),
    responses((status = 200, body = AuditReport), (status = 401), (status = 403), (status = 422)))]
async fn verify_audit(
    State(audit): State<Arc<Audit>>,
    Admin(_caller): Admin,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Json<AuditReport>> {
    let known = query
        .string("known_hash")
        .rule(|text| {
            let good =
                text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
            if good { Ok(()) } else { Err("must be 64 hexadecimal digits".to_owned()) }
        })
        .optional();
    query.finish()?;
    Ok(Json(audit.verify(known.as_deref()).await?.into()))
}

/// What happened around accounts, newest first
#[utoipa::path(get, path = "/api/v1/admin/activity", tag = "admin", security(("bearer" = [])),
    params(
        ("user_id" = Option<i64>, Query, minimum = 1, description = "About this account only"),
        ("kind" = Option<String>, Query, min_length = 1, max_length = 60, description = "Of this kind only; `login.` stands for all kinds that begin so"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 500, description = "Facts of a page, 100 by default"),
        ("cursor" = Option<String>, Query, pattern = "^[0-9]{1,17}_[0-9a-f-]{36}$", description = "`next_cursor` of the page before")),
    responses((status = 200, body = ActivityPage), (status = 401), (status = 403), (status = 422)))]
async fn all_activity(
    State(audit): State<Arc<Audit>>,
    Admin(_caller): Admin,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Json<ActivityPage>> {
    let user_id = query.int("user_id").range(1, i64::MAX).optional().map(UserId);
    activity_page(&audit, user_id, query).await
}

/// What happened around the caller's account, newest first
#[utoipa::path(get, path = "/api/v1/auth/activity", tag = "auth", security(("bearer" = [])),
    params(
        ("kind" = Option<String>, Query, min_length = 1, max_length = 60, description = "Of this kind only; `login.` stands for all sign-ins, successful or not"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 500, description = "Facts of a page, 100 by default"),
        ("cursor" = Option<String>, Query, pattern = "^[0-9]{1,17}_[0-9a-f-]{36}$", description = "`next_cursor` of the page before")),
    responses((status = 200, body = ActivityPage), (status = 401), (status = 403), (status = 422)))]
async fn own_activity(
    State(audit): State<Arc<Audit>>,
    User(caller): User,
    QueryFields(query): QueryFields,
) -> ApiResult<Json<ActivityPage>> {
    activity_page(&audit, Some(caller.user_id), query).await
}

async fn activity_page(
    audit: &Audit,
    user_id: Option<UserId>,
    mut query: Fields,
) -> ApiResult<Json<ActivityPage>> {
    let kind = query.string("kind").length(1, 60).optional();
    let (limit, after) = read_page(&mut query);
    query.finish()?;
    let rows = audit.activity(&activity::Filter { user_id, kind }, after.as_ref(), limit).await?;
    let next_cursor = next(limit, rows.len(), rows.last().map(|row| (row.occurred_at, row.id.as_str())));
    Ok(Json(ActivityPage { activity: rows.into_iter().map(ActivityEntry::from).collect(), next_cursor }))
}

fn read_filter(query: &mut Fields) -> Filter {
    let time = |text: &str| Timestamp::parse(text).ok_or_else(|| "must be an RFC 3339 time".to_owned());
    Filter {
        actor: query.string("actor").length(0, MAX_TEXT).optional(),
        action: query.string("action").length(0, MAX_TEXT).optional(),
        target_kind: query.string("target_kind").length(0, MAX_TEXT).optional(),
        target: query.string("target").length(0, MAX_TEXT).optional(),
        since: query.string("since").parse(time).optional(),
        until: query.string("until").parse(time).optional(),
    }
}

fn read_page(query: &mut Fields) -> (u32, Option<Cursor>) {
    let limit = query.int("limit").range(1, 500).or(100);
    let cursor = |text: &str| read_cursor(text).ok_or_else(|| "must be the next_cursor of a page".to_owned());
    let after = query.string("cursor").parse(cursor).optional();
    (u32::try_from(limit).unwrap_or(100), after)
}

/// The cursor behind the last row, when the page was full.
fn next(limit: u32, rows: usize, last: Option<(Timestamp, &str)>) -> Option<String> {
    let (occurred_at, id) = last.filter(|_| rows >= limit as usize)?;
    Some(cursor_text(&Cursor { occurred_at, id: id.to_owned() }))
}
