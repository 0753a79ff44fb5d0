//! What the binary does: `serve`, `healthcheck`, `config`.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Subcommand;
use syfthub_auth::MasterKey;
use syfthub_cache::Cache;
use syfthub_config::{Input, Loaded, Problems, Role, Settings};
use syfthub_domain::{SharedClock, SystemClock};
use syfthub_egress::{Client, Limits};
use syfthub_rpc::{Caller, INTERNAL_KEY_LABEL, InternalKey};
use syfthub_web::health::Readiness;
use syfthub_web::process;
use syfthub_web::reload::on_hangup;
use syfthub_web::serve::Shutdown;
use tokio::net::TcpListener;

use crate::{App, Deps};

const NAME: &str = "syfthub-aggregator";
/// Longest wait for the answer to a health check.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(3);

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve HTTP and gRPC until a signal asks to stop
    Serve,
    /// Exit with 0 when the service on this machine is healthy
    Healthcheck,
    /// Show the settings in force, with secrets masked
    Config {
        /// Only check them
        #[arg(long)]
        check: bool,
    },
}

/// Does it. Errors carry a text for the operator.
pub fn run(command: &Command) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    match command {
        Command::Serve => runtime.block_on(serve(load(false)?)),
        Command::Healthcheck => runtime.block_on(healthcheck(&load(true)?.settings)),
        Command::Config { check } => show(&load(true)?, *check),
    }
}

fn load(dry_run: bool) -> Result<Loaded, Problems> {
    let input = Input { dry_run, ..Input::from_process()? };
    syfthub_config::load(Role::Aggregator, &input)
}

async fn serve(loaded: Loaded) -> anyhow::Result<ExitCode> {
    let settings = &loaded.settings;
    let logging = syfthub_logging::init(&settings.log, &settings.otlp, NAME).context("logging")?;
    for warning in &loaded.warnings {
        tracing::warn!(warning, "config.warning");
    }
    process::raise_open_files();
    let key = InternalKey::new(MasterKey::new(&settings.secrets.secret_key).subkey(INTERNAL_KEY_LABEL));
    let hub = syfthub_rpc::connect(&settings.grpc.hub_grpc_url, Caller::Aggregator, &key)
        .context("BACKEND_GRPC_URL")?;
    let clock: SharedClock = Arc::new(SystemClock);
    let cache = match &settings.redis {
        Some(redis) => Cache::redis(redis, "aggregator").context("REDIS_URL")?,
        None => Cache::memory(clock.clone()),
    };
    let app = App::build(settings, Deps { hub, cache, clock })?;
    let address = (settings.aggregator.host, settings.aggregator.port);
    let listener = TcpListener::bind(address).await.with_context(|| taken(&address))?;
    let grpc = settings.grpc.listen;
    let grpc_listener = TcpListener::bind(grpc).await.with_context(|| taken(&(grpc.ip(), grpc.port())))?;
    let (http, grpc) = (listener.local_addr()?.to_string(), grpc_listener.local_addr()?.to_string());
    tracing::info!(http, grpc, version = env!("CARGO_PKG_VERSION"), "service.started");
    let shutdown = Shutdown::new(Readiness::new()).with_delay(settings.http.shutdown_delay);
    process::notify_ready();
    let reread = || load(true).map(|loaded| loaded.settings);
    let (served, signalled, followed) = tokio::join!(
        app.run(listener, grpc_listener, key, shutdown.clone()),
        shutdown.on_signals(),
        on_hangup(logging.handle(), reread, shutdown.clone()),
    );
    signalled.and(followed).context("signals")?;
    served?;
    tracing::info!("service.stopped");
    Ok(ExitCode::SUCCESS)
}

fn taken((host, port): &(IpAddr, u16)) -> String {
    format!("cannot listen on {host}:{port}; is another process using the port?")
}

async fn healthcheck(settings: &Settings) -> anyhow::Result<ExitCode> {
    let host = settings.aggregator.host;
    let host = if host.is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { host };
    let address = std::net::SocketAddr::new(host, settings.aggregator.port);
    let limits = Limits { connect: HEALTH_TIMEOUT, total: HEALTH_TIMEOUT, max_body: 64 * 1024 };
    let url = format!("http://{address}/health").parse().context("the address of the service")?;
    let answer = Client::operator(limits)?.get(url).send().await;
    let healthy = answer.is_ok_and(|answer| answer.status().is_success());
    let text = if healthy { "healthy" } else { "not healthy" };
    writeln!(std::io::stdout(), "{NAME} at {address} is {text}")?;
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show(loaded: &Loaded, check: bool) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    for warning in &loaded.warnings {
        writeln!(std::io::stderr(), "warning: {warning}")?;
    }
    if check {
        writeln!(out, "the settings are in order")?;
        return Ok(ExitCode::SUCCESS);
    }
    out.write_all(syfthub_config::effective(loaded).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
