//! A data source and a model that answer at once.

use std::net::Ipv4Addr;

use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::bare;

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
                "content": "To restore a backup stop the hub and copy the files back. ".repeat(9),
                "metadata": { "title": format!("{slug} part {n}") },
                "similarity_score": 0.9 - f64::from(n) / 10.0,
            })
        })
        .collect();
    Json(json!({ "summary": null, "references": { "documents": documents } }))
}
