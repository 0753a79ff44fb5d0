//! Scripted services behind endpoints, on ports of their own.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use http::{HeaderMap, StatusCode, Uri};
use serde_json::{Value, json};
use syfthub_rpc::{LinkedTask, spawn_linked};

/// A request that an endpoint received.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Call {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

type Script = Arc<dyn Fn(usize, Call) -> BoxFuture<'static, Response> + Send + Sync>;

#[derive(Clone)]
struct Service {
    script: Script,
    calls: Arc<Mutex<Vec<Call>>>,
}

/// A service that answers by a script. It ends with this value.
pub(crate) struct Upstream {
    pub(crate) url: String,
    calls: Arc<Mutex<Vec<Call>>>,
    _task: LinkedTask<()>,
}

impl Upstream {
    /// Answers by `script`, which gets the number of the call (from 0) and the call.
    pub(crate) async fn start<F>(script: impl Fn(usize, Call) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Response> + Send + 'static,
    {
        let calls = Arc::<Mutex<Vec<Call>>>::default();
        let script: Script = Arc::new(move |number, call| Box::pin(script(number, call)));
        let router = Router::new().fallback(answer).with_state(Service { script, calls: Arc::clone(&calls) });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = spawn_linked(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, calls, _task: task }
    }

    /// Always answers 200 with `json`.
    pub(crate) async fn json(json: Value) -> Self {
        Self::start(move |_, _| std::future::ready(axum::Json(json.clone()).into_response())).await
    }

    /// Always answers `status` with `json`.
    pub(crate) async fn status(status: u16, json: Value) -> Self {
        let status = StatusCode::from_u16(status).unwrap();
        Self::start(move |_, _| std::future::ready((status, axum::Json(json.clone())).into_response())).await
    }

    /// A data source with these documents: title, text, score.
    pub(crate) async fn source(documents: &[(&str, &str, f64)]) -> Self {
        Self::json(references(documents)).await
    }

    /// A model that says `text` in one piece.
    pub(crate) async fn model(text: &str) -> Self {
        Self::json(json!({"summary": {"message": {"content": text}}})).await
    }

    /// A model that streams `lines` as they are.
    pub(crate) async fn stream(lines: &'static [&'static str]) -> Self {
        Self::start(move |_, _| {
            let chunks = lines
                .iter()
                .map(|line| Ok::<_, std::convert::Infallible>(Bytes::from(format!("{line}\n\n"))));
            std::future::ready(event_stream(Body::from_stream(futures::stream::iter(chunks))))
        })
        .await
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// The last message that a model was asked to answer.
    pub(crate) fn last_user_message(&self) -> String {
        let calls = self.calls();
        let messages = calls.last().unwrap().body["messages"].as_array().unwrap();
        messages.last().unwrap()["content"].as_str().unwrap().to_owned()
    }
}

async fn answer(State(service): State<Service>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let call = Call { path: uri.path().to_owned(), headers, body };
    let number = {
        let mut calls = service.calls.lock().unwrap();
        calls.push(call.clone());
        calls.len() - 1
    };
    (service.script)(number, call).await
}

pub(crate) fn references(documents: &[(&str, &str, f64)]) -> Value {
    let documents: Vec<Value> = documents
        .iter()
        .map(|(title, content, score)| {
            json!({"document_id": title, "content": content, "metadata": {"title": title}, "similarity_score": score})
        })
        .collect();
    json!({"summary": null, "references": {"documents": documents}})
}

pub(crate) fn event_stream(body: Body) -> Response {
    ([("content-type", "text/event-stream")], body).into_response()
}
