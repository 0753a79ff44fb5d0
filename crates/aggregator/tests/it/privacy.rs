//! What people ask, what documents say and who they are stays out of the log.

use serde_json::json;

use crate::actor::{TestApp, post, question};
use crate::log::Lines;
use crate::upstream::Upstream;

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
