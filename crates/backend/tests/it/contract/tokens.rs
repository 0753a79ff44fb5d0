//! Satellite tokens and their verification.

use serde_json::json;

use crate::actor::TestApp;

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

    async fn a_bad_token_is_told_with_its_reason(app: TestApp) {
        let (bob, eve) = (app.user("bob").await, app.user("eve").await);
        let made = eve.get("/api/v1/token?aud=bob").await.json()["target_token"].clone();
        app.anon().post("/api/v1/verify", &json!({"token": made})).await.is(401);
        let why = |token: serde_json::Value, by: &crate::actor::Actor| {
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
