//! `/api/v1/users/me/identities`: the accounts of providers that open the caller's.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use syfthub_domain::{Error, ErrorCode, Result, SignInProvider};
use syfthub_web::{ApiResult, ClientIp, Fields, JsonBody};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::SignInProviders;
use super::routes::LONGEST_CREDENTIAL;
use super::wire::{GoogleLink, Identity};
use crate::access::User;
use crate::audit::Origin;
use crate::limits::{Limits, Scope};
use crate::router::AppState;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(identities)).routes(routes!(link_identity, unlink_identity))
}

fn read_provider(text: &str) -> Result<SignInProvider> {
    text.parse().map_err(|_| Error::not_found("There is no such provider: google, github"))
}

/// The accounts of providers that open the caller's
#[utoipa::path(get, path = "/api/v1/users/me/identities", tag = "users", security(("bearer" = [])),
    responses((status = 200, body = Vec<Identity>), (status = 401), (status = 403)))]
async fn identities(
    State(providers): State<Arc<SignInProviders>>,
    User(caller): User,
) -> ApiResult<Json<Vec<Identity>>> {
    let rows = providers.list(&caller).await?;
    Ok(Json(rows.into_iter().map(Identity::from).collect()))
}

/// Link a Google account to the caller's
///
/// Its mail address may be another one than the caller's. Linking the same account again changes nothing. For `github`
/// this is 400: a GitHub account is linked by opening `/api/v1/auth/github?link=true` in a browser that is signed in.
#[utoipa::path(post, path = "/api/v1/users/me/identities/{provider}", tag = "users", security(("bearer" = [])),
    params(("provider" = String, Path, description = "`google`", pattern = "^(google|github)$", example = "google")),
    request_body = GoogleLink,
    responses(
        (status = 200, body = Identity, description = "Linked"),
        (status = 400, description = "Google's token is not good, or the provider is `github`"),
        (status = 401), (status = 403),
        (status = 404, description = "There is no such provider"),
        (status = 409, description = "The Google account belongs to another account here, or the caller has another one"),
        (status = 422), (status = 429),
        (status = 503, description = "Google sign-in is not configured, or Google's keys cannot be reached"),
    ))]
async fn link_identity(
    State(limits): State<Arc<Limits>>,
    State(providers): State<Arc<SignInProviders>>,
    User(caller): User,
    origin: Origin,
    ClientIp(ip): ClientIp,
    Path(provider): Path<String>,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<Identity>> {
    if read_provider(&provider)? == SignInProvider::Github {
        let text = "A GitHub account is linked in a browser: open /api/v1/auth/github?link=true from a page of the hub";
        return Err(Error::new(ErrorCode::BadRequest, text).into());
    }
    limits.check(Scope::Auth, ip).await?;
    let mut fields = Fields::body(body)?;
    let credential = fields.string("credential").length(1, LONGEST_CREDENTIAL).required();
    let valid = fields.finish()?;
    let linked = providers.link_google(&origin, &caller, &credential.take(&valid)).await?;
    Ok(Json(linked.into()))
}

/// Take the link to an account of a provider away
///
/// Refused for the last way to sign in: set a password by a password reset, or link another provider first.
#[utoipa::path(delete, path = "/api/v1/users/me/identities/{provider}", tag = "users", security(("bearer" = [])),
    params(("provider" = String, Path, description = "`google` or `github`", pattern = "^(google|github)$")),
    responses((status = 204), (status = 401), (status = 403),
        (status = 404, description = "No account of this provider is linked"),
        (status = 409, description = "It is the last way to sign in")))]
async fn unlink_identity(
    State(providers): State<Arc<SignInProviders>>,
    User(caller): User,
    origin: Origin,
    Path(provider): Path<String>,
) -> ApiResult<StatusCode> {
    providers.unlink(&origin, &caller, read_provider(&provider)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
