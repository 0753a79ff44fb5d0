//! What the command line does: administrators and the sample account.

use http::StatusCode;
use serde_json::json;
use syfthub_config::Secret;
use syfthub_domain::Detail;

use crate::actor::{PASSWORD, TestApp};

#[tokio::test]
async fn an_administrator_is_created_or_promoted() {
    let (app, _, user) = TestApp::start().await.with_user("bob").await;
    app.admin().await;
    app.app.promote("BOB").await.unwrap();
    assert_eq!(user.get("/api/v1/auth/me").await.json()["role"], "admin");
    assert_eq!(app.app.list_admins().await.unwrap(), ["bob", "root-1"]);
    assert!(app.app.promote("nobody").await.is_err());
    let again =
        app.app.create_admin("root-1", "other@example.com", "R", &Secret::new(PASSWORD)).await.unwrap_err();
    assert_eq!(again.code.http_status(), 409);
    let wrong = app.app.create_admin("x", "y", "", &Secret::new("z")).await.unwrap_err();
    let Detail::Fields(fields) = wrong.detail else { panic!("every field is named") };
    assert_eq!(fields.len(), 4);
}

#[tokio::test]
async fn the_sample_account_gets_a_new_token_at_each_start_and_has_no_password() {
    let app = TestApp::start().await;
    let first = app.app.samples_token().await.unwrap().unwrap();
    let second = app.app.samples_token().await.unwrap().unwrap();
    let node = app.with_token(second.expose());
    app.with_token(first.expose()).get("/api/v1/auth/me").await.refused(401);
    node.post("/api/v1/endpoints", &json!({"name": "Sample", "type": "model"}))
        .await
        .expect(StatusCode::CREATED);
    app.anon().form("/api/v1/auth/login", "username=samples&password=x").await.refused(401);
    app.app.withdraw_samples().await.unwrap();
    node.get("/api/v1/auth/me").await.refused(401);
    assert_eq!(app.anon().get("/api/v1/endpoints/public").await.json(), json!([]));
    assert!(app.app.samples_token().await.unwrap().is_some(), "a hub that had samples may have them again");
}

#[tokio::test]
async fn a_hub_in_use_gets_no_samples() {
    let (app, _, user) = TestApp::start().await.with_user("bob").await;
    user.post("/api/v1/endpoints", &json!({"name": "Mine", "type": "model"}))
        .await
        .expect(StatusCode::CREATED);
    assert!(app.app.samples_token().await.unwrap().is_none());
    app.app.withdraw_samples().await.unwrap();
}
