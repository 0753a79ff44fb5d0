//! Replacing three hundred endpoints at once.

use std::time::Instant;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{Registry, call, seed};
use crate::load::Shot;
use crate::report::Report;

/// The worst of five, each replacing what the one before published.
pub(super) async fn run(registry: &Registry, report: &mut Report) -> anyhow::Result<()> {
    let made = registry.register("bench-publisher").await?;
    let token = made["access_token"].as_str().context("no access token")?;
    let mut worst = 0.0_f64;
    for round in 0..5 {
        let items: Vec<Value> = (0..300_u32)
            .map(|n| {
                let words: Vec<String> = (0..30).map(|w| seed::word((n * 31 + w * 7 + round) % 20_000)).collect();
                json!({"name": format!("Published {n}"), "type": "data_source", "description": words[..8].join(" "),
                    "readme": words.join(" "), "tags": ["bench"], "connect": [{"type": "http", "config": {"url": "/"}}]})
            })
            .collect();
        let shot = Shot::post_json("/api/v1/endpoints/sync", &json!({"endpoints": items})).with_bearer(token);
        let started = Instant::now();
        let done = call(registry.hub.addr, &shot).await?;
        worst = worst.max(started.elapsed().as_secs_f64() * 1000.0);
        anyhow::ensure!(done["synced"] == 300, "sync published {}", done["synced"]);
    }
    let left: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM endpoints e JOIN users u ON u.id = e.user_id WHERE u.username = 'bench-publisher'")
        .fetch_one(&registry.pool)
        .await?;
    anyhow::ensure!(left == 300, "{left} endpoints are left after five replacements");
    report.at_most("sync of 300 endpoints, worst of five", worst, 300.0, "ms");
    Ok(())
}
