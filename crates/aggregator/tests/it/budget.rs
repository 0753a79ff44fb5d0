//! What happens when there is more to say than a model can take.

use serde_json::{Value, json};

use crate::actor::{TestApp, question};
use crate::upstream::Upstream;

fn app() -> TestApp {
    TestApp::with(|settings| settings.aggregator.rules.context_tokens = 2_500)
}

#[tokio::test]
async fn lesser_documents_and_old_turns_make_room() {
    let model = Upstream::model("Yes [cite:1].").await;
    let long = "How to restore a backup is written here in many words. ".repeat(40);
    let other = "A backup is restored by somebody else in another way. ".repeat(40);
    let third = "Restore nothing without a backup, says the third one. ".repeat(40);
    let source = Upstream::source(&[("A", &long, 0.9), ("B", &other, 0.8), ("C", &third, 0.7)]).await;
    let mut body = question(&model, &[("ann/a", &source)]);
    let turns: Vec<Value> = (0..40)
        .map(|turn| json!({"role": "user", "content": format!("turn {turn} {}", "x ".repeat(40))}))
        .collect();
    body["messages"] = turns.into();
    body["max_tokens"] = json!(200);
    let answer = app().stream(&body).await;
    let total = answer.event("retrieval_complete")["total_documents"].as_u64().unwrap();
    assert!(total < 3, "{total}");
    let done = answer.event("done");
    assert_eq!(done["citations"].as_object().unwrap().len(), usize::try_from(total).unwrap());
    assert_eq!(done["sources"].as_object().unwrap().len(), 3);
    let messages = model.calls()[0].body["messages"].as_array().unwrap().clone();
    assert!(messages.len() < 40, "{}", messages.len());
    assert!(messages[messages.len() - 2]["content"].as_str().unwrap().starts_with("turn 39"));
    assert!(model.last_user_message().contains("How do I restore a backup?"));
}

#[tokio::test]
async fn a_question_that_is_too_long_is_refused_before_anybody_is_asked() {
    let (model, source) = (Upstream::model("ok").await, Upstream::source(&[("A", "x", 0.5)]).await);
    let mut body = question(&model, &[("ann/a", &source)]);
    body["prompt"] = "word ".repeat(3_000).into();
    let answer = app().chat(&body).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert!(answer.json()["message"].as_str().unwrap().contains("shorten"), "{}", answer.text);
    assert_eq!(app().stream(&body).await.names(), ["retrieval_start", "error"]);
    assert_eq!(source.calls().len() + model.calls().len(), 0);
    body["retrieval_only"] = json!(true);
    assert_eq!(app().chat(&body).await.status, 200);
}
