//! Data sources and models: those whose slug ends in `late` answer after 20 ms, the others at once.

use std::net::Ipv4Addr;
use std::time::Duration;

use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::bare;

/// What a late answer takes.
const LATE: Duration = Duration::from_millis(20);

/// Serves both on the port named by the harness.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let router = Router::new()
        .route("/health", get(|| async { "ok" }))
        .route("/api/v1/endpoints/{slug}/query", post(query));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, bare::port()?)).await?;
    axum::serve(listener, router).await?;
    Ok(())
}

async fn query(Path(slug): Path<String>, Json(_): Json<Value>) -> Json<Value> {
    if slug.ends_with("late") {
        tokio::time::sleep(LATE).await;
    }
    if slug.starts_with("model") {
        return Json(json!({
            "summary": {
                "message": { "content": "Stop the hub, then copy its data directory [cite:1]." },
                "usage": { "prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20 },
            },
            "references": null,
        }));
    }
    let documents: Vec<Value> = (0..5)
        .map(|n| {
            json!({
                "document_id": format!("{slug}-{n}"),
                "content": content(&slug, n),
                "metadata": { "title": format!("{slug} part {n}") },
                "similarity_score": 0.9 - f64::from(n) / 10.0,
            })
        })
        .collect();
    Json(json!({ "summary": null, "references": { "documents": documents } }))
}

/// 500 characters that no other document has, so that none counts as a copy.
fn content(slug: &str, number: i32) -> String {
    let sentence =
        |part: usize| format!("To restore backup {part} of {slug} {number} stop hub {part}{number}. ");
    let mut text: String = (0..12).map(sentence).collect();
    text.truncate(500);
    text
}
