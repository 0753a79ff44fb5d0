//! Whether the service is well.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};
use syfthub_store::Db;
use syfthub_web::health::Readiness;

/// Probes give up after a few seconds, so the database gets less.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// What the probes look at.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    pub(crate) db: Db,
    pub(crate) readiness: Readiness,
}

/// `/health` (in the shape that clients know), `/healthz`, `/health/live` and `/health/ready`.
pub(crate) fn routes(health: Health) -> Router {
    Router::new()
        .route("/health", get(healthy))
        .route("/healthz", get(healthy))
        .route("/health/live", get(|| async { Json(json!({"status": "alive"})) }))
        .route("/health/ready", get(ready))
        .with_state(health)
}

/// The answer of `GET /health`: the process answers, whatever the state of what it depends on.
pub fn liveness() -> Value {
    json!({"status": "healthy", "version": env!("CARGO_PKG_VERSION")})
}

async fn healthy() -> Json<Value> {
    Json(liveness())
}

async fn ready(State(health): State<Health>) -> Response {
    let database = match tokio::time::timeout(PING_TIMEOUT, health.db.ping()).await {
        Ok(Ok(())) => "connected",
        Ok(Err(error)) => {
            tracing::warn!(%error, "health.database.unreachable");
            "unreachable"
        }
        Err(_) => {
            tracing::warn!("health.database.slow");
            "unreachable"
        }
    };
    if database == "connected" && health.readiness.is_ready() {
        return Json(json!({"status": "ready", "database": database})).into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "not ready", "database": database})))
        .into_response()
}
