//! Models that stand in for the one that was asked first.

use std::time::Duration;

use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::actor::{TestApp, endpoint, question};
use crate::upstream::Upstream;

fn with_fallbacks(first: &Upstream, others: &[(&str, &Upstream)]) -> Value {
    let mut body = question(first, &[]);
    let reference = |(path, model): &(&str, &Upstream)| {
        let (owner, slug) = path.split_once('/').unwrap();
        endpoint(owner, slug, &model.url)
    };
    body["fallback_models"] = others.iter().map(reference).collect();
    body
}

fn outcomes(metadata: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let attempts = metadata["attempts"].as_array().unwrap();
    assert!(attempts.iter().all(|attempt| attempt["time_ms"].is_u64()));
    attempts.iter().map(|attempt| (text(&attempt["path"]), text(&attempt["outcome"]))).collect()
}

fn told(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(path, outcome)| ((*path).to_owned(), (*outcome).to_owned())).collect()
}

#[tokio::test]
async fn the_next_model_is_asked_when_one_cannot_answer() {
    let app = TestApp::with(|settings| settings.aggregator.generation_timeout = Duration::from_millis(300));
    let silent = Upstream::start(|_, _| async {
        std::future::pending::<()>().await;
        ().into_response()
    })
    .await;
    let limited = Upstream::status(429, json!({"detail": "slow down"})).await;
    let gone = Upstream::status(404, json!({"detail": "gone"})).await;
    let denied = Upstream::status(403, json!({"detail": "no"})).await;
    let good = Upstream::model("at last").await;
    let body = with_fallbacks(
        &silent,
        &[("a/limited", &limited), ("b/gone", &gone), ("c/denied", &denied), ("d/good", &good)],
    );
    let expected = told(&[
        ("mia/writer", "timeout"),
        ("a/limited", "rate_limited"),
        ("b/gone", "error"),
        ("c/denied", "access_denied"),
        ("d/good", "success"),
    ]);
    let whole = app.chat(&body).await.json();
    assert_eq!((&whole["response"], outcomes(&whole["metadata"])), (&json!("at last"), expected.clone()));
    let stream = app.stream(&body).await;
    assert_eq!(stream.event("token"), json!({"content": "at last"}));
    assert_eq!(outcomes(&stream.event("done")["metadata"]), expected);
    assert_eq!(stream.names().iter().filter(|name| *name == "generation_start").count(), 1);
}

#[tokio::test]
async fn what_the_caller_sent_wrongly_is_wrong_for_all() {
    for status in [400, 422] {
        let (app, never) = (TestApp::new(), Upstream::model("never").await);
        let wrong = Upstream::status(status, json!({"detail": "too long"})).await;
        let answer = app.chat(&with_fallbacks(&wrong, &[("a/never", &never)])).await;
        assert_eq!(answer.status, 400);
        assert!(never.calls().is_empty());
    }
}

#[tokio::test]
async fn after_a_token_nobody_takes_over() {
    let (app, never) = (TestApp::new(), Upstream::model("never").await);
    let broken =
        Upstream::stream(&[r#"data: {"content":"Once"}"#, r#"data: {"error":{"message":"no memory"}}"#])
            .await;
    let answer = app.stream(&with_fallbacks(&broken, &[("a/never", &never)])).await;
    assert_eq!(answer.names().last().unwrap(), "error");
    assert!(never.calls().is_empty());
}

#[tokio::test]
async fn when_all_fail_the_last_reason_is_told() {
    let app = TestApp::new();
    let first = Upstream::status(500, json!({"detail": "first"})).await;
    let last = Upstream::status(404, json!({"detail": "last"})).await;
    let answer = app.chat(&with_fallbacks(&first, &[("a/last", &last)])).await;
    assert_eq!(answer.status, 400);
    assert!(answer.json()["message"].as_str().unwrap().contains("last"), "{}", answer.text);
    assert_eq!(first.calls().len(), 3, "what may heal is tried again before another is asked");
}

#[tokio::test]
async fn there_are_at_most_four() {
    let (app, model) = (TestApp::new(), Upstream::model("never").await);
    let body = with_fallbacks(&model, &[("a/a", &model); 5]);
    let answer = app.chat(&body).await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.json()["detail"][0]["loc"], json!(["body", "fallback_models"]));
}
