//! Rate limits.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use syfthub_config::Rule;

use crate::actor::{PASSWORD, TestApp};
use crate::shorthand::account;

#[tokio::test]
async fn the_third_registration_of_two_has_to_wait() {
    let app = TestApp::start_with(|settings| settings.rate_limits.auth = Rule::per_seconds(2, 60)).await;
    let anon = app.anon();
    anon.post("/api/v1/auth/register", &account("a-one")).await.expect(StatusCode::CREATED);
    anon.post("/api/v1/auth/register", &json!({})).await.expect(StatusCode::UNPROCESSABLE_ENTITY);
    let third = anon.post("/api/v1/auth/register", &account("a-two")).await;
    third.refused(429);
    let wait: u64 = third.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!((third.header("x-ratelimit-limit"), third.header("x-ratelimit-remaining")), ("2", "0"));
    assert!(third.header("x-ratelimit-reset").parse::<u64>().unwrap() > 0);
    anon.login("a-one", PASSWORD).await.expect(StatusCode::OK); // counted apart
    app.clock.advance(Duration::from_mins(1));
    anon.post("/api/v1/auth/register", &account("a-two")).await.expect(StatusCode::CREATED);
}

#[tokio::test]
async fn sign_in_refresh_and_guest_tokens_are_limited() {
    let app = TestApp::start_with(|settings| {
        settings.rate_limits.auth = Rule::per_seconds(2, 60);
        settings.rate_limits.refresh = Rule::per_seconds(2, 60);
        settings.rate_limits.guest_token = Rule::per_seconds(2, 60);
    });
    let app = app.await;
    let anon = app.anon();
    for (attempt, [login, refresh, guest]) in
        [[401, 401, 404], [401, 401, 404], [429, 429, 429]].into_iter().enumerate()
    {
        anon.login("bob", PASSWORD).await.is(login);
        anon.post("/api/v1/auth/refresh", &json!({"refresh_token": "x"})).await.is(refresh);
        anon.get(&format!("/api/v1/token/guest?aud=nobody-{attempt}")).await.is(guest);
    }
}

#[tokio::test]
async fn an_address_that_a_client_makes_up_does_not_help() {
    let app = TestApp::start_with(|settings| settings.rate_limits.refresh = Rule::per_seconds(1, 60)).await;
    let body = || json!({"refresh_token": "x"}).to_string();
    for (address, status) in [("203.0.113.1", 401), ("203.0.113.2", 429)] {
        let headers =
            [("x-real-ip", address), ("x-forwarded-for", address), ("content-type", "application/json")];
        app.anon().having(http::Method::POST, "/api/v1/auth/refresh", &headers, body()).await.is(status);
    }
}

#[tokio::test]
async fn limits_can_be_switched_off() {
    let app = TestApp::start_with(|settings| {
        settings.rate_limits.enabled = false;
        settings.rate_limits.refresh = Rule::per_seconds(1, 60);
    });
    let app = app.await;
    for _ in 0..3 {
        app.anon()
            .post("/api/v1/auth/refresh", &json!({"refresh_token": "x"}))
            .await
            .expect(StatusCode::UNAUTHORIZED);
    }
}
