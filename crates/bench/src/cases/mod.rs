//! What is measured, one file per group of figures.

mod chat;
mod footprint;
mod mcp;
mod reads;
mod services;
mod streams;
pub(crate) mod tokens;

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use crate::bare;
use crate::process::{Server, free_port};
use crate::registry;
use crate::report::Report;

/// How to measure.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) binaries: PathBuf,
    pub(crate) seconds: Duration,
    pub(crate) connections: usize,
}

type Running<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;
type Case = for<'a> fn(&'a Plan, &'a mut Report) -> Running<'a>;

/// Every case in the order in which it runs.
pub(crate) fn all() -> [(&'static str, Case); 8] {
    [
        ("footprint", |plan, report| Box::pin(footprint::run(plan, report))),
        ("reads", |plan, report| Box::pin(reads::run(plan, report))),
        ("chat", |plan, report| Box::pin(chat::run(plan, report))),
        ("streams", |plan, report| Box::pin(streams::run(plan, report))),
        ("mcp", |plan, report| Box::pin(mcp::run(plan, report))),
        ("tokens", |plan, report| Box::pin(tokens::run(plan, report))),
        ("registry", |plan, report| Box::pin(registry::run(plan, report))),
        ("logins", |plan, report| Box::pin(registry::logins(plan, report))),
    ]
}

impl Plan {
    /// Starts the all-in-one hub on `data_dir`, without sample node and without limits.
    pub(crate) async fn hub(&self, data_dir: &Path) -> anyhow::Result<Server> {
        let port = free_port()?;
        let listen = format!("127.0.0.1:{port}");
        let data = data_dir.display().to_string();
        let settings = [
            ("RATE_LIMIT_ENABLED", "false".to_owned()),
            ("LOG_LEVEL", "warning".to_owned()),
            ("METRICS_LISTEN", format!("127.0.0.1:{}", free_port()?)),
        ];
        let args = ["serve", "--no-demo", "--listen", &listen, "--data-dir", &data];
        Server::start(&self.binaries.join("syfthub"), &args, &settings, port, "/health/ready").await
    }

    /// Starts this program again in one of its internal roles.
    pub(crate) async fn own(&self, role: &[&str]) -> anyhow::Result<Server> {
        let port = free_port()?;
        let settings = [(bare::PORT_ARGUMENT, port.to_string())];
        Server::start(&std::env::current_exe()?, role, &settings, port, "/health").await
    }
}
