//! NATS: credentials, peer tokens, public keys.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use syfthub_config::{Rule, Secret};

use crate::actor::TestApp;

const GUEST: &str = "/api/v1/nats/guest-peer-token";
const KEY: &str = "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA";

async fn configured() -> TestApp {
    TestApp::start_with(|settings| {
        settings.optional.nats.auth_token = Some(Secret::new("nats-secret"));
        settings.optional.nats.guest_limit = Rule::per_seconds(2, 60);
        settings.rate_limits.enabled = false;
    })
    .await
}

fn targets(names: &[&str]) -> Value {
    json!({"target_usernames": names})
}

#[tokio::test]
async fn without_a_server_every_route_names_the_setting() {
    let (_app, anon, user) = TestApp::start().await.with_user("bob").await;
    for answer in [
        user.get("/api/v1/nats/credentials").await,
        user.post("/api/v1/peer-token", &targets(&["alice"])).await,
        anon.post(GUEST, &targets(&[])).await,
    ] {
        assert!(answer.refused(503).as_str().unwrap().contains("NATS_AUTH_TOKEN"));
    }
    anon.get("/api/v1/nats/credentials").await.refused(401);
    anon.post("/api/v1/peer-token", &targets(&["alice"])).await.refused(401);
}

#[tokio::test]
async fn a_peer_token_is_opaque_and_what_stands_behind_it_holds_no_secret() {
    let (app, anon, user) = configured().await.with_user("bob").await;
    let credentials = user.get("/api/v1/nats/credentials").await;
    assert_eq!(credentials.expect(StatusCode::OK), json!({"nats_auth_token": "nats-secret"}));
    assert_eq!(credentials.header("cache-control"), "no-store");
    user.pat(&["write"]).await.get("/api/v1/nats/credentials").await.refused(403);

    let peer = user.post("/api/v1/peer-token", &targets(&["Alice", "carol"])).await.expect(StatusCode::OK);
    let (token, channel) = (peer["peer_token"].as_str().unwrap(), peer["peer_channel"].as_str().unwrap());
    assert!(token.starts_with("pt_") && token.len() == 46, "{token}");
    assert!(channel.starts_with("peer_") && channel.len() == 37, "{channel}");
    assert_eq!((&peer["expires_in"], &peer["nats_url"]), (&json!(120), &json!("ws://localhost:8080/nats")));
    let kept: Value = app.cache.get_json(&format!("nats:peer:{token}")).await.unwrap().unwrap();
    assert_eq!(
        kept,
        json!({"user_id": user.id, "peer_channel": channel, "target_usernames": ["alice", "carol"], "nats_url": "nats://127.0.0.1:4222"})
    );
    app.clock.advance(Duration::from_mins(2));
    assert_eq!(app.cache.get_json::<Value>(&format!("nats:peer:{token}")).await.unwrap(), None);

    let guest = anon.post(GUEST, &targets(&[])).await.expect(StatusCode::OK);
    assert_eq!(guest["expires_in"], 90);
    let key = format!("nats:guest-peer:{}", guest["peer_token"].as_str().unwrap());
    assert_eq!(app.cache.get_json::<Value>(&key).await.unwrap().unwrap()["user_id"], 0);
}

#[tokio::test]
async fn guests_are_limited_also_with_limits_switched_off() {
    let app = configured().await;
    let anon = app.anon();
    for status in [200, 200, 429] {
        anon.post(GUEST, &targets(&["alice"])).await.is(status);
    }
    app.clock.advance(Duration::from_mins(1));
    anon.post(GUEST, &json!({})).await.is(200);
}

#[tokio::test]
async fn wrong_targets_are_refused() {
    let (_app, anon, user) = configured().await.with_user("bob").await;
    for body in [
        json!({}),
        targets(&[]),
        targets(&["x"; 101]),
        targets(&[&"x".repeat(101)]),
        json!({"target_usernames": [1]}),
    ] {
        let answer = user.post("/api/v1/peer-token", &body).await;
        assert!(!answer.refused_fields().is_empty(), "{body}");
    }
    anon.post(GUEST, &json!({"target_usernames": "alice"})).await.refused(422);
}

#[tokio::test]
async fn a_public_key_is_set_by_its_owner_and_read_by_all() {
    let (app, anon, user) = TestApp::start().await.with_user("bob").await;
    let of_bob = "/api/v1/nats/encryption-key/BOB";
    assert_eq!(anon.get(of_bob).await.expect(StatusCode::OK), json!({"encryption_public_key": null}));
    let set = async |key: &str| {
        user.put("/api/v1/nats/encryption-key", &json!({"encryption_public_key": key})).await
    };
    assert_eq!(set(KEY).await.expect(StatusCode::OK), json!({"status": "ok"}));
    assert_eq!(anon.get(of_bob).await.json(), json!({"encryption_public_key": KEY}));
    assert_eq!(user.get("/api/v1/auth/me").await.json()["encryption_public_key"], KEY);
    set(&format!("{KEY}=")).await.expect(StatusCode::OK);
    for wrong in ["", "short", &KEY[1..], &format!("{KEY}AAAA")] {
        assert_eq!(set(wrong).await.refused_fields(), ["encryption_public_key"], "{wrong}");
    }
    anon.get("/api/v1/nats/encryption-key/nobody").await.refused(404);
    anon.put("/api/v1/nats/encryption-key", &json!({"encryption_public_key": KEY})).await.refused(401);
    drop(app);
}

#[tokio::test]
async fn a_user_cannot_fill_the_cache_with_peer_tokens() {
    let app = TestApp::start_with(|settings| {
        settings.optional.nats.auth_token = Some(Secret::new("nats-secret"));
        settings.rate_limits.enabled = true;
    });
    let (app, _, user) = app.await.with_user("bob").await;
    let other = app.user("carol").await;
    for _ in 0..120 {
        user.post("/api/v1/peer-token", &targets(&["alice"])).await.expect(StatusCode::OK);
    }
    user.post("/api/v1/peer-token", &targets(&["alice"])).await.refused(429);
    other.post("/api/v1/peer-token", &targets(&["alice"])).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_hub_that_is_not_open_to_guests_gives_them_no_peer_tokens() {
    let (app, anon, user) = configured().await.with_user("bob").await;
    let root = app.admin().await;
    let closed = json!({"guest_access": false});
    root.patch("/api/v1/admin/settings", &closed).await.expect(StatusCode::OK);
    anon.post(GUEST, &targets(&[])).await.refused(403);
    user.post("/api/v1/peer-token", &targets(&["alice"])).await.expect(StatusCode::OK);
}
