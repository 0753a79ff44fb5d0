//! Personal access tokens.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use crate::actor::TestApp;

const PATH: &str = "/api/v1/auth/tokens";

#[tokio::test]
async fn a_token_is_shown_once_and_works_until_it_is_revoked() {
    let (app, _, user) = TestApp::start().await.with_user("bob").await;
    let made = user.post(PATH, &json!({"name": "laptop"})).await.expect(StatusCode::CREATED);
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("syft_pat_") && token.len() == 52);
    assert_eq!((&made["scopes"], &made["is_active"]), (&json!(["full"]), &json!(true)));
    let holder = app.with_token(token);
    assert_eq!(holder.get("/api/v1/auth/me").await.json()["username"], "bob");
    let path = format!("{PATH}/{}", made["id"]);
    let read = user.get(&path).await.expect(StatusCode::OK);
    assert!(read.get("token").is_none());
    assert_eq!(read["last_used_at"], "2027-01-15T08:00:00.000000Z");
    assert_eq!(
        user.patch(&path, &json!({"name": "old laptop"})).await.expect(StatusCode::OK)["name"],
        "old laptop"
    );
    assert_eq!(user.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(holder.get("/api/v1/auth/me").await.refused(401), "API token has been revoked");
    assert_eq!(user.get(PATH).await.json(), json!({"tokens": [], "total": 0}));
    assert_eq!(user.get(&format!("{PATH}?include_inactive=true")).await.json()["total"], 1);
}

#[tokio::test]
async fn a_token_ends_when_it_says() {
    let (app, _, user) = TestApp::start().await.with_user("bob").await;
    let past = json!({"name": "x", "expires_at": "2026-01-01T00:00:00Z"});
    assert_eq!(user.post(PATH, &past).await.refused_fields(), ["expires_at"]);
    let made = user
        .post(PATH, &json!({"name": "x", "expires_at": "2027-01-15T08:01:00"}))
        .await
        .expect(StatusCode::CREATED);
    let holder = app.with_token(made["token"].as_str().unwrap());
    holder.get("/api/v1/auth/me").await.expect(StatusCode::OK);
    app.clock.advance(Duration::from_mins(1));
    assert_eq!(holder.get("/api/v1/auth/me").await.refused(401), "API token has expired");
    assert_eq!(
        app.with_token("syft_pat_nonsense").get("/api/v1/auth/me").await.refused(401),
        "Invalid API token"
    );
    assert_eq!(app.with_token("syft_other").get("/api/v1/auth/me").await.refused(401), "Invalid API token");
}

#[tokio::test]
async fn tokens_belong_to_their_owner_and_are_fifty_at_most() {
    let (app, _, user) = TestApp::start().await.with_user("bob").await;
    let eve = app.user("eve").await;
    let made =
        user.post(PATH, &json!({"name": "0", "scopes": ["read", "read"]})).await.expect(StatusCode::CREATED);
    assert_eq!(made["scopes"], json!(["read"]));
    let path = format!("{PATH}/{}", made["id"]);
    for answer in
        [eve.get(&path).await, eve.patch(&path, &json!({"name": "mine"})).await, eve.delete(&path).await]
    {
        answer.refused(404);
    }
    for number in 1..50 {
        user.post(PATH, &json!({"name": number.to_string()})).await.expect(StatusCode::CREATED);
    }
    assert!(user.post(PATH, &json!({"name": "one too many"})).await.refused(400).is_string());
    assert_eq!(
        user.post(PATH, &json!({"name": "", "scopes": ["all"]})).await.refused_fields(),
        ["name", "scopes"]
    );
    user.get(&format!("{PATH}/abc")).await.refused(422);
}

#[tokio::test]
async fn logging_out_with_a_token_keeps_the_token() {
    let (app, _, user) = TestApp::start().await.with_user("bob").await;
    let made = user.post(PATH, &json!({"name": "x"})).await.expect(StatusCode::CREATED);
    let holder = app.with_token(made["token"].as_str().unwrap());
    assert_eq!(holder.post("/api/v1/auth/logout", &json!({})).await.status, StatusCode::NO_CONTENT);
    holder.get("/api/v1/auth/me").await.expect(StatusCode::OK);
}
