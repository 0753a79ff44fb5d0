//! Signing in on the way to the page that asks. What begins is an ordinary session of the browser at the hub.

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use syfthub_domain::{Error, ErrorCode};
use syfthub_proto::oauth as wire;
use syfthub_web::ClientIp;
use syfthub_web::browser::{BrowserCookie, cookie};

use super::approval::failed;
use super::authorize::see_other;
use super::pages::{Attempt, Told};
use super::params::Params;
use super::pending::{Pending, set_cookie};
use super::{OAuth, pages};

/// How long a browser may be away at another provider, in seconds.
const AWAY_SECONDS: u64 = 600;
/// Largest request that fits into a cookie.
const LONGEST_COOKIE: usize = 3800;

/// Shows the form again, for another account.
pub(super) async fn page(
    State(oauth): State<OAuth>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    match oauth.0.pendings.open(params.first("request"), &headers, &oauth.0.browser) {
        Some(pending) => pages::sign_in(&oauth, &pending, &Attempt::default()).await,
        None => pages::over(&oauth).await,
    }
}

/// Takes a name and a password.
pub(super) async fn sign_in(
    State(oauth): State<OAuth>,
    from: ClientIp,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let params = Params::parse(&body);
    let pending = match oauth.own_form(&headers, &params).await {
        Ok(pending) => pending,
        Err(answer) => return *answer,
    };
    let identifier = params.first("username").trim().to_owned();
    let request = wire::SignInRequest {
        identifier: identifier.clone(),
        password: params.first("password").to_owned(),
        address: from.0.to_string(),
        user_agent: agent(&headers),
    };
    match oauth.0.hub.sign_in(request).await {
        Ok(signed_in) => signed_in_as(&oauth, &params, &signed_in.set_cookie),
        Err(error) if error.code == ErrorCode::EmailNotVerified => {
            let attempt = Attempt { identifier, ..Attempt::default() };
            pages::verify(&oauth, &pending, &attempt).await
        }
        Err(error) if is_told(&error) => {
            let attempt = Attempt { identifier, told: Some(Told::wrong(&error)) };
            pages::sign_in(&oauth, &pending, &attempt).await
        }
        Err(error) => failed(&oauth, error).await,
    }
}

/// Takes the code that was sent by mail.
pub(super) async fn verify(
    State(oauth): State<OAuth>,
    from: ClientIp,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let params = Params::parse(&body);
    let pending = match oauth.own_form(&headers, &params).await {
        Ok(pending) => pending,
        Err(answer) => return *answer,
    };
    let email = params.first("email").trim().to_owned();
    let request = wire::ConfirmEmailRequest {
        email: email.clone(),
        code: params.first("code").trim().to_owned(),
        address: from.0.to_string(),
        user_agent: agent(&headers),
    };
    match oauth.0.hub.confirm_email(request).await {
        Ok(signed_in) => signed_in_as(&oauth, &params, &signed_in.set_cookie),
        Err(error) if is_told(&error) => {
            let attempt = Attempt { identifier: email, told: Some(Told::wrong(&error)) };
            pages::verify(&oauth, &pending, &attempt).await
        }
        Err(error) => failed(&oauth, error).await,
    }
}

/// Sends the code again.
pub(super) async fn resend(
    State(oauth): State<OAuth>,
    from: ClientIp,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let params = Params::parse(&body);
    let pending = match oauth.own_form(&headers, &params).await {
        Ok(pending) => pending,
        Err(answer) => return *answer,
    };
    let email = params.first("email").trim().to_owned();
    let request = wire::ResendCodeRequest { email: email.clone(), address: from.0.to_string() };
    let told = match oauth.0.hub.resend_code(request).await {
        Ok(_) => Told::good("If this address waits to be confirmed, a new code is on its way"),
        Err(error) if is_told(&error) => Told::wrong(&error),
        Err(error) => return failed(&oauth, error).await,
    };
    pages::verify(&oauth, &pending, &Attempt { identifier: email, told: Some(told) }).await
}

/// Leaves for GitHub. The request stays in a cookie meanwhile: the way back is a short path.
pub(super) async fn github(
    State(oauth): State<OAuth>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let params = Params::parse(query.unwrap_or_default().as_bytes());
    let sealed = params.first("request");
    let hub = &oauth.0.browser;
    let kept = oauth.0.pendings.open(sealed, &headers, hub).filter(|_| sealed.len() <= LONGEST_COOKIE);
    let kept = kept.and_then(|_| set_cookie(hub, away(hub), sealed, AWAY_SECONDS).ok());
    let Some(kept) = kept else { return pages::over(&oauth).await };
    let back = oauth.urls().page("/oauth/continue");
    let mut to = url::form_urlencoded::Serializer::new("/api/v1/auth/github?".to_owned());
    to.append_pair("return_to", &back);
    let mut answer = see_other(&to.finish());
    answer.headers_mut().append(header::SET_COOKIE, kept);
    answer
}

/// Comes back from there, signed in or not.
pub(super) async fn back(
    State(oauth): State<OAuth>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let hub = &oauth.0.browser;
    let sealed = cookie(&headers, away(hub)).unwrap_or_default().to_owned();
    let Some(pending) = oauth.0.pendings.open(&sealed, &headers, hub) else {
        return pages::over(&oauth).await;
    };
    let failed = Params::parse(query.unwrap_or_default().as_bytes()).all("sign_in_error").next().is_some();
    let mut answer = if failed { not_signed_in(&oauth, &pending).await } else { on(&oauth, &sealed) };
    if let Ok(gone) = set_cookie(hub, away(hub), "", 0) {
        answer.headers_mut().append(header::SET_COOKIE, gone);
    }
    answer
}

async fn not_signed_in(oauth: &OAuth, pending: &Pending) -> Response {
    let text = "GitHub did not sign you in; try again, or use your password";
    let told = Told { text: text.to_owned(), status: StatusCode::UNAUTHORIZED, after: None };
    pages::sign_in(oauth, pending, &Attempt { told: Some(told), ..Attempt::default() }).await
}

/// Whether there is a way to GitHub and back for a request of this size.
pub(super) fn fits_away(sealed: &str) -> bool {
    sealed.len() <= LONGEST_COOKIE
}

const fn away(hub: &BrowserCookie) -> &'static str {
    if hub.is_secure() { "__Host-syfthub_oauth_request" } else { "syfthub_oauth_request" }
}

/// On to the page that asks, with the session that the hub made.
fn signed_in_as(oauth: &OAuth, params: &Params, session: &str) -> Response {
    let mut answer = on(oauth, params.first("request"));
    if let Ok(session) = HeaderValue::from_str(session) {
        answer.headers_mut().append(header::SET_COOKIE, session);
    }
    answer
}

fn on(oauth: &OAuth, sealed: &str) -> Response {
    see_other(&format!("{}?request={sealed}", oauth.urls().page("/oauth/consent")))
}

/// Whether an error is the person's to know about and to mend on the same page.
fn is_told(error: &Error) -> bool {
    error.code.http_status() < 500 || error.code == ErrorCode::Unavailable
}

fn agent(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    agent.unwrap_or_default().chars().take(300).collect()
}
