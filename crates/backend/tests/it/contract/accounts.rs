//! Registration, sign-in, sessions.

use serde_json::json;

use crate::actor::{PASSWORD, TestApp};
use crate::shorthand::account;

on_both! {
    async fn a_new_user_gets_tokens_and_unknown_fields_are_ignored(app: TestApp) {
        let mut body = account("bob");
        body["surprise"] = json!({"a": 1});
        let made = app.anon().post("/api/v1/auth/register", &body).await;
        let made = made.is(201).json();
        assert!(made["access_token"].is_string() && made["refresh_token"].is_string());
        assert_eq!((&made["token_type"], &made["user"]["role"]), (&json!("bearer"), &json!("user")));
        assert_eq!((&made["user"]["is_active"], &made["user"]["username"]), (&json!(true), &json!("bob")));
    }

    async fn a_taken_address_is_a_conflict_and_a_taken_name_is_not(app: TestApp) {
        app.user("bob").await;
        let again = app.anon().post("/api/v1/auth/register", &account("bob")).await;
        let detail = again.refused(409);
        assert_eq!((&detail["code"], &detail["field"]), (&json!("USER_ALREADY_EXISTS"), &json!("email")));
        let mut other = account("bob");
        other["email"] = json!("roberta@example.com");
        let made = app.anon().post("/api/v1/auth/register", &other).await;
        let name = made.is(201).json()["user"]["username"].as_str().unwrap().to_owned();
        assert!(name != "bob" && name.starts_with("roberta"), "{name}");
    }

    async fn passwords_are_strong_and_only_the_current_one_counts(app: TestApp) {
        let mut weak = account("bob");
        weak["password"] = json!("short");
        assert_eq!(app.anon().post("/api/v1/auth/register", &weak).await.refused_fields(), ["password"]);
        let bob = app.user("bob").await;
        let change = |current: &str| json!({"current_password": current, "new_password": "another horse 2"});
        bob.put("/api/v1/auth/me/password", &change("wrong horse 9")).await.is(400);
        bob.put("/api/v1/auth/me/password", &change(PASSWORD)).await.is(204);
        app.anon().login("bob", PASSWORD).await.is(401);
        app.anon().login("bob", "another horse 2").await.is(200);
    }

    async fn sign_in_is_by_name_or_address_and_by_form(app: TestApp) {
        app.user("bob").await;
        for name in ["bob", "BOB", "bob@example.com", "Bob@Example.com"] {
            app.anon().login(name, PASSWORD).await.is(200);
        }
        app.anon().login("bob", "wrong horse 9").await.is(401);
        app.anon().login("nobody", PASSWORD).await.is(401);
        app.anon().login("", "").await.is(422);
    }

    async fn only_a_refresh_token_refreshes(app: TestApp) {
        let bob = app.user("bob").await;
        let pair = app.anon().post("/api/v1/auth/refresh", &json!({"refresh_token": bob.refresh})).await;
        let pair = pair.is(200).json();
        assert_ne!(pair["refresh_token"], json!(bob.refresh));
        assert!(pair.get("user").is_none());
        for bad in ["rubbish", bob.token.as_deref().unwrap()] {
            app.anon().post("/api/v1/auth/refresh", &json!({"refresh_token": bad})).await.is(401);
        }
        app.anon().get("/api/v1/auth/me").await.is(401);
        app.with_token("rubbish").get("/api/v1/auth/me").await.is(401);
    }

    async fn signing_out_ends_the_token_and_only_a_password_stamps_the_last_sign_in(app: TestApp) {
        let bob = app.user("bob").await;
        assert!(bob.get("/api/v1/auth/me").await.json()["last_login_at"].is_null());
        let pair = app.anon().post("/api/v1/auth/refresh", &json!({"refresh_token": bob.refresh})).await;
        let renewed = app.with_token(pair.json()["access_token"].as_str().unwrap());
        assert!(renewed.get("/api/v1/auth/me").await.json()["last_login_at"].is_null());
        let signed_in = app.anon().login("bob", PASSWORD).await.is(200).json();
        let session = app.actor_of(&signed_in);
        assert!(session.get("/api/v1/auth/me").await.json()["last_login_at"].is_string());
        session.post("/api/v1/auth/logout", &json!({})).await.is(204);
        session.get("/api/v1/auth/me").await.is(401);
        app.anon().post("/api/v1/auth/refresh", &json!({"refresh_token": session.refresh})).await.is(401);
    }
}
