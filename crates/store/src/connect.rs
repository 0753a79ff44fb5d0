//! Opening the database.

use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection as _, Executor as _};
use syfthub_config::{Database, DatabaseUrl};

use crate::{Db, Error, Result};

/// How long SQLite waits at most for another process that holds the file, for example a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Statements above this are logged as slow.
const SLOW: Duration = Duration::from_secs(1);
/// An idle PostgreSQL connection is tried before use after this long; a shorter pause needs no try.
const TRUSTED_IDLE: Duration = Duration::from_secs(5);
/// Readers of SQLite: more would only wait for the processor.
const MAX_SQLITE_READERS: u32 = 8;
/// No single request may hold PostgreSQL longer than this; migrations lift it for themselves.
const SESSION: &str = "SET statement_timeout = '30s'; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '60s'";

impl Db {
    /// Opens the database: creates the SQLite file (mode 0600) and its folder when they are missing, and
    /// makes sure that PostgreSQL answers. It does not migrate.
    pub async fn connect(settings: &Database) -> Result<Self> {
        match &settings.url {
            DatabaseUrl::Sqlite(path) => open_sqlite(path, settings).await,
            DatabaseUrl::Postgres(url) => open_postgres(url.expose(), settings).await,
        }
    }
}

async fn open_postgres(url: &str, settings: &Database) -> Result<Db> {
    let options = with_logging(
        PgConnectOptions::from_str(url)?.application_name(&settings.application_name),
        settings.echo,
    );
    let pool = PgPoolOptions::new()
        .max_connections(settings.pool_size.saturating_add(settings.max_overflow).max(1))
        .acquire_timeout(settings.pool_timeout)
        // The default tries a connection before every use, which doubles the round trips of a read.
        .test_before_acquire(false)
        .before_acquire(|conn, meta| {
            Box::pin(async move {
                if meta.idle_for > TRUSTED_IDLE {
                    conn.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(|conn, _| Box::pin(async move { conn.execute(SESSION).await.map(drop) }));
    // Tried once outside the pool, because a pool reports every failure to connect as a timeout.
    let attempt = tokio::time::timeout(settings.pool_timeout, options.connect()).await;
    match attempt {
        Ok(connection) => connection?.close().await?,
        Err(elapsed) => return Err(Error::Unavailable(Box::new(elapsed))),
    }
    Ok(Db::Postgres(pool.connect_lazy_with(options)))
}

async fn open_sqlite(path: &Path, settings: &Database) -> Result<Db> {
    create_file(path).map_err(|error| Error::Unavailable(Box::new(error)))?;
    let options = with_logging(
        SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY_TIMEOUT.min(settings.pool_timeout))
            .foreign_keys(true),
        settings.echo,
    );
    let write = SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(settings.pool_timeout)
        .connect_with(options.clone().optimize_on_close(true, 400))
        .await?;
    let read = SqlitePoolOptions::new()
        .max_connections(settings.pool_size.clamp(1, MAX_SQLITE_READERS))
        .max_lifetime(None)
        .acquire_timeout(settings.pool_timeout)
        .test_before_acquire(false)
        // A write that strays into a read pool fails in the first test instead of blocking the writer.
        .connect_with(options.pragma("query_only", "ON"))
        .await?;
    Ok(Db::Sqlite { read, write })
}

/// Creates the file readable by its owner only, before SQLite would create it with wider rights.
fn create_file(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Statements go to the log at debug level only when asked for; slow ones always do. Values are bound,
/// so the text that is logged holds none.
fn with_logging<O: ConnectOptions>(options: O, echo: bool) -> O {
    let level = if echo { log::LevelFilter::Debug } else { log::LevelFilter::Off };
    options.log_statements(level).log_slow_statements(log::LevelFilter::Warn, SLOW)
}
