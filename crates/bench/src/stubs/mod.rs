//! Data sources and models. Those whose slug ends in `late` answer after 20 ms, in `hung` never, in `stream` token
//! by token; the others at once.

mod stream;

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::bare;

pub(crate) use stream::PERIOD;

/// What a late answer takes.
const LATE: Duration = Duration::from_millis(20);

/// How long the slowest late source of each chat took, by correlation id, until its late model is asked.
type Slowest = Arc<Mutex<HashMap<String, Duration>>>;

/// Serves both on the port named by the harness.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let router = Router::new()
        .route("/health", get(|| async { "ok" }))
        .route("/api/v1/endpoints/{slug}/query", post(query))
        .with_state(Slowest::default());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, bare::port()?)).await?;
    // Without it a token waits in the kernel until the one before is acknowledged, which takes up to 40 ms.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, router).await?;
    Ok(())
}

async fn query(
    State(slowest): State<Slowest>,
    Path(slug): Path<String>,
    headers: HeaderMap,
    Json(_): Json<Value>,
) -> Response {
    let asked = Instant::now();
    if slug.ends_with("stream") {
        return stream::answer();
    }
    if slug.ends_with("hung") {
        std::future::pending::<()>().await;
    }
    if !slug.ends_with("late") {
        let json = if slug.starts_with("model") { said(ANSWER) } else { documents(&slug) };
        return Json(json).into_response();
    }
    tokio::time::sleep(LATE).await;
    let chat = headers.get("x-correlation-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    if slug.starts_with("model") {
        let before = slowest.lock().unwrap_or_else(PoisonError::into_inner).remove(chat).unwrap_or_default();
        let took = before + asked.elapsed();
        return Json(said(&format!("{ANSWER} {}", took.as_micros()))).into_response();
    }
    let json = documents(&slug);
    let mut slowest = slowest.lock().unwrap_or_else(PoisonError::into_inner);
    let known = slowest.entry(chat.to_owned()).or_default();
    *known = asked.elapsed().max(*known);
    drop(slowest);
    Json(json).into_response()
}

const ANSWER: &str = "Stop the hub, then copy its data directory [cite:1].";

/// What the late stubs of a chat took one after the other, in microseconds: the slowest source, then the model. Its
/// model ends its answer with it.
///
/// # Errors
/// When `body` is not such an answer.
pub(crate) fn took(body: &[u8]) -> anyhow::Result<u64> {
    let answer: Value = serde_json::from_slice(body)?;
    let text = answer["response"].as_str().unwrap_or_default();
    Ok(text.rsplit(' ').next().unwrap_or_default().parse()?)
}

fn said(content: &str) -> Value {
    json!({
        "summary": {
            "message": { "content": content },
            "usage": { "prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20 },
        },
        "references": null,
    })
}

fn documents(slug: &str) -> Value {
    let documents: Vec<Value> = (0..5)
        .map(|n| {
            json!({
                "document_id": format!("{slug}-{n}"),
                "content": content(slug, n),
                "metadata": { "title": format!("{slug} part {n}") },
                "similarity_score": 0.9 - f64::from(n) / 10.0,
            })
        })
        .collect();
    json!({ "summary": null, "references": { "documents": documents } })
}

/// 500 characters that no other document has, so that none counts as a copy.
fn content(slug: &str, number: i32) -> String {
    let sentence =
        |part: usize| format!("To restore backup {part} of {slug} {number} stop hub {part}{number}. ");
    let mut text: String = (0..12).map(sentence).collect();
    text.truncate(500);
    text
}
