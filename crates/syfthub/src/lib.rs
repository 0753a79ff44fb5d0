#![doc = include_str!("../README.md")]

pub mod cli;

mod admin;
mod admin_client;
mod apps;
mod ask;
mod audit;
mod clients;
mod config_command;
mod doctor;
mod generate;
mod keys;
mod login;
mod migrate;
mod node_command;
mod offline;
mod serve;
mod terminal;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use syfthub_config::{Input, Loaded, Role};

use crate::cli::{Cli, Command, DataDirArgs, ServeArgs};

/// Runs one command to its end. Errors are printed to standard error, the cause last.
pub fn run(cli: Cli) -> ExitCode {
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => {
            // Nothing is left to tell when standard error itself is gone.
            let _ = terminal::note(format!("syfthub: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    syfthub_auth::install_crypto();
    syfthub_egress::install_tls();
    let config = cli.config.as_deref();
    let command = cli.command.unwrap_or_else(|| Command::Serve(ServeArgs::default()));
    match command {
        Command::Serve(args) => serve::run(&args, config),
        Command::Node(args) => block_on(node_command::run(*args)),
        Command::Ask(args) => block_on(ask::run(args)),
        Command::Login(args) => block_on(login::login(args)),
        Command::Logout(args) => block_on(login::logout(args)),
        Command::Whoami(args) => block_on(login::whoami(args)),
        Command::Apps(args) => block_on(apps::run(args)),
        Command::Admin(args) => block_on(admin::run(args, config)),
        Command::Keys(args) => block_on(keys::run(args, config)),
        Command::Clients(args) => block_on(clients::run(args, config)),
        Command::Audit(args) => block_on(audit::run(args, config)),
        Command::Migrate(args) => block_on(migrate::run(args, config)),
        Command::Config(args) => config_command::run(&args, config),
        Command::Doctor(args) => block_on(doctor::run(args, config)),
        Command::Gen(args) => generate::run(&args),
    }
}

fn block_on(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the async run time")?
        .block_on(command)
}

/// Loads the settings of the all-in-one hub for a command that is not `serve`.
fn load_settings(config: Option<&Path>, data: &DataDirArgs, dry_run: bool) -> anyhow::Result<Loaded> {
    let mut input = Input::from_process()?;
    input.file = config.map(Path::to_path_buf);
    input.dry_run = dry_run;
    if let Some(dir) = &data.data_dir {
        input.overrides.insert("SYFTHUB_DATA_DIR", dir.display().to_string());
    }
    Ok(syfthub_config::load(Role::AllInOne, &input)?)
}
