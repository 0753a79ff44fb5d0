//! What the binary does: `serve`, `healthcheck`, `config`, `migrate`, `admin`, `keys`,
//! `clients`, `audit`.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Subcommand;
use syfthub_auth::MasterKey;
use syfthub_cache::Cache;
use syfthub_config::{Input, Loaded, Problems, Role, Secret, Settings};
use syfthub_domain::{Detail, Error, FieldError, Loc, SharedClock, SystemClock};
use syfthub_rpc::{INTERNAL_KEY_LABEL, InternalKey};
use syfthub_store::Db;
use syfthub_web::health::{self, Readiness};
use syfthub_web::process;
use syfthub_web::reload::on_hangup;
use syfthub_web::serve::Shutdown;
use tokio::net::TcpListener;

use crate::oauth::operator::ClientsCommand;
use crate::operator::{AuditCommand, KeysLine};
use crate::{App, Deps, operator_calls};

const NAME: &str = "syfthub-backend";
/// Longest wait for the answer to a health check.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest password that is read, in bytes.
const MAX_PASSWORD: u64 = 4096;

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Migrate the database, then serve HTTP and gRPC until a signal asks to stop
    Serve,
    /// Exit with 0 when the service on this machine is healthy
    Healthcheck,
    /// Show the settings in force, with secrets masked
    Config {
        /// Only check them
        #[arg(long)]
        check: bool,
    },
    /// Apply what is missing in the database
    Migrate,
    /// Administrators
    #[command(subcommand)]
    Admin(Admin),
    /// The keys that tokens are signed with
    Keys(KeysLine),
    /// The clients of the authorization server that an operator makes
    #[command(subcommand)]
    Clients(ClientsCommand),
    /// Read and check the audit log
    #[command(subcommand)]
    Audit(AuditCommand),
}

/// What to do about administrators.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Admin {
    /// Create one; the password is read from standard input
    Create {
        /// Name to sign in with
        #[arg(long)]
        username: String,
        /// Mail address
        #[arg(long)]
        email: String,
        /// Display name; the username if not given
        #[arg(long)]
        full_name: Option<String>,
    },
    /// Make an existing user an administrator
    Promote {
        /// Whom
        username: String,
    },
    /// Make an administrator an ordinary user again; the last one stays
    Demote {
        /// Whom
        username: String,
    },
    /// Print their names
    List,
    /// The hub's settings: registration, allowed_domains, guest_access, instance_name
    #[command(
        subcommand,
        after_help = "Examples:\n  syfthub-backend admin settings list\n  \
                      syfthub-backend admin settings set registration invitation\n  \
                      syfthub-backend admin settings set allowed_domains example.com,example.org\n  \
                      syfthub-backend admin settings reset registration"
    )]
    Settings(HubSetting),
}

/// What to do about the hub's settings.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum HubSetting {
    /// Print all of them, and which were changed
    List,
    /// Print one
    Get {
        /// Its name
        name: String,
    },
    /// Change one; the running processes follow within ten seconds, with Redis at once
    Set {
        /// Its name
        name: String,
        /// Its new value
        value: String,
    },
    /// Give one its default again
    Reset {
        /// Its name
        name: String,
    },
}

/// Does it. Errors carry a text for the operator.
pub fn run(command: &Command) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    match command {
        Command::Serve => runtime.block_on(serve(load(false)?)),
        Command::Healthcheck => runtime.block_on(healthcheck(load(true)?.settings.http.port)),
        Command::Config { check } => show(&load(true)?, *check),
        Command::Migrate => runtime.block_on(migrate(&load(true)?.settings)),
        Command::Admin(admin) => runtime.block_on(administer(&load(false)?.settings, admin)),
        Command::Keys(keys) => runtime.block_on(operator_calls::keys(&load(false)?.settings, keys)),
        Command::Clients(clients) => {
            runtime.block_on(operator_calls::clients(&load(false)?.settings, clients))
        }
        Command::Audit(audit) => runtime.block_on(operator_calls::audit(&load(true)?.settings, audit)),
    }
}

fn load(dry_run: bool) -> anyhow::Result<Loaded> {
    Ok(read(dry_run)?)
}

fn read(dry_run: bool) -> Result<Loaded, Problems> {
    syfthub_config::load(Role::Backend, &Input { dry_run, ..Input::from_process()? })
}

pub(crate) async fn open(settings: &Settings) -> anyhow::Result<App> {
    let clock: SharedClock = Arc::new(SystemClock);
    let db = Db::connect(&settings.database).await.context("DATABASE_URL")?;
    db.migrate().await.context("migrations")?;
    let cache = match &settings.redis {
        Some(redis) => Cache::redis(redis, "backend").context("REDIS_URL")?,
        None => Cache::memory(clock.clone()),
    };
    let master = MasterKey::new(&settings.secrets.secret_key);
    App::build(settings, Deps { db, cache, clock, master }).await.map_err(|error| explain(&error))
}

async fn serve(loaded: Loaded) -> anyhow::Result<ExitCode> {
    let settings = &loaded.settings;
    let logging = syfthub_logging::init(&settings.log, &settings.otlp, NAME).context("logging")?;
    for warning in &loaded.warnings {
        tracing::warn!(warning, "config.warning");
    }
    process::raise_open_files();
    let listener = bind(settings.http.listen()).await?;
    let grpc_listener = bind(settings.grpc.listen).await?;
    let app = open(settings).await?;
    print_setup_link(settings, &app).await?;
    let (http, grpc) = (listener.local_addr()?.to_string(), grpc_listener.local_addr()?.to_string());
    tracing::info!(http, grpc, version = env!("CARGO_PKG_VERSION"), "service.started");
    let key = InternalKey::new(MasterKey::new(&settings.secrets.secret_key).subkey(INTERNAL_KEY_LABEL));
    let shutdown = Shutdown::new(Readiness::new()).with_delay(settings.http.shutdown_delay);
    process::notify_ready();
    let reread = || read(true).map(|loaded| loaded.settings);
    let (served, signalled, followed) = tokio::join!(
        async {
            let served = app.run(listener, grpc_listener, key, shutdown.clone()).await;
            shutdown.trigger(); // whatever ended the service also ends the wait for signals
            served
        },
        shutdown.on_signals(),
        on_hangup(logging.handle(), reread, shutdown.clone()),
    );
    tracing::info!("service.stopped");
    served?;
    signalled.and(followed).context("signals")?;
    Ok(ExitCode::SUCCESS)
}

/// The link is a secret for one person, so it goes to the error stream and never into the log files. Whoever
/// missed it makes an administrator with `admin create`: a new link at each start would void the one before.
async fn print_setup_link(settings: &Settings, app: &App) -> anyhow::Result<()> {
    if settings.environment == syfthub_config::Environment::Test {
        return Ok(());
    }
    if let Some(link) = app.ensure_setup_link(true).await.map_err(|error| explain(&error))? {
        writeln!(std::io::stderr(), "Create the first administrator (this link works once): {link}")?;
    }
    Ok(())
}

async fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let taken = || format!("cannot listen on {address}; is another process using the port?");
    TcpListener::bind(address).await.with_context(taken)
}

async fn healthcheck(port: u16) -> anyhow::Result<ExitCode> {
    health::probe(port, HEALTH_TIMEOUT).await.map_err(|why| anyhow!(why))?;
    writeln!(std::io::stdout(), "healthy")?;
    Ok(ExitCode::SUCCESS)
}

async fn migrate(settings: &Settings) -> anyhow::Result<ExitCode> {
    let db = Db::connect(&settings.database).await.context("DATABASE_URL")?;
    let applied = db.migrate().await?;
    let mut out = std::io::stdout();
    for step in &applied {
        writeln!(out, "applied {:04}_{}", step.version, step.name)?;
    }
    if applied.is_empty() {
        writeln!(out, "the database is up to date")?;
    }
    db.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn administer(settings: &Settings, admin: &Admin) -> anyhow::Result<ExitCode> {
    let app = open(settings).await?;
    let mut out = std::io::stdout();
    match admin {
        Admin::Create { username, email, full_name } => {
            let password = read_password()?;
            let full_name = full_name.as_deref().unwrap_or(username);
            app.create_admin(username, email, full_name, &password).await.map_err(|error| explain(&error))?;
            writeln!(out, "created the administrator {username}")?;
        }
        Admin::Promote { username } => {
            app.promote(username).await.map_err(|error| explain(&error))?;
            writeln!(out, "{username} is an administrator now")?;
        }
        Admin::Demote { username } => {
            app.demote(username).await.map_err(|error| explain(&error))?;
            writeln!(out, "{username} is no administrator any more")?;
        }
        Admin::Settings(setting) => hub_setting(&app, setting, &mut out).await?,
        Admin::List => {
            for name in app.list_admins().await.map_err(|error| explain(&error))? {
                writeln!(out, "{name}")?;
            }
        }
    }
    app.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn hub_setting(app: &App, command: &HubSetting, out: &mut impl std::io::Write) -> anyhow::Result<()> {
    match command {
        HubSetting::List => {
            for (name, value, changed) in app.settings() {
                writeln!(out, "{name} = {value}{}", if changed { "" } else { "  (default)" })?;
            }
        }
        HubSetting::Get { name } => {
            let found = app.settings().into_iter().find(|(known, _, _)| known == name);
            let (_, value, _) =
                found.ok_or_else(|| anyhow!("there is no setting {name}; see `settings list`"))?;
            writeln!(out, "{value}")?;
        }
        HubSetting::Set { name, value } => {
            app.set_setting(name, Some(value)).await.map_err(|error| explain(&error))?;
            writeln!(out, "{name} was changed")?;
        }
        HubSetting::Reset { name } => {
            app.set_setting(name, None).await.map_err(|error| explain(&error))?;
            writeln!(out, "{name} has its default again")?;
        }
    }
    Ok(())
}

fn read_password() -> anyhow::Result<Secret> {
    writeln!(std::io::stderr(), "Password (end with Enter):")?;
    let mut text = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(std::io::stdin().take(MAX_PASSWORD)),
        &mut text,
    )?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

/// An error of a rule as text that names every refused field.
pub(crate) fn explain(error: &Error) -> anyhow::Error {
    if let Detail::Fields(fields) = &error.detail {
        let lines: Vec<String> = fields.iter().map(named).collect();
        return anyhow!("{}", lines.join("; "));
    }
    let chain = error.chain();
    if chain.is_empty() { anyhow!("{}", error.message) } else { anyhow!("{}: {chain}", error.message) }
}

fn named(field: &FieldError) -> String {
    match field.loc.last() {
        Some(Loc::Key(name)) => format!("{name}: {}", field.msg),
        _ => field.msg.clone(),
    }
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
