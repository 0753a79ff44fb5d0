//! The pages for a person whose device has no browser.

use axum::http::StatusCode;
use axum::response::Response;
use maud::html;
use syfthub_proto::oauth as wire;

use super::approval::Person;
use super::pages::{Told, framed, options, sealed, told, too_long};
use super::pending::Pending;
use super::{OAuth, documents, scopes};

/// The form for the code that a device shows.
pub(super) async fn enter(oauth: &OAuth, pending: &Pending, code: &str, said: Option<&Told>) -> Response {
    let Some(sealed) = sealed(oauth, pending) else { return too_long(oauth).await };
    let options = options(oauth).await;
    let failed = said.is_some();
    let body = html! {
        h1 { "Connect a device" }
        p.lead {
            @if code.is_empty() || failed {
                "Enter the code that your device shows."
            } @else {
                "Compare this code with the one that your device shows. Go on only if it is the same."
            }
        }
        (told(said))
        form method="post" action=(oauth.urls().page("/oauth/device")) {
            input type="hidden" name="request" value=(sealed);
            label for="user_code" { "Code" }
            input #user_code .code name="user_code" type="text" autocomplete="off" autocapitalize="characters"
                autocorrect="off" spellcheck="false" maxlength="20" required placeholder="BCDF-GHJK" value=(code)
                autofocus[code.is_empty() || failed] aria-describedby=[failed.then_some("told")];
            button.first type="submit" { "Continue" }
        }
        p.small {
            "You have no code? Then somebody may have sent you here to get into your account: close this page."
        }
    };
    framed(&options.instance_name, "Connect a device", said, None, &body)
}

/// The page that asks.
pub(super) async fn confirm(
    oauth: &OAuth,
    pending: &Pending,
    code: &str,
    device: &wire::FindDeviceResponse,
    person: &Person,
) -> Response {
    let Some(sealed) = sealed(oauth, pending) else { return too_long(oauth).await };
    let options = options(oauth).await;
    let urls = oauth.urls();
    let another = format!("{}?request={sealed}", urls.page("/oauth/sign-in"));
    let name = if person.full_name.trim().is_empty() { &person.username } else { &person.full_name };
    let body = html! {
        h1 { "Allow " strong { (device.client_name) } "?" }
        p.lead {
            "You are signed in to " (options.instance_name) " as " strong { (name) } " (" (person.username) "). "
            a href=(another) { "Use another account" }
        }
        p { "Your device must show this code:" }
        p.shown { (code) }
        p { "It will be able to:" }
        ul {
            @for scope in &device.scopes { li { (scopes::in_words(scope)) "." } }
        }
        dl {
            dt { "Name vouched for by" }
            dd {
                @match documents::host_of(&device.client_id) {
                    Some(host) => (host),
                    None => "nobody: the program chose its name itself",
                }
            }
        }
        p.warning role="note" {
            strong { "Did you begin this yourself, just now, on a device in front of you? " }
            "If somebody gave you this code or a link to this page, cancel: they would get into your account."
        }
        form method="post" action=(urls.page("/oauth/consent")) {
            input type="hidden" name="request" value=(sealed);
            input type="hidden" name="user" value=(person.user_id);
            div.choice {
                button.first type="submit" name="decision" value="allow" { "Allow" }
                button type="submit" name="decision" value="deny" { "Cancel" }
            }
        }
    };
    let title = format!("Allow {}?", device.client_name);
    framed(&options.instance_name, &title, None, None, &body)
}

/// The page at the end.
pub(super) async fn done(oauth: &OAuth, allowed: bool) -> Response {
    let options = options(oauth).await;
    let title = if allowed { "The device is connected" } else { "The device was not connected" };
    let body = html! {
        h1 { (title) }
        @if allowed {
            p.notice role="status" { "Go back to your device: it goes on by itself within a few seconds." }
            p { "You can close this page." }
        } @else {
            p role="status" { "Nothing was allowed. You can close this page." }
        }
        p.small { a href=(format!("{}/", oauth.urls().home())) { "To the start page of the hub" } }
    };
    let said = Told { text: String::new(), status: StatusCode::OK, after: None };
    framed(&options.instance_name, title, Some(&said), None, &body)
}
