//! Satellite tokens, public keys, verification: checks 19 and 20 of the contract.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use syfthub_auth::keys::SigningKey;
use syfthub_auth::satellite::Verifier;
use syfthub_config::{Rule, Secret};
use syfthub_domain::Clock as _;

use crate::actor::TestApp;

#[tokio::test]
async fn a_token_can_be_verified_with_the_published_keys() {
    let (app, anon, user) = TestApp::start().await.with_user("bob").await;
    app.user("eve").await;
    let answer = anon.get("/.well-known/jwks.json").await;
    assert_eq!(answer.header("cache-control"), "public, max-age=3600");
    let jwks = answer.expect(StatusCode::OK);
    let key = &jwks["keys"][0];
    assert_eq!((&key["kty"], &key["use"], &key["alg"]), (&json!("RSA"), &json!("sig"), &json!("RS256")));
    let answer = user.get("/api/v1/token?aud=%20EVE%20").await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let minted = answer.expect(StatusCode::OK);
    assert_eq!(minted["expires_in"], 60);
    let verifier = Verifier::from_jwks(&jwks).unwrap();
    let claims = verifier.verify(
        minted["target_token"].as_str().unwrap(),
        "eve",
        "http://localhost:8080",
        app.clock.now(),
    );
    let claims = claims.unwrap();
    assert_eq!(
        (claims.sub, claims.aud, claims.exp - claims.iat),
        (user.id.to_string(), "eve".to_owned(), 60)
    );
    let guest = anon.get("/api/v1/token/guest?aud=eve").await.expect(StatusCode::OK);
    let claims = verifier.verify(
        guest["target_token"].as_str().unwrap(),
        "eve",
        "http://localhost:8080",
        app.clock.now(),
    );
    assert!(claims.unwrap().is_guest());
}

#[tokio::test]
async fn audiences_that_cannot_be_served_are_refused_by_name() {
    let (app, anon, user) = TestApp::start().await.with_user("bob").await;
    anon.get("/api/v1/token?aud=bob").await.refused(401);
    assert_eq!(user.get("/api/v1/token").await.refused_fields(), ["aud"]);
    assert_eq!(user.get("/api/v1/token?aud=%20").await.refused(400)["code"], "MISSING_AUDIENCE");
    let refused = user.get("/api/v1/token?aud=nobody").await.refused(404);
    assert_eq!((&refused["code"], &refused["audience"]), (&json!("AUDIENCE_NOT_FOUND"), &json!("nobody")));
    // Somebody takes the name: it is good at once.
    app.user("nobody").await;
    user.get("/api/v1/token?aud=nobody").await.expect(StatusCode::OK);
    let all = user.get("/api/v1/token/audiences").await.expect(StatusCode::OK);
    assert_eq!(all, json!({"allowed_audiences": ["bob", "nobody"], "idp_configured": true}));
}

#[tokio::test]
async fn guest_tokens_are_limited() {
    let app =
        TestApp::start_with(|settings| settings.rate_limits.guest_token = Rule::per_seconds(1, 60)).await;
    app.user("bob").await;
    app.anon().get("/api/v1/token/guest?aud=bob").await.expect(StatusCode::OK);
    app.anon().get("/api/v1/token/guest?aud=bob").await.refused(429);
}

#[tokio::test]
async fn verify_always_answers_200_with_a_verdict() {
    let (app, anon, user) = TestApp::start().await.with_user("bob").await;
    let eve = app.user("eve").await;
    let path = "/api/v1/verify";
    anon.post(path, &json!({"token": "x"})).await.refused(401);
    assert_eq!(eve.post(path, &json!({})).await.refused_fields(), ["token"]);
    let token = user.get("/api/v1/token?aud=eve").await.json()["target_token"].clone();
    let good = eve.post(path, &json!({ "token": token })).await.expect(StatusCode::OK);
    assert_eq!(
        (&good["valid"], &good["email"], &good["username"]),
        (&json!(true), &json!("bob@example.com"), &json!("bob"))
    );
    let verdict = async |token: &Value| {
        eve.post(path, &json!({ "token": token })).await.expect(StatusCode::OK)["error"].clone()
    };
    let other = user.get("/api/v1/token?aud=bob").await.json()["target_token"].clone();
    assert_eq!(verdict(&other).await, "audience_mismatch");
    assert_eq!(verdict(&json!("junk")).await, "invalid_token_format");
    assert_eq!(verdict(&json!(user.token)).await, "missing_kid");
    let guest = anon.get("/api/v1/token/guest?aud=eve").await.json()["target_token"].clone();
    assert_eq!(eve.post(path, &json!({ "token": guest })).await.json()["email"], "guest@syfthub.org");
    let mut tx = app.db.begin().await.unwrap();
    syfthub_store::users::delete(&mut tx, syfthub_domain::UserId(user.id)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(verdict(&token).await, "user_not_found");
    app.clock.advance(Duration::from_mins(1));
    assert_eq!(verdict(&token).await, "token_expired");
}

#[tokio::test]
async fn keys_survive_a_restart_and_a_new_secret() {
    let app = TestApp::start().await;
    let kid =
        async |app: &TestApp| app.anon().get("/.well-known/jwks.json").await.json()["keys"][0]["kid"].clone();
    let first = kid(&app).await;
    let rotated = app
        .restarted_with(|settings| {
            settings.secrets.secret_key_previous = Some(settings.secrets.secret_key.clone());
            settings.secrets.secret_key = Secret::new("another-master-key-of-at-least-32-bytes");
        })
        .await;
    assert_eq!(kid(&rotated).await, first);
    // The wrapping was renewed, so the old secret is not needed any more.
    let later = rotated.restarted_with(|settings| settings.secrets.secret_key_previous = None).await;
    assert_eq!(kid(&later).await, first);
}

#[tokio::test]
async fn keys_of_the_environment_win_and_the_old_ones_still_verify() {
    let app = TestApp::start().await;
    let before = app.anon().get("/.well-known/jwks.json").await.json()["keys"][0]["kid"].clone();
    let key = SigningKey::generate().unwrap();
    let pem = key.to_pkcs8_pem().unwrap();
    let pinned =
        app.restarted_with(|settings| settings.rsa.private_pem = Some(Secret::new(pem.as_str()))).await;
    let jwks = pinned.anon().get("/.well-known/jwks.json").await.json();
    assert_eq!(jwks["keys"][0]["kid"], key.kid());
    assert_eq!(jwks["keys"][1]["kid"], before);
}

#[tokio::test]
async fn replicas_that_start_together_share_one_key() {
    let app = TestApp::start().await;
    let (one, two) = tokio::join!(app.replica(), app.replica());
    let keys = async |app: &TestApp| app.anon().get("/.well-known/jwks.json").await.json();
    assert_eq!(keys(&one).await, keys(&two).await);
    assert_eq!(keys(&one).await, keys(&app).await);
}
