//! `syfthub keys`: through the running hub if there is one, else directly.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use hyper::Method;
use serde_json::{Value, json};
use syfthub_backend::KeyInfo;
use syfthub_backend::operator::{KeysCommand, KeysLine, keys_table};
use syfthub_config::Settings;

use crate::admin_client::AdminClient;
use crate::cli::KeysArgs;
use crate::serve::lock::DataDirLock;
use crate::{load_settings, offline, terminal};

/// Runs one command about keys.
pub(crate) async fn run(args: KeysArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let settings = load_settings(config, &args.data, false)?.settings;
    let keys = if DataDirLock::is_held(&settings.data_dir) {
        through(&AdminClient::new(&settings.data_dir), &args.line).await?
    } else {
        directly(&settings, &args.line).await?
    };
    terminal::raw(keys_table(&keys))?;
    Ok(ExitCode::SUCCESS)
}

async fn through(hub: &AdminClient, line: &KeysLine) -> anyhow::Result<Vec<KeyInfo>> {
    let ring = line.ring;
    let answer = match &line.command {
        KeysCommand::List => hub.call(Method::GET, &format!("/keys?ring={}", ring.name()), None).await?,
        KeysCommand::Rotate { now } => {
            hub.call(Method::POST, "/keys/rotate", Some(&json!({ "now": now, "ring": ring }))).await?
        }
        KeysCommand::Retire { kid, force } => {
            hub.call(Method::POST, "/keys/retire", Some(&json!({ "kid": kid, "force": force, "ring": ring })))
                .await?
        }
    };
    let keys = answer.get("keys").cloned().unwrap_or(Value::Null);
    serde_json::from_value(keys).context("the hub sent no list of keys")
}

/// Holds the data directory meanwhile, so that no hub starts with the keys from before.
async fn directly(settings: &Settings, line: &KeysLine) -> anyhow::Result<Vec<KeyInfo>> {
    let lock = DataDirLock::acquire(&settings.data_dir)?;
    let backend = offline::backend(settings).await?;
    let keys = match &line.command {
        KeysCommand::List => backend.ring_keys(line.ring).await,
        KeysCommand::Rotate { now } => backend.rotate_ring(line.ring, *now).await,
        KeysCommand::Retire { kid, force } => backend.retire_in(line.ring, kid, *force).await,
    };
    backend.close().await;
    drop(lock);
    keys.map_err(offline::explain)
}
