//! `syfthub config`: what is in force, and where each value came from.

use std::path::Path;
use std::process::ExitCode;

use crate::cli::{ConfigArgs, ConfigCommand};
use crate::{load_settings, terminal};

/// Shows or checks the settings. Nothing is generated or changed.
pub(crate) fn run(args: &ConfigArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let loaded = load_settings(config, &args.data, true)?;
    for warning in &loaded.warnings {
        terminal::note(format!("warning: {warning}"))?;
    }
    match args.command {
        Some(ConfigCommand::DatabaseUrl) => {
            terminal::line(syfthub_config::database_url_clean(&loaded.settings))?;
        }
        Some(ConfigCommand::Check) => terminal::line("the settings are in order")?,
        None if args.check => terminal::line("the settings are in order")?,
        None => terminal::raw(syfthub_config::effective(&loaded))?,
    }
    Ok(ExitCode::SUCCESS)
}
