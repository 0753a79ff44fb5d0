//! Probes, headers, and what is not served.

use axum::body::Body;
use http::Request;
use serde_json::json;

use crate::actor::{TestApp, post, question};
use crate::upstream::Upstream;

#[tokio::test]
async fn probes_answer_in_the_shapes_that_monitors_know() {
    let app = TestApp::new();
    let health = app.get("/health").await;
    assert_eq!(health.status, 200);
    assert_eq!(health.json(), json!({"status": "healthy", "service": "syfthub-aggregator"}));
    assert_eq!(app.get("/ready").await.json(), json!({"status": "ready", "checks": {}}));
}

#[tokio::test]
async fn documents_of_the_api_are_served_in_debug_mode_only() {
    assert_eq!(TestApp::new().get("/docs").await.status, 404);
    let debug = TestApp::with(|settings| settings.aggregator.debug = true);
    assert_eq!(debug.get("/docs").await.status, 200);
    let document = debug.get("/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/api/v1/chat/stream"]["post"].is_object());
}

#[tokio::test]
async fn any_origin_may_call_but_never_with_credentials() {
    let app = TestApp::new();
    let request = Request::options("/api/v1/chat")
        .header("origin", "https://elsewhere.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type")
        .body(Body::empty())
        .unwrap();
    let answer = app.send(request).await;
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));
}

#[tokio::test]
async fn the_correlation_id_is_echoed_and_passed_on() {
    let (app, model) = (TestApp::new(), Upstream::model("ok").await);
    let source = Upstream::source(&[]).await;
    let mut request = post("/api/v1/chat/stream", &question(&model, &[("ann/a", &source)]));
    request.headers_mut().insert("x-correlation-id", "abc-123".parse().unwrap());
    let answer = app.send(request).await;
    assert_eq!(answer.headers["x-correlation-id"], "abc-123");
    assert_eq!(source.calls()[0].header("x-correlation-id"), Some("abc-123"));
    assert_eq!(model.calls()[0].header("x-correlation-id"), Some("abc-123"));
}

#[tokio::test]
async fn too_many_questions_are_refused_with_a_time_to_wait() {
    let app = TestApp::with(|settings| settings.rate_limits.chat = syfthub_config::Rule::per_seconds(2, 60));
    let model = Upstream::model("ok").await;
    let body = question(&model, &[]);
    assert_eq!(app.chat(&body).await.status, 200);
    assert_eq!(app.chat(&body).await.status, 200);
    let refused = app.chat(&body).await;
    assert_eq!(refused.status, 429, "{}", refused.text);
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(model.calls().len(), 2);
}
