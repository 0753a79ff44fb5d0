//! The backend on PostgreSQL and Redis with ten thousand users and a hundred thousand endpoints.

pub(crate) mod bare;
mod reads;
mod seed;
mod sessions;
mod sync;

use std::cell::Cell;
use std::net::SocketAddr;

use anyhow::Context as _;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use syfthub_store::Db;
use syfthub_testing::postgres::PostgresServer;
use syfthub_testing::redis::RedisServer;
use syfthub_testing::{postgres, postgres_settings, redis};
use tempfile::TempDir;

use crate::cases::Plan;
use crate::load::Shot;
use crate::process::{Server, free_port};
use crate::report::Report;

/// Most memory of the backend under the load of all the other rows, in MiB.
const MEMORY: f64 = 120.0;
/// Clients of the rows that look for a collapse.
pub(crate) const CROWD: usize = 256;

/// The running parts.
struct Registry {
    hub: Server,
    bare: Server,
    pool: PgPool,
    names: Vec<String>,
    /// The most memory of the backend between registrations so far, in MiB.
    peak: Cell<f64>,
    _postgres: PostgresServer,
    _redis: RedisServer,
    _data: TempDir,
}

/// Every figure of the registry.
pub(crate) async fn run(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let registry = start(plan).await?;
    reads::run(plan, &registry, report).await?;
    sessions::run(plan, &registry, report).await?;
    sync::run(&registry, report).await?;
    report.at_most("backend, most memory under the load of these rows", registry.peak_mib()?, MEMORY, "MiB");
    registry.bare.stop().await?;
    registry.hub.stop().await
}

/// Logins on a hub of the same size that has done nothing else.
pub(crate) async fn logins(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let registry = start(plan).await?;
    sessions::logins(plan, &registry, report).await?;
    registry.bare.stop().await?;
    registry.hub.stop().await
}

async fn start(plan: &Plan) -> anyhow::Result<Registry> {
    let (postgres, redis, data) = (postgres::durable().await, redis::private().await, TempDir::new()?);
    let url = postgres.fresh_database().await;
    let (pool, names) = fill(&url).await?;
    let hub = hub(plan, &data, &url, &redis.url).await?;
    let bare = plan.own(&["bare", "--registry", &url]).await?;
    Ok(Registry {
        hub,
        bare,
        pool,
        names,
        peak: Cell::new(0.0),
        _postgres: postgres,
        _redis: redis,
        _data: data,
    })
}

/// Makes the tables and fills them. Gives the connections and some names of endpoints.
pub(crate) async fn fill(url: &str) -> anyhow::Result<(PgPool, Vec<String>)> {
    let pool = PgPoolOptions::new().max_connections(4).connect(url).await?;
    let db = Db::connect(&postgres_settings(url)).await?;
    db.migrate().await?;
    let names = seed::fill(&pool, &db).await?;
    db.close().await;
    Ok((pool, names))
}

async fn hub(plan: &Plan, data: &TempDir, database: &str, redis: &str) -> anyhow::Result<Server> {
    let (port, grpc) = (free_port()?, free_port()?);
    let settings = [
        ("SECRET_KEY", "0123456789abcdef0123456789abcdef-bench".to_owned()),
        ("SYFTHUB_DATA_DIR", data.path().display().to_string()),
        ("DATABASE_URL", database.to_owned()),
        ("REDIS_URL", redis.to_owned()),
        ("HOST", "127.0.0.1".to_owned()),
        ("PORT", port.to_string()),
        ("GRPC_PORT", grpc.to_string()),
        ("BACKEND_GRPC_URL", format!("http://127.0.0.1:{grpc}")),
        ("RATE_LIMIT_ENABLED", "false".to_owned()),
        ("LOG_LEVEL", "warning".to_owned()),
    ];
    Server::start(&plan.binaries.join("syfthub-backend"), &["serve"], &settings, port, "/health").await
}

impl Registry {
    /// Registers an account for a row and gives the answer. What hashing its password takes is left out of
    /// [`Self::peak_mib`]: logins have a row of their own for that.
    async fn register(&self, name: &str) -> anyhow::Result<serde_json::Value> {
        self.peak.set(self.peak_mib()?);
        let user = serde_json::json!({
            "username": name, "email": format!("{name}@example.com"), "full_name": name, "password": PASSWORD,
        });
        let made = call(self.hub.addr, &Shot::post_json("/api/v1/auth/register", &user)).await?;
        self.hub.forget_peak()?;
        Ok(made)
    }

    fn peak_mib(&self) -> anyhow::Result<f64> {
        Ok(self.peak.get().max(self.hub.peak_mib()?))
    }
}

/// Password of every account that the bench registers.
pub(crate) const PASSWORD: &str = "benchmark-1";

/// One request on a connection of its own.
async fn call(addr: SocketAddr, shot: &Shot) -> anyhow::Result<serde_json::Value> {
    let mut sender = crate::load::connect(addr).await?;
    let (status, body) = crate::load::exchange(&mut sender, shot, None).await?;
    anyhow::ensure!(
        status.is_success(),
        "{} answered {status}: {}",
        shot.path,
        String::from_utf8_lossy(&body)
    );
    serde_json::from_slice(&body).with_context(|| format!("the answer of {}", shot.path))
}
