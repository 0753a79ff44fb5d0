//! Reads against bare handlers.

use std::path::Path;

use tempfile::TempDir;

use super::Plan;
use crate::load::{self, Outcome, Shot};
use crate::process::Server;
use crate::report::Report;
use crate::seed;

/// `GET /health` against bare axum, the public listing against bare axum with sqlx.
pub(super) async fn run(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let data = TempDir::new()?;
    let hub = plan.hub(data.path()).await?;
    seed::endpoints(hub.addr, 1000).await?;
    let database = data.path().join("syfthub.db");
    let bare = bare(plan, &database).await?;

    let ours = shoot(plan, &hub, "/health").await?;
    let theirs = shoot(plan, &bare, "/health").await?;
    pair(report, "GET /health", &ours, &theirs, 80.0);

    let ours = shoot(plan, &hub, "/api/v1/endpoints/public?limit=20").await?;
    let theirs = shoot(plan, &bare, "/listing").await?;
    pair(report, "listing 20 of 1,000", &ours, &theirs, 50.0);
    bare.stop().await?;
    hub.stop().await
}

async fn bare(plan: &Plan, database: &Path) -> anyhow::Result<Server> {
    let database = database.display().to_string();
    plan.own(&["bare", "--database", &database]).await
}

async fn shoot(plan: &Plan, server: &Server, path: &str) -> anyhow::Result<Outcome> {
    load::run(server.addr, &Shot::get(path), plan.connections, plan.seconds).await
}

fn pair(report: &mut Report, name: &str, ours: &Outcome, theirs: &Outcome, goal: f64) {
    report.note(&format!("{name}: hub"), ours.describe());
    report.note(&format!("{name}: bare"), theirs.describe());
    report.at_least(&format!("{name}: hub / bare"), 100.0 * ours.rate() / theirs.rate(), goal);
}
