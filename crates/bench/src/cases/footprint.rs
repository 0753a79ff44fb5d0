//! Start-up time and idle memory.

use std::time::Duration;

use tempfile::TempDir;

use super::Plan;
use super::services::Services;
use crate::report::Report;

/// Starts on an existing database, best of five; then each service alone, idle.
pub(super) async fn run(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let data = TempDir::new()?;
    plan.hub(data.path()).await?.stop().await?;
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let hub = plan.hub(data.path()).await?;
        best = best.min(hub.ready_after);
        hub.stop().await?;
    }
    report.at_most("start to ready, existing database", best.as_secs_f64() * 1000.0, 300.0, "ms");
    let hub = plan.hub(data.path()).await?;
    report.note("all in one, idle", format!("{:.1} MiB", hub.resident_mib()?));
    hub.stop().await?;
    services(plan, report).await
}

async fn services(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let data = TempDir::new()?;
    let services = Services::start(plan, data.path()).await?;
    let mut together = 0.0;
    for (name, server, goal) in [
        ("backend", &services.backend, 40.0),
        ("aggregator", &services.aggregator, 20.0),
        ("mcp", &services.mcp, 20.0),
    ] {
        let resident = server.resident_mib()?;
        report.at_most(&format!("{name}, idle"), resident, goal, "MiB");
        together += resident;
    }
    report.at_most("the three services together, idle", together, 60.0, "MiB");
    services.stop().await
}
