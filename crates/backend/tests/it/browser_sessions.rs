//! The session cookie of a browser: how it is got, what it opens, and what it needs.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;
use syfthub_proto::common::CredentialKind;
use syfthub_proto::identity::VerifyCredentialRequest;
use syfthub_rpc::{Caller, stubs};
use syfthub_testing::wait;

use crate::actor::{Actor, Answer, PASSWORD, TestApp};
use crate::shorthand::account;

const SESSION: &str = "/api/v1/auth/session";
const ME: &str = "/api/v1/auth/me";
const DAY: Duration = Duration::from_hours(24);
/// What a browser and a script of the hub's own pages add.
const OWN: [(&str, &str); 2] = [("sec-fetch-site", "same-origin"), ("x-requested-with", "fetch")];

/// A browser tab on the hub, with the cookie it was given.
struct Tab {
    actor: Actor,
    cookie: String,
}

impl Tab {
    fn of(app: &TestApp, answer: &Answer) -> Self {
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        assert!(cookie.starts_with("syfthub_session=syft_ses_"), "{cookie}");
        Self { actor: app.anon(), cookie }
    }

    async fn with(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut all = vec![("cookie", self.cookie.as_str()), ("content-type", "application/json")];
        all.extend(headers);
        self.actor.having(method, path, &all, body.to_owned()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.with(Method::GET, path, &[], "").await
    }

    async fn script(&self, method: Method, path: &str, body: &str) -> Answer {
        self.with(method, path, &OWN, body).await
    }
}

async fn signed_in(app: &TestApp, name: &str) -> Tab {
    let body = json!({"username": name, "password": PASSWORD}).to_string();
    let headers = [("sec-fetch-site", "same-origin"), ("content-type", "application/json")];
    let answer = app.anon().having(Method::POST, SESSION, &headers, body).await;
    assert_eq!(answer.expect(StatusCode::OK)["username"], name);
    Tab::of(app, &answer)
}

#[tokio::test]
async fn a_browser_signs_in_with_json_or_a_form_and_gets_a_cookie_only() {
    let (app, anon, _) = TestApp::start().await.with_user("bob").await;
    let form = "username=bob%40example.com&password=correct+horse+1";
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let headers = [("origin", "http://localhost:8080"), kind];
    let answer = anon.having(Method::POST, SESSION, &headers, form).await;
    let user = answer.expect(StatusCode::OK);
    assert_eq!(user["username"], "bob");
    assert!(user.get("access_token").is_none());
    let cookie = answer.header("set-cookie");
    for part in ["; Path=/;", "; HttpOnly", "; SameSite=Lax", "; Max-Age=7776000"] {
        assert!(cookie.contains(part), "{cookie} lacks {part}");
    }
    assert!(!cookie.contains("Secure") && !cookie.contains("Domain"));
    assert_eq!(answer.header("cache-control"), "no-store");
    let tab = Tab::of(&app, &answer);
    assert_eq!(tab.get(ME).await.expect(StatusCode::OK)["username"], "bob");
    assert_eq!(signed_in(&app, "bob").await.get(ME).await.status, StatusCode::OK);
    let wrong = anon.having(Method::POST, SESSION, &headers, "username=bob&password=wrong").await;
    assert_eq!(wrong.refused(401), "Incorrect username or password");
    assert!(wrong.header("set-cookie").is_empty());
    assert_eq!(
        anon.having(Method::POST, SESSION, &headers, "").await.refused_fields(),
        ["username", "password"]
    );
}

#[tokio::test]
async fn on_tls_the_cookie_is_bound_to_the_host() {
    let app = TestApp::start_with(|settings| {
        settings.public.public = "https://hub.example.com".parse().unwrap();
    });
    let app = app.await;
    app.user("bob").await;
    let headers = [("origin", "https://hub.example.com"), ("content-type", "application/json")];
    let body = json!({"username": "bob", "password": PASSWORD}).to_string();
    let answer = app.anon().having(Method::POST, SESSION, &headers, body).await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-syfthub_session=") && cookie.ends_with("; Secure"), "{cookie}");
    let value = cookie.split(';').next().unwrap();
    app.anon().get_with(ME, "cookie", value).await.expect(StatusCode::OK);
    app.anon().get_with(ME, "cookie", value.trim_start_matches("__Host-")).await.refused(401);
}

#[tokio::test]
async fn other_sites_can_neither_sign_in_nor_change_anything() {
    let (app, anon, _) = TestApp::start().await.with_user("bob").await;
    let body = json!({"username": "bob", "password": PASSWORD}).to_string();
    for from in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example"), ("x-other", "1")] {
        let headers = [from, ("content-type", "application/json")];
        anon.having(Method::POST, SESSION, &headers, body.clone()).await.refused(403);
    }
    let tab = signed_in(&app, "bob").await;
    let new = json!({"name": "New one", "type": "model"}).to_string();
    let post =
        async |headers: &[(&str, &str)]| tab.with(Method::POST, "/api/v1/endpoints", headers, &new).await;
    for headers in [
        &[][..],
        &[("x-requested-with", "fetch")],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "same-site"), ("x-requested-with", "fetch")],
        &[("origin", "https://evil.example"), ("x-requested-with", "fetch")],
    ] {
        assert_eq!(post(headers).await.refused(403)["code"], "PERMISSION_DENIED", "{headers:?}");
    }
    post(&OWN).await.expect(StatusCode::CREATED);
    // A route that anybody may call sees a guest instead.
    let search = json!({"query": "new"}).to_string();
    tab.with(Method::POST, "/api/v1/endpoints/search", &[], &search).await.expect(StatusCode::OK);
    let preflight = [
        ("origin", "http://localhost:8080"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "x-requested-with"),
    ];
    let answer = anon.having(Method::OPTIONS, "/api/v1/endpoints", &preflight, "").await;
    assert!(answer.header("access-control-allow-credentials").is_empty());
}

#[tokio::test]
async fn a_header_decides_alone_and_the_value_is_no_token() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    app.user("eve").await;
    let tab = signed_in(&app, "eve").await;
    let value = tab.cookie.split_once('=').unwrap().1;
    assert_eq!(tab.get(ME).await.json()["username"], "eve");
    assert_eq!(app.with_token(value).get(ME).await.refused(401), "Invalid API token");
    let both = bob.get_with(ME, "cookie", &tab.cookie).await;
    assert_eq!(both.expect(StatusCode::OK)["username"], "bob");
    let junk = app.with_token("junk").get_with(ME, "cookie", &tab.cookie).await;
    junk.refused(401);
    app.anon().get_with(ME, "cookie", "syfthub_session=syft_ses_junk").await.refused(401);
    app.anon().get_with("/api/v1/endpoints/public", "cookie", "syfthub_session=syft_ses_junk").await.is(200);
}

#[tokio::test]
async fn signing_out_ends_the_session_and_takes_the_cookie_away() {
    let (app, anon, _) = TestApp::start().await.with_user("bob").await;
    let (tab, other) = (signed_in(&app, "bob").await, signed_in(&app, "bob").await);
    tab.with(Method::DELETE, SESSION, &[("sec-fetch-site", "cross-site")], "").await.refused(403);
    tab.get(ME).await.expect(StatusCode::OK);
    let answer = tab.script(Method::DELETE, SESSION, "").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(answer.header("set-cookie").starts_with("syfthub_session=; Path=/; Max-Age=0"));
    tab.get(ME).await.refused(401);
    tab.script(Method::DELETE, SESSION, "").await.is(204);
    anon.delete(SESSION).await.is(204);
    other.script(Method::POST, "/api/v1/auth/logout", "").await.is(204);
    other.get(ME).await.refused(401);
}

#[tokio::test]
async fn a_session_slides_for_two_weeks_and_ends_after_ninety_days() {
    let (app, _, _) = TestApp::start().await.with_user("bob").await;
    let tab = signed_in(&app, "bob").await;
    for _ in 0..8 {
        app.clock.advance(DAY * 11);
        tab.get(ME).await.expect(StatusCode::OK);
    }
    app.clock.advance(DAY * 2);
    assert_eq!(tab.get(ME).await.refused(401), "Your session has ended; sign in again");
    let idle = signed_in(&app, "bob").await;
    app.clock.advance(DAY * 14);
    idle.get(ME).await.refused(401);
}

#[tokio::test]
async fn it_survives_a_restart_and_ends_on_every_replica() {
    let (app, _, _) = TestApp::start().await.with_user("bob").await;
    let tab = signed_in(&app, "bob").await;
    let other = app.replica().await;
    let there = Tab { actor: other.anon(), cookie: tab.cookie.clone() };
    there.get(ME).await.expect(StatusCode::OK);
    tab.script(Method::DELETE, SESSION, "").await.is(204);
    let refused = || async { there.get(ME).await.status == StatusCode::UNAUTHORIZED };
    wait::until(refused, "the other replica refuses the cookie").await;
}

#[tokio::test]
async fn a_new_password_ends_it() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let tab = signed_in(&app, "bob").await;
    tab.get(ME).await.expect(StatusCode::OK);
    let change = json!({"current_password": PASSWORD, "new_password": "another one 2"});
    bob.put("/api/v1/auth/me/password", &change).await.is(204);
    tab.get(ME).await.refused(401);
}

#[tokio::test]
async fn switching_an_account_off_or_deleting_it_ends_its_cookies_at_once_and_for_good() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let (root, other) = (app.admin().await, app.replica().await);
    let account = format!("/api/v1/users/{}", bob.id);
    for off in ["deactivate", "update"] {
        let tab = signed_in(&app, "bob").await;
        let there = Tab { actor: other.anon(), cookie: tab.cookie.clone() };
        for tab in [&tab, &there] {
            tab.get(ME).await.expect(StatusCode::OK);
        }
        match off {
            "update" => root.put(&account, &json!({"is_active": false})).await.is(200),
            _ => root.patch(&format!("{account}/deactivate"), &json!({})).await.is(200),
        };
        assert_eq!(tab.get(ME).await.refused(401), "Your session has ended; sign in again");
        tab.script(Method::POST, "/api/v1/endpoints", "{}").await.refused(401);
        let refused = || async { there.get(ME).await.status == StatusCode::UNAUTHORIZED };
        wait::until(refused, "the other replica refuses the cookie").await;
        root.patch(&format!("{account}/activate"), &json!({})).await.is(200);
        tab.get(ME).await.refused(401);
    }
    let tab = signed_in(&app, "bob").await;
    tab.get(ME).await.expect(StatusCode::OK);
    assert_eq!(tab.script(Method::DELETE, &account, "").await.status, StatusCode::NO_CONTENT);
    tab.get(ME).await.refused(401);
}

#[tokio::test]
async fn signing_out_is_told_beside_signing_in_and_a_token_does_not_sign_out() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let pat = bob.pat(&["full"]).await;
    let root = app.admin().await;
    let (first, second) = (signed_in(&app, "bob").await, signed_in(&app, "bob").await);
    first.script(Method::DELETE, SESSION, "").await.is(204);
    second.script(Method::POST, "/api/v1/auth/logout", "").await.is(204);
    bob.post("/api/v1/auth/logout", &json!({})).await.is(204);
    pat.post("/api/v1/auth/logout", &json!({})).await.is(204);
    pat.get(ME).await.expect(StatusCode::OK);
    app.app.flush_activity().await;
    let told = pat.get("/api/v1/auth/activity?kind=logout").await.expect(StatusCode::OK);
    assert_eq!(told["activity"].as_array().unwrap().len(), 3, "{told}");
    // What a user did to the own session only is no entry of the audit log, which is for changes of rights.
    let audit = root.get("/api/v1/admin/audit?actor=bob").await.expect(StatusCode::OK);
    let actions = crate::shorthand::each(&audit["entries"], "action");
    assert_eq!(actions, ["token.created", "user.created"]);
}

#[tokio::test]
async fn registering_can_start_one() {
    let app = TestApp::start().await;
    let path = "/api/v1/auth/register?session=cookie";
    let post = async |path: &str, headers: &[(&str, &str)], name: &str| {
        let mut all = vec![("content-type", "application/json")];
        all.extend(headers);
        app.anon().having(Method::POST, path, &all, account(name).to_string()).await
    };
    post(path, &[("sec-fetch-site", "cross-site")], "bob").await.refused(403);
    let made = post(path, &OWN, "bob").await;
    let body = made.expect(StatusCode::CREATED);
    assert!(body["access_token"].is_null() && body["refresh_token"].is_null());
    assert_eq!(body["requires_email_verification"], false);
    assert_eq!(Tab::of(&app, &made).get(ME).await.expect(StatusCode::OK)["username"], "bob");
    assert_eq!(post("/api/v1/auth/register?session=x", &OWN, "eve").await.refused_fields(), ["session"]);
    let tokens = post("/api/v1/auth/register?session=tokens", &[], "eve").await.expect(StatusCode::CREATED);
    assert!(tokens["access_token"].is_string());
}

#[tokio::test]
async fn the_aggregator_may_ask_who_it_is_and_mcp_may_not() {
    let (app, _, _) = TestApp::start().await.with_user("bob").await;
    let tab = signed_in(&app, "bob").await;
    let ask = async |caller| {
        let credential = tab.cookie.split_once('=').unwrap().1.to_owned();
        let request = VerifyCredentialRequest { credential };
        stubs::identity_client(app.peer(caller)).verify_credential(request).await
    };
    let principal = ask(Caller::Aggregator).await.unwrap().into_inner().principal.unwrap();
    assert_eq!((principal.username.as_str(), principal.kind()), ("bob", CredentialKind::BrowserSession));
    assert_eq!(ask(Caller::Mcp).await.unwrap_err().code(), tonic::Code::Unauthenticated);
}
