//! `/api/v1/admin/overview` and `/api/v1/admin/users`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header;
use syfthub_domain::Role;
use syfthub_store::statistics::{UserFilter, UserOrder, UserSort};
use syfthub_web::{ApiResult, Fields, QueryFields};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Statistics;
use super::wire::{AdminUserRow, Overview};
use crate::access::Admin;
use crate::audit::Origin;
use crate::paging::{Numbered, Paged};
use crate::router::AppState;

/// Longest text that is searched for, in characters.
const MAX_SEARCH: usize = 200;
/// What the list can be sorted by.
const SORTS: [(&str, UserSort); 5] = [
    ("username", UserSort::Username),
    ("email", UserSort::Email),
    ("role", UserSort::Role),
    ("created_at", UserSort::CreatedAt),
    ("last_login_at", UserSort::LastLogin),
];

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(overview)).routes(routes!(users)).routes(routes!(export))
}

/// Figures about all users
#[utoipa::path(get, path = "/api/v1/admin/overview", tag = "admin", security(("bearer" = [])),
    params(("trend_days" = Option<String>, Query, pattern = "^(7|30|90)$",
        description = "Days of the registration trend: 7, 30 (default) or 90")),
    responses((status = 200, body = Overview), (status = 401), (status = 403), (status = 422)))]
async fn overview(
    State(statistics): State<Arc<Statistics>>,
    Admin(_caller): Admin,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Json<Overview>> {
    let days = query
        .int("trend_days")
        .rule(|days| if [7, 30, 90].contains(days) { Ok(()) } else { Err("must be 7, 30 or 90".to_owned()) })
        .or(30);
    query.finish()?;
    Ok(Json(statistics.overview(u32::try_from(days).unwrap_or(30)).await?))
}

/// Users, page by page
#[utoipa::path(get, path = "/api/v1/admin/users", tag = "admin", security(("bearer" = [])),
    params(
        ("page" = Option<i64>, Query, minimum = 1, maximum = 1_000_000, description = "Number of the page, from 1"),
        ("page_size" = Option<i64>, Query, minimum = 1, maximum = 100, description = "Rows of a page, 20 by default"),
        ("sort_by" = Option<String>, Query, pattern = "^(username|email|role|created_at|last_login_at)$",
            description = "`username`, `email`, `role`, `created_at` (default) or `last_login_at`"),
        ("sort_dir" = Option<String>, Query, pattern = "^(asc|desc)$", description = "`asc` or `desc` (default)"),
        ("search" = Option<String>, Query, max_length = 200, description = "Part of the username or mail address"),
        ("role" = Option<String>, Query, pattern = "^(admin|user|guest)$", description = "`admin`, `user` or `guest`"),
        ("is_active" = Option<bool>, Query, description = "Whether the account may be used"),
        ("is_email_verified" = Option<bool>, Query, description = "Whether the mail address was confirmed")),
    responses((status = 200, body = Paged<AdminUserRow>), (status = 401), (status = 403), (status = 422)))]
async fn users(
    State(statistics): State<Arc<Statistics>>,
    Admin(_caller): Admin,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Json<Paged<AdminUserRow>>> {
    let page = Numbered::read(&mut query);
    let (filter, order) = wanted(&mut query);
    query.finish()?;
    let (rows, total) = statistics.users(&filter, order, page.rows()).await?;
    Ok(Json(page.with(rows.into_iter().map(AdminUserRow::from).collect(), total)))
}

/// All users under the filter as a CSV file
#[utoipa::path(get, path = "/api/v1/admin/users/export", tag = "admin", security(("bearer" = [])),
    params(
        ("sort_by" = Option<String>, Query, pattern = "^(username|email|role|created_at|last_login_at)$",
            description = "`username`, `email`, `role`, `created_at` (default) or `last_login_at`"),
        ("sort_dir" = Option<String>, Query, pattern = "^(asc|desc)$", description = "`asc` or `desc` (default)"),
        ("search" = Option<String>, Query, max_length = 200, description = "Part of the username or mail address"),
        ("role" = Option<String>, Query, pattern = "^(admin|user|guest)$", description = "`admin`, `user` or `guest`"),
        ("is_active" = Option<bool>, Query, description = "Whether the account may be used"),
        ("is_email_verified" = Option<bool>, Query, description = "Whether the mail address was confirmed")),
    responses((status = 200, body = String, content_type = "text/csv"), (status = 401), (status = 403), (status = 422)))]
async fn export(
    State(statistics): State<Arc<Statistics>>,
    Admin(caller): Admin,
    origin: Origin,
    QueryFields(mut query): QueryFields,
) -> ApiResult<impl IntoResponse> {
    let (filter, order) = wanted(&mut query);
    query.finish()?;
    let (name, body) = statistics.export(&origin, &filter, order).await?;
    tracing::info!(target: "syfthub.api.users", user_id = caller.user_id.0, "users.exported");
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, body))
}

/// Reads the filters and the order of the list.
fn wanted(query: &mut Fields) -> (UserFilter, UserOrder) {
    let sort = |name: &str| SORTS.into_iter().find(|(known, _)| *known == name).map(|(_, sort)| sort);
    let unknown = || "must be one of username, email, role, created_at, last_login_at".to_owned();
    let by = query.string("sort_by").parse(|name| sort(name).ok_or_else(unknown)).optional();
    let descending = query
        .string("sort_dir")
        .parse(|way| match way {
            "asc" => Ok(false),
            "desc" => Ok(true),
            _ => Err("must be asc or desc".to_owned()),
        })
        .or(true);
    let order = UserOrder { by: by.unwrap_or_default(), descending };
    let search = query.string("search").trimmed().length(0, MAX_SEARCH).optional();
    let filter = UserFilter {
        search: search.filter(|text| !text.is_empty()),
        role: query.string("role").choice::<Role>(&["admin", "user", "guest"]).optional(),
        is_active: query.boolean("is_active").optional(),
        is_email_verified: query.boolean("is_email_verified").optional(),
    };
    (filter, order)
}
