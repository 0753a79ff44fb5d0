//! Readiness, and the routes that probes ask.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Whether the service takes requests. Off until it is built, and off again before it drains.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Not ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ready from the start; for tests and for services that open nothing.
    pub fn ready() -> Self {
        let readiness = Self::new();
        readiness.set(true);
        readiness
    }

    /// Turns readiness on or off.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    /// Whether it is on.
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// `/health/live` (the process answers) and `/health/ready` (it takes requests, else 503). A service
/// adds `/health` in its own shape.
pub fn routes(readiness: Readiness) -> Router {
    Router::new()
        .route("/health/live", get(|| async { Json(json!({"status": "alive"})) }))
        .route("/health/ready", get(ready))
        .with_state(readiness)
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    if readiness.is_ready() {
        return Json(json!({"status": "ready"})).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "not ready"}))).into_response()
}

/// Asks the `/health` of a service on this machine, for `… healthcheck` in a container. The error says
/// what was wrong.
pub async fn probe(port: u16, limit: Duration) -> Result<(), String> {
    let asked = tokio::time::timeout(limit, ask(port)).await;
    let status = asked.map_err(|_| format!("no answer on port {port} within {limit:?}"))?;
    let status = status.map_err(|error| format!("port {port}: {error}"))?;
    if status.starts_with("HTTP/1.1 200") || status.starts_with("HTTP/1.0 200") {
        return Ok(());
    }
    Err(format!("port {port} answered `{}`", status.trim_end()))
}

/// The status line of `GET /health`.
async fn ask(port: u16) -> std::io::Result<String> {
    let mut stream = BufReader::new(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?);
    let question = b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.get_mut().write_all(question).await?;
    let mut line = String::new();
    stream.take(256).read_line(&mut line).await?;
    Ok(line)
}
