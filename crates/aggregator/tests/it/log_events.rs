//! The log tells what became of a chat, step by step, under the id of its request.

use std::sync::Arc;

use axum::body::Body;
use axum::response::IntoResponse;
use bytes::Bytes;
use futures::StreamExt;
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use syfthub_proto::common::EndpointType;
use syfthub_proto::directory::Endpoint;
use tokio::sync::Notify;
use tower::ServiceExt;
use tracing::Level;

use crate::actor::{Answer, TestApp, post, question};
use crate::log::Lines;
use crate::upstream::{Upstream, event_stream};

const ID: &str = "my-request-7";

fn with_id(mut request: Request<Body>) -> Request<Body> {
    request.headers_mut().insert("x-correlation-id", ID.parse().unwrap());
    request
}

async fn ask(app: &TestApp, path: &str, body: &Value) -> Answer {
    app.send(with_id(post(path, body))).await
}

/// Each event is in the log once, under the id, with these words in its line.
fn assert_told(lines: &Lines, told: &[(&str, &[&str])]) {
    for (event, words) in told {
        let line = lines.of(event);
        assert!(line.starts_with(&format!("[{ID}] ")), "{line}");
        for word in *words {
            assert!(line.contains(word), "{word} is missing in {line}");
        }
    }
}

const SPOKEN: &[&str] = &[
    r#"data: {"content":"It "}"#,
    r#"data: {"content":"rose [cite:1]."}"#,
    r#"data: {"usage":{"prompt_tokens":5,"completion_tokens":4,"total_tokens":9}}"#,
    "data: [DONE]",
];

#[tokio::test]
async fn an_answered_chat() {
    let (lines, _log) = Lines::listen();
    let (app, model) = (TestApp::new(), Upstream::stream(SPOKEN).await);
    let source = Upstream::source(&[("A", "It rose", 0.9), ("B", "It fell", 0.1)]).await;
    let body = question(&model, &[("ann/docs", &source)]);
    assert_eq!(ask(&app, "/api/v1/chat/stream", &body).await.status, 200);
    assert_told(
        &lines,
        &[
            ("request.started", &["method=\"POST\"", "path=\"/api/v1/chat/stream\""]),
            ("request.completed", &["status_code=200", "duration_ms="]),
            (
                "chat.request.started",
                &["model=\"mia/writer\"", "sources=[\"ann/docs\"]", "delivery=\"stream\"", "prompt_bytes=26"],
            ),
            ("chat.retrieval.started", &["sources=1"]),
            ("data_source.query.started", &["path=\"ann/docs\"", "limit=5"]),
            (
                "data_source.query.completed",
                &["path=\"ann/docs\"", "status=\"success\"", "documents=2", "bytes=14", "duration_ms="],
            ),
            (
                "chat.retrieval.completed",
                &["sources=1", "failed=0", "documents=2", "bytes=14", "duration_ms="],
            ),
            ("chat.generation.started", &["messages=2"]),
            ("model.query.started", &["path=\"mia/writer\"", "streamed=true"]),
            (
                "model.query.completed",
                &[
                    "path=\"mia/writer\"",
                    "bytes=17",
                    "pieces=2",
                    "prompt_tokens=5",
                    "completion_tokens=4",
                    "first_token_ms=",
                    "tokens_per_second=",
                    "duration_ms=",
                ],
            ),
            ("chat.generation.completed", &["attempts=1", "duration_ms="]),
            (
                "chat.request.completed",
                &[
                    "sources=1",
                    "failed_sources=0",
                    "documents=2",
                    "citations=2",
                    "answer_bytes=",
                    "completion_tokens=4",
                    "retrieval_ms=",
                    "generation_ms=",
                    "duration_ms=",
                ],
            ),
            ("sse.stream.started", &["route=\"chat/stream\""]),
            ("sse.stream.completed", &["route=\"chat/stream\"", "events=", "bytes=", "duration_ms="]),
        ],
    );
}

#[tokio::test]
async fn a_chat_that_no_model_answers() {
    let (lines, _log) = Lines::listen();
    let (app, model) = (TestApp::new(), Upstream::status(500, json!({"detail": "no"})).await);
    let source = Upstream::status(404, json!({"detail": "no"})).await;
    let body = question(&model, &[("ann/docs", &source)]);
    assert_eq!(ask(&app, "/api/v1/chat", &body).await.status, 400);
    assert_told(
        &lines,
        &[
            ("data_source.query.failed", &["path=\"ann/docs\"", "status=\"error\"", "error=\"HTTP 404\""]),
            ("chat.retrieval.completed", &["failed=1", "documents=0"]),
            ("model.query.failed", &["path=\"mia/writer\"", "error=\"HTTP 500\"", "duration_ms="]),
            ("chat.generation.failed", &["attempts=1", "error=\"HTTP 500\"", "duration_ms="]),
            (
                "chat.request.failed",
                &["code=\"GENERATION_FAILED\"", "stage=\"generate\"", "status 500", "duration_ms="],
            ),
            ("request.completed", &["status_code=400"]),
        ],
    );
}

#[tokio::test]
async fn a_chat_whose_sources_deny_access() {
    let (lines, _log) = Lines::listen();
    let (app, model) = (TestApp::new(), Upstream::model("x").await);
    let denying = Upstream::status(403, json!({"detail": "no"})).await;
    let body = question(&model, &[("ann/docs", &denying)]);
    assert_eq!(ask(&app, "/api/v1/chat", &body).await.status, 400);
    assert_told(
        &lines,
        &[
            ("data_source.query.failed", &["status=\"access_denied\""]),
            ("chat.retrieval.failed", &["sources=1", "failed=1"]),
            ("chat.request.failed", &["code=\"SOURCE_ACCESS_DENIED\"", "stage=\"retrieve\""]),
        ],
    );
}

#[tokio::test]
async fn a_fault_of_ours() {
    let (lines, _log) = Lines::listen();
    let app = TestApp::with(|settings| settings.aggregator.require_auth = true);
    let model = Upstream::model("x").await;
    let mut body = question(&model, &[]);
    body["user_token"] = json!("down");
    assert_eq!(ask(&app, "/api/v1/chat", &body).await.status, 500);
    assert_told(&lines, &[("request.failed", &["path=\"/api/v1/chat\"", "status_code=500", "duration_ms="])]);
}

/// Says one word and no more.
async fn one_word(asked: &Arc<Notify>) -> Upstream {
    let asked = Arc::clone(asked);
    Upstream::start(move |_, _| {
        asked.notify_one();
        let word = Ok::<_, std::convert::Infallible>(Bytes::from("data: word\n\n"));
        let words = futures::stream::iter([word]).chain(futures::stream::pending());
        std::future::ready(event_stream(Body::from_stream(words)))
    })
    .await
}

#[tokio::test]
async fn a_client_that_goes_away() {
    let (lines, _log) = Lines::listen();
    let (app, model) = (TestApp::new(), one_word(&Arc::default()).await);
    let request = with_id(post("/api/v1/chat/stream", &question(&model, &[])));
    let mut body = app.router().oneshot(request).await.unwrap().into_body();
    let mut text = Vec::new();
    while !text.ends_with(b"{\"content\":\"word\"}\n\n") {
        text.extend_from_slice(body.frame().await.unwrap().unwrap().data_ref().unwrap());
    }
    drop(body);
    tokio::task::yield_now().await;
    assert_told(
        &lines,
        &[
            ("sse.stream.cancelled", &["route=\"chat/stream\"", "events=4", "bytes="]),
            ("chat.request.cancelled", &["stage=\"generate\"", "reason=\"the caller went away\""]),
        ],
    );
    assert!(!lines.text().contains("chat.request.failed"));
}

#[tokio::test]
async fn a_client_that_does_not_wait_for_the_end_of_the_body() {
    let (lines, _log) = Lines::listen();
    let (app, model) = (TestApp::new(), Upstream::stream(SPOKEN).await);
    let body = json!({"model": "mia/writer", "messages": [{"role": "user", "content": "x"}], "stream": true});
    let published =
        Endpoint { r#type: EndpointType::Model.into(), url: model.url.clone(), ..Endpoint::default() };
    app.hub.publish_as("mia/writer", published);
    for (path, body, last) in [
        ("/api/v1/chat/stream", question(&model, &[]), "event: done"),
        ("/v1/chat/completions", body, "data: [DONE]"),
    ] {
        let mut body = app.router().oneshot(with_id(post(path, &body))).await.unwrap().into_body();
        loop {
            let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
            if frame.starts_with(last.as_bytes()) {
                break;
            }
        }
    }
    let text = lines.text();
    assert_eq!(text.matches("sse.stream.completed").count(), 2, "{text}");
    assert!(!text.contains("cancelled"), "{text}");
}

#[tokio::test]
async fn stages_are_spans_with_sizes_where_somebody_debugs() {
    let (lines, _log) = Lines::listen_to_spans(Level::DEBUG);
    let (app, model) = (TestApp::new(), Upstream::stream(SPOKEN).await);
    let source = Upstream::source(&[("A", "It rose", 0.9), ("B", "It rose", 0.1)]).await;
    app.stream(&question(&model, &[("ann/docs", &source)])).await;
    let text = lines.text();
    for span in [
        "chat.tokens",
        "chat.retrieve{sources=1 documents=2 bytes=14}",
        // The sizes are not known yet when this one ends.
        "chat.retrieve:data_source.query{path=\"ann/docs\"}",
        "chat.mask{documents=2}",
        "chat.rerank{documents=2}",
        "chat.dedupe{documents=2 kept=1}",
        "chat.prompt{documents=1 messages=2 bytes=",
        "chat.generate{bytes=17}",
        "chat.attribute{citations=1 removed=0}",
    ] {
        let is_end = |line: &str| line.contains(" close ") && line.contains(span) && line.contains("http{");
        assert!(text.lines().any(is_end), "{span}: {text}");
    }
}

#[tokio::test]
async fn stages_are_no_spans_otherwise() {
    let (lines, _log) = Lines::listen_to_spans(Level::INFO);
    let (app, model) = (TestApp::new(), Upstream::model("ok").await);
    let source = Upstream::source(&[("A", "It rose", 0.9)]).await;
    app.chat(&question(&model, &[("ann/docs", &source)])).await;
    let text = lines.text();
    assert!(text.contains("http{"), "the request itself is one: {text}");
    for span in ["chat.retrieve", "data_source.query{", "chat.generate{"] {
        assert!(
            !text.contains(&format!("{span}{{")) && !text.contains(&format!(":{span}:")),
            "{span}: {text}"
        );
    }
}

#[tokio::test]
async fn a_silent_source_is_told_with_its_time() {
    let (lines, _log) = Lines::listen();
    let app = TestApp::with(|settings| {
        settings.aggregator.retrieval_timeout = std::time::Duration::from_millis(50);
    });
    let (model, hung) = (
        Upstream::model("ok").await,
        Upstream::start(|_, _| async {
            std::future::pending::<()>().await;
            ().into_response()
        })
        .await,
    );
    ask(&app, "/api/v1/chat", &question(&model, &[("ann/hung", &hung)])).await;
    let told: &[&str] = &["path=\"ann/hung\"", "status=\"timeout\"", "Request timed out", "duration_ms="];
    assert_told(&lines, &[("data_source.query.failed", told)]);
}

#[tokio::test]
async fn the_span_of_a_request_ends_with_its_work() {
    let (lines, _log) = Lines::listen_to_spans(Level::INFO);
    let (app, model) = (TestApp::new(), Upstream::model("ok").await);
    let body = question(&model, &[]);
    ask(&app, "/api/v1/chat", &body).await;
    let mut request = with_id(post("/api/v1/chat", &body));
    request.headers_mut().insert("idempotency-key", "7b0c9a52-2f0e-4d0c-9a3e-key".parse().unwrap());
    assert_eq!(app.send(request).await.status, 200);
    tokio::task::yield_now().await;
    let text = lines.text();
    let is_end = |line: &&str| line.contains("http{") && line.contains(" close ");
    assert_eq!(text.lines().filter(is_end).count(), 2, "{text}");
}
