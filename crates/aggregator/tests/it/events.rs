//! The order and content of events on `/chat/stream`.

use std::time::Duration;

use axum::response::IntoResponse;
use serde_json::{Value, json};

use crate::actor::{Answer, TestApp, question, timeless};
use crate::upstream::Upstream;

/// A question to a streaming model about two documents of one source and none of another.
async fn answered() -> (Answer, Upstream) {
    let app = TestApp::new();
    let docs = Upstream::source(&[
        ("Backups", "Restore a backup with `restore`.", 0.9),
        ("Cats", "Cats purr.", 0.2),
    ])
    .await;
    let empty = Upstream::source(&[]).await;
    let model = Upstream::stream(&[
        r#"data: {"content":"Use restore "}"#,
        r#"data: {"content":"[cite:1]."}"#,
        r#"data: {"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}"#,
        "data: [DONE]",
    ])
    .await;
    let mut body = question(&model, &[("ann/docs", &docs), ("bob/none", &empty)]);
    body["top_k"] = json!(1);
    (app.stream(&body).await, model)
}

#[tokio::test]
async fn events_come_in_their_order_with_matching_counts() {
    let (answer, model) = answered().await;
    let mut names = answer.names();
    assert_eq!(names.remove(0), "retrieval_start");
    let expected = [
        "source_complete",
        "source_complete",
        "reranking_start",
        "reranking_complete",
        "retrieval_complete",
        "generation_start",
        "token",
        "token",
        "done",
    ];
    assert_eq!(names, expected);
    assert_eq!(answer.event("retrieval_start"), json!({"sources": 2}));
    assert_eq!(answer.event("reranking_start"), json!({"documents": 2}));
    assert_eq!(answer.event("reranking_complete")["documents"], 1);
    assert_eq!(answer.event("retrieval_complete")["total_documents"], 1);
    assert!(answer.event("reranking_complete")["time_ms"].is_u64());
    assert_eq!(model.calls()[0].header("accept"), Some("text/event-stream"));
    assert_eq!(model.calls()[0].body["stream"], true);
}

#[tokio::test]
async fn the_last_event_has_every_key_that_clients_read() {
    let (answer, _) = answered().await;
    insta::assert_json_snapshot!(timeless(answer.event("done")), @r#"
    {
      "response": "Use restore [cite:1-0:12].",
      "sources": {
        "Backups": {
          "slug": "ann/docs",
          "content": "Restore a backup with `restore`."
        },
        "Cats": {
          "slug": "ann/docs",
          "content": "Cats purr."
        }
      },
      "retrieval_info": [
        {
          "path": "ann/docs",
          "documents_retrieved": 2,
          "status": "success",
          "error_message": null
        },
        {
          "path": "bob/none",
          "documents_retrieved": 0,
          "status": "success",
          "error_message": null
        }
      ],
      "metadata": {
        "retrieval_time_ms": "[ms]",
        "generation_time_ms": "[ms]",
        "total_time_ms": "[ms]"
      },
      "usage": {
        "prompt_tokens": 5,
        "completion_tokens": 2,
        "total_tokens": 7
      },
      "profit_share": {
        "ann/docs": 1.0
      },
      "citations": {
        "1": {
          "slug": "ann/docs",
          "title": "Backups",
          "passage": "Restore a backup with `restore`.",
          "span": [
            0,
            32
          ]
        }
      }
    }
    "#);
}

#[tokio::test]
async fn the_headers_are_those_of_a_stream_that_nobody_buffers() {
    let (app, model) = (TestApp::new(), Upstream::model("ok").await);
    let answer = app.stream(&question(&model, &[])).await;
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    assert_eq!(answer.headers["cache-control"], "no-cache");
    assert_eq!(answer.headers["x-accel-buffering"], "no");
}

#[tokio::test]
async fn without_sources_nothing_is_ranked() {
    let (app, model) = (TestApp::new(), Upstream::model("General [cite:1].").await);
    let answer = app.stream(&question(&model, &[])).await;
    assert_eq!(
        answer.names(),
        ["retrieval_start", "retrieval_complete", "generation_start", "token", "done"]
    );
    let done = answer.event("done");
    assert_eq!(answer.event("token"), json!({"content": "General [cite:1]."}));
    for absent in ["profit_share", "response", "usage", "billing", "citations"] {
        assert_eq!(done.get(absent), None, "{absent}");
    }
}

#[tokio::test]
async fn a_model_that_does_not_stream_gives_one_token_and_an_empty_one_too() {
    let app = TestApp::new();
    let silent = Upstream::json(json!({"summary": null})).await;
    let answer = app.stream(&question(&silent, &[])).await;
    assert_eq!(answer.event("token"), json!({"content": ""}));
    let model = Upstream::model("whole\u{2028}text").await;
    let answer = app.stream(&question(&model, &[])).await;
    assert_eq!(answer.event("token"), json!({"content": "whole\u{2028}text"}));
}

#[tokio::test]
async fn streaming_from_the_model_can_be_turned_off() {
    let app = TestApp::with(|settings| settings.aggregator.model_streaming = false);
    let model = Upstream::model("ok").await;
    app.stream(&question(&model, &[])).await;
    assert_eq!(model.calls()[0].body["stream"], false);
}

#[tokio::test]
async fn a_slow_model_is_bridged_by_heartbeats_until_its_first_token() {
    let app = TestApp::new();
    let model = Upstream::start(|_, _| async {
        // Longer than several heartbeats of the test's pace.
        tokio::time::sleep(Duration::from_millis(150)).await;
        let slow_end = async_stream::stream! {
            yield Ok::<_, std::convert::Infallible>("data: a\n\n");
            tokio::time::sleep(Duration::from_millis(100)).await;
            yield Ok("data: b\n\n");
        };
        crate::upstream::event_stream(axum::body::Body::from_stream(slow_end))
    })
    .await;
    let events = app.stream(&question(&model, &[])).await.events();
    let beats: Vec<usize> = positions(&events, "generation_heartbeat");
    let tokens: Vec<usize> = positions(&events, "token");
    assert!(!beats.is_empty());
    assert!(events[beats[0]].1["elapsed_ms"].is_u64());
    assert!(beats.last() < tokens.first(), "no heartbeat after the first token: {events:?}");
    assert_eq!(tokens.len(), 2);
}

fn positions(events: &[(String, Value)], name: &str) -> Vec<usize> {
    (0..events.len()).filter(|index| events[*index].0 == name).collect()
}

#[tokio::test]
async fn when_ranking_fails_the_answer_still_comes_without_shares() {
    let app = TestApp::new();
    let long = "restore ".repeat(12_000);
    let documents: Vec<(String, f64)> =
        (0..20).map(|index| (format!("T{index}"), f64::from(index) / 100.0)).collect();
    let documents: Vec<(&str, &str, f64)> =
        documents.iter().map(|(title, score)| (title.as_str(), long.as_str(), *score)).collect();
    let source = Upstream::source(&documents).await;
    let model = Upstream::model("An answer [ann/big].").await;
    let sources = [("ann/big", &source), ("bob/big", &source), ("cy/big", &source)];
    let answer = app.stream(&question(&model, &sources)).await;
    assert_eq!(answer.event("reranking_complete")["documents"], 60);
    let done = answer.event("done");
    assert_eq!(done.get("profit_share"), None);
    assert_eq!(done.get("response"), None);
    assert_eq!(answer.event("retrieval_complete")["total_documents"], 5);
    let prompt = model.last_user_message();
    assert!(prompt.contains(r#"source="ann/big" title="T19" relevance="0.19""#), "{}", &prompt[..600]);
    assert!(prompt.contains("restore restore restore"), "the text of the document");
}

#[tokio::test]
async fn retrieval_alone_needs_no_model() {
    let app = TestApp::new();
    let source = Upstream::source(&[("A", "x", 0.9), ("A", "y", 0.8)]).await;
    let mut body = question(&source, &[("ann/a", &source)]);
    body["model"] = json!({"url": "", "slug": "", "name": "retrieval-only"});
    body["retrieval_only"] = json!(true);
    let stream = app.stream(&body).await;
    assert_eq!(stream.names(), ["retrieval_start", "source_complete", "retrieval_complete", "done"]);
    let expected =
        json!({"A": {"slug": "ann/a", "content": "x"}, "A (2)": {"slug": "ann/a", "content": "y"}});
    assert_eq!(stream.event("done")["sources"], expected);
    let whole = app.chat(&body).await.json();
    assert_eq!((&whole["response"], &whole["sources"]), (&json!(""), &expected));
    assert_eq!(source.calls().len(), 2, "the model is never asked");
}

#[tokio::test]
async fn the_whole_request_has_an_end() {
    let app = TestApp::with(|settings| settings.aggregator.total_timeout = Duration::from_millis(200));
    let model = Upstream::start(|_, _| async {
        std::future::pending::<()>().await;
        ().into_response()
    })
    .await;
    let answer = app.stream(&question(&model, &[])).await;
    assert!(answer.event("error")["message"].as_str().unwrap().contains("took longer"), "{}", answer.text);
    assert_eq!(answer.names().last().unwrap(), "error");
    assert_eq!(app.chat(&question(&model, &[])).await.status, 400);
}
