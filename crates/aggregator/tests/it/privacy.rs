//! What people ask, what documents say and who they are stays out of the log.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::actor::{TestApp, post, question};
use crate::upstream::Upstream;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_tells_what_happened_but_not_what_was_said() {
    syfthub_testing::log::listen_on_every_thread();
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(move || writer.clone())
        .finish();
    let _log = tracing::subscriber::set_default(subscriber);
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
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
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
