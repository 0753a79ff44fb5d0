//! What the model sees of what came back: nothing twice, no secrets, in a common order.

use std::time::Duration;

use axum::response::IntoResponse;
use serde_json::{Value, json};
use syfthub_config::{Reranker, Secret};

use crate::actor::{TestApp, question};
use crate::upstream::Upstream;

const HOW: &str = "To restore a backup, stop the service, run the restore command with the date of the copy, wait \
    until it says that the copy was verified, and start the service again.";

#[tokio::test]
async fn the_same_document_of_two_owners_is_shown_once_and_listed_twice() {
    let (app, model) = (TestApp::new(), Upstream::model("So it is [cite:1].").await);
    let (ann, bob) =
        (Upstream::source(&[("How", HOW, 0.9)]).await, Upstream::source(&[("Copy", HOW, 0.8)]).await);
    let other = Upstream::source(&[("Other", "Tomatoes grow in the garden.", 0.1)]).await;
    let mut body = question(&model, &[("bob/b", &bob), ("ann/a", &ann), ("cy/c", &other)]);
    body["top_k"] = json!(2);
    let answer = app.chat(&body).await.json();
    let prompt = model.last_user_message();
    assert_eq!(prompt.matches("stop the service").count(), 1, "{prompt}");
    assert!(prompt.contains("[2]: Tomatoes"), "{prompt}");
    assert_eq!(answer["sources"].as_object().unwrap().len(), 3);
    assert_eq!(answer["profit_share"], json!({"ann/a": 1.0, "cy/c": 0.0}));
}

#[tokio::test]
async fn secrets_reach_neither_the_model_nor_the_caller() {
    let key = format!("ghp_{}", "aB3dE5fG7h".repeat(4));
    let text = format!("To restore a backup, log in with {key} first.");
    let model = Upstream::model("ok").await;
    let title = format!("Login {key}");
    let source = Upstream::source(&[(&title, &text, 0.9)]).await;
    let body = question(&model, &[("ann/a", &source)]);
    let answer = TestApp::new().chat(&body).await;
    assert!(!answer.text.contains(&key), "{}", answer.text);
    assert!(answer.text.contains("log in with [masked: GitHub token] first"), "{}", answer.text);
    assert!(!model.last_user_message().contains(&key));
    let mut bare = body.clone();
    bare["retrieval_only"] = json!(true);
    assert!(!TestApp::new().chat(&bare).await.text.contains(&key));
    let open = TestApp::with(|settings| settings.aggregator.rules.mask_secrets = false);
    assert!(open.chat(&body).await.text.contains(&key));
}

#[tokio::test]
async fn large_answers_are_masked_too() {
    let key = format!("ghp_{}", "aB3dE5fG7h".repeat(4));
    let text = format!("{} {key}", "words and words ".repeat(6_000));
    let model = Upstream::model("ok").await;
    let source = Upstream::source(&[("A", &text, 0.9), ("B", &text, 0.8)]).await;
    let answer = TestApp::new().chat(&question(&model, &[("ann/a", &source)])).await;
    assert_eq!(answer.json()["sources"].as_object().unwrap().len(), 2);
    assert!(!answer.text.contains(&key));
}

fn with_reranker(url: &str, model: Option<&str>) -> TestApp {
    TestApp::with(|settings| {
        settings.aggregator.rules.reranker = Some(Reranker {
            url: format!("{url}/rerank").parse().unwrap(),
            api_key: Some(Secret::new("rerank-key")),
            model: model.map(str::to_owned),
            timeout: Duration::from_millis(300),
        });
    })
}

async fn first_line(app: &TestApp) -> String {
    let model = Upstream::model("ok").await;
    let source = Upstream::source(&[("A", "Restore a backup so", 0.9), ("B", "Tomatoes", 0.1)]).await;
    assert_eq!(app.chat(&question(&model, &[("ann/a", &source)])).await.status, 200);
    let prompt = model.last_user_message();
    prompt.lines().find(|line| line.starts_with("[1]: ")).unwrap().to_owned()
}

#[tokio::test]
async fn a_service_of_the_operator_may_decide_the_order() {
    let results =
        json!({"results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.2}]});
    let bare = json!([{"index": 1, "score": 4.5}, {"index": 0, "score": -1.0}]);
    for (answer, model) in [(results, Some("rank-1")), (bare, None)] {
        let service = Upstream::json(answer).await;
        assert_eq!(first_line(&with_reranker(&service.url, model)).await, "[1]: Tomatoes");
        let call = service.calls().remove(0);
        assert_eq!(call.header("authorization"), Some("Bearer rerank-key"));
        assert_eq!(call.body["query"], "How do I restore a backup?");
        assert_eq!(call.body["documents"], json!(["Restore a backup so", "Tomatoes"]));
        assert_eq!(call.body["top_n"], 2);
        assert_eq!(call.body["model"], model.map_or(Value::Null, Value::from));
        assert_eq!(call.body["texts"].is_array(), model.is_none());
    }
}

#[tokio::test]
async fn without_its_answer_the_built_in_order_counts() {
    let broken = Upstream::json(json!({"results": "?"})).await;
    let empty = Upstream::json(json!([])).await;
    let failing = Upstream::status(500, json!({})).await;
    let hung = Upstream::start(|_, _| async {
        std::future::pending::<()>().await;
        ().into_response()
    })
    .await;
    for service in [broken, empty, failing, hung] {
        assert_eq!(first_line(&with_reranker(&service.url, None)).await, "[1]: Restore a backup so");
        assert_eq!(service.calls().len(), 1);
    }
}

#[tokio::test]
async fn nobody_waits_for_a_service_that_is_down() {
    let failing = Upstream::status(500, json!({})).await;
    let app = with_reranker(&failing.url, None);
    for _ in 0..6 {
        assert_eq!(first_line(&app).await, "[1]: Restore a backup so");
    }
    assert_eq!(failing.calls().len(), 3);
}
