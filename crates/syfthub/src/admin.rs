//! `syfthub admin`: through the running hub if there is one, else directly.

use std::io::Read as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use hyper::Method;
use serde_json::{Value, json};
use syfthub_config::{Secret, Settings};
use syfthub_domain::Username;

use crate::admin_client::AdminClient;
use crate::cli::{AdminArgs, AdminCommand, SettingsCommand};
use crate::serve::lock::DataDirLock;
use crate::{load_settings, offline, terminal};

/// Runs one admin command.
pub(crate) async fn run(args: AdminArgs, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let loaded = load_settings(config, &args.data, false)?;
    let settings = loaded.settings;
    match args.command {
        AdminCommand::Create { username, email, full_name, password_stdin } => {
            let password = read_password(password_stdin)?;
            create(&settings, &username, &email, full_name.as_deref(), password).await?;
            terminal::line(format!("created the administrator {username}"))?;
        }
        AdminCommand::Promote { username } => {
            let username =
                Username::parse(&username).map_err(|error| anyhow::anyhow!("{username}: {error}"))?;
            let username = username.as_str();
            promote(&settings, username).await?;
            terminal::line(format!("{username} is an administrator now"))?;
        }
        AdminCommand::Demote { username } => {
            let username =
                Username::parse(&username).map_err(|error| anyhow::anyhow!("{username}: {error}"))?;
            demote(&settings, username.as_str()).await?;
            terminal::line(format!("{} is no administrator any more", username.as_str()))?;
        }
        AdminCommand::Settings(command) => hub_settings(&settings, command).await?,
        AdminCommand::List => {
            for name in list(&settings).await? {
                terminal::line(name)?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn running(settings: &Settings) -> Option<AdminClient> {
    DataDirLock::is_held(&settings.data_dir).then(|| AdminClient::new(&settings.data_dir))
}

async fn create(
    settings: &Settings,
    username: &str,
    email: &str,
    full_name: Option<&str>,
    password: Secret,
) -> anyhow::Result<()> {
    let full_name = full_name.unwrap_or(username);
    if let Some(hub) = running(settings) {
        let body = json!({
            "username": username, "email": email, "full_name": full_name, "password": password.expose(),
        });
        hub.call(Method::POST, "/admins", Some(&body)).await?;
        return Ok(());
    }
    let backend = offline::backend(settings).await?;
    backend.create_admin(username, email, full_name, &password).await.map_err(offline::explain)?;
    Ok(())
}

async fn promote(settings: &Settings, username: &str) -> anyhow::Result<()> {
    if let Some(hub) = running(settings) {
        hub.call(Method::POST, &format!("/admins/{username}/promote"), None).await?;
        return Ok(());
    }
    offline::backend(settings).await?.promote(username).await.map_err(offline::explain)
}

async fn demote(settings: &Settings, username: &str) -> anyhow::Result<()> {
    if let Some(hub) = running(settings) {
        hub.call(Method::POST, &format!("/admins/{username}/demote"), None).await?;
        return Ok(());
    }
    offline::backend(settings).await?.demote(username).await.map_err(offline::explain)
}

async fn hub_settings(settings: &Settings, command: SettingsCommand) -> anyhow::Result<()> {
    match command {
        SettingsCommand::List => {
            for (name, value, changed) in all_settings(settings).await? {
                let note = if changed { "" } else { "  (default)" };
                terminal::line(format!("{name} = {value}{note}"))?;
            }
        }
        SettingsCommand::Get { name } => {
            let all = all_settings(settings).await?;
            let names: Vec<&str> = all.iter().map(|(name, _, _)| name.as_str()).collect();
            let Some((_, value, _)) = all.iter().find(|(known, _, _)| *known == name) else {
                bail!("there is no setting {name}; there are {}", names.join(", "));
            };
            terminal::line(value)?;
        }
        SettingsCommand::Set { name, value } => {
            set(settings, &name, Some(&value)).await?;
            terminal::line(format!("{name} was changed"))?;
        }
        SettingsCommand::Reset { name } => {
            set(settings, &name, None).await?;
            terminal::line(format!("{name} has its default again"))?;
        }
    }
    Ok(())
}

async fn all_settings(settings: &Settings) -> anyhow::Result<Vec<(String, String, bool)>> {
    if let Some(hub) = running(settings) {
        let answer = hub.call(Method::GET, "/settings", None).await?;
        return serde_json::from_value(answer).context("the hub sent no settings");
    }
    Ok(offline::backend(settings).await?.settings())
}

async fn set(settings: &Settings, name: &str, value: Option<&str>) -> anyhow::Result<()> {
    if let Some(hub) = running(settings) {
        let body = json!({ "name": name, "value": value });
        let answer = hub.call(Method::PUT, "/settings", Some(&body)).await;
        return answer.map(drop).with_context(|| format!("cannot change {name}"));
    }
    offline::backend(settings).await?.set_setting(name, value).await.map_err(offline::explain)
}

async fn list(settings: &Settings) -> anyhow::Result<Vec<String>> {
    if let Some(hub) = running(settings) {
        let answer = hub.call(Method::GET, "/admins", None).await?;
        let admins = answer.get("admins").and_then(Value::as_array).context("the hub sent no list")?;
        return Ok(admins.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    }
    offline::backend(settings).await?.list_admins().await.map_err(offline::explain)
}

fn read_password(from_stdin: bool) -> anyhow::Result<Secret> {
    if from_stdin {
        let mut text = String::new();
        std::io::stdin().take(4096).read_to_string(&mut text)?;
        return Ok(Secret::new(text.trim_end_matches(['\r', '\n'])));
    }
    let first = rpassword::prompt_password("Password: ")
        .context("cannot ask for a password here; pipe it in and add --password-stdin")?;
    let second = rpassword::prompt_password("Again: ")?;
    ensure!(first == second, "the two passwords differ");
    Ok(Secret::new(first))
}
