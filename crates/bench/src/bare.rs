//! The least that could answer: what the framework itself costs.

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::Context as _;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use tokio::net::TcpListener;

/// Setting that carries the port to this process.
pub(crate) const PORT_ARGUMENT: &str = "BENCH_PORT";

/// Serves `/health` and, given a database, `/listing` or the routes of a registry on the port named by `BENCH_PORT`.
pub(crate) async fn serve(database: Option<&Path>, registry: Option<&str>) -> anyhow::Result<()> {
    let mut router = Router::new().route("/health", get(health));
    if let Some(path) = database {
        let options = SqliteConnectOptions::new().filename(path).read_only(true);
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
        router = router.merge(Router::new().route("/listing", get(listing)).with_state(pool));
    }
    if let Some(url) = registry {
        router = router.merge(crate::registry::bare::routes(url).await?);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port()?)).await?;
    axum::serve(listener, router).await?;
    Ok(())
}

/// The port that the harness chose.
#[expect(clippy::disallowed_methods, reason = "the harness talks to its own child process")]
pub(crate) fn port() -> anyhow::Result<u16> {
    Ok(std::env::var(PORT_ARGUMENT).context("started by the harness only")?.parse()?)
}

async fn health() -> Json<Value> {
    Json(json!({ "status": "healthy", "version": "0" }))
}

async fn listing(State(pool): State<SqlitePool>) -> Result<Json<Vec<Value>>, String> {
    let rows = sqlx::query(
        "SELECT e.name, e.slug, e.description, u.username, e.stars_count FROM endpoints e \
         JOIN users u ON u.id = e.user_id WHERE e.visibility = 'public' \
         ORDER BY e.updated_at DESC, e.id DESC LIMIT 20",
    )
    .fetch_all(&pool)
    .await
    .map_err(|error| error.to_string())?;
    Ok(Json(
        rows.iter()
            .map(|row| {
                json!({
                    "name": row.get::<String, _>(0),
                    "slug": row.get::<String, _>(1),
                    "description": row.get::<String, _>(2),
                    "owner_username": row.get::<String, _>(3),
                    "stars_count": row.get::<i64, _>(4),
                })
            })
            .collect(),
    ))
}
