//! `/api/v1/auth/github`: the way to GitHub and back, for browsers.

use std::net::IpAddr;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use syfthub_auth::Principal;
use syfthub_config::Secret;
use syfthub_domain::{Detail, Error, ErrorCode, Result};
use syfthub_web::{ApiError, ApiResult, ClientIp, Fields, QueryFields};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::not_begun_here;
use super::round_trip::{RoundTrip, gone, own_path, with_error};
use crate::audit::Origin;
use crate::html::wants_html;
use crate::limits::Scope;
use crate::router::AppState;
use crate::sessions::browser::SetCookie;

/// Longest value in the query of somebody who comes back.
const LONGEST_VALUE: usize = 512;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(github)).routes(routes!(github_callback))
}

/// Send a browser to GitHub to sign in
///
/// A page opens this address; it is not for scripts. The browser comes back to `return_to` signed in with a cookie, or
/// with `sign_in_error` in the query and a word that says why not.
#[utoipa::path(get, path = "/api/v1/auth/github", tag = "auth",
    params(
        ("return_to" = Option<String>, Query, description = "Path on the hub to come back to; `/` if absent",
            pattern = "^/([!-.0-Z^-~\\[\\]][!-Z^-~\\[\\]]*)?$", max_length = 1000, example = "/settings"),
        ("link" = Option<bool>, Query, description = "Link the GitHub account to the account that this browser is signed in to"),
        ("invitation_code" = Option<String>, Query, description = "The code of an invitation, for a new account", max_length = 128)),
    responses(
        (status = 303, description = "To GitHub; a cookie for ten minutes binds what comes back to this browser"),
        (status = 401, description = "`link`, and the browser is not signed in"),
        (status = 403, description = "`link`, and the address was not opened from a page of the hub"),
        (status = 422), (status = 429),
        (status = 503, description = "GitHub sign-in is not configured"),
    ))]
async fn github(
    State(state): State<AppState>,
    ClientIp(ip): ClientIp,
    headers: HeaderMap,
    QueryFields(mut query): QueryFields,
) -> ApiResult<Response> {
    let return_to = query.string("return_to").parse(own_path).or("/".to_owned());
    let link = query.boolean("link").or(false);
    let invitation = query.string("invitation_code").length(0, 128).optional();
    query.finish()?;
    state.limits.check(Scope::Auth, ip).await?;
    let providers = &state.sign_in_providers;
    providers.github.enabled()?;
    let user = if link {
        state.access.cookie().require_own_navigation(&headers)?;
        Some(browser_user(&state, &headers, ip).await?.user_id)
    } else {
        None
    };
    let (url, trip) = providers.leave_for_github(return_to, user, invitation)?;
    let mut answer = see_other(url.as_str())?;
    trip.seal(&providers.sealer, state.access.cookie())?.add_to(answer.headers_mut());
    Ok(answer)
}

/// Come back from GitHub
///
/// GitHub sends the browser here. Programs get errors as JSON; a browser goes back to `return_to` with one of these as
/// `sign_in_error`: `state_mismatch`, `provider_denied`, `provider_refused`, `provider_failed`, `no_verified_email`,
/// `account_exists`, `account_deactivated`, `email_not_verified`, `registration_closed`, `invitation_required`,
/// `invitation_invalid`, `domain_not_allowed`, `not_signed_in`, `another_is_linked`, `linked_elsewhere`,
/// `too_many_requests`, `failed`.
#[utoipa::path(get, path = "/api/v1/auth/github/callback", tag = "auth",
    params(
        ("code" = Option<String>, Query, description = "Of GitHub, for one use", max_length = 512),
        ("state" = Option<String>, Query, description = "As the browser left with it", max_length = 512),
        ("error" = Option<String>, Query, description = "Why GitHub did not sign anybody in", max_length = 512)),
    responses(
        (status = 303, description = "Back to `return_to`: signed in, linked, or with `sign_in_error`"),
        (status = 400, description = "Not begun in this browser, over, or refused by GitHub"),
        (status = 401, description = "The account is deactivated; when linking: the browser is no longer signed in to the same account"),
        (status = 403, description = "No verified mail address, or the hub's registration mode (`reason` says which)"),
        (status = 409, description = "The mail address has an account, or the GitHub account is linked to another one"),
        (status = 422), (status = 429),
        (status = 502, description = "GitHub did not answer as it should"),
        (status = 503, description = "GitHub sign-in is not configured"),
    ))]
async fn github_callback(
    State(state): State<AppState>,
    ClientIp(ip): ClientIp,
    headers: HeaderMap,
    QueryFields(query): QueryFields,
) -> ApiResult<Response> {
    let providers = &state.sign_in_providers;
    providers.github.enabled()?;
    let hub = state.access.cookie();
    let trip = RoundTrip::open(&headers, &providers.sealer, hub, providers.clock.now());
    let mut answer = match finish(&state, ip, &headers, trip.as_ref(), query).await {
        Ok(session) => {
            let mut answer = see_other(trip.as_ref().map_or("/", |trip| &trip.return_to))?;
            if let Some(cookie) = session {
                cookie.add_to(answer.headers_mut());
            }
            answer
        }
        Err(error) if wants_html(&headers) => {
            let word = word(error.error());
            let (chain, message) = (error.error().chain(), &error.error().message);
            tracing::info!(target: "syfthub.api.auth", word, message, chain, "github.sign_in.failed");
            see_other(&with_error(trip.as_ref().map_or("/", |trip| &trip.return_to), word))?
        }
        Err(error) => error.into_response(),
    };
    // Whatever came of it, it is over.
    gone(hub)?.add_to(answer.headers_mut());
    Ok(answer)
}

/// The session that begins, or nothing when an account was linked.
async fn finish(
    state: &AppState,
    ip: IpAddr,
    headers: &HeaderMap,
    trip: Option<&RoundTrip>,
    query: Fields,
) -> Result<Option<SetCookie>, ApiError> {
    let (given_state, code) = read(query)?;
    state.limits.check(Scope::Auth, ip).await?;
    let trip = trip.filter(|trip| trip.is_of(&given_state)).ok_or_else(not_begun_here)?;
    let code = code.ok_or_else(denied)?;
    let providers = &state.sign_in_providers;
    let profile = providers.back_from_github(trip, &code).await?;
    if let Some(user) = trip.link() {
        let caller = browser_user(state, headers, ip).await?;
        if caller.user_id != user {
            return Err(not_signed_in().into());
        }
        providers.link(&Origin::of(&caller), &caller, &profile).await?;
        return Ok(None);
    }
    let user = providers.sign_in(&profile, trip.invitation.as_deref()).await?;
    Ok(Some(state.sessions.start_browser(&user, true).await?))
}

/// The state, and the code unless GitHub says that there is none. What GitHub says instead is not looked at.
fn read(mut query: Fields) -> Result<(String, Option<Secret>)> {
    let given_state = query.string("state").length(0, LONGEST_VALUE).optional();
    let code = query.string("code").length(0, LONGEST_VALUE).optional();
    let error = query.string("error").length(0, LONGEST_VALUE).optional();
    query.finish()?;
    let code = code.filter(|code| !code.is_empty() && error.is_none());
    Ok((given_state.unwrap_or_default(), code.map(Secret::new)))
}

/// Whose session this browser has.
async fn browser_user(state: &AppState, headers: &HeaderMap, ip: IpAddr) -> Result<Principal> {
    let value = state.access.cookie().read(headers).ok_or_else(not_signed_in)?;
    state.access.authenticate_browser(value.expose(), Some(ip)).await.map_err(|error| match error.code {
        ErrorCode::Unauthenticated => not_signed_in().with_source(error),
        _ => error,
    })
}

fn not_signed_in() -> Error {
    Error::unauthenticated("Sign in to your account in this browser first, then link GitHub to it")
        .with_extra("reason", "not_signed_in")
}

fn denied() -> Error {
    let text = "GitHub did not sign you in: it was cancelled there, or GitHub refused; begin again";
    Error::coded(ErrorCode::BadRequest, text).with_extra("reason", "provider_denied")
}

/// A redirect that nobody keeps.
fn see_other(to: &str) -> Result<Response> {
    let location = HeaderValue::from_str(to).map_err(Error::internal)?;
    let headers =
        [(header::LOCATION, location), (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

/// What a page is told about an error: a word of ours, never a text of the provider.
fn word(error: &Error) -> &str {
    if let Detail::Coded(extras) = &error.detail
        && let Some(reason) = extras.get("reason").and_then(|reason| reason.as_str())
    {
        return reason;
    }
    match error.code {
        ErrorCode::Conflict | ErrorCode::UserAlreadyExists => "account_exists",
        ErrorCode::Unauthenticated => "account_deactivated",
        ErrorCode::EmailNotVerified => "email_not_verified",
        ErrorCode::UpstreamFailed | ErrorCode::UpstreamTimeout => "provider_failed",
        ErrorCode::RateLimited => "too_many_requests",
        _ => "failed",
    }
}
