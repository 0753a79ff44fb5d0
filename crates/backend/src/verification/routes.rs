//! The HTTP routes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::HeaderMap;
use syfthub_config::Secret;
use syfthub_domain::Email;
use syfthub_web::{ApiResult, ClientIp, Fields, JsonBody};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::wire::{MailAddress, PasswordReset, Said, VerifyOtp};
use super::{Verification, code};
use crate::audit::Origin;
use crate::limits::{Limits, Scope};
use crate::router::AppState;
use crate::sessions::Sessions;
use crate::sessions::browser::{Keep, KeepQuery};
use crate::sessions::wire::Auth;
use crate::users::Users;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(verify_otp))
        .routes(routes!(resend_otp))
        .routes(routes!(request_reset))
        .routes(routes!(confirm_reset))
}

/// Confirm the mail address of a new account
///
/// Gives the first tokens. `INVALID_OTP` says that the code is wrong, used or expired; after five wrong ones
/// `OTP_MAX_ATTEMPTS` says that a new code is needed.
#[utoipa::path(post, path = "/api/v1/auth/register/verify-otp", tag = "auth", request_body = VerifyOtp,
    params(KeepQuery),
    responses(
        (status = 200, body = Auth, description = "The address is confirmed"),
        (status = 400, description = "`INVALID_OTP`"),
        (status = 401, description = "The account is deactivated"),
        (status = 403, description = "`session=cookie`, and the request is not from a page of the hub"),
        (status = 422, description = "A field is wrong"),
        (status = 429, description = "`OTP_MAX_ATTEMPTS`, or too many requests"),
    ))]
async fn verify_otp(
    State(limits): State<Arc<Limits>>,
    State(verification): State<Arc<Verification>>,
    State(sessions): State<Arc<Sessions>>,
    origin: Origin,
    keep: Keep,
    ClientIp(ip): ClientIp,
    JsonBody(body): JsonBody,
) -> ApiResult<(HeaderMap, Json<Auth>)> {
    limits.check(Scope::Auth, ip).await?;
    let mut fields = Fields::body(body)?;
    let email = fields.string("email").name(Email::parse).required();
    let code = fields.string("code").name(code::read).required();
    let valid = fields.finish()?;
    let user = verification.confirm_email(&email.take(&valid), &code.take(&valid), &origin).await?;
    let started = sessions.begin(&user, false, keep).await?;
    Ok((started.headers(), Json(Auth::started(&user, &started))))
}

/// Send the code for a new account again
///
/// The answer is the same whether or not the address waits for a code, and when too many were asked for.
#[utoipa::path(post, path = "/api/v1/auth/register/resend-otp", tag = "auth", request_body = MailAddress,
    responses(
        (status = 200, body = Said, description = "Sent, if there is somebody to send it to"),
        (status = 422, description = "A field is wrong"),
        (status = 429, description = "Too many requests"),
    ))]
async fn resend_otp(
    State(limits): State<Arc<Limits>>,
    State(verification): State<Arc<Verification>>,
    ClientIp(ip): ClientIp,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<Said>> {
    limits.check(Scope::Auth, ip).await?;
    verification.resend(&read_address(body)?, ip).await?;
    Ok(Json(Said { message: "If this address waits to be confirmed, a new code is on its way" }))
}

/// Ask for a code to reset a forgotten password
///
/// The answer is the same whether or not the address has an account, and when too many were asked for. Without a
/// mail provider nothing is sent; `/auth/config` says whether there is one.
#[utoipa::path(post, path = "/api/v1/auth/password-reset/request", tag = "auth", request_body = MailAddress,
    responses(
        (status = 200, body = Said, description = "Sent, if there is somebody to send it to"),
        (status = 422, description = "A field is wrong"),
        (status = 429, description = "Too many requests"),
    ))]
async fn request_reset(
    State(limits): State<Arc<Limits>>,
    State(verification): State<Arc<Verification>>,
    ClientIp(ip): ClientIp,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<Said>> {
    limits.check(Scope::Auth, ip).await?;
    verification.request_reset(&read_address(body)?, ip).await?;
    Ok(Json(Said { message: "If this address has an account, a code is on its way" }))
}

fn read_address(body: serde_json::Value) -> syfthub_domain::Result<Email> {
    let mut fields = Fields::body(body)?;
    let email = fields.string("email").name(Email::parse).required();
    let valid = fields.finish()?;
    Ok(email.take(&valid))
}

/// Set a new password with a code
///
/// Ends every session of the account.
#[utoipa::path(post, path = "/api/v1/auth/password-reset/confirm", tag = "auth", request_body = PasswordReset,
    responses(
        (status = 200, body = Said, description = "The password is set"),
        (status = 400, description = "`INVALID_OTP`"),
        (status = 422, description = "A field is wrong, or the password is too weak"),
        (status = 429, description = "`OTP_MAX_ATTEMPTS`, or too many requests"),
        (status = 503, description = "Too many passwords are being hashed; try again in a moment"),
    ))]
async fn confirm_reset(
    State(limits): State<Arc<Limits>>,
    State(verification): State<Arc<Verification>>,
    State(users): State<Arc<Users>>,
    origin: Origin,
    ClientIp(ip): ClientIp,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<Said>> {
    limits.check(Scope::Auth, ip).await?;
    let mut fields = Fields::body(body)?;
    let email = fields.string("email").name(Email::parse).required();
    let code = fields.string("code").name(code::read).required();
    let password = fields.string("new_password").rule(|text| users.check_password(text)).required();
    let valid = fields.finish()?;
    let password = Secret::new(password.take(&valid));
    let (email, code) = (email.take(&valid), code.take(&valid));
    verification.reset_password(&users, &email, &code, &password, &origin).await?;
    Ok(Json(Said { message: "The password is set; sign in with it" }))
}
