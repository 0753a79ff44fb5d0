//! Credentials for tunnels, made at a provider that is a server of this test.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use syfthub_config::{Ngrok, Secret};
use tokio::net::TcpListener;

use crate::actor::TestApp;

const PATH: &str = "/api/v1/users/me/tunnel-credentials";

/// What the provider answers, and what it was asked last.
#[derive(Clone)]
struct Provider {
    answer: (StatusCode, Value),
    asked: Arc<Mutex<Option<(HeaderMap, Value)>>>,
}

async fn issue(
    State(provider): State<Provider>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    *provider.asked.lock().unwrap() = Some((headers, body));
    (provider.answer.0, Json(provider.answer.1))
}

/// A hub with a provider that answers so; the task ends with the test.
async fn hub(status: StatusCode, answer: Value) -> (TestApp, Provider, tokio::task::JoinSet<()>) {
    let provider = Provider { answer: (status, answer), asked: Arc::default() };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let api_url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let router = Router::new().route("/credentials", post(issue)).with_state(provider.clone());
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move { axum::serve(listener, router).await.unwrap() });
    let ngrok =
        Ngrok { api_key: Secret::new("ngrok-key"), api_url, base_domain: "hub.example.org".to_owned() };
    let app = TestApp::start_with(|settings| settings.optional.ngrok = Some(ngrok)).await;
    (app, provider, server)
}

#[tokio::test]
async fn a_credential_opens_the_callers_own_name_only() {
    let (app, provider, _server) =
        hub(StatusCode::CREATED, json!({"id": "cr_1", "token": "tunnel-token"})).await;
    let user = app.user("bob").await;
    let answer = user.get(PATH).await;
    assert_eq!(
        answer.expect(StatusCode::OK),
        json!({"auth_token": "tunnel-token", "domain": "bob.hub.example.org"})
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    let (headers, body) = provider.asked.lock().unwrap().take().unwrap();
    assert_eq!(
        (&headers["authorization"], &headers["ngrok-version"]),
        (&"Bearer ngrok-key".parse().unwrap(), &"2".parse().unwrap())
    );
    assert_eq!(body["acl"], json!(["bind:bob.hub.example.org"]));
    app.anon().get(PATH).await.refused(401);
    assert_eq!(user.pat(&["read", "write"]).await.get(PATH).await.refused(403)["code"], "PERMISSION_DENIED");
}

#[tokio::test]
async fn a_provider_that_fails_is_told_without_its_words() {
    for (status, answer) in [
        (StatusCode::UNAUTHORIZED, json!({"msg": "bad key ngrok-key"})),
        (StatusCode::INTERNAL_SERVER_ERROR, json!({})),
        (StatusCode::CREATED, json!({"id": "cr_1"})),
        (StatusCode::CREATED, json!("nonsense")),
    ] {
        let (app, _, _server) = hub(status, answer).await;
        let answer = app.user("bob").await.get(PATH).await;
        answer.is(502);
        assert!(!answer.text.contains("ngrok-key"), "{}", answer.text);
    }
}

#[tokio::test]
async fn without_a_key_the_route_names_the_setting() {
    let (_app, _, user) = TestApp::start().await.with_user("bob").await;
    let answer = user.get(PATH).await;
    assert!(answer.refused(503).as_str().unwrap().contains("NGROK_API_KEY"));
}
