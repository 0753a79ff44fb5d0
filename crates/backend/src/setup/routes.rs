//! `/api/v1/setup`: the form behind the one-time link.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest as _, Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::Value;
use syfthub_domain::{Error, Result};
use syfthub_web::{ApiResult, ClientIp, Fields, FormBody, JsonBody, QueryFields};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Setup;
use super::page::{self, Typed};
use crate::html::wants_html;
use crate::limits::{Limits, Scope};
use crate::router::AppState;
use crate::sessions::Sessions;
use crate::sessions::routes::read_account;
use crate::sessions::wire::Auth;
use crate::users::Users;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(show, create))
}

fn token(mut query: Fields) -> Result<String> {
    let token = query.string("token").length(1, 100).required();
    let valid = query.finish()?;
    Ok(token.take(&valid))
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.starts_with("application/x-www-form-urlencoded")
}

fn status(error: &Error) -> StatusCode {
    StatusCode::from_u16(error.code.http_status()).unwrap_or(StatusCode::BAD_REQUEST)
}

/// The form that creates the first administrator
#[utoipa::path(get, path = "/api/v1/setup", tag = "setup", params(("token" = String, Query, min_length = 1, max_length = 100, description = "The one of the link")),
    responses((status = 200, content_type = "text/html"), (status = 403), (status = 410), (status = 429)))]
async fn show(
    State(limits): State<Arc<Limits>>,
    State(setup): State<Arc<Setup>>,
    ClientIp(ip): ClientIp,
    headers: HeaderMap,
    QueryFields(query): QueryFields,
) -> ApiResult<Response> {
    limits.check(Scope::Auth, ip).await?;
    match good_token(&setup, query).await {
        Ok(_) => Ok(page::form(StatusCode::OK, &Typed::default(), None)),
        Err(error) => refused(wants_html(&headers), error),
    }
}

/// The token of a link that is good. A link of a hub that is set up is answered with that, whatever else is
/// wrong with the request.
async fn good_token(setup: &Setup, query: Fields) -> Result<String> {
    setup.refuse_when_done().await?;
    let token = token(query)?;
    setup.check(&token).await?;
    Ok(token)
}

fn refused(by_page: bool, error: Error) -> ApiResult<Response> {
    if by_page && error.code.http_status() < 500 {
        return Ok(page::refused(status(&error), &error.message));
    }
    Err(error.into())
}

/// Create the first administrator, from a form or as JSON
#[utoipa::path(post, path = "/api/v1/setup", tag = "setup", params(("token" = String, Query, min_length = 1, max_length = 100, description = "The one of the link")),
    request_body(content = Value, example = json!({"username": "ada", "email": "ada@example.com", "full_name": "Ada", "password": "at least 8 with 1 digit"})),
    responses((status = 201, body = Auth), (status = 403), (status = 409), (status = 410), (status = 422), (status = 429)))]
async fn create(
    State(state): State<AppState>,
    ClientIp(ip): ClientIp,
    QueryFields(query): QueryFields,
    request: Request,
) -> ApiResult<Response> {
    state.limits.check(Scope::Auth, ip).await?;
    let by_form = is_form(request.headers());
    let token = match good_token(&state.setup, query).await {
        Ok(token) => token,
        Err(error) => return refused(by_form, error),
    };
    if !by_form {
        let JsonBody(body) = JsonBody::from_request(request, &()).await?;
        return create_from_json(&state.setup, &state.users, &state.sessions, &token, body).await;
    }
    let FormBody(body) = FormBody::from_request(request, &()).await?;
    let typed = typed(&body);
    let made = match read_account(&state.users, body) {
        Ok(account) => state.setup.create_admin(&token, account).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(user) => Ok(page::done(user.username.as_str())),
        Err(error) => match error.code.http_status() {
            409 | 422 => Ok(page::form(status(&error), &typed, Some(&error))),
            _ => refused(true, error),
        },
    }
}

async fn create_from_json(
    setup: &Setup,
    users: &Users,
    sessions: &Sessions,
    token: &str,
    body: Value,
) -> ApiResult<Response> {
    let user = setup.create_admin(token, read_account(users, body)?).await?;
    let pair = sessions.start(&user, false).await?;
    Ok((StatusCode::CREATED, Json(Auth::new(&user, &pair))).into_response())
}

fn typed(body: &Value) -> Typed {
    let text =
        |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default().chars().take(255).collect();
    Typed { username: text("username"), email: text("email"), full_name: text("full_name") }
}
