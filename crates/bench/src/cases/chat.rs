//! What the hub adds to a chat through three sources and one model that answer at once.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::Plan;
use crate::load::{self, Shot};
use crate::report::Report;

/// One chat at a time: its latency less that of one source call and one model call made directly.
pub(super) async fn run(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let data = TempDir::new()?;
    let hub = plan.hub(data.path()).await?;
    let stubs = plan.own(&["stubs"]).await?;
    let url = format!("http://{}", stubs.addr);
    let endpoint = |slug: &str| json!({ "url": url, "slug": slug, "owner_username": "bench" });
    let sources: Vec<Value> = ["one", "two", "three"].into_iter().map(endpoint).collect();
    let chat = json!({ "prompt": "How do I restore a backup?", "model": endpoint("model"), "data_sources": sources });

    let direct =
        |slug: &str| Shot::post_json(&format!("/api/v1/endpoints/{slug}/query"), &json!({ "messages": "x" }));
    let source = load::run(stubs.addr, &direct("one"), 1, plan.seconds).await?;
    let model = load::run(stubs.addr, &direct("model"), 1, plan.seconds).await?;
    let whole =
        load::run(hub.addr, &Shot::post_json("/aggregator/api/v1/chat", &chat), 1, plan.seconds).await?;

    report.note("chat, 3 sources + 1 model, one at a time", whole.describe());
    report.note("one source and one model call, direct", {
        format!("p50 {:.2} + {:.2} ms", source.quantile_ms(0.5), model.quantile_ms(0.5))
    });
    let overhead = whole.quantile_ms(0.5) - source.quantile_ms(0.5) - model.quantile_ms(0.5);
    report.at_most("chat: hub overhead p50", overhead, 2.0, "ms");
    let loaded = load::run(
        hub.addr,
        &Shot::post_json("/aggregator/api/v1/chat", &chat),
        plan.connections,
        plan.seconds,
    )
    .await?;
    report.note("chat under full load", loaded.describe());
    stubs.stop().await?;
    hub.stop().await
}
