//! A fake model.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderMap, Uri};
use serde_json::{Value, json};

use super::behaviour::typed;
use super::server::{Listening, Shared, fake};

/// How a streaming model writes its `data:` lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamForm {
    /// `{"summary":{"message":{"content":…}}}`
    Summary,
    /// `{"choices":[{"delta":{"content":…}}]}`
    OpenAi,
    /// `{"content":…}`
    Content,
    /// The text itself.
    Plain,
    /// No stream: the JSON envelope even to callers that asked for one.
    None,
}

/// A model that says the same pieces of text to everybody, with a pause between them when it streams.
#[derive(Debug)]
pub struct FakeModel {
    listening: Listening,
    shared: Shared,
}

fake!(FakeModel);

#[derive(Debug, Clone)]
struct Answers {
    shared: Shared,
    pieces: Vec<String>,
    form: StreamForm,
    pause: Duration,
}

impl FakeModel {
    /// Starts a model that says `pieces` without pauses.
    pub async fn start(form: StreamForm, pieces: &[&str]) -> Self {
        Self::start_slow(form, pieces, Duration::ZERO).await
    }

    /// Starts a model that waits before each piece of a stream.
    pub async fn start_slow(form: StreamForm, pieces: &[&str], pause: Duration) -> Self {
        let shared = Shared::new();
        let pieces = pieces.iter().map(|piece| (*piece).to_owned()).collect();
        let router = Router::new()
            .route("/api/v1/endpoints/{slug}/query", post(query))
            .route("/api/v1/health", get(async || "{\"status\":\"healthy\"}"))
            .with_state(Answers { shared: shared.clone(), pieces, form, pause });
        Self { listening: Listening::start(router).await, shared }
    }
}

async fn query(State(answers): State<Answers>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let (behaviour, request) = answers.shared.take(uri, headers, &body);
    let mut unfinished = answers.shared.unfinished();
    let bad = behaviour.response().await;
    unfinished.done();
    if let Some(bad) = bad {
        return bad;
    }
    if request.body["stream"] == Value::Bool(true) && answers.form != StreamForm::None {
        return typed("text/event-stream", Body::from_stream(stream(answers)));
    }
    typed("application/json", Body::from(envelope(&answers.pieces).to_string()))
}

fn envelope(pieces: &[String]) -> Value {
    json!({
        "summary": {
            "message": {"role": "assistant", "content": pieces.concat()},
            "model": "fake",
            "finish_reason": "stop",
            "usage": usage(pieces.len()),
        },
        "references": null,
        "cost": 0.0,
        "currency": "USD",
    })
}

fn usage(pieces: usize) -> Value {
    json!({"prompt_tokens": 10, "completion_tokens": pieces, "total_tokens": 10 + pieces})
}

fn stream(answers: Answers) -> impl futures::Stream<Item = Result<Bytes, std::convert::Infallible>> {
    async_stream::stream! {
        let mut unfinished = answers.shared.unfinished();
        for piece in &answers.pieces {
            if !answers.pause.is_zero() {
                tokio::time::sleep(answers.pause).await;
            }
            yield Ok(line(&data(answers.form, piece)));
        }
        if let Some(last) = last(answers.form, answers.pieces.len()) {
            yield Ok(line(&last.to_string()));
        }
        unfinished.done();
        yield Ok(line("[DONE]"));
    }
}

fn line(data: &str) -> Bytes {
    Bytes::from(format!("data: {data}\n\n"))
}

fn data(form: StreamForm, piece: &str) -> String {
    match form {
        StreamForm::Summary | StreamForm::None => {
            json!({"summary": {"message": {"content": piece}}}).to_string()
        }
        StreamForm::OpenAi => json!({"choices": [{"index": 0, "delta": {"content": piece}}]}).to_string(),
        StreamForm::Content => json!({"content": piece}).to_string(),
        StreamForm::Plain => piece.to_owned(),
    }
}

/// The line with the usage, in the forms that have one.
fn last(form: StreamForm, pieces: usize) -> Option<Value> {
    match form {
        StreamForm::Summary => Some(
            json!({"summary": {"message": {"content": ""}, "usage": usage(pieces), "finish_reason": "stop"}}),
        ),
        StreamForm::OpenAi => Some(json!({"choices": [], "usage": usage(pieces)})),
        StreamForm::Content | StreamForm::Plain | StreamForm::None => None,
    }
}
