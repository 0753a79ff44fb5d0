//! `/api/v1/auth/session` of a browser, and `/api/v1/auth/sessions`: all of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use syfthub_config::Secret;
use syfthub_domain::ErrorCode;
use syfthub_store::Page;
use syfthub_web::{ApiResult, ClientIp, Fields, FormBody, QueryFields};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Sessions;
use super::browser::SetCookie;
use super::requests::SignInForm;
use super::wire::{EndedSessions, SessionUser, SessionView};
use crate::access::User;
use crate::limits::Scope;
use crate::router::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(sign_in, sign_out))
        .routes(routes!(list, end_others))
        .routes(routes!(end))
}

/// Sign a browser in
///
/// For pages of the hub itself: the session is a cookie that no script can read (`HttpOnly`, `SameSite=Lax`), good for
/// 14 days after its last use and 90 days at most. Requests with it that change something need `X-Requested-With`.
#[utoipa::path(post, path = "/api/v1/auth/session", tag = "sessions",
    request_body(content((SignInForm = "application/json"), (SignInForm = "application/x-www-form-urlencoded"))),
    responses(
        (status = 200, body = SessionUser, description = "Signed in; the cookie is set"),
        (status = 401, description = "Wrong name or password, or the account is deactivated"),
        (status = 403, description = "The request is not from a page of the hub, or `EMAIL_NOT_VERIFIED`"),
        (status = 422), (status = 429),
        (status = 503, description = "Too many passwords are being checked; try again in a moment"),
    ))]
async fn sign_in(
    State(state): State<AppState>,
    ClientIp(ip): ClientIp,
    headers: HeaderMap,
    FormBody(form): FormBody,
) -> ApiResult<(HeaderMap, Json<SessionUser>)> {
    state.access.cookie().require_same_origin(&headers)?;
    state.limits.check(Scope::Login, ip).await?;
    let mut fields = Fields::body(form)?;
    let username = fields.string("username").length(1, 320).required();
    let password = fields.string("password").length(1, 4096).required();
    let valid = fields.finish()?;
    let password = Secret::new(password.take(&valid));
    let user = state.sessions.verify_password(&username.take(&valid), &password).await?;
    let cookie = state.sessions.start_browser(&user, true).await?;
    Ok((cookie.into_headers(), Json((&user).into())))
}

/// Sign a browser out
///
/// Ends the session of the cookie and takes the cookie away; without one there is nothing to do.
#[utoipa::path(delete, path = "/api/v1/auth/session", tag = "sessions",
    responses(
        (status = 204, description = "Signed out; the cookie is gone"),
        (status = 403, description = "There is a cookie, and the request is not from a script of the hub's own pages"),
    ))]
async fn sign_out(State(state): State<AppState>, headers: HeaderMap) -> ApiResult<(StatusCode, HeaderMap)> {
    let cookie = state.access.cookie();
    if let Some(value) = cookie.read(&headers) {
        cookie.require_own_script(&http::Method::DELETE, &headers)?;
        match state.access.authenticate_browser(value.expose(), None).await {
            Ok(caller) => state.sessions.end_browser(&caller).await?,
            Err(error) if error.code == ErrorCode::Unauthenticated => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok((StatusCode::NO_CONTENT, SetCookie::gone(cookie)?.into_headers()))
}

/// Where the caller is signed in
///
/// Live sessions, the one used last first; uses are recorded once a minute.
#[utoipa::path(get, path = "/api/v1/auth/sessions", tag = "sessions", security(("bearer" = [])),
    params(
        ("skip" = Option<i64>, Query, minimum = 0, maximum = 1_000_000, description = "Sessions left out at the front"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 100, description = "Sessions given at most; 100 if absent"),
    ),
    responses((status = 200, body = Vec<SessionView>), (status = 401), (status = 403), (status = 422)))]
async fn list(
    State(sessions): State<Arc<Sessions>>,
    User(caller): User,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Json<Vec<SessionView>>> {
    let skip = query.int("skip").range(0, 1_000_000).or(0);
    let limit = query.int("limit").range(1, 100).or(100);
    query.finish()?;
    let page = Page::new(u32::try_from(skip).unwrap_or(0), u32::try_from(limit).unwrap_or(100));
    let rows = sessions.list(&caller, page).await?;
    let current = caller.session.as_deref();
    Ok(Json(rows.into_iter().map(|row| SessionView::new(row, current)).collect()))
}

/// End every other session of the caller
///
/// The one that asks stays. With a personal access token, which belongs to no session, all end.
#[utoipa::path(delete, path = "/api/v1/auth/sessions", tag = "sessions", security(("bearer" = [])),
    responses((status = 200, body = EndedSessions), (status = 401), (status = 403)))]
async fn end_others(
    State(sessions): State<Arc<Sessions>>,
    User(caller): User,
) -> ApiResult<Json<EndedSessions>> {
    Ok(Json(EndedSessions { ended: sessions.end_others(&caller).await? }))
}

/// End one session of the caller
#[utoipa::path(delete, path = "/api/v1/auth/sessions/{id}", tag = "sessions", security(("bearer" = [])),
    params(("id" = String, Path, description = "Id of the session", max_length = 100)),
    responses((status = 204), (status = 401), (status = 403), (status = 404)))]
async fn end(
    State(sessions): State<Arc<Sessions>>,
    User(caller): User,
    Path(id): Path<String>,
) -> ApiResult<StatusCode> {
    sessions.end_one(&caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
