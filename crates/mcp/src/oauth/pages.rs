//! The pages: plain HTML without scripts, pictures or anything of others. What varies is escaped by the templates.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};
use syfthub_domain::Error;
use syfthub_proto::oauth as wire;

use super::approval::Person;
use super::pending::Pending;
use super::sign_in::fits_away;
use super::{OAuth, redirects, scopes};

/// The one style sheet, named to browsers by its hash.
const STYLE: &str = include_str!("pages.css");

/// A line about what came of a form.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) text: String,
    pub(super) status: StatusCode,
    /// Seconds to wait.
    pub(super) after: Option<u64>,
}

impl Told {
    /// That it was refused.
    pub(super) fn wrong(error: &Error) -> Self {
        let status = StatusCode::from_u16(error.code.http_status()).unwrap_or(StatusCode::BAD_REQUEST);
        Self {
            text: error.message.clone(),
            status,
            after: error.retry_after.map(|after| after.as_secs().max(1)),
        }
    }

    /// That it was done.
    pub(super) fn good(text: &str) -> Self {
        Self { text: text.to_owned(), status: StatusCode::OK, after: None }
    }
}

/// What somebody entered before, and what came of it. A password is never sent back.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    pub(super) identifier: String,
    pub(super) told: Option<Told>,
}

/// The form for name and password.
pub(super) async fn sign_in(oauth: &OAuth, pending: &Pending, attempt: &Attempt) -> Response {
    let Some(sealed) = sealed(oauth, pending) else { return too_long(oauth).await };
    let options = options(oauth).await;
    let urls = oauth.urls();
    let failed = attempt.told.is_some();
    let body = html! {
        h1 { "Sign in" }
        p.lead {
            "to connect "
            @if pending.device.is_some() { "a device" } @else { strong { (pending.client_name) } }
            " to " (options.instance_name)
        }
        (told(attempt.told.as_ref()))
        form method="post" action=(urls.page("/auth/syfthub/login")) {
            input type="hidden" name="request" value=(sealed);
            label for="username" { "Username or mail address" }
            input #username name="username" type="text" autocomplete="username" autocapitalize="none"
                spellcheck="false" maxlength="254" required autofocus[!failed]
                value=(attempt.identifier) aria-describedby=[failed.then_some("told")];
            label for="password" { "Password" }
            input #password name="password" type="password" autocomplete="current-password" maxlength="1024"
                required autofocus[failed] aria-describedby=[failed.then_some("told")];
            button.first type="submit" { "Sign in" }
        }
        @if options.github && fits_away(&sealed) {
            a.button href=(format!("{}?request={sealed}", urls.page("/oauth/github"))) { "Sign in with GitHub" }
        }
        (cancel(oauth, &sealed))
        p.small {
            @if options.registration_open {
                "No account yet, or forgot the password? "
            } @else {
                "Forgot the password? "
            }
            a href=(format!("{}/", urls.home())) target="_blank" rel="noopener noreferrer" {
                "Open the start page of the hub"
            }
            ", then come back here."
        }
    };
    framed(&options.instance_name, "Sign in", attempt.told.as_ref(), pending.leads_to(), &body)
}

/// The form for the code that was sent by mail.
pub(super) async fn verify(oauth: &OAuth, pending: &Pending, attempt: &Attempt) -> Response {
    let Some(sealed) = sealed(oauth, pending) else { return too_long(oauth).await };
    let options = options(oauth).await;
    let urls = oauth.urls();
    let email = if attempt.identifier.contains('@') { attempt.identifier.as_str() } else { "" };
    let body = html! {
        h1 { "Confirm your mail address" }
        p.lead { "Enter the code of six digits that was sent to you." }
        (told(attempt.told.as_ref()))
        form method="post" action=(urls.page("/oauth/verify")) {
            input type="hidden" name="request" value=(sealed);
            label for="email" { "Mail address" }
            input #email name="email" type="email" autocomplete="email" maxlength="254" required value=(email)
                autofocus[email.is_empty()];
            label for="code" { "Code" }
            input #code name="code" type="text" inputmode="numeric" autocomplete="one-time-code" pattern="[0-9]{6}"
                maxlength="6" required autofocus[!email.is_empty()] title="Six digits";
            button.first type="submit" { "Confirm" }
            button type="submit" formaction=(urls.page("/oauth/resend")) formnovalidate { "Send a new code" }
        }
        (cancel(oauth, &sealed))
    };
    let title = "Confirm your mail address";
    framed(&options.instance_name, title, attempt.told.as_ref(), pending.leads_to(), &body)
}

/// The page that asks.
pub(super) async fn consent(oauth: &OAuth, pending: &Pending, person: &Person) -> Response {
    let Some(sealed) = sealed(oauth, pending) else { return too_long(oauth).await };
    let options = options(oauth).await;
    let urls = oauth.urls();
    let local = redirects::is_local(&pending.redirect_uri);
    let another = format!("{}?request={sealed}", urls.page("/oauth/sign-in"));
    let name = if person.full_name.trim().is_empty() { &person.username } else { &person.full_name };
    let body = html! {
        h1 { "Allow " strong { (pending.client_name) } "?" }
        p.lead {
            "You are signed in to " (options.instance_name) " as " strong { (name) } " (" (person.username) "). "
            a href=(another) { "Use another account" }
        }
        p { "It will be able to:" }
        ul {
            @for scope in &pending.scopes { li { (scopes::in_words(scope)) "." } }
        }
        dl {
            dt { "You will be sent to" }
            dd { strong.host { (redirects::shown(&pending.redirect_uri)) } }
            dt { "Name vouched for by" }
            dd {
                @match &pending.vouched_by {
                    Some(host) => (host),
                    None => "nobody: the program chose its name itself",
                }
            }
        }
        @if local {
            p.warning role="note" {
                strong { "This program runs on your own machine. " }
                "Any program there could have sent you here under this name. Go on only if you have just begun this yourself."
            }
        }
        form method="post" action=(urls.page("/oauth/consent")) {
            input type="hidden" name="request" value=(sealed);
            input type="hidden" name="user" value=(person.user_id);
            div.choice {
                button.first type="submit" name="decision" value="allow" { "Allow" }
                button type="submit" name="decision" value="deny" { "Cancel" }
            }
        }
        @if !local {
            p.small { "You will not be asked again for the same permissions." }
        }
    };
    let title = format!("Allow {}?", pending.client_name);
    framed(&options.instance_name, &title, None, pending.leads_to(), &body)
}

/// A page for what cannot go on.
pub(super) async fn error(oauth: &OAuth, status: StatusCode, text: &str) -> Response {
    let options = options(oauth).await;
    let body = html! {
        h1 { "This did not work" }
        p role="alert" { (text) "." }
        p.small { a href=(format!("{}/", oauth.urls().home())) { "To the start page of the hub" } }
    };
    let told = Told { text: String::new(), status, after: None };
    framed(&options.instance_name, "This did not work", Some(&told), None, &body)
}

/// For a wrong request of a program that whoever looks never let in: they decide whether to go back to it.
pub(super) async fn astray(oauth: &OAuth, back: &str, text: &str) -> Response {
    let options = options(oauth).await;
    let body = html! {
        h1 { "This did not work" }
        p role="alert" { "The request of a program was wrong: " (text) "." }
        p {
            "You did not let this program in before. If you know " strong.host { (redirects::shown(back)) } ", you can "
            a href=(back) rel="noreferrer" { "go back to it" } "."
        }
        p.small { a href=(format!("{}/", oauth.urls().home())) { "To the start page of the hub" } }
    };
    let told = Told { text: String::new(), status: StatusCode::BAD_REQUEST, after: None };
    framed(&options.instance_name, "This did not work", Some(&told), None, &body)
}

/// For a request that is not of this browser, or too old.
pub(super) async fn over(oauth: &OAuth) -> Response {
    let text = "This request is over, or it was begun in another browser, or cookies are blocked here; go back to the program and begin again";
    error(oauth, StatusCode::BAD_REQUEST, text).await
}

/// For a form that another site sent.
pub(super) async fn foreign(oauth: &OAuth) -> Response {
    let text = "This form was not sent from a page of this hub; go back to the program and begin again";
    error(oauth, StatusCode::FORBIDDEN, text).await
}

pub(super) async fn too_long(oauth: &OAuth) -> Response {
    let text = "The request of this program is too long; it must use a shorter state or redirect_uri";
    error(oauth, StatusCode::BAD_REQUEST, text).await
}

/// The request as a text; one that cannot be sealed is treated like one that is too long.
pub(super) fn sealed(oauth: &OAuth, pending: &Pending) -> Option<String> {
    oauth.0.pendings.seal(pending).unwrap_or_else(|error| {
        tracing::error!(chain = error.chain(), "oauth.pending.unsealed");
        None
    })
}

/// How one can sign in; without an answer only what every hub has.
pub(super) async fn options(oauth: &OAuth) -> wire::SignInOptionsResponse {
    let mut options =
        oauth.0.hub.sign_in_options(wire::SignInOptionsRequest {}).await.unwrap_or_else(|error| {
            tracing::warn!(chain = error.chain(), "oauth.options.failed");
            wire::SignInOptionsResponse::default()
        });
    if options.instance_name.is_empty() {
        "SyftHub".clone_into(&mut options.instance_name);
    }
    options
}

pub(super) fn told(told: Option<&Told>) -> Markup {
    html! {
        @if let Some(told) = told {
            @if told.status.is_success() {
                p #told .notice role="status" aria-live="polite" { (told.text) }
            } @else {
                p #told .error role="alert" aria-live="assertive" { (told.text) }
            }
        }
    }
}

fn cancel(oauth: &OAuth, sealed: &str) -> Markup {
    html! {
        form method="post" action=(oauth.urls().page("/oauth/consent")) {
            input type="hidden" name="request" value=(sealed);
            button type="submit" name="decision" value="deny" { "Cancel" }
        }
    }
}

/// The frame around every page. `leads_to` is where a form may end; browsers hold a policy's word on forms against
/// redirects after them too.
pub(super) fn framed(
    brand: &str,
    title: &str,
    told: Option<&Told>,
    leads_to: Option<&str>,
    body: &Markup,
) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (title) " – " (brand) }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    header { span.mark aria-hidden="true" {} span { (brand) } }
                    (body)
                }
            }
        }
    };
    let status = told.map_or(StatusCode::OK, |told| told.status);
    let mut answer = (status, page.into_string()).into_response();
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if let Ok(policy) = HeaderValue::from_str(&policy(leads_to)) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(after) = told.and_then(|told| told.after) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(after));
    }
    answer
}

fn policy(leads_to: Option<&str>) -> String {
    let style = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let source = leads_to.map(redirects::source).unwrap_or_default();
    let form = if source.is_empty() { "'self'".to_owned() } else { format!("'self' {source}") };
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action {form}; base-uri 'none'; frame-ancestors 'none'"
    )
}
