//! What people ask, what documents say and who they are stays out of the log.

use axum::response::IntoResponse;
use serde_json::json;

use crate::actor::{TestApp, post, question};
use crate::log::Lines;
use crate::upstream::{Upstream, references};

#[tokio::test]
async fn the_log_tells_what_happened_but_not_what_was_said() {
    let (lines, _log) = Lines::listen();
    let app = TestApp::new();
    let source = Upstream::source(&[("Secret title", "the secret document", 0.9)]).await;
    let model = Upstream::model("the secret answer").await;
    let mut body = question(&model, &[("ann/docs", &source)]);
    body["prompt"] = json!("the secret prompt");
    body["user_token"] = json!("syft_pat_good");
    body["endpoint_tokens"] = json!({"ann": "secret-satellite"});
    let mut request = post("/api/v1/chat", &body);
    request.headers_mut().insert("authorization", "Bearer secret-header".parse().unwrap());
    assert_eq!(app.send(request).await.status, 200);
    app.get("/health").await;
    let text = lines.text();
    for event in [
        "chat.request.started",
        "chat.retrieval.completed",
        "data_source.query.completed",
        "model.query.completed",
        "chat.generation.completed",
        "chat.request.completed",
    ] {
        assert!(text.contains(event), "{event} is missing in\n{text}");
    }
    for secret in ["ecret", "syft_pat_good", "/health"] {
        assert!(!text.contains(secret), "{secret} is in\n{text}");
    }
}

/// A source and a model that refuse and say what they were asked, as validators of requests do.
async fn echoing(quotes: bool) -> String {
    let (lines, _log) = Lines::listen();
    let app = TestApp::with(|settings| settings.log.request_body = quotes);
    let echo = Upstream::start(|_, call| async move {
        let asked = &call.body["messages"];
        let asked = asked.as_str().or_else(|| asked[1]["content"].as_str()).unwrap_or_default().to_owned();
        let start = asked.find("the secret").unwrap_or_default();
        let detail = format!("cannot answer {}", &asked[start..]);
        (http::StatusCode::UNPROCESSABLE_ENTITY, axum::Json(json!({"detail": detail}))).into_response()
    })
    .await;
    let denying = Upstream::status(403, json!({"detail": "not for a secret prompt"})).await;
    let good = Upstream::json(references(&[("A", "the secret document", 0.5)])).await;
    let mut body = question(&echo, &[("ann/echo", &echo), ("ann/good", &good), ("ann/denying", &denying)]);
    body["prompt"] = json!("the secret prompt");
    let answer = app.chat(&body).await;
    assert!(answer.text.contains("secret prompt"), "the caller is told: {}", answer.text);
    body["require_all_sources"] = json!(true);
    assert!(app.stream(&body).await.text.contains("secret prompt"));
    lines.text()
}

#[tokio::test]
async fn what_endpoints_repeat_is_in_the_log_only_with_the_bodies() {
    let text = echoing(false).await;
    assert!(!text.contains("ecret"), "{text}");
    for told in
        ["HTTP 422", "HTTP 403", "ann/echo", "GENERATION_FAILED", "the model answered with status 422"]
    {
        assert!(text.contains(told), "{told} is missing in\n{text}");
    }
    assert!(echoing(true).await.contains("secret prompt"));
}
