//! Satellite tokens and their verification.

use serde_json::json;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;
use syfthub_auth::satellite::Verifier;
use syfthub_domain::Clock as _;

use crate::actor::{Actor, TestApp};

/// A part of a token as it is written.
fn part(token: &str, number: usize) -> Value {
    let text = token.split('.').nth(number).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}

async fn minted(who: &Actor, path: &str) -> String {
    let made = who.get(path).await.is(200).json();
    assert_eq!(made["expires_in"], 60);
    made["target_token"].as_str().unwrap().to_owned()
}

async fn told(by: &Actor, token: &str) -> Value {
    by.post("/api/v1/verify", &json!({"token": token})).await.is(200).json()
}

on_both! {
    async fn keys_are_public_and_tokens_need_an_audience(app: TestApp) {
        let (bob, eve) = (app.user("bob").await, app.user("eve").await);
        let keys = app.anon().get("/.well-known/jwks.json").await;
        assert!(keys.header("cache-control").contains("max-age"));
        let key = keys.json()["keys"][0].clone();
        assert_eq!((&key["kty"], &key["use"], &key["alg"]), (&json!("RSA"), &json!("sig"), &json!("RS256")));
        app.anon().get("/api/v1/token?aud=bob").await.is(401);
        eve.get("/api/v1/token").await.is(422);
        eve.get("/api/v1/token?aud=nobody").await.is(404);
        let made = eve.get("/api/v1/token?aud=BOB").await.is(200).json();
        assert_eq!(made["expires_in"], 60);
        let told = bob.post("/api/v1/verify", &json!({"token": made["target_token"]})).await.is(200).json();
        assert_eq!((&told["valid"], &told["username"], &told["aud"]), (&json!(true), &json!("eve"), &json!("bob")));
        assert_eq!((&told["email"], &told["sub"]), (&json!("eve@example.com"), &json!(eve.id.to_string())));
    }

    async fn a_token_says_who_asks_whom_and_verifies_by_the_published_keys(app: TestApp) {
        let (bob, eve) = (app.user("bob").await, app.user("eve").await);
        let keys = app.anon().get("/.well-known/jwks.json").await.is(200).json();
        let token = minted(&eve, "/api/v1/token?aud=%20Bob%20").await;
        let now = app.clock.now().as_secs();
        let (header, claims) = (part(&token, 0), part(&token, 1));
        assert_eq!((&header["alg"], &header["typ"], &header["kid"]), (&json!("RS256"), &json!("JWT"), &keys["keys"][0]["kid"]));
        for (claim, value) in [
            ("sub", json!(eve.id.to_string())),
            ("aud", json!("bob")),
            ("iss", json!("http://localhost:8080")),
            ("role", json!("user")),
            ("iat", json!(now)),
            ("exp", json!(now + 60)),
        ] {
            assert_eq!(claims[claim], value, "{claim}");
        }
        let verifier = Verifier::from_jwks(&keys).unwrap();
        verifier.verify(&token, "bob", "http://localhost:8080", app.clock.now()).unwrap();
        let answer = told(&bob, &token).await;
        assert_eq!((&answer["exp"], &answer["iat"], &answer["role"]), (&json!(now + 60), &json!(now), &json!("user")));
        let guest = told(&bob, &minted(&app.anon(), "/api/v1/token/guest?aud=bob").await).await;
        assert_eq!(
            (&guest["valid"], &guest["sub"], &guest["role"], &guest["username"], &guest["email"]),
            (&json!(true), &json!("guest"), &json!("guest"), &json!("guest"), &json!("guest@syfthub.org"))
        );
    }

    async fn an_audience_is_an_active_user(app: TestApp) {
        let (bob, eve, root) = (app.user("bob").await, app.user("eve").await, app.admin().await);
        let refused = |query: &str, status: u16| {
            let (eve, path) = (eve.clone(), format!("/api/v1/token{query}"));
            async move { eve.get(&path).await.refused(status)["code"].clone() }
        };
        assert_eq!(eve.get("/api/v1/token").await.refused_fields(), ["aud"]);
        assert_eq!(refused("?aud=%20", 400).await, "MISSING_AUDIENCE");
        assert_eq!(refused("?aud=nobody", 404).await, "AUDIENCE_NOT_FOUND");
        root.patch(&format!("/api/v1/users/{}/deactivate", bob.id), &json!({})).await.is(200);
        assert_eq!(refused("?aud=bob", 400).await, "AUDIENCE_INACTIVE");
        let audiences = eve.get("/api/v1/token/audiences").await.is(200).json();
        assert_eq!(audiences, json!({"allowed_audiences": ["eve", "root-1"], "idp_configured": true}));
    }

    async fn a_token_of_somebody_who_left_is_told_so(app: TestApp) {
        let (bob, eve, ann) = (app.user("bob").await, app.user("eve").await, app.user("ann").await);
        let (of_eve, of_ann) = (minted(&eve, "/api/v1/token?aud=bob").await, minted(&ann, "/api/v1/token?aud=bob").await);
        assert_eq!(told(&bob, &of_eve).await["valid"], true);
        eve.delete(&format!("/api/v1/users/{}", eve.id)).await.is(204);
        app.admin().await.patch(&format!("/api/v1/users/{}/deactivate", ann.id), &json!({})).await.is(200);
        for (token, error) in [(of_eve, "user_not_found"), (of_ann, "user_inactive")] {
            let answer = told(&bob, &token).await;
            assert_eq!((&answer["valid"], &answer["error"]), (&json!(false), &json!(error)));
            assert!(answer["message"].is_string());
        }
    }

    async fn a_bad_token_is_told_with_its_reason(app: TestApp) {
        let (bob, eve) = (app.user("bob").await, app.user("eve").await);
        let made = eve.get("/api/v1/token?aud=bob").await.json()["target_token"].clone();
        app.anon().post("/api/v1/verify", &json!({"token": made})).await.is(401);
        let why = |token: Value, by: &Actor| {
            let by = by.clone();
            async move { by.post("/api/v1/verify", &json!({"token": token})).await.is(200).json()["error"].clone() }
        };
        assert_eq!(why(made.clone(), &eve).await, "audience_mismatch");
        assert_eq!(why(json!("rubbish"), &bob).await, "invalid_token_format");
        assert_eq!(why(json!(bob.token), &bob).await, "missing_kid");
        app.clock.advance(std::time::Duration::from_mins(2));
        let bob = app.actor_of(&app.anon().login("bob", crate::actor::PASSWORD).await.json());
        assert_eq!(why(made, &bob).await, "token_expired");
    }
}
