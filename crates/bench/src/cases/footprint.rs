//! Start-up time and idle memory.

use std::time::Duration;

use tempfile::TempDir;

use super::Plan;
use crate::process::{Server, free_port};
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
    let ports = [free_port()?, free_port()?, free_port()?, free_port()?, free_port()?];
    let settings = vec![
        ("SECRET_KEY", "0123456789abcdef0123456789abcdef-bench".to_owned()),
        ("SYFTHUB_DATA_DIR", data.path().display().to_string()),
        ("DATABASE_URL", format!("sqlite:///{}", data.path().join("hub.db").display())),
        ("HOST", "127.0.0.1".to_owned()),
        ("PORT", ports[0].to_string()),
        ("AGGREGATOR_PORT", ports[1].to_string()),
        ("MCP_PORT", ports[2].to_string()),
        ("BACKEND_GRPC_URL", format!("http://127.0.0.1:{}", ports[3])),
        ("AGGREGATOR_GRPC_URL", format!("http://127.0.0.1:{}", ports[4])),
        ("SYFTHUB_URL", format!("http://127.0.0.1:{}", ports[0])),
        ("AGGREGATOR_SYFTHUB_URL", format!("http://127.0.0.1:{}", ports[0])),
        ("AGGREGATOR_URL", format!("http://127.0.0.1:{}", ports[1])),
    ];
    let mut running = Vec::new();
    let services = [
        ("syfthub-backend", ports[0], ports[3]),
        ("syfthub-aggregator", ports[1], ports[4]),
        ("syfthub-mcp", ports[2], 0),
    ];
    for (name, port, grpc) in services {
        let mut settings = settings.clone();
        settings.push(("GRPC_PORT", grpc.to_string()));
        let server = Server::start(&plan.binaries.join(name), &["serve"], &settings, port, "/health").await?;
        report.at_most(&format!("{name}, idle"), server.resident_mib()?, 30.0, "MiB");
        running.push(server);
    }
    for server in running {
        server.stop().await?;
    }
    Ok(())
}
