//! The way to GitHub and back.

use http::StatusCode;
use serde_json::{Value, json};
use syfthub_config::MailProvider;

use super::browser::Browser;
use super::fake_github::{FakeGitHub, SESSION_COOKIE, START, STATE_COOKIE, sent_to};
use crate::actor::{PASSWORD, TestApp};

const ME: &str = "/api/v1/auth/me";

#[tokio::test]
async fn without_an_application_it_is_off() {
    let app = TestApp::start().await;
    for path in [START, "/api/v1/auth/github/callback?code=x&state=y"] {
        let answer = app.anon().get_with(path, "accept", "text/html").await;
        let told = answer.refused(503);
        assert!(told.as_str().unwrap().contains("GITHUB_CLIENT_SECRET"), "{told}");
    }
}

#[tokio::test]
async fn somebody_new_comes_back_signed_in_to_an_account_of_their_own() {
    let (app, github) = FakeGitHub::hub().await;
    assert_eq!(app.anon().get("/api/v1/auth/config").await.json()["github_enabled"], true);
    let browser = Browser::on(&app);
    let sent = browser.open(&format!("{START}?return_to=/settings?tab=2%26x=1%23top")).await;
    assert_eq!(sent.header("cache-control"), "no-store");
    let kept = sent.header("set-cookie");
    for part in ["; Path=/;", "; HttpOnly", "; SameSite=Lax", "; Max-Age=600"] {
        assert!(kept.contains(part), "{kept} lacks {part}");
    }
    let back = github.authorize(&sent);
    let answer = browser.open(&back).await;
    assert_eq!(sent_to(&answer), "/settings?tab=2&x=1#top");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(browser.cookie(STATE_COOKIE).is_none(), "the state is gone");
    assert!(browser.cookie(SESSION_COOKIE).unwrap().starts_with("syft_ses_"));
    let me = browser.read(ME).await.expect(StatusCode::OK);
    assert_eq!(
        (&me["username"], &me["email"], &me["full_name"], &me["auth_provider"], &me["is_email_verified"]),
        (&json!("octo"), &json!("octo@example.com"), &json!("The Octocat"), &json!("local"), &json!(true))
    );
    assert_eq!(me["avatar_url"], "https://avatars.example/u/583231");
    assert!(me["last_login_at"].is_string());
    let linked = browser.read("/api/v1/users/me/identities").await.json();
    assert_eq!((&linked[0]["provider"], &linked[0]["label"]), (&json!("github"), &json!("octocat")));
    let told = app.anon().login("octo", PASSWORD).await.refused(401);
    assert_eq!(told, "Please use GitHub Sign-In for this account");
}

#[tokio::test]
async fn the_number_decides_and_not_the_name() {
    let (app, github) = FakeGitHub::hub().await;
    let first = Browser::on(&app);
    assert_eq!(sent_to(&github.walk(&first, START).await), "/");
    let id = first.read(ME).await.json()["id"].clone();
    // Renamed, with another address and no name for people: the same person.
    github.set(|account| {
        account.user = json!({"id": 583_231, "login": "octo-two", "name": null, "avatar_url": null});
        account.emails = json!([{"email": "new@example.com", "primary": true, "verified": true}]);
    });
    let again = Browser::on(&app);
    github.walk(&again, START).await;
    assert_eq!(again.read(ME).await.json()["id"], id);
    assert_eq!(again.read("/api/v1/users/me/identities").await.json()[0]["label"], "octo-two");
    // Somebody else who took the old name.
    github.set(|account| {
        account.user =
            json!({"id": 999, "login": "octocat", "name": "", "avatar_url": "javascript:alert(1)"});
        account.emails = json!([{"email": "else@example.com", "primary": true, "verified": true}]);
    });
    let other = Browser::on(&app);
    github.walk(&other, START).await;
    let me = other.read(ME).await.json();
    assert_ne!(me["id"], id);
    assert_eq!((&me["full_name"], &me["avatar_url"]), (&json!("octocat"), &Value::Null));
}

#[tokio::test]
async fn what_went_wrong_is_told_where_the_browser_goes_back_to() {
    let (app, github) = FakeGitHub::hub().await;
    let admin = app.admin().await;
    let browser = Browser::on(&app);
    let start = format!("{START}?return_to=/welcome?a=b");
    let outcome = async |word: &str| {
        let answer = github.walk(&browser, &start).await;
        assert_eq!(sent_to(&answer), format!("/welcome?a=b&sign_in_error={word}"));
        assert!(browser.cookie(SESSION_COOKIE).is_none() && browser.cookie(STATE_COOKIE).is_none());
    };
    for emails in [
        json!([]),
        json!([{"email": "octo@example.com", "primary": true, "verified": false}]),
        json!([{"email": "octo@example.com", "primary": false, "verified": true}]),
        json!([{"email": "no address", "primary": true, "verified": true}]),
    ] {
        github.set(|account| account.emails = emails);
        outcome("no_verified_email").await;
    }
    app.user("octo").await;
    github.set(|account| {
        account.emails = json!([{"email": "octo@example.com", "primary": true, "verified": true}]);
    });
    outcome("account_exists").await;
    github.set(|account| {
        account.emails = json!([{"email": "new@example.com", "primary": true, "verified": true}]);
    });
    let decide = async |registration: &str| {
        admin.patch("/api/v1/admin/settings", &json!({"registration": registration})).await.is(200);
    };
    decide("closed").await;
    outcome("registration_closed").await;
    decide("invitation").await;
    outcome("invitation_required").await;
    let invitation = admin.post("/api/v1/admin/invitations", &json!({})).await.expect(StatusCode::CREATED);
    let code = invitation["code"].as_str().unwrap();
    let answer = github.walk(&browser, &format!("{start}&invitation_code={code}")).await;
    assert_eq!(sent_to(&answer), "/welcome?a=b");
    let id = browser.read(ME).await.json()["id"].clone();
    admin.patch(&format!("/api/v1/users/{id}/deactivate"), &json!({})).await.is(200);
    browser.forget(SESSION_COOKIE);
    outcome("account_deactivated").await;
}

#[tokio::test]
async fn programs_get_errors_as_json() {
    let (app, github) = FakeGitHub::hub().await;
    app.user("octo").await;
    let browser = Browser::on(&app);
    let back = github.authorize(&browser.open(START).await);
    let answer = browser.read(&back).await;
    let told = answer.refused(409);
    assert!(told.as_str().unwrap().contains("link GitHub"), "{told}");
    assert!(browser.cookie(STATE_COOKIE).is_none());
    let back = github.authorize(&browser.open(START).await);
    let denied = format!("{}&error=access_denied&error_description=%3Cb%3E", back.replace("code=", "x="));
    let answer = browser.read(&denied).await;
    assert_eq!(answer.refused(400)["reason"], "provider_denied");
    assert!(!answer.text.contains("access_denied") && !answer.text.contains("<b>"));
}

#[tokio::test]
async fn a_provider_that_fails_is_told_without_its_words() {
    let (app, github) = FakeGitHub::hub().await;
    let browser = Browser::on(&app);
    let answer = async || {
        let back = github.authorize(&browser.open(START).await);
        browser.read(&back).await
    };
    let secret = "words of the provider";
    let refusals = [
        (json!({"error": "bad_verification_code", "error_description": secret}), 400),
        (json!({"error": secret}), 400),
        (json!({"error": "incorrect_client_credentials", "error_description": secret}), 502),
        (json!({"error": "redirect_uri_mismatch"}), 502),
        (json!({"access_token": ""}), 502),
        (json!({"message": secret}), 502),
        (json!([secret]), 502),
    ];
    for (refusal, status) in refusals {
        github.set(|account| account.refusal = Some(refusal.clone()));
        let answer = answer().await;
        answer.is(status);
        assert!(!answer.text.contains(secret), "{refusal}: {}", answer.text);
    }
    github.set(|account| account.refusal = None);
    let huge = format!("{{\"id\": 1, \"login\": \"x\", \"filling\": \"{}\"}}", "x".repeat(300_000));
    let failures = [
        (StatusCode::OK, huge),
        (StatusCode::OK, "nonsense".to_owned()),
        (StatusCode::OK, json!({"id": "583231", "login": "octocat"}).to_string()),
        (StatusCode::OK, json!({"id": -1, "login": "octocat"}).to_string()),
        (StatusCode::INTERNAL_SERVER_ERROR, json!({"message": secret}).to_string()),
        (StatusCode::FOUND, String::new()),
    ];
    for failure in failures {
        github.set(|account| account.failure = Some(failure.clone()));
        let answer = answer().await;
        answer.is(502);
        assert!(!answer.text.contains(secret), "{}", answer.text);
    }
    let answer = github.walk(&browser, START).await;
    assert_eq!(sent_to(&answer), "/?sign_in_error=provider_failed");
    github.set(|account| account.failure = None);
    assert_eq!(sent_to(&github.walk(&browser, START).await), "/");
}

#[tokio::test]
async fn an_account_from_github_can_set_a_password() {
    let github = FakeGitHub::start().await;
    let app = TestApp::start_with(|settings| {
        github.configure(settings);
        settings.mail.provider = MailProvider::Log;
    });
    let app = app.await;
    github.walk(&Browser::on(&app), START).await;
    let ask = json!({"email": "octo@example.com"});
    app.anon().post("/api/v1/auth/password-reset/request", &ask).await.is(200);
    assert_eq!(app.mail_to("octo@example.com", 1).await.to, "octo@example.com");
}
