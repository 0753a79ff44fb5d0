//! The three services as processes of their own, on loopback and SQLite.

use std::path::Path;

use super::Plan;
use crate::process::{Server, free_port};

/// The three services, ready.
pub(super) struct Services {
    pub(super) backend: Server,
    pub(super) aggregator: Server,
    pub(super) mcp: Server,
}

impl Services {
    /// Starts them with their data in `data_dir`, without limits.
    pub(super) async fn start(plan: &Plan, data_dir: &Path) -> anyhow::Result<Self> {
        let ports = [free_port()?, free_port()?, free_port()?, free_port()?, free_port()?];
        let settings = vec![
            ("SECRET_KEY", "0123456789abcdef0123456789abcdef-bench".to_owned()),
            ("SYFTHUB_DATA_DIR", data_dir.display().to_string()),
            ("DATABASE_URL", format!("sqlite:///{}", data_dir.join("hub.db").display())),
            ("HOST", "127.0.0.1".to_owned()),
            ("PORT", ports[0].to_string()),
            ("AGGREGATOR_PORT", ports[1].to_string()),
            ("MCP_PORT", ports[2].to_string()),
            ("BACKEND_GRPC_URL", format!("http://127.0.0.1:{}", ports[3])),
            ("AGGREGATOR_GRPC_URL", format!("http://127.0.0.1:{}", ports[4])),
            ("SYFTHUB_URL", format!("http://127.0.0.1:{}", ports[0])),
            ("AGGREGATOR_SYFTHUB_URL", format!("http://127.0.0.1:{}", ports[0])),
            ("AGGREGATOR_URL", format!("http://127.0.0.1:{}", ports[1])),
            ("AGGREGATOR_ALLOW_PRIVATE_NETWORKS", "true".to_owned()),
            ("RATE_LIMIT_ENABLED", "false".to_owned()),
            ("LOG_LEVEL", "warning".to_owned()),
        ];
        let start = async |name: &str, port: u16, grpc: u16| {
            let mut settings = settings.clone();
            settings.push(("GRPC_PORT", grpc.to_string()));
            Server::start(&plan.binaries.join(name), &["serve"], &settings, port, "/health").await
        };
        Ok(Self {
            backend: start("syfthub-backend", ports[0], ports[3]).await?,
            aggregator: start("syfthub-aggregator", ports[1], ports[4]).await?,
            mcp: start("syfthub-mcp", ports[2], 0).await?,
        })
    }

    /// Ends them.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.mcp.stop().await?;
        self.aggregator.stop().await?;
        self.backend.stop().await
    }
}
