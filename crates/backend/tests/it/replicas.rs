//! Two processes on one database: what one changes, the other knows.

use http::StatusCode;
use serde_json::json;
use syfthub_testing::wait;

use crate::actor::TestApp;

#[tokio::test]
async fn a_credential_ended_here_is_refused_there() {
    let (app, _, user) = TestApp::start().await.with_user("bob").await;
    let other = app.replica().await;
    let there = other.with_token(user.token.as_deref().unwrap());
    there.get("/api/v1/auth/me").await.expect(StatusCode::OK);
    user.post("/api/v1/auth/logout", &json!({})).await;
    let refused = || async { there.get("/api/v1/auth/me").await.status == StatusCode::UNAUTHORIZED };
    wait::until(refused, "the other replica refuses the token").await;
}

#[tokio::test]
async fn a_listing_changed_here_is_fresh_there() {
    let (app, _, user) = TestApp::start().await.with_user("bob").await;
    let other = app.replica().await;
    assert_eq!(other.anon().get("/api/v1/endpoints/public").await.json(), json!([]));
    user.post("/api/v1/endpoints", &json!({"name": "New one", "type": "model"}))
        .await
        .expect(StatusCode::CREATED);
    let fresh = || async { other.anon().get("/api/v1/endpoints/public").await.text.contains("new-one") };
    wait::until(fresh, "the other replica lists the endpoint").await;
}
