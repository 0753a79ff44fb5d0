//! What is refused before anything is called.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use http::Request;
use serde_json::{Value, json};
use syfthub_config::Rule;

use crate::actor::{TestApp, question};
use crate::upstream::Upstream;

fn locations(body: &Value) -> Vec<String> {
    let fields = body["detail"].as_array().unwrap();
    fields.iter().map(|field| serde_json::to_string(&field["loc"]).unwrap()).collect()
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let (app, model) = (TestApp::new(), Upstream::model("ok").await);
    for (key, value) in [
        ("prompt", json!("")),
        ("top_k", json!(0)),
        ("top_k", json!(21)),
        ("temperature", json!(-0.1)),
        ("temperature", json!(2.1)),
    ] {
        let mut body = question(&model, &[]);
        body[key] = value;
        for answer in [app.chat(&body).await, app.stream(&body).await] {
            assert_eq!(answer.status, 422, "{}", answer.text);
            assert_eq!(locations(&answer.json()), [format!(r#"["body","{key}"]"#)]);
        }
    }
    let answer = app.chat(&json!({"top_k": "many", "data_sources": [{}]})).await;
    let expected = [
        r#"["body","prompt"]"#,
        r#"["body","model"]"#,
        r#"["body","data_sources",0,"url"]"#,
        r#"["body","data_sources",0,"slug"]"#,
        r#"["body","top_k"]"#,
    ];
    assert_eq!(locations(&answer.json()), expected);
    assert!(model.calls().is_empty());
}

#[tokio::test]
async fn malformed_json_is_a_422() {
    let request = Request::post("/api/v1/chat").body("{".into()).unwrap();
    let answer = TestApp::new().send(request).await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.json()["detail"][0]["type"], "json_invalid");
}

#[tokio::test]
async fn a_minimal_request_gets_the_defaults() {
    let (app, model) = (TestApp::new(), Upstream::model("ok").await);
    let source = Upstream::source(&[]).await;
    app.chat(&question(&model, &[("ann/a", &source)])).await;
    let call = &source.calls()[0];
    assert_eq!(call.path, "/api/v1/endpoints/a/query");
    let expected = json!({
        "messages": "How do I restore a backup?", "limit": 5, "similarity_threshold": 0.5, "include_metadata": true,
    });
    assert_eq!(call.body, expected);
    let asked = &model.calls()[0].body;
    assert_eq!(asked["max_tokens"], 1024);
    assert_eq!(asked["temperature"], 0.7);
    assert_eq!(asked["stream"], false);
    assert_eq!(asked["stop_sequences"], json!([]));
}

#[tokio::test]
async fn more_sources_than_allowed_are_refused() {
    let app = TestApp::with(|settings| settings.aggregator.max_data_sources = 1);
    let (model, source) = (Upstream::model("ok").await, Upstream::source(&[]).await);
    let answer = app.chat(&question(&model, &[("ann/a", &source), ("bob/b", &source)])).await;
    assert_eq!(answer.status, 422);
    assert_eq!(locations(&answer.json()), [r#"["body","data_sources"]"#]);
}

#[tokio::test]
async fn an_address_beyond_its_limit_does_not_get_to_send_a_body() {
    let app = TestApp::with(|settings| settings.rate_limits.chat = Rule::per_seconds(1, 60));
    let never = || Body::from_stream(futures::stream::pending::<Result<Bytes, Infallible>>());
    let malformed = Request::post("/api/v1/chat").body("{".into()).unwrap();
    assert_eq!(app.send(malformed).await.status, 422);
    assert_eq!(app.send(Request::post("/api/v1/chat").body(never()).unwrap()).await.status, 429);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let request = Request::post("/api/v1/chat").body("x".repeat(2 * 1024 * 1024 + 1).into()).unwrap();
    assert_eq!(TestApp::new().send(request).await.status, 413);
}
