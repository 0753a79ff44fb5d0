//! `syfthub clients`: through the running hub if there is one, else directly.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use hyper::Method;
use serde_json::json;
use syfthub_backend::oauth::operator::{ClientsAnswer, ClientsCommand};
use syfthub_config::Settings;

use crate::admin_client::AdminClient;
use crate::cli::ClientsArgs;
use crate::serve::lock::DataDirLock;
use crate::{load_settings, offline, terminal};

/// Runs one command about clients of the authorization server.
pub(crate) async fn run(args: ClientsArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let settings = load_settings(config, &args.data, false)?.settings;
    let answer = if DataDirLock::is_held(&settings.data_dir) {
        through(&AdminClient::new(&settings.data_dir), &args.command).await?
    } else {
        directly(&settings, &args.command).await?
    };
    terminal::raw(args.command.text(&answer)?)?;
    Ok(ExitCode::SUCCESS)
}

async fn through(hub: &AdminClient, command: &ClientsCommand) -> anyhow::Result<ClientsAnswer> {
    let call = json!({"command": command, "body": command.body()?});
    let answer = hub.call(Method::POST, "/clients", Some(&call)).await?;
    serde_json::from_value(answer).context("the hub sent something else than clients")
}

async fn directly(settings: &Settings, command: &ClientsCommand) -> anyhow::Result<ClientsAnswer> {
    let body = command.body()?;
    let backend = offline::backend(settings).await?;
    let answer = backend.clients_command(command, body).await;
    backend.close().await;
    answer.map_err(offline::explain)
}
