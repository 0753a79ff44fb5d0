//! Registration, login, refresh, logout, password: checks 1 to 6 of the contract.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use syfthub_config::{RefreshRotation, Rule};

use crate::actor::{Actor, PASSWORD, TestApp};

async fn login(actor: &Actor, name: &str, password: &str) -> crate::actor::Answer {
    let body = format!("username={}&password={}", name.replace('@', "%40"), password.replace(' ', "+"));
    actor.form("/api/v1/auth/login", &body).await
}

async fn refresh(actor: &Actor, token: &str) -> crate::actor::Answer {
    actor.post("/api/v1/auth/refresh", &json!({ "refresh_token": token })).await
}

#[tokio::test]
async fn a_new_account_gets_its_tokens_at_once() {
    let app = TestApp::start().await;
    let body = json!({"username": "Bob", "email": "Bob@Example.com", "full_name": "Bob B", "password": PASSWORD,
        "accounting_password": "ignored", "nonsense": [1]});
    let mut made = app.anon().post("/api/v1/auth/register", &body).await.expect(StatusCode::CREATED);
    for token in ["access_token", "refresh_token"] {
        assert!(made[token].as_str().unwrap().starts_with("eyJ"));
        made[token] = json!("…");
    }
    insta::assert_json_snapshot!(made, @r#"
    {
      "user": {
        "id": 1,
        "username": "bob",
        "email": "bob@example.com",
        "full_name": "Bob B",
        "role": "user",
        "is_active": true,
        "created_at": "2027-01-15T08:00:00.000000Z"
      },
      "access_token": "…",
      "refresh_token": "…",
      "token_type": "bearer",
      "requires_email_verification": false
    }
    "#);
}

#[tokio::test]
async fn a_taken_address_is_a_conflict_and_a_taken_name_is_replaced() {
    let (app, anon, _) = TestApp::start().await.with_user("bob").await;
    let body = |name: &str, email: &str| json!({"username": name, "email": email, "full_name": "B", "password": PASSWORD});
    let refused = anon.post("/api/v1/auth/register", &body("other", "BOB@example.com")).await.refused(409);
    assert_eq!(
        refused,
        json!({"code": "USER_ALREADY_EXISTS", "message": "Email already exists", "field": "email"})
    );
    let made = anon
        .post("/api/v1/auth/register", &body("bob", "robert@example.com"))
        .await
        .expect(StatusCode::CREATED);
    assert_eq!(made["user"]["username"], "robert");
    let made = anon
        .post("/api/v1/auth/register", &body("bob", "bob@other.example"))
        .await
        .expect(StatusCode::CREATED);
    let name = made["user"]["username"].as_str().unwrap();
    assert!(name.starts_with("bob") && name.len() == 6, "{name}");
    drop(app);
}

#[tokio::test]
async fn every_wrong_field_is_named_and_no_password_is_echoed() {
    let app = TestApp::start().await;
    let body = json!({"username": "d", "email": "nonsense", "password": "short-hunter"});
    let answer = app.anon().post("/api/v1/auth/register", &body).await;
    assert_eq!(answer.refused_fields(), ["username", "email", "full_name", "password"]);
    assert!(!answer.text.contains("short-hunter"));
    for reserved in ["docs", "guest", "samples", "api", "Admin"] {
        let body =
            json!({"username": reserved, "email": "x@example.com", "full_name": "X", "password": PASSWORD});
        assert_eq!(app.anon().post("/api/v1/auth/register", &body).await.refused_fields(), ["username"]);
    }
}

#[tokio::test]
async fn the_address_of_the_hubs_own_account_cannot_be_taken() {
    let app = TestApp::start().await;
    let body =
        json!({"username": "eve", "email": "Samples@LocalHost", "full_name": "Eve", "password": PASSWORD});
    assert_eq!(app.anon().post("/api/v1/auth/register", &body).await.refused_fields(), ["email"]);
    let free = app.anon().get("/api/v1/users/check-email/samples@localhost").await.expect(StatusCode::OK);
    assert_eq!(free["available"], false);
    app.app.samples_token().await.unwrap().unwrap();
}

#[tokio::test]
async fn login_takes_name_or_address_in_any_case_as_a_form_only() {
    let (_app, anon, _) = TestApp::start().await.with_user("bob").await;
    for name in ["bob", "BOB", "bob@example.com", "Bob@Example.COM"] {
        let signed_in = login(&anon, name, PASSWORD).await.expect(StatusCode::OK);
        assert_eq!(signed_in["user"]["username"], "bob");
        assert_eq!(signed_in["token_type"], "bearer");
    }
    let answer = login(&anon, "bob", "wrong password 1").await;
    assert_eq!(answer.refused(401), "Incorrect username or password");
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    let unknown = login(&anon, &format!("{}@example.com", "x".repeat(60)), PASSWORD).await;
    assert_eq!(unknown.refused(401), "Incorrect username or password");
    assert_eq!(anon.form("/api/v1/auth/login", "username=bob").await.refused_fields(), ["password"]);
    let grant = format!("grant_type=code&username=bob&password={PASSWORD}");
    assert_eq!(anon.form("/api/v1/auth/login", &grant).await.refused_fields(), ["grant_type"]);
}

#[tokio::test]
async fn only_a_password_login_stamps_the_account() {
    let (app, anon, user) = TestApp::start().await.with_user("bob").await;
    assert!(user.get("/api/v1/auth/me").await.json()["last_login_at"].is_null());
    refresh(&anon, &user.refresh).await.expect(StatusCode::OK);
    assert!(user.get("/api/v1/users/me").await.json()["last_login_at"].is_null());
    app.clock.advance(Duration::from_secs(5));
    login(&anon, "bob", PASSWORD).await.expect(StatusCode::OK);
    let me = user.get("/api/v1/auth/me").await.json();
    assert_eq!(me["last_login_at"], "2027-01-15T08:00:05.000000Z");
    assert!(me.get("password_hash").is_none());
}

#[tokio::test]
async fn refresh_rotates_with_a_grace_and_reuse_ends_the_session() {
    let (app, anon, user) = TestApp::start().await.with_user("bob").await;
    let second = refresh(&anon, &user.refresh).await.expect(StatusCode::OK);
    assert!(second.get("user").is_none());
    // Two threads of one client refresh at the same time.
    refresh(&anon, &user.refresh).await.expect(StatusCode::OK);
    app.clock.advance(Duration::from_secs(31));
    assert_eq!(refresh(&anon, &user.refresh).await.refused(401), "Could not validate credentials");
    refresh(&anon, second["refresh_token"].as_str().unwrap()).await.refused(401);
}

#[tokio::test]
async fn a_session_ends_with_all_its_access_tokens() {
    let (app, anon, first) = TestApp::start().await.with_user("bob").await;
    let second = app.actor_of(&refresh(&anon, &first.refresh).await.expect(StatusCode::OK));
    for token in [&first, &second] {
        token.get("/api/v1/auth/me").await.expect(StatusCode::OK);
    }
    second.post("/api/v1/auth/logout", &json!({})).await;
    for token in [&first, &second] {
        token.get("/api/v1/auth/me").await.refused(401);
    }
    // Another session of the same user goes on.
    let other = app.actor_of(&login(&anon, "bob", PASSWORD).await.expect(StatusCode::OK));
    other.get("/api/v1/auth/me").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_refresh_token_used_twice_ends_the_access_tokens_too() {
    let (app, anon, first) = TestApp::start().await.with_user("bob").await;
    let second = app.actor_of(&refresh(&anon, &first.refresh).await.expect(StatusCode::OK));
    app.clock.advance(Duration::from_secs(31));
    second.get("/api/v1/auth/me").await.expect(StatusCode::OK);
    refresh(&anon, &first.refresh).await.refused(401);
    for token in [&first, &second] {
        token.get("/api/v1/auth/me").await.refused(401);
    }
}

#[tokio::test]
async fn without_rotation_a_refresh_token_stays_good() {
    let app = TestApp::start_with(|settings| settings.tokens.rotation = RefreshRotation::Off).await;
    let user = app.user("bob").await;
    refresh(&app.anon(), &user.refresh).await.expect(StatusCode::OK);
    app.clock.advance(Duration::from_hours(1));
    refresh(&app.anon(), &user.refresh).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn tokens_of_the_wrong_kind_and_old_ones_are_refused() {
    let (app, anon, user) = TestApp::start().await.with_user("bob").await;
    refresh(&anon, user.token.as_deref().unwrap()).await.refused(401);
    refresh(&anon, "garbage").await.refused(401);
    assert_eq!(
        app.with_token(&user.refresh).get("/api/v1/auth/me").await.refused(401),
        "Could not validate credentials"
    );
    assert_eq!(anon.get("/api/v1/auth/me").await.refused(401), "Not authenticated");
    user.get("/api/v1/auth/me").await.expect(StatusCode::OK);
    app.clock.advance(Duration::from_mins(30));
    user.get("/api/v1/auth/me").await.refused(401);
}

#[tokio::test]
async fn logout_ends_the_session_at_once() {
    let (_app, anon, user) = TestApp::start().await.with_user("bob").await;
    user.get("/api/v1/auth/me").await.expect(StatusCode::OK);
    let answer = user.post("/api/v1/auth/logout", &json!({})).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NO_CONTENT, ""));
    user.get("/api/v1/auth/me").await.refused(401);
    refresh(&anon, &user.refresh).await.refused(401);
}

#[tokio::test]
async fn a_new_password_ends_every_session() {
    let (_app, anon, user) = TestApp::start().await.with_user("bob").await;
    let change = |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    let path = "/api/v1/auth/me/password";
    assert_eq!(
        user.put(path, &change("wrong 1", "another one 2")).await.refused(400),
        "Current password is incorrect"
    );
    assert_eq!(user.put(path, &change(PASSWORD, "short")).await.refused_fields(), ["new_password"]);
    assert_eq!(user.put(path, &change(PASSWORD, "another one 2")).await.status, StatusCode::NO_CONTENT);
    user.get("/api/v1/auth/me").await.refused(401);
    refresh(&anon, &user.refresh).await.refused(401);
    login(&anon, "bob", PASSWORD).await.refused(401);
    login(&anon, "bob", "another one 2").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn sign_ins_are_limited_by_address() {
    let app = TestApp::start_with(|settings| settings.rate_limits.auth = Rule::per_seconds(2, 60)).await;
    let anon = app.anon();
    login(&anon, "bob", "x").await.refused(401);
    login(&anon, "bob", "x").await.refused(401);
    let answer = login(&anon, "bob", "x").await;
    assert!(answer.refused(429).is_string());
    assert_eq!(answer.header("x-ratelimit-limit"), "2");
    assert_eq!(answer.header("x-ratelimit-remaining"), "0");
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
    app.clock.advance(Duration::from_secs(61));
    login(&anon, "bob", "x").await.refused(401);
}

#[tokio::test]
async fn profiles_show_the_address_only_on_request() {
    let (_app, anon, _) = TestApp::start().await.with_user("bob").await;
    let profile = anon.get("/api/v1/users/public/BOB").await.expect(StatusCode::OK);
    assert_eq!((&profile["username"], &profile["email"]), (&json!("bob"), &json!(null)));
    anon.get("/api/v1/users/public/nobody").await.refused(404);
    let free = anon.get("/api/v1/users/check-username/Bob").await.expect(StatusCode::OK);
    assert_eq!(free, json!({"available": false, "username": "bob"}));
    let free = anon.get("/api/v1/users/check-email/new@example.com").await.expect(StatusCode::OK);
    assert_eq!(free, json!({"available": true, "email": "new@example.com"}));
}
