//! What the hub adds to a chat: through three sources and one model that answer at once, one chat at a time; through
//! ten sources and a model that take 20 ms each, 300 times a second; and without sources, as fast as it goes.

use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::Plan;
use crate::load::{self, Shot};
use crate::process::Server;
use crate::report::Report;
use crate::stubs;

/// One chat at a time: its latency less that of one source call and one model call made directly.
pub(super) async fn run(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let data = TempDir::new()?;
    let hub = plan.hub(data.path()).await?;
    let stubs = plan.own(&["stubs"]).await?;
    let three = chat(&stubs, "model", &["one", "two", "three"].map(str::to_owned));

    let source = load::run(stubs.addr, &direct("one"), 1, plan.seconds).await?;
    let model = load::run(stubs.addr, &direct("model"), 1, plan.seconds).await?;
    let whole = load::run(hub.addr, &three, 1, plan.seconds).await?;

    report.note("chat, 3 sources + 1 model, one at a time", whole.describe());
    report.note("one source and one model call, direct", {
        format!("p50 {:.2} + {:.2} ms", source.quantile_ms(0.5), model.quantile_ms(0.5))
    });
    let overhead = whole.quantile_ms(0.5) - source.quantile_ms(0.5) - model.quantile_ms(0.5);
    report.at_most("chat: hub overhead p50", overhead, 2.0, "ms");
    let loaded = load::run(hub.addr, &three, plan.connections, plan.seconds).await?;
    report.note("chat under full load", loaded.describe());
    many_sources(plan, &hub, &stubs, report).await?;
    passed_through(plan, &hub, &stubs, report).await?;
    report.at_most("hub in one process, most memory under these chats", hub.peak_mib()?, 200.0, "MiB");
    stubs.stop().await?;
    hub.stop().await
}

fn endpoint(stubs: &Server, slug: &str) -> Value {
    json!({ "url": format!("http://{}", stubs.addr), "slug": slug, "owner_username": format!("bench-{slug}") })
}

fn direct(slug: &str) -> Shot {
    Shot::post_json(&format!("/api/v1/endpoints/{slug}/query"), &json!({ "messages": "x" }))
}

fn chat(stubs: &Server, model: &str, sources: &[String]) -> Shot {
    let sources: Vec<Value> = sources.iter().map(|slug| endpoint(stubs, slug)).collect();
    let body = json!({ "prompt": "How do I restore a backup?", "model": endpoint(stubs, model), "data_sources": sources });
    Shot::post_json("/aggregator/api/v1/chat", &body)
}

const RATE: f64 = 300.0;
const CONNECTIONS: usize = 64;

/// Ten sources of five documents each; then nine of them and one that never answers. What the slowest of them and the
/// model took for a chat is subtracted from that chat.
async fn many_sources(plan: &Plan, hub: &Server, stubs: &Server, report: &mut Report) -> anyhow::Result<()> {
    let mut slugs: Vec<String> = (0..10).map(|number| format!("s{number}-late")).collect();
    let whole = chat(stubs, "model-late", &slugs);
    load::run(hub.addr, &whole, 4, plan.seconds / 2).await?;
    beyond(plan, hub, &whole, "chat, 10 sources x 5 documents, 20 ms each, 300/s", report).await?;
    "hung".clone_into(&mut slugs[9]);
    let whole = chat(stubs, "model-late", &slugs);
    let begun = Instant::now();
    load::paced_beyond(hub.addr, std::slice::from_ref(&whole), RATE, CONNECTIONS, plan.seconds, stubs::took)
        .await?;
    report.note(
        "one of the ten begins to hang",
        format!("the first chats took {:.1} s in all", begun.elapsed().as_secs_f64()),
    );
    beyond(plan, hub, &whole, "one of the ten hangs", report).await
}

async fn beyond(
    plan: &Plan,
    hub: &Server,
    whole: &Shot,
    name: &str,
    report: &mut Report,
) -> anyhow::Result<()> {
    let shots = std::slice::from_ref(whole);
    let added = load::paced_beyond(hub.addr, shots, RATE, CONNECTIONS, plan.seconds, stubs::took).await?;
    report.note(name, added.describe());
    report.at_most("the same: hub overhead p50", added.quantile_ms(0.5), 2.0, "ms");
    report.at_most("the same: hub overhead p99", added.quantile_ms(0.99), 4.0, "ms");
    Ok(())
}

/// A question for a model alone.
async fn passed_through(
    plan: &Plan,
    hub: &Server,
    stubs: &Server,
    report: &mut Report,
) -> anyhow::Result<()> {
    let whole = chat(stubs, "model", &[]);
    let most = load::run(hub.addr, &whole, plan.connections, plan.seconds).await?;
    report.note("chat without sources", most.describe());
    report.at_least_per_second("chat without sources", most.rate(), 6000.0);
    let half = most.rate() / 2.0;
    let through = load::paced(hub.addr, &[whole], half, plan.connections, plan.seconds).await?;
    let bare = load::paced(stubs.addr, &[direct("model")], half, plan.connections, plan.seconds).await?;
    let added = through.quantile_ms(0.99) - bare.quantile_ms(0.99);
    report.at_most("chat without sources: p99 added at half load", added, 2.0, "ms");
    Ok(())
}
