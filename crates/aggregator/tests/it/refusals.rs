//! When a source or the model refuses the caller.

use serde_json::json;

use crate::actor::{TestApp, question};
use crate::upstream::Upstream;

async fn denied() -> Upstream {
    Upstream::status(403, json!({"detail": "members only"})).await
}

#[tokio::test]
async fn when_every_source_denies_access_the_request_ends_before_ranking() {
    let (app, model, source) = (TestApp::new(), Upstream::model("no").await, denied().await);
    let body = question(&model, &[("ann/secret", &source)]);
    let stream = app.stream(&body).await;
    assert_eq!(stream.names(), ["retrieval_start", "source_complete", "error"]);
    let error = stream.event("error");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("ann/secret") && message.contains("members only"), "{message}");
    assert!(error.as_object().unwrap().contains_key("billing"));
    let whole = app.chat(&body).await;
    assert_eq!(whole.status, 400);
    let whole = whole.json();
    assert_eq!(whole["error"]["code"], "SOURCE_ACCESS_DENIED");
    assert_eq!((&whole["message"], &whole["detail"]), (&json!(message), &json!(message)));
    assert!(whole.as_object().unwrap().contains_key("billing"));
    assert!(model.calls().is_empty());
}

#[tokio::test]
async fn required_sources_must_all_be_usable() {
    let (app, model) = (TestApp::new(), Upstream::model("no").await);
    let (good, source) = (Upstream::source(&[("A", "x", 0.5)]).await, denied().await);
    let mut body = question(&model, &[("ann/good", &good), ("bob/secret", &source)]);
    assert_eq!(app.chat(&body).await.status, 200);
    body["require_all_sources"] = json!(true);
    assert_eq!(app.chat(&body).await.json()["error"]["code"], "SOURCE_ACCESS_DENIED");
    let broken = Upstream::status(404, json!({"detail": "gone"})).await;
    let mut body = question(&model, &[("ann/good", &good), ("cy/broken", &broken)]);
    body["require_all_sources"] = json!(true);
    let answer = app.stream(&body).await;
    let message = answer.event("error")["message"].clone();
    assert!(message.as_str().unwrap().contains("cy/broken (HTTP 404: gone)"), "{message}");
}

#[tokio::test]
async fn a_model_that_fails_says_so_in_words() {
    let app = TestApp::new();
    for (model, expected) in [
        (Upstream::status(404, json!({"detail": "no model"})).await, "Generation failed: HTTP 404: no model"),
        (
            Upstream::stream(&["data: {\"error\":{\"message\":\"out of memory\"}}"]).await,
            "Generation failed: out of memory",
        ),
        (
            Upstream::stream(&[r#"data: {"choices":[{"delta":{"content":"Use the re"}}]}"#]).await,
            "Generation failed: the answer broke off",
        ),
    ] {
        let answer = app.stream(&question(&model, &[])).await;
        assert_eq!(answer.event("error")["message"], expected);
        assert!(!answer.names().contains(&"done".to_owned()));
    }
    let busy = Upstream::status(502, json!({"detail": "warming up"})).await;
    app.stream(&question(&busy, &[])).await;
    assert_eq!(busy.calls().len(), 3, "a model is tried again like a source");
}
