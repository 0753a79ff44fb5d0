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
async fn all_addresses_of_one_ipv6_network_are_one_client() {
    let app = TestApp::start_with(|settings| {
        settings.http.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        settings.rate_limits.refresh = Rule::per_seconds(1, 60);
    });
    let app = app.await;
    let body = || json!({"refresh_token": "x"}).to_string();
    for (address, status) in [
        ("2001:db8:0:1::1", 401),
        ("2001:db8:0:1:ffff::2", 429),
        ("2001:db8:0:2::1", 401),
        ("203.0.113.1", 401),
        ("::ffff:203.0.113.1", 429),
    ] {
        let headers = [("x-real-ip", address), ("content-type", "application/json")];
        app.anon().having(http::Method::POST, "/api/v1/auth/refresh", &headers, body()).await.is(status);
    }
}

#[tokio::test]
async fn searches_are_limited_generously() {
    let app = TestApp::start_with(|settings| settings.rate_limits.chat = Rule::per_seconds(1, 60)).await;
    let search = async || app.anon().post("/api/v1/endpoints/search", &json!({"query": "rain"})).await;
    for _ in 0..5 {
        search().await.is(200);
    }
    search().await.refused(429);
}

#[tokio::test]
async fn guesses_at_a_password_are_limited_for_each_user() {
    let app = TestApp::start_with(|settings| settings.rate_limits.auth = Rule::per_seconds(2, 60)).await;
    let (bob, eve) = (app.user("bob").await, app.user("eve").await);
    let guess = json!({"current_password": "wrong 1", "new_password": "another one 2"});
    for (user, status) in [(&bob, 400), (&bob, 400), (&bob, 429), (&eve, 400)] {
        user.put("/api/v1/auth/me/password", &guess).await.is(status);
    }
    app.anon().login("bob", PASSWORD).await.is(200);
}

#[tokio::test]
async fn asking_for_a_free_name_or_address_is_limited_apart_from_registering() {
    let app = TestApp::start_with(|settings| {
        settings.rate_limits.auth = Rule::per_seconds(1, 60);
        settings.rate_limits.refresh = Rule::per_seconds(1, 60);
    });
    let app = app.await;
    let anon = app.anon();
    for status in [200, 429] {
        anon.get("/api/v1/users/check-email/bob@example.com").await.is(status);
        anon.get("/api/v1/users/check-username/bob").await.is(status);
    }
    anon.post("/api/v1/auth/register", &account("bob")).await.is(201);
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
