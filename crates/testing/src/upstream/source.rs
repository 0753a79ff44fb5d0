//! A fake data source.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderMap, Uri};
use serde_json::{Map, Value, json};

use super::behaviour::typed;
use super::server::{Listening, Shared, fake};

/// A document that a fake source returns.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its id.
    pub id: String,
    /// Its text.
    pub content: String,
    /// Similarity, 0 to 1.
    pub score: f64,
    /// Anything else, for example `title`.
    pub metadata: Map<String, Value>,
}

impl Document {
    /// A document with a title.
    pub fn new(id: &str, title: &str, content: &str, score: f64) -> Self {
        let metadata = Map::from_iter([("title".to_owned(), Value::from(title))]);
        Self { id: id.to_owned(), content: content.to_owned(), score, metadata }
    }
}

/// A data source that returns the same documents to every question, at most `limit` of them.
#[derive(Debug)]
pub struct FakeSource {
    listening: Listening,
    shared: Shared,
}

fake!(FakeSource);

#[derive(Debug, Clone)]
struct Answers {
    shared: Shared,
    documents: Vec<Document>,
}

impl FakeSource {
    /// Starts a source with these documents.
    pub async fn start(documents: Vec<Document>) -> Self {
        let shared = Shared::new();
        let router = Router::new()
            .route("/api/v1/endpoints/{slug}/query", post(query))
            .route("/api/v1/health", get(async || "{\"status\":\"healthy\"}"))
            .with_state(Answers { shared: shared.clone(), documents });
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
    let limit = request.body["limit"].as_u64().and_then(|limit| usize::try_from(limit).ok());
    let documents: Vec<Value> = answers
        .documents
        .iter()
        .take(limit.unwrap_or(usize::MAX))
        .map(|document| {
            json!({
                "document_id": document.id,
                "content": document.content,
                "metadata": document.metadata,
                "similarity_score": document.score,
            })
        })
        .collect();
    let answer =
        json!({"summary": null, "references": {"documents": documents}, "cost": 0.0, "currency": "USD"});
    typed("application/json", Body::from(answer.to_string()))
}
