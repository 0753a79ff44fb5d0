//! The command line of the service.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use syfthub_auth::MasterKey;
use syfthub_cache::Cache;
use syfthub_config::{Input, Loaded, Problems, Role, Settings, effective, load};
use syfthub_domain::{SharedClock, SystemClock};
use syfthub_rpc::{Caller, INTERNAL_KEY_LABEL, InternalKey, connect};
use syfthub_web::health::{self, Readiness};
use syfthub_web::process;
use syfthub_web::reload::on_hangup;
use syfthub_web::serve::Shutdown;
use tokio::net::TcpListener;

use crate::{App, Deps};

/// SyftHub's MCP endpoint.
#[derive(Debug, Parser)]
#[command(name = "syfthub-mcp", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM (the default).
    Serve,
    /// Exit with 0 when the service on this machine answers; for containers.
    Healthcheck,
    /// Print the settings in force, secrets masked.
    Config,
}

/// Runs the program: exit code 0 on success, 1 on failure, 2 on faulty settings.
pub fn main() -> ExitCode {
    let command = Cli::parse().command.unwrap_or(Command::Serve);
    let loaded = match read(!matches!(command, Command::Serve)) {
        Ok(loaded) => loaded,
        Err(problems) => {
            let _ = writeln!(std::io::stderr(), "{problems}");
            return ExitCode::from(2);
        }
    };
    let done = match command {
        Command::Serve => runtime(serve(loaded.settings, loaded.warnings)),
        Command::Healthcheck => runtime(healthcheck(loaded.settings.mcp.port)),
        Command::Config => std::io::stdout().write_all(effective(&loaded).as_bytes()).map_err(Into::into),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "syfthub-mcp: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn read(dry_run: bool) -> Result<Loaded, Problems> {
    load(Role::Mcp, &Input { dry_run, ..Input::from_process()? })
}

fn runtime(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

async fn healthcheck(port: u16) -> anyhow::Result<()> {
    health::probe(port, Duration::from_secs(3)).await.map_err(anyhow::Error::msg)
}

async fn serve(settings: Settings, warnings: Vec<String>) -> anyhow::Result<()> {
    let guard = syfthub_logging::init(&settings.log, &settings.otlp, "syfthub-mcp")?;
    for warning in warnings {
        tracing::warn!(warning, "config.warning");
    }
    process::raise_open_files();
    let address = SocketAddr::new(settings.http.host, settings.mcp.port);
    let app = App::build(&settings, deps(&settings)?).context("cannot build the service")?;
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; is another program using the port? (MCP_PORT)")
    })?;
    let shutdown = Shutdown::new(Readiness::new()).with_delay(settings.http.shutdown_delay);
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "service.started");
    let reread = || read(true).map(|loaded| loaded.settings);
    process::notify_ready();
    let (served, watched, followed) = tokio::join!(
        async {
            let served = app.run(listener, shutdown.clone()).await;
            shutdown.trigger(); // whatever ended the service also ends the wait for signals
            served
        },
        shutdown.on_signals(),
        on_hangup(guard.handle(), reread, shutdown.clone()),
    );
    tracing::info!("service.stopped");
    guard.flush();
    served?;
    Ok(watched.and(followed)?)
}

fn deps(settings: &Settings) -> anyhow::Result<Deps> {
    let clock: SharedClock = Arc::new(SystemClock);
    let master = MasterKey::new(&settings.secrets.secret_key);
    let key = InternalKey::new(master.subkey(INTERNAL_KEY_LABEL));
    let cache = match &settings.redis {
        Some(redis) => Cache::redis(redis, "mcp")?,
        None => Cache::memory(clock.clone()),
    };
    Ok(Deps {
        hub: connect(&settings.grpc.hub_grpc_url, Caller::Mcp, &key)?,
        chat: connect(&settings.grpc.aggregator_grpc_url, Caller::Mcp, &key)?,
        cache,
        clock,
    })
}
