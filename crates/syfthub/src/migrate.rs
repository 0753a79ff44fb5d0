//! `syfthub migrate`: brings the database up to date without starting the hub.

use std::path::Path;
use std::process::ExitCode;

use syfthub_store::Db;

use crate::cli::DataDirArgs;
use crate::{load_settings, terminal};

/// Applies what is pending and says what was done. The migration lock makes this safe beside a running hub.
pub(crate) async fn run(args: DataDirArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let loaded = load_settings(config, &args, true)?;
    let db = Db::connect(&loaded.settings.database).await?;
    let pending = db.pending_migrations().await?;
    if pending.is_empty() {
        terminal::line("the database is up to date")?;
        return Ok(ExitCode::SUCCESS);
    }
    db.migrate().await?;
    for name in &pending {
        terminal::line(format!("applied {name}"))?;
    }
    Ok(ExitCode::SUCCESS)
}
