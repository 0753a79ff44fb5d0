//! What must not work on the way to GitHub and back.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::json;

use super::browser::Browser;
use super::fake_github::{FakeGitHub, SESSION_COOKIE, START, STATE_COOKIE, sent_to};
use crate::actor::TestApp;

const MISMATCH: &str = "/?sign_in_error=state_mismatch";

#[tokio::test]
async fn a_link_with_somebody_elses_sign_in_does_nothing() {
    let (app, github) = FakeGitHub::hub().await;
    let (eve, victim) = (Browser::on(&app), Browser::on(&app));
    let back = github.authorize(&eve.open(START).await);
    // Without a cookie, and with the victim's own one.
    assert_eq!(sent_to(&victim.open(&back).await), MISMATCH);
    let own = github.authorize(&victim.open(START).await);
    assert_eq!(sent_to(&victim.open(&back).await), MISMATCH);
    assert!(victim.cookie(SESSION_COOKIE).is_none());
    // The victim's own way is over, too: it was spoiled.
    assert_eq!(sent_to(&victim.open(&own).await), MISMATCH);
    assert_eq!(github.account.lock().unwrap().brought, 0, "no code was taken to the provider");
    assert_eq!(victim.read(&back).await.refused(400)["reason"], "state_mismatch");
}

#[tokio::test]
async fn the_state_must_be_whole() {
    let (app, github) = FakeGitHub::hub().await;
    for spoil in [
        |back: &str| back.replace("state=", "other="),
        |back: &str| back.replace("state=", "state=x"),
        |back: &str| back[..back.len() - 1].to_owned(),
        |back: &str| format!("{back}{}", "x".repeat(600)),
    ] {
        let browser = Browser::on(&app);
        let back = github.authorize(&browser.open(START).await);
        let answer = browser.open(&spoil(&back)).await;
        assert!(sent_to(&answer).starts_with("/?sign_in_error="));
        assert!(browser.cookie(SESSION_COOKIE).is_none());
    }
    assert_eq!(github.account.lock().unwrap().brought, 0);
}

#[tokio::test]
async fn a_way_can_be_gone_once() {
    let (app, github) = FakeGitHub::hub().await;
    let browser = Browser::on(&app);
    let back = github.authorize(&browser.open(START).await);
    let cookie = browser.cookie(STATE_COOKIE).unwrap();
    assert_eq!(sent_to(&browser.open(&back).await), "/");
    assert_eq!(sent_to(&browser.open(&back).await), MISMATCH);
    // Also for somebody who kept the cookie, on every replica.
    let replica = app.replica().await;
    for app in [&app, &replica] {
        let thief = Browser::on(app);
        thief.keep(STATE_COOKIE, &cookie);
        assert_eq!(sent_to(&thief.open(&back).await), MISMATCH);
        assert!(thief.cookie(SESSION_COOKIE).is_none());
    }
    assert_eq!(github.account.lock().unwrap().brought, 1);
}

#[tokio::test]
async fn a_way_ends_after_ten_minutes() {
    let (app, github) = FakeGitHub::hub().await;
    let browser = Browser::on(&app);
    let back = github.authorize(&browser.open(START).await);
    app.clock.advance(Duration::from_mins(10));
    assert_eq!(sent_to(&browser.open(&back).await), MISMATCH);
    let back = github.authorize(&browser.open(START).await);
    app.clock.advance(Duration::from_secs(599));
    assert_eq!(sent_to(&browser.open(&back).await), "/");
}

#[tokio::test]
async fn a_cookie_that_was_made_up_or_changed_is_none() {
    let (app, github) = FakeGitHub::hub().await;
    let browser = Browser::on(&app);
    let back = github.authorize(&browser.open(START).await);
    let cookie = browser.cookie(STATE_COOKIE).unwrap();
    let flipped =
        format!("{}{}", &cookie[..cookie.len() - 2], if cookie.ends_with("AA") { "BB" } else { "AA" });
    let plain = URL_SAFE_NO_PAD.encode(
        json!({"state": "s", "verifier": "v", "return_to": "/", "link": null, "invitation": null, "expires_at": 9_999_999_999_i64})
            .to_string(),
    );
    let long = "A".repeat(5000);
    for junk in ["", "x", "AAAA", &flipped, &plain, &long] {
        browser.keep(STATE_COOKIE, junk);
        assert_eq!(sent_to(&browser.open(&back).await), MISMATCH);
    }
    // Another hub's.
    let (other, _github) = FakeGitHub::hub().await;
    let elsewhere = Browser::on(&other);
    elsewhere.keep(STATE_COOKIE, &cookie);
    assert_eq!(sent_to(&elsewhere.open(&back).await), MISMATCH);
}

#[tokio::test]
async fn nobody_is_sent_to_another_site() {
    let (app, github) = FakeGitHub::hub().await;
    let browser = Browser::on(&app);
    for evil in [
        "https://evil.example",
        "//evil.example",
        "///evil.example",
        "/%5Cevil.example%20x",
        "%2F%2Fevil.example",
        "/%5C%5Cevil",
        "/.//evil.example",
        "/x/..//evil.example",
        "/%09/evil.example",
        "javascript:alert(1)",
        "evil",
        "",
        "%00/",
    ] {
        let answer = browser.open(&format!("{START}?return_to={evil}")).await;
        assert!(answer.refused_fields().iter().all(|field| field == "return_to"), "{evil}");
        assert!(answer.header("location").is_empty() && browser.cookie(STATE_COOKIE).is_none());
    }
    for path in ["/%252F%252Fevil.example", "/a%3Fnext=https://evil.example", "/@evil.example", "/:80"] {
        let answer = github.walk(&browser, &format!("{START}?return_to={path}")).await;
        let to = sent_to(&answer);
        assert!(to.starts_with('/') && !to.starts_with("//"), "{to}");
        let resolved = url::Url::parse("https://hub.example.com/x").unwrap().join(to).unwrap();
        assert_eq!(resolved.host_str(), Some("hub.example.com"));
    }
    // What is added later does not count.
    let back = github.authorize(&browser.open(&format!("{START}?return_to=/home")).await);
    assert_eq!(sent_to(&browser.open(&format!("{back}&return_to=//evil.example")).await), "/home");
}

#[tokio::test]
async fn on_tls_the_cookie_is_bound_to_the_host() {
    let github = FakeGitHub::start().await;
    let app = TestApp::start_with(|settings| {
        github.configure(settings);
        settings.public.public = "https://hub.example.com".parse().unwrap();
    });
    let app = app.await;
    let answer = app.anon().get(START).await;
    answer.is(303);
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-syfthub_sign_in=") && cookie.ends_with("; Secure"), "{cookie}");
    let callback = "redirect_uri=https%3A%2F%2Fhub.example.com%2Fapi%2Fv1%2Fauth%2Fgithub%2Fcallback";
    assert!(answer.header("location").contains(callback), "{}", answer.header("location"));
}

#[tokio::test]
async fn it_is_limited_like_every_way_to_an_account() {
    let github = FakeGitHub::start().await;
    let app = TestApp::start_with(|settings| {
        github.configure(settings);
        settings.rate_limits.auth = syfthub_config::Rule::per_seconds(3, 60);
    });
    let app = app.await;
    let browser = Browser::on(&app);
    assert_eq!(sent_to(&github.walk(&browser, START).await), "/");
    let back = github.authorize(&browser.open(START).await);
    assert_eq!(sent_to(&browser.open(&back).await), "/?sign_in_error=too_many_requests");
    let refused = browser.open(START).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
}
