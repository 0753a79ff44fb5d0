//! Where a user is signed in, and how they end it.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use syfthub_testing::wait;

use crate::actor::{Actor, PASSWORD, TestApp};

const PATH: &str = "/api/v1/auth/sessions";
const ME: &str = "/api/v1/auth/me";

async fn sign_in(app: &TestApp, agent: &str, address: &str) -> Actor {
    let headers = [
        ("user-agent", agent),
        ("x-real-ip", address),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let body = format!("username=bob&password={}", PASSWORD.replace(' ', "+"));
    let made = app.anon().having(Method::POST, "/api/v1/auth/login", &headers, body).await;
    app.actor_of(&made.expect(StatusCode::OK))
}

async fn behind_a_proxy() -> TestApp {
    TestApp::start_with(|settings| {
        settings.http.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await
}

#[tokio::test]
async fn the_list_says_which_client_from_where_and_when() {
    let (app, anon, first) = behind_a_proxy().await.with_user("bob").await;
    app.clock.advance(Duration::from_secs(10));
    let laptop = sign_in(&app, &format!("Laptop/1.0 {}", "x".repeat(300)), "203.0.113.7").await;
    let mut list = laptop.get(PATH).await.expect(StatusCode::OK);
    assert_eq!(list[0]["device"].as_str().unwrap().len(), 160);
    list[0]["device"] = json!("Laptop/1.0 …");
    for entry in list.as_array_mut().unwrap() {
        assert!(entry["id"].is_string());
        entry["id"] = json!("…");
    }
    insta::assert_json_snapshot!(list, @r#"
    [
      {
        "id": "…",
        "kind": "token",
        "device": "Laptop/1.0 …",
        "address": "203.0.113.7",
        "created_at": "2027-01-15T08:00:10.000000Z",
        "last_used_at": "2027-01-15T08:00:10.000000Z",
        "expires_at": "2027-01-22T08:00:10.000000Z",
        "current": true
      },
      {
        "id": "…",
        "kind": "token",
        "device": null,
        "address": "127.0.0.1",
        "created_at": "2027-01-15T08:00:00.000000Z",
        "last_used_at": "2027-01-15T08:00:00.000000Z",
        "expires_at": "2027-01-22T08:00:00.000000Z",
        "current": false
      }
    ]
    "#);
    anon.get(PATH).await.refused(401);
    assert_eq!(first.get(&format!("{PATH}?limit=1&skip=1")).await.json().as_array().unwrap().len(), 1);
    assert_eq!(first.get(&format!("{PATH}?limit=0&skip=-1")).await.refused_fields(), ["skip", "limit"]);
}

#[tokio::test]
async fn a_use_is_recorded_at_most_once_a_minute() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let last = async || bob.get(PATH).await.json()[0]["last_used_at"].clone();
    app.clock.advance(Duration::from_secs(59));
    assert_eq!(last().await, "2027-01-15T08:00:00.000000Z");
    // A replica remembers nothing, so it looks the credential up.
    app.clock.advance(Duration::from_secs(1));
    let other = app.replica().await.with_token(bob.token.as_deref().unwrap());
    other.get(ME).await.expect(StatusCode::OK);
    assert_eq!(last().await, "2027-01-15T08:01:00.000000Z");
    app.clock.advance(Duration::from_secs(30));
    let refreshed = json!({"refresh_token": bob.refresh});
    app.anon().post("/api/v1/auth/refresh", &refreshed).await.expect(StatusCode::OK);
    assert_eq!(last().await, "2027-01-15T08:01:30.000000Z");
}

#[tokio::test]
async fn one_session_ends_at_once_and_others_go_on() {
    let (app, _, first) = TestApp::start().await.with_user("bob").await;
    app.clock.advance(Duration::from_secs(1));
    let lost = sign_in(&app, "Lost", "-").await;
    let eve = app.user("eve").await;
    let list = first.get(PATH).await.json();
    let id = list[0]["id"].as_str().unwrap();
    let there = app.replica().await.with_token(lost.token.as_deref().unwrap());
    there.get(ME).await.expect(StatusCode::OK);
    eve.delete(&format!("{PATH}/{id}")).await.refused(404);
    lost.get(ME).await.expect(StatusCode::OK);
    first.delete(&format!("{PATH}/{id}")).await.is(204);
    lost.get(ME).await.refused(401);
    app.anon().post("/api/v1/auth/refresh", &json!({"refresh_token": lost.refresh})).await.refused(401);
    let refused = || async { there.get(ME).await.status == StatusCode::UNAUTHORIZED };
    wait::until(refused, "the other replica refuses the token").await;
    first.get(ME).await.expect(StatusCode::OK);
    first.delete(&format!("{PATH}/{id}")).await.refused(404);
    first.delete(&format!("{PATH}/nonsense")).await.refused(404);
}

#[tokio::test]
async fn all_other_sessions_end_together() {
    let (app, _, first) = TestApp::start().await.with_user("bob").await;
    let others = [sign_in(&app, "A", "-").await, sign_in(&app, "B", "-").await];
    let holder = first.pat(&["full"]).await;
    assert_eq!(first.delete(PATH).await.expect(StatusCode::OK), json!({"ended": 2}));
    for other in &others {
        other.get(ME).await.refused(401);
    }
    first.get(ME).await.expect(StatusCode::OK);
    holder.get(ME).await.expect(StatusCode::OK);
    assert_eq!(holder.delete(PATH).await.expect(StatusCode::OK), json!({"ended": 1}));
    first.get(ME).await.refused(401);
    assert_eq!(holder.get(PATH).await.json(), json!([]));
}

/// Of fifty refreshes of one token at the same moment each has its own right outcome: one consumes it, the others
/// come within the grace, and what all of them got works.
async fn fifty_refreshes(app: TestApp) {
    let bob = app.user("bob").await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (anon, body) = (app.anon(), json!({"refresh_token": bob.refresh}));
        tasks.spawn(async move { anon.post("/api/v1/auth/refresh", &body).await.expect(StatusCode::OK) });
    }
    let pairs: Vec<Value> = tasks.join_all().await;
    let tokens: std::collections::BTreeSet<&str> =
        pairs.iter().map(|pair| pair["refresh_token"].as_str().unwrap()).collect();
    assert_eq!(tokens.len(), 50, "every answer is another token");
    for pair in &pairs {
        app.with_token(pair["access_token"].as_str().unwrap()).get(ME).await.expect(StatusCode::OK);
    }
    assert_eq!(bob.get(PATH).await.json().as_array().unwrap().len(), 1, "they are one session");
    app.clock.advance(Duration::from_secs(31));
    app.anon().post("/api/v1/auth/refresh", &json!({"refresh_token": bob.refresh})).await.refused(401);
    let next = json!({"refresh_token": pairs[0]["refresh_token"]});
    app.anon().post("/api/v1/auth/refresh", &next).await.refused(401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_refreshes_at_once_on_sqlite() {
    fifty_refreshes(TestApp::start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_refreshes_at_once_on_postgres() {
    fifty_refreshes(TestApp::start_on_postgres().await).await;
}
