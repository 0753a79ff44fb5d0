//! Linking providers to an account, and taking the links away.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::browser::Browser;
use super::fake_github::{FakeGitHub, START, sent_to};
use super::fake_google::{FakeGoogle, PATH, bring, good};
use crate::actor::{Actor, PASSWORD, TestApp};

const MINE: &str = "/api/v1/users/me/identities";
const LINK: &str = "/api/v1/auth/github?link=true&return_to=/settings";

async fn both() -> (TestApp, FakeGoogle, FakeGitHub) {
    let (google, github) = (FakeGoogle::start().await, FakeGitHub::start().await);
    let app = TestApp::start_with(|settings| {
        google.configure(settings);
        github.configure(settings);
    });
    (app.await, google, github)
}

async fn link_google(user: &Actor, credential: &str) -> crate::actor::Answer {
    user.post(&format!("{MINE}/google"), &json!({"credential": credential})).await
}

fn providers(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|row| row["provider"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn google_is_linked_by_somebody_who_is_signed_in() {
    let (app, _google) = FakeGoogle::hub().await;
    let (ada, eve) = (app.user("ada").await, app.user("eve").await);
    let credential = good(&app, "107", "quite.another@example.com");
    app.anon().post(&format!("{MINE}/google"), &json!({"credential": credential})).await.refused(401);
    for scope in ["read", "write"] {
        link_google(&ada.pat(&[scope]).await, &credential).await.refused(403);
    }
    assert_eq!(link_google(&ada, "nonsense").await.refused(400), "Invalid Google token");
    let body = json!({"credential": credential});
    let told = ada.post(&format!("{MINE}/github"), &body).await.refused(400);
    assert!(told.as_str().unwrap().contains("/api/v1/auth/github?link=true"));
    ada.post(&format!("{MINE}/nonsense"), &body).await.refused(404);
    let linked = link_google(&ada, &credential).await.expect(StatusCode::OK);
    assert_eq!(
        (&linked["provider"], &linked["label"]),
        (&json!("google"), &json!("quite.another@example.com"))
    );
    assert!(linked["last_used_at"].is_null());
    link_google(&ada, &credential).await.expect(StatusCode::OK); // once more changes nothing
    assert_eq!(link_google(&eve, &credential).await.refused(409)["reason"], "linked_elsewhere");
    let second = good(&app, "108", "ada@example.com");
    assert_eq!(link_google(&ada, &second).await.refused(409)["reason"], "another_is_linked");
    let signed_in = bring(&app.anon(), &credential).await.expect(StatusCode::OK);
    assert_eq!(
        (&signed_in["user"]["id"], &signed_in["user"]["email"]),
        (&json!(ada.id), &json!("ada@example.com"))
    );
    assert!(ada.get(MINE).await.json()[0]["last_used_at"].is_string());
    assert_eq!(eve.get(MINE).await.json(), json!([]));
    app.anon().login("ada", PASSWORD).await.is(200);
    let admin = app.admin().await;
    let page = admin.get("/api/v1/admin/audit?action=identity.linked").await.json();
    assert_eq!(page["entries"].as_array().unwrap().len(), 1);
    assert_eq!(page["entries"][0]["actor_id"], ada.id);
}

#[tokio::test]
async fn github_is_linked_in_a_browser_that_stays_signed_in() {
    let (app, _google, github) = both().await;
    let ada = app.user("ada").await;
    // Not signed in; with a token, which does not come back from GitHub; sent there by another site.
    assert_eq!(app.anon().get(LINK).await.refused(401)["reason"], "not_signed_in");
    assert_eq!(ada.get(LINK).await.refused(401)["reason"], "not_signed_in");
    let browser = Browser::of(&app, "ada").await;
    for site in ["cross-site", "same-site", "none"] {
        browser.open_from(site, LINK).await.refused(403);
    }
    github.authorize(&browser.open_from("same-origin", LINK).await);
    let before = browser.cookie("syfthub_session");
    assert_eq!(sent_to(&github.walk(&browser, LINK).await), "/settings");
    assert_eq!(browser.cookie("syfthub_session"), before, "linking starts no session");
    assert_eq!(providers(&browser.read(MINE).await.json()), ["github"]);
    assert_eq!(browser.read("/api/v1/auth/me").await.json()["email"], "ada@example.com");
    let fresh = Browser::on(&app);
    github.walk(&fresh, START).await;
    assert_eq!(fresh.read("/api/v1/auth/me").await.json()["username"], "ada");
    // It cannot be linked to a second account.
    app.user("eve").await;
    let eve = Browser::of(&app, "eve").await;
    assert_eq!(sent_to(&github.walk(&eve, LINK).await), "/settings?sign_in_error=linked_elsewhere");
    github.set(|account| account.user["id"] = json!(999));
    assert_eq!(sent_to(&github.walk(&browser, LINK).await), "/settings?sign_in_error=another_is_linked");
    github.set(|account| account.emails = json!([]));
    assert_eq!(sent_to(&github.walk(&eve, LINK).await), "/settings?sign_in_error=no_verified_email");
}

#[tokio::test]
async fn a_link_is_for_the_account_that_began_it() {
    let (app, _google, github) = both().await;
    app.user("ada").await;
    app.user("eve").await;
    let (browser, eve) = (Browser::of(&app, "ada").await, Browser::of(&app, "eve").await);
    let back = github.authorize(&browser.open(LINK).await);
    browser.keep("syfthub_session", &eve.cookie("syfthub_session").unwrap());
    assert_eq!(sent_to(&browser.open(&back).await), "/settings?sign_in_error=not_signed_in");
    let again = Browser::of(&app, "ada").await;
    let back = github.authorize(&again.open(LINK).await);
    again.forget("syfthub_session");
    assert_eq!(sent_to(&again.open(&back).await), "/settings?sign_in_error=not_signed_in");
    assert!(again.cookie("syfthub_session").is_none());
    assert_eq!(eve.read(MINE).await.json(), json!([]));
}

#[tokio::test]
async fn the_last_way_to_sign_in_stays() {
    let (app, _google, github) = both().await;
    let made = bring(&app.anon(), &good(&app, "107", "ada@example.com")).await.expect(StatusCode::OK);
    let ada = app.actor_of(&made);
    let refused = ada.delete(&format!("{MINE}/google")).await.refused(409);
    assert_eq!(refused["reason"], "last_way_to_sign_in");
    assert!(refused["message"].as_str().unwrap().contains("password reset"));
    ada.delete(&format!("{MINE}/github")).await.refused(404);
    ada.delete(&format!("{MINE}/nonsense")).await.refused(404);
    ada.pat(&["write"]).await.delete(&format!("{MINE}/google")).await.refused(403);
    app.anon().delete(&format!("{MINE}/google")).await.refused(401);
    // With another provider it may go.
    let body = json!({"credential": good(&app, "107", "ada@example.com")}).to_string();
    let browser = Browser::on(&app);
    browser.change(Method::POST, &format!("{PATH}?session=cookie"), &body).await.is(200);
    assert_eq!(sent_to(&github.walk(&browser, LINK).await), "/settings");
    browser.change(Method::DELETE, &format!("{MINE}/google"), "").await.is(204);
    assert_eq!(providers(&browser.read(MINE).await.json()), ["github"]);
    ada.delete(&format!("{MINE}/github")).await.refused(409);
    // What went opens nothing any more: the address has an account, and that is not linked.
    bring(&app.anon(), &good(&app, "107", "ada@example.com")).await.refused(409);
    let admin = app.admin().await;
    let page = admin.get("/api/v1/admin/audit?action=identity.unlinked").await.json();
    assert_eq!(
        (&page["entries"][0]["before"]["provider"], page["entries"].as_array().unwrap().len()),
        (&json!("google"), 1)
    );
}

#[tokio::test]
async fn with_a_password_every_link_may_go() {
    let (app, _google) = FakeGoogle::hub().await;
    let ada = app.user("ada").await;
    link_google(&ada, &good(&app, "107", "ada@example.com")).await.is(200);
    ada.delete(&format!("{MINE}/google")).await.is(204);
    ada.delete(&format!("{MINE}/google")).await.refused(404);
    assert_eq!(ada.get(MINE).await.json(), json!([]));
    link_google(&ada, &good(&app, "107", "ada@example.com")).await.is(200);
}

#[tokio::test]
async fn a_provider_that_is_switched_off_is_no_way_to_sign_in() {
    let (app, _google, github) = both().await;
    let made = bring(&app.anon(), &good(&app, "107", "ada@example.com")).await.expect(StatusCode::OK);
    let body = json!({"credential": good(&app, "107", "ada@example.com")}).to_string();
    let browser = Browser::on(&app);
    browser.change(Method::POST, &format!("{PATH}?session=cookie"), &body).await.is(200);
    github.walk(&browser, LINK).await;
    let without = app.restarted_with(|settings| settings.sign_in.github = None).await;
    let ada = without.with_token(made["access_token"].as_str().unwrap());
    assert_eq!(ada.delete(&format!("{MINE}/google")).await.refused(409)["reason"], "last_way_to_sign_in");
    ada.delete(&format!("{MINE}/github")).await.is(204);
}

async fn unlinking_both_at_once(app: &TestApp, github: &FakeGitHub) {
    let body = json!({"credential": good(app, "107", "ada@example.com")}).to_string();
    let browser = Browser::on(app);
    browser.change(Method::POST, &format!("{PATH}?session=cookie"), &body).await.is(200);
    github.walk(&browser, LINK).await;
    let made = bring(&app.anon(), &good(app, "107", "ada@example.com")).await.expect(StatusCode::OK);
    let ada = app.actor_of(&made);
    let (google, other) = (format!("{MINE}/google"), format!("{MINE}/github"));
    let (first, second) = tokio::join!(ada.delete(&google), ada.delete(&other));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409]);
}

#[tokio::test]
async fn two_links_that_go_at_once_leave_one() {
    let (app, _google, github) = both().await;
    unlinking_both_at_once(&app, &github).await;
    let (google, github) = (FakeGoogle::start().await, FakeGitHub::start().await);
    let url = syfthub_testing::postgres::shared().await.fresh_database().await;
    let app = TestApp::start_with(|settings| {
        settings.database = syfthub_testing::postgres_settings(&url);
        google.configure(settings);
        github.configure(settings);
    });
    unlinking_both_at_once(&app.await, &github).await;
}
