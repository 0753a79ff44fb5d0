//! `syfthub serve`: the whole hub in one process on one port.

mod admin_socket;
mod assemble;
mod banner;
mod edge;
pub(crate) mod lock;
mod samples;
mod setup_link;
mod web_root;

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use syfthub_config::{Input, Loaded, LogFormat, Origin, Problems, Role, Settings};
use syfthub_logging::Metrics;
use syfthub_node::RunningNode;
use syfthub_web::health::Readiness;
use syfthub_web::process;
use syfthub_web::reload::on_hangup;
use syfthub_web::serve::{Shutdown, serve};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use self::assemble::Hub;
use self::banner::Banner;
use self::lock::DataDirLock;
use crate::cli::ServeArgs;
use crate::terminal;

/// Starts the hub and runs it until it is told to stop.
pub(crate) fn run(args: &ServeArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let preview = load(args, config, None, true)?;
    let lock = DataDirLock::acquire(&preview.settings.data_dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = listen(preview.settings.http.listen()).await?;
        // With port 0 the public address is known only now, and tokens carry it.
        let port = listener.local_addr()?.port();
        let loaded = load(args, config, Some(port), false)?;
        let guard = syfthub_logging::init(&loaded.settings.log, &loaded.settings.otlp, "syfthub")?;
        let reread = {
            let (args, config) = (args.clone(), config.map(Path::to_path_buf));
            move || load(&args, config.as_deref(), Some(port), true).map(|loaded| loaded.settings)
        };
        let shutdown = Shutdown::new(Readiness::new()).with_delay(loaded.settings.http.shutdown_delay);
        let result = tokio::select! {
            ended = run_hub(&loaded, listener, &shutdown) => ended,
            // Signals count from here on, also while the hub is still being built.
            Err(error) = shutdown.on_signals_forever() => Err(error.into()),
            Err(error) = on_hangup(guard.handle(), reread, shutdown.clone()) => Err(error.into()),
        };
        guard.flush();
        result
    })?;
    drop(lock);
    Ok(ExitCode::SUCCESS)
}

fn load(
    args: &ServeArgs,
    config: Option<&Path>,
    port: Option<u16>,
    dry_run: bool,
) -> Result<Loaded, Problems> {
    let mut input = Input::from_process()?;
    input.file = config.map(Path::to_path_buf);
    input.dry_run = dry_run;
    let host = args.listen.map(|address| address.ip()).or(args.host);
    let port = port.or(args.listen.map(|address| address.port())).or(args.port);
    let mut set = |name: &'static str, value: Option<String>| {
        if let Some(value) = value {
            input.overrides.insert(name, value);
        }
    };
    set("HOST", host.map(|host| host.to_string()));
    set("PORT", port.map(|port| port.to_string()));
    set("SYFTHUB_DATA_DIR", args.data.data_dir.as_ref().map(|dir| dir.display().to_string()));
    set("SYFTHUB_DEMO", args.no_demo.then(|| "false".to_owned()));
    let mut loaded = syfthub_config::load(Role::AllInOne, &input)?;
    let chosen = loaded.effective.iter().any(|one| one.name == "LOG_FORMAT" && one.origin != Origin::Default);
    if !chosen && !loaded.settings.environment.is_production() && std::io::stdout().is_terminal() {
        // Somebody is watching.
        loaded.settings.log.format = LogFormat::Console;
    }
    Ok(loaded)
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => bail!(
            "port {} on {} is in use by another program: stop that one, or choose another port with --port",
            address.port(),
            address.ip()
        ),
        Err(error) => Err(error).with_context(|| format!("cannot listen on {address}")),
    }
}

async fn run_hub(loaded: &Loaded, listener: TcpListener, shutdown: &Shutdown) -> anyhow::Result<()> {
    let settings = &loaded.settings;
    for warning in &loaded.warnings {
        tracing::warn!(target: "syfthub.config", detail = %warning, "config.warning");
    }
    process::raise_open_files();
    let metrics = Metrics::install();
    let hub = assemble::build(settings, shutdown).await?;
    let setup_link = setup_link::ensure(settings, &hub.backend).await?;
    let admin = admin_socket::bind(&settings.data_dir)?;

    let tasks = TaskTracker::new();
    let grace = settings.http.shutdown_grace;
    tasks.spawn(serve(admin, admin_socket::router(hub.backend.clone()), shutdown.clone(), grace));
    serve_metrics(settings, metrics, shutdown, &tasks).await?;
    let address = listener.local_addr()?;
    let mut served = tasks.spawn(serve(listener, hub.edge.clone(), shutdown.clone(), grace));
    shutdown.readiness().set(true);

    let node = start_samples(settings, &hub, address, shutdown).await?;
    let created = if hub.is_new { created(loaded) } else { Vec::new() };
    let shown =
        if hub.is_new && node.is_some() { samples::PATHS.map(str::to_owned).to_vec() } else { Vec::new() };
    let banner = Banner {
        address: settings.public.origin(),
        data_dir: &settings.data_dir,
        created: &created,
        setup_link: setup_link.as_deref(),
        samples: &shown,
    };
    terminal::note(banner.text())?;
    process::notify_ready();
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "service.started");

    until_stopped(shutdown.wait(), &mut served).await?;
    tasks.close();
    tasks.wait().await;
    // After the drain: chats that were still running may have needed it.
    if let Some(node) = node {
        node.stop().await;
    }
    hub.aggregator.close().await;
    hub.backend.close().await;
    tracing::info!("service.stopped");
    Ok(())
}

/// Waits for the order to stop. A listener that ends without one is a fault; one that has ended because of it is none,
/// whichever of the two is noticed first.
async fn until_stopped<T: std::fmt::Debug>(
    asked: impl Future<Output = ()>,
    served: impl Future<Output = T>,
) -> anyhow::Result<()> {
    tokio::select! {
        biased;
        () = asked => Ok(()),
        ended = served => bail!("the listener ended by itself: {ended:?}"),
    }
}

/// `/metrics` is for this machine only; a second hub beside the first goes without.
async fn serve_metrics(
    settings: &Settings,
    metrics: Metrics,
    shutdown: &Shutdown,
    tasks: &TaskTracker,
) -> anyhow::Result<()> {
    let Some(address) = settings.metrics_listen.0 else { return Ok(()) };
    match TcpListener::bind(address).await {
        Ok(listener) => {
            let router = syfthub_web::metrics_router(metrics);
            tasks.spawn(serve(listener, router, shutdown.clone(), settings.http.shutdown_grace));
        }
        Err(error) => {
            tracing::warn!(%address, %error, "metrics.listen.failed: set METRICS_LISTEN to a free address");
        }
    }
    Ok(())
}

/// What the first start made, in words.
fn created(loaded: &Loaded) -> Vec<String> {
    let mut created = vec!["database".to_owned(), "signing key".to_owned()];
    created.extend(loaded.generated.iter().map(|secret| secret.setting.to_owned()));
    created
}

/// The sample node runs while nothing else was ever published, and on later starts of such a hub. With
/// `--no-demo` what it once published is withdrawn, so that no dead endpoint is listed.
async fn start_samples(
    settings: &Settings,
    hub: &Hub,
    address: SocketAddr,
    shutdown: &Shutdown,
) -> anyhow::Result<Option<RunningNode>> {
    if !settings.demo || settings.environment.is_production() {
        if let Err(error) = hub.backend.withdraw_samples().await {
            tracing::warn!(%error, chain = error.chain(), "samples.withdraw.failed");
        }
        return Ok(None);
    }
    let token = match hub.backend.samples_token().await {
        Ok(Some(token)) => token,
        Ok(None) => return Ok(None),
        // The hub is worth more than its samples.
        Err(error) => {
            tracing::warn!(%error, chain = error.chain(), "samples.start.failed");
            return Ok(None);
        }
    };
    // The listener's own address, not the public one: a proxy in front may not be up yet.
    let own = format!("http://{address}").parse()?;
    let started = samples::start(&own, &settings.tokens.issuer, token, &settings.data_dir);
    tokio::select! {
        node = started => match node {
            Ok(node) => Ok(Some(node)),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "samples.start.failed");
                Ok(None)
            }
        },
        () = shutdown.wait() => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn a_stop_that_was_asked_for_is_never_a_fault() {
        // A hub without open connections has drained before anybody looks.
        for _ in 0..100 {
            until_stopped(ready(()), ready("drained")).await.unwrap();
        }
        until_stopped(pending(), ready("broken")).await.unwrap_err();
    }
}
