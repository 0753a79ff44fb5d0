//! Data sources and a model for chats: five documents of 500 characters each time, other words every time; a model that
//! streams to whoever wants it; a source named `hung` that never answers.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use http::header;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::bare;

/// What a source takes.
const SOURCE: Duration = Duration::from_millis(5);
/// Pieces of a streamed answer, and the time before each.
const PIECES: usize = 20;
const PIECE: Duration = Duration::from_millis(5);

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Serves all of them on the port named by the harness.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let router = Router::new()
        .route("/health", get(|| async { "ok" }))
        .route("/api/v1/endpoints/{slug}/query", post(query));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, bare::port()?)).await?;
    axum::serve(listener, router).await?;
    Ok(())
}

async fn query(Path(slug): Path<String>, Json(body): Json<Value>) -> Response {
    match slug.as_str() {
        "hung" => std::future::pending().await,
        "model" if body["stream"] == true => spoken(),
        "model" => Json(json!({ "summary": { "message": { "content": sentence(0, 0) }, "usage": usage() } }))
            .into_response(),
        _ => {
            tokio::time::sleep(SOURCE).await;
            Json(documents(&slug)).into_response()
        }
    }
}

fn usage() -> Value {
    json!({ "prompt_tokens": 900, "completion_tokens": PIECES, "total_tokens": 900 + PIECES })
}

fn documents(slug: &str) -> Value {
    let documents: Vec<Value> = (0..5)
        .map(|place| {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let mut content: String = (0..12).map(|part| sentence(number, part)).collect();
            content.truncate(500);
            json!({
                "document_id": format!("{slug}-{number}"),
                "content": content,
                "metadata": { "title": format!("{slug} {number}") },
                "similarity_score": 0.9 - f64::from(place) / 10.0,
            })
        })
        .collect();
    json!({ "summary": null, "references": { "documents": documents } })
}

fn sentence(number: u64, part: u64) -> String {
    let mut text = format!("Engine {number} of part {part} runs on ");
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "w{:x} fuel [cite:1]. ",
        number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(7) ^ part
    );
    text
}

/// An answer in pieces. It ends with its reader.
fn spoken() -> Response {
    let pieces = futures::stream::unfold(0, |place| async move {
        tokio::time::sleep(PIECE).await;
        let piece = match place {
            0..PIECES => format!("data: {}\n\n", json!({ "content": format!("word{place} ") })),
            PIECES => format!("data: {}\n\ndata: [DONE]\n\n", json!({ "usage": usage() })),
            _ => return None,
        };
        Some((Ok::<_, Infallible>(Bytes::from(piece)), place + 1))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(pieces)).into_response()
}
