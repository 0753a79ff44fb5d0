//! People who sign in on the pages of the authorization server: the same rules, limits and records as at the hub.

use std::net::IpAddr;

use syfthub_config::Secret;
use syfthub_domain::{Email, Result, Scope as HubScope, SignInProvider};
use syfthub_proto::oauth::{
    ConfirmEmailRequest, ConfirmEmailResponse, GetBrowserSessionResponse, ResendCodeRequest,
    SignInOptionsResponse, SignInRequest, SignInResponse,
};
use syfthub_web::ApiError;

use super::checks::{bad, text};
use crate::access::principal;
use crate::audit::Origin;
use crate::audit::origin::for_client;
use crate::identity::grpc::to_wire;
use crate::limits::Scope;
use crate::router::AppState;
use crate::sessions::browser::SetCookie;
use crate::verification::Verification;

/// Longest username or mail address.
const LONGEST_NAME: usize = 320;
/// Longest password.
const LONGEST_PASSWORD: usize = 4096;

/// Who is signed in with a session cookie.
pub(super) async fn browser_session(state: &AppState, session: &str) -> Result<GetBrowserSessionResponse> {
    let now = state.oauth.clock.now();
    let (session, user) = state.access.browser_session(session, None, now).await?;
    let (email_verified, signed_in_at) = (user.is_email_verified, session.created_at.as_secs());
    let kind = syfthub_domain::CredentialKind::BrowserSession;
    let principal = principal(user, vec![HubScope::Full], kind, Some(session.id));
    Ok(GetBrowserSessionResponse { principal: Some(to_wire(principal)), email_verified, signed_in_at })
}

/// Signs in with a password.
pub(super) async fn sign_in(state: &AppState, request: SignInRequest) -> Result<SignInResponse> {
    let address = address(&request.address)?;
    let identifier = text(request.identifier, "identifier", LONGEST_NAME)?;
    let password = Secret::new(text(request.password, "password", LONGEST_PASSWORD)?);
    for_client(address, &request.user_agent, async {
        state.limits.check(Scope::Login, address).await.map_err(ApiError::into_error)?;
        let user = state.sessions.verify_password(&identifier, &password).await;
        let user = user.map_err(ApiError::into_error)?;
        let cookie = state.sessions.start_browser(&user, true).await?;
        let (set_cookie, session) = told(&cookie)?;
        Ok(SignInResponse { set_cookie, session })
    })
    .await
}

/// Confirms a mail address and signs in.
pub(super) async fn confirm(state: &AppState, request: ConfirmEmailRequest) -> Result<ConfirmEmailResponse> {
    let address = address(&request.address)?;
    let email = Email::parse(&request.email).map_err(|_| bad("email"))?;
    for_client(address, &request.user_agent, async {
        state.limits.check(Scope::Auth, address).await.map_err(ApiError::into_error)?;
        let code = Verification::read_code(&request.code)?;
        let user = state.verification.confirm_email(&email, &code, &Origin::system("guest")).await?;
        let cookie = state.sessions.start_browser(&user, false).await?;
        let (set_cookie, session) = told(&cookie)?;
        Ok(ConfirmEmailResponse { set_cookie, session })
    })
    .await
}

/// Sends the code again.
pub(super) async fn resend(state: &AppState, request: ResendCodeRequest) -> Result<()> {
    let address = address(&request.address)?;
    let email = Email::parse(&request.email).map_err(|_| bad("email"))?;
    for_client(address, "", async {
        state.limits.check(Scope::Auth, address).await.map_err(ApiError::into_error)?;
        state.verification.resend(&email, address).await
    })
    .await
}

/// Which ways of signing in there are.
pub(super) fn options(state: &AppState) -> SignInOptionsResponse {
    let (hub, _) = state.hub_settings.effective();
    let providers = &state.sign_in_providers;
    SignInOptionsResponse {
        google_client_id: providers.google_client_id().unwrap_or_default().to_owned(),
        github: providers.is_enabled(SignInProvider::Github),
        registration_open: hub.registration.as_str() == "open",
        instance_name: hub.instance_name,
    }
}

/// Does something for a browser at this address, or one that is not known.
pub(super) async fn from<T>(place: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    if place.is_empty() {
        return work.await;
    }
    for_client(address(place)?, "", work).await
}

fn address(text: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| bad("address"))
}

/// The header of a new session's cookie, and the value in it.
fn told(cookie: &SetCookie) -> Result<(String, String)> {
    let header = cookie.text()?;
    let pair = header.split(';').next().unwrap_or_default();
    let value = pair.split_once('=').map(|(_, value)| value).unwrap_or_default();
    Ok((header.to_owned(), value.to_owned()))
}
