//! `syfthub keys`: through the running hub if there is one, else directly.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use hyper::Method;
use serde_json::{Value, json};
use syfthub_backend::KeyInfo;
use syfthub_backend::operator::{KeysCommand, keys_table};
use syfthub_config::Settings;

use crate::admin_client::AdminClient;
use crate::cli::KeysArgs;
use crate::serve::lock::DataDirLock;
use crate::{load_settings, offline, terminal};

/// Runs one command about keys.
pub(crate) async fn run(args: KeysArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let settings = load_settings(config, &args.data, false)?.settings;
    let keys = if DataDirLock::is_held(&settings.data_dir) {
        through(&AdminClient::new(&settings.data_dir), &args.command).await?
    } else {
        directly(&settings, &args.command).await?
    };
    terminal::raw(keys_table(&keys))?;
    Ok(ExitCode::SUCCESS)
}

async fn through(hub: &AdminClient, command: &KeysCommand) -> anyhow::Result<Vec<KeyInfo>> {
    let answer = match command {
        KeysCommand::List => hub.call(Method::GET, "/keys", None).await?,
        KeysCommand::Rotate { now } => {
            hub.call(Method::POST, "/keys/rotate", Some(&json!({ "now": now }))).await?
        }
        KeysCommand::Retire { kid, force } => {
            hub.call(Method::POST, "/keys/retire", Some(&json!({ "kid": kid, "force": force }))).await?
        }
    };
    let keys = answer.get("keys").cloned().unwrap_or(Value::Null);
    serde_json::from_value(keys).context("the hub sent no list of keys")
}

/// Holds the data directory meanwhile, so that no hub starts with the keys from before.
async fn directly(settings: &Settings, command: &KeysCommand) -> anyhow::Result<Vec<KeyInfo>> {
    let lock = DataDirLock::acquire(&settings.data_dir)?;
    let backend = offline::backend(settings).await?;
    let keys = match command {
        KeysCommand::List => backend.list_keys().await,
        KeysCommand::Rotate { now } => backend.rotate_key(*now).await,
        KeysCommand::Retire { kid, force } => backend.retire_key(kid, *force).await,
    };
    backend.close().await;
    drop(lock);
    keys.map_err(offline::explain)
}
