//! `/api/v1/auth`: registration, login, refresh, logout, the caller's own account.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use syfthub_config::Secret;
use syfthub_domain::{Result, SignInProvider, Username};
use syfthub_web::{ApiResult, ClientIp, Fields, FormBody, JsonBody};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Sessions;
use super::browser::{Keep, KeepQuery};
use super::requests::{LoginForm, PasswordChange, RefreshRequest, UserRegister};
use super::wire::{Auth, AuthConfig, Registration, TokenPair};
use crate::access::{Credential, User};
use crate::hub_settings::HubSettings;
use crate::identity_provider::IdentityProvider;
use crate::limits::{Limits, Scope};
use crate::router::AppState;
use crate::sign_in_providers::SignInProviders;
use crate::users::{NewAccount, Users, new_email};
use crate::verification::Verification;

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(config))
        .routes(routes!(register))
        .routes(routes!(login))
        .routes(routes!(refresh))
        .routes(routes!(logout))
        .routes(routes!(change_password))
}

/// What a sign-in page needs to know
#[utoipa::path(get, path = "/api/v1/auth/config", tag = "auth", responses((status = 200, body = AuthConfig)))]
async fn config(
    State(idp): State<Arc<IdentityProvider>>,
    State(verification): State<Arc<Verification>>,
    State(hub): State<Arc<HubSettings>>,
    State(providers): State<Arc<SignInProviders>>,
) -> Json<AuthConfig> {
    // All three follow from the mail provider.
    let with_mail = verification.is_required();
    let (hub, _) = hub.effective();
    Json(AuthConfig {
        require_email_verification: with_mail,
        smtp_configured: with_mail,
        password_reset_enabled: with_mail,
        issuer: idp.issuer().to_owned(),
        google_client_id: providers.google_client_id().map(str::to_owned),
        github_enabled: providers.is_enabled(SignInProvider::Github),
        registration: hub.registration.as_str(),
        guest_access: hub.guest_access,
        instance_name: hub.instance_name,
    })
}

/// Register an account
///
/// If the username is taken another one is derived from the mail address, so read it from the answer. On a hub with
/// a mail provider the tokens are null until the code that was sent by mail is given to `/auth/register/verify-otp`.
#[utoipa::path(post, path = "/api/v1/auth/register", tag = "auth",
    request_body = UserRegister, params(KeepQuery),
    responses((status = 201, body = Registration), (status = 403, description = "The hub's registration mode (`reason` says which), or `session=cookie` and the request is not from a page of the hub"), (status = 409), (status = 422), (status = 429)))]
async fn register(
    State(limits): State<Arc<Limits>>,
    State(users): State<Arc<Users>>,
    State(sessions): State<Arc<Sessions>>,
    State(verification): State<Arc<Verification>>,
    keep: Keep,
    ClientIp(ip): ClientIp,
    JsonBody(body): JsonBody,
) -> ApiResult<(StatusCode, HeaderMap, Json<Registration>)> {
    limits.check(Scope::Auth, ip).await?;
    let account = read_account(&users, body)?;
    users.check_registration(&account).await?;
    if verification.is_required() {
        let user = verification.register(&users, account, ip).await?;
        return Ok((StatusCode::CREATED, HeaderMap::new(), Json(Registration::unverified(&user))));
    }
    let user = users.register(account).await?;
    let started = sessions.begin(&user, false, keep).await?;
    Ok((StatusCode::CREATED, started.headers(), Json(Registration::verified(&user, &started))))
}

/// Reads the fields of a new account; all that are wrong are reported at once.
pub(crate) fn read_account(users: &Users, body: Value) -> Result<NewAccount> {
    let mut fields = Fields::body(body)?;
    let username = fields.string("username").name(Username::parse_new).required();
    let email = fields.string("email").name(new_email).required();
    let full_name = fields.string("full_name").trimmed().length(1, 100).required();
    let password = fields.string("password").rule(|text| users.check_password(text)).required();
    let invitation = fields.string("invitation_code").length(0, 128).optional();
    let valid = fields.finish()?;
    Ok(NewAccount {
        username: username.take(&valid),
        email: email.take(&valid),
        full_name: full_name.take(&valid),
        password: Secret::new(password.take(&valid)),
        invitation,
    })
}

/// Sign in with a username or mail address and a password
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "auth",
    request_body(content = LoginForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = Auth), (status = 401), (status = 403, description = "`EMAIL_NOT_VERIFIED`"), (status = 422), (status = 429)))]
async fn login(
    State(limits): State<Arc<Limits>>,
    State(sessions): State<Arc<Sessions>>,
    ClientIp(ip): ClientIp,
    FormBody(form): FormBody,
) -> ApiResult<Json<Auth>> {
    limits.check(Scope::Login, ip).await?;
    let mut fields = Fields::body(form)?;
    let username = fields.string("username").length(1, 320).required();
    let password = fields.string("password").length(1, 4096).required();
    let _ = fields.string("grant_type").rule(only_password).optional();
    let valid = fields.finish()?;
    let password = Secret::new(password.take(&valid));
    let (user, pair) = sessions.login(&username.take(&valid), &password).await?;
    Ok(Json(Auth::new(&user, &pair)))
}

fn only_password(grant: &String) -> std::result::Result<(), String> {
    if grant.is_empty() || grant == "password" {
        Ok(())
    } else {
        Err("grant_type must be 'password'".to_owned())
    }
}

/// Exchange a refresh token for a fresh pair
#[utoipa::path(post, path = "/api/v1/auth/refresh", tag = "auth",
    request_body = RefreshRequest,
    responses((status = 200, body = TokenPair), (status = 401), (status = 429)))]
async fn refresh(
    State(limits): State<Arc<Limits>>,
    State(sessions): State<Arc<Sessions>>,
    ClientIp(ip): ClientIp,
    JsonBody(body): JsonBody,
) -> ApiResult<Json<TokenPair>> {
    limits.check(Scope::Refresh, ip).await?;
    let mut fields = Fields::body(body)?;
    let token = fields.string("refresh_token").length(1, 8192).required();
    let valid = fields.finish()?;
    let pair = sessions.refresh(&token.take(&valid)).await?;
    Ok(Json((&pair).into()))
}

/// End the session of the token that is sent
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "auth", security(("bearer" = [])),
    responses((status = 204), (status = 401)))]
async fn logout(
    State(sessions): State<Arc<Sessions>>,
    User(caller): User,
    Credential(credential): Credential,
) -> ApiResult<StatusCode> {
    sessions.logout(&caller, &credential).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Change the caller's password; every session ends
#[utoipa::path(put, path = "/api/v1/auth/me/password", tag = "auth", security(("bearer" = [])),
    request_body = PasswordChange,
    responses((status = 204), (status = 400), (status = 401), (status = 422), (status = 429)))]
async fn change_password(
    State(state): State<AppState>,
    User(caller): User,
    ClientIp(ip): ClientIp,
    JsonBody(body): JsonBody,
) -> ApiResult<StatusCode> {
    state.limits.check_user(Scope::Password, caller.user_id, ip).await?;
    let users = &state.users;
    let mut fields = Fields::body(body)?;
    let current = fields.string("current_password").length(1, 4096).required();
    let new = fields.string("new_password").rule(|text| users.check_password(text)).required();
    let valid = fields.finish()?;
    let (current, new) = (Secret::new(current.take(&valid)), Secret::new(new.take(&valid)));
    state.sessions.change_password(&caller, &current, &new).await?;
    Ok(StatusCode::NO_CONTENT)
}
