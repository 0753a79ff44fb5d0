//! `syfthub audit`: reads the database itself, beside a running hub or without one.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use syfthub_backend::operator;
use syfthub_config::DatabaseUrl;
use syfthub_store::Db;

use crate::cli::AuditArgs;
use crate::{load_settings, offline, terminal};

/// Runs one command about the audit log.
pub(crate) async fn run(args: AuditArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let settings = load_settings(config, &args.data, true)?.settings;
    if let DatabaseUrl::Sqlite(path) = &settings.database.url {
        // Opening would create it.
        ensure!(
            path.exists(),
            "there is no database {}; name the hub's folder with --data-dir",
            path.display()
        );
    }
    let db = Db::connect(&settings.database).await.context("the database cannot be opened")?;
    let pending = db.pending_migrations().await?;
    ensure!(pending.is_empty(), "the database is older than this program; run `syfthub migrate` first");
    let printed = operator::audit(&db, &args.command).await.map_err(offline::explain);
    db.close().await;
    let printed = printed?;
    terminal::raw(&printed.text)?;
    Ok(if printed.is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
