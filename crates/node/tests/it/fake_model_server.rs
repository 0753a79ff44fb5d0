//! A server that speaks OpenAI's chat completions.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What the server does with the next requests.
#[derive(Debug, Clone)]
pub(crate) enum Mood {
    Answer,
    Fail(u16, String),
    BreakOff,
    /// Begins to answer and never ends.
    Linger,
}

pub(crate) struct FakeModelServer {
    pub(crate) url: String,
    pub(crate) state: Arc<Talk>,
    _tasks: JoinSet<()>,
}

pub(crate) struct Talk {
    pub(crate) mood: Mutex<Mood>,
    /// Authorization header and body of each request.
    pub(crate) requests: Mutex<Vec<(String, Value)>>,
}

impl FakeModelServer {
    pub(crate) async fn start() -> Self {
        let state = Arc::new(Talk { mood: Mutex::new(Mood::Answer), requests: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/chat/completions", post(complete)).with_state(state.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, state, _tasks: tasks }
    }

    pub(crate) fn is(&self, mood: Mood) {
        *self.state.mood.lock().unwrap() = mood;
    }
}

async fn complete(State(talk): State<Arc<Talk>>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let key = headers.get("authorization").map_or("", |value| value.to_str().unwrap()).to_owned();
    talk.requests.lock().unwrap().push((key, body.clone()));
    let mood = talk.mood.lock().unwrap().clone();
    let usage = json!({"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13});
    match mood {
        Mood::Fail(code, text) => (StatusCode::from_u16(code).unwrap(), text).into_response(),
        Mood::Answer if body["stream"] == false => Json(json!({
            "model": "tiny-1", "usage": usage,
            "choices": [{"message": {"role": "assistant", "content": "Hello you"}, "finish_reason": "stop"}],
        }))
        .into_response(),
        mood => {
            let chunk =
                |text: &str| format!("data: {}\n\n", json!({"choices": [{"delta": {"content": text}}]}));
            let mut text = chunk("Hello ");
            let content_type = [(header::CONTENT_TYPE, "text/event-stream; charset=utf-8")];
            if matches!(mood, Mood::Linger) {
                let beginning = stream::iter([Ok::<_, Infallible>(text)]).chain(stream::pending());
                return (content_type, Body::from_stream(beginning)).into_response();
            }
            if matches!(mood, Mood::BreakOff) {
                text.push_str("data: {\"error\": {\"message\": \"out of memory\"}}\n\n");
            } else {
                text.push_str(&chunk("you"));
                let last = format!("data: {}\n\ndata: [DONE]\n\n", json!({"choices": [], "usage": usage}));
                text.push_str(&last);
            }
            (content_type, text).into_response()
        }
    }
}
