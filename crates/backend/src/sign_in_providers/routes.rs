//! `POST /api/v1/auth/google`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::HeaderMap;
use syfthub_web::{ApiResult, ClientIp, Fields, JsonBody};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::SignInProviders;
use super::wire::GoogleSignIn;
use crate::limits::{Limits, Scope};
use crate::router::AppState;
use crate::sessions::Sessions;
use crate::sessions::browser::{Keep, KeepQuery};
use crate::sessions::wire::Auth;

/// Longest ID token that is read.
pub(super) const LONGEST_CREDENTIAL: usize = 8192;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(google))
}

/// Sign in with Google
///
/// Takes the ID token that Google's script gives a page for the client id of `/auth/config`. Whoever signs in for the
/// first time gets an account, as far as the hub's registration mode allows. A mail address that has an account already
/// is refused: its owner signs in there and links Google with `POST /users/me/identities/google`.
#[utoipa::path(post, path = "/api/v1/auth/google", tag = "auth", request_body = GoogleSignIn, params(KeepQuery),
    responses(
        (status = 200, body = Auth, description = "Signed in"),
        (status = 401, description = "The token is not good, or the account is deactivated"),
        (status = 403, description = "The hub's registration mode (`reason` says which), `EMAIL_NOT_VERIFIED`, or `session=cookie` and the request is not from a page of the hub"),
        (status = 409, description = "The mail address has an account that Google is not linked to"),
        (status = 422), (status = 429),
        (status = 503, description = "Google sign-in is not configured, or Google's keys cannot be reached"),
    ))]
async fn google(
    State(limits): State<Arc<Limits>>,
    State(providers): State<Arc<SignInProviders>>,
    State(sessions): State<Arc<Sessions>>,
    keep: Keep,
    ClientIp(ip): ClientIp,
    JsonBody(body): JsonBody,
) -> ApiResult<(HeaderMap, Json<Auth>)> {
    limits.check(Scope::Auth, ip).await?;
    let mut fields = Fields::body(body)?;
    let credential = fields.string("credential").length(1, LONGEST_CREDENTIAL).required();
    let invitation = fields.string("invitation_code").length(0, 128).optional();
    let valid = fields.finish()?;
    let user = providers.sign_in_google(&credential.take(&valid), invitation.as_deref()).await?;
    let started = sessions.begin(&user, true, keep).await?;
    Ok((started.headers(), Json(Auth::started(&user, &started))))
}
