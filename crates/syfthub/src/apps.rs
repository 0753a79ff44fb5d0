//! `syfthub apps`: which programs and devices one has let in at a hub, and sending them away.

use std::process::ExitCode;

use anyhow::{bail, ensure};
use http::{Method, StatusCode};
use serde::Deserialize;
use url::Url;

use crate::ask::hub::HubClient;
use crate::cli::{AppsArgs, AppsCommand};
use crate::login::{self, address, credential};
use crate::terminal;

/// The route of the list.
const ROUTE: &str = "api/v1/auth/grants";
/// As many as the hub gives at once.
const PAGE: usize = 100;

/// A program or device that was let in.
#[derive(Debug, Deserialize)]
struct App {
    id: String,
    client_name: String,
    resource: String,
    scopes: Vec<String>,
    #[serde(default)]
    device: bool,
    created_at: String,
    last_used_at: String,
}

/// Lists or ends.
pub(crate) async fn run(args: AppsArgs) -> anyhow::Result<ExitCode> {
    let hub = login::hub(args.hub)?;
    let client = HubClient::new(hub.clone(), Some(credential::required(&hub).await?))?;
    match args.command {
        AppsCommand::List { json } => list(&client, json).await?,
        AppsCommand::Revoke { all: true, .. } => {
            let ended: serde_json::Value = client.change(Method::DELETE, ROUTE).await?.unwrap_or_default();
            let ended = ended.get("ended").and_then(serde_json::Value::as_u64).unwrap_or(0);
            terminal::line(format!(
                "ended {ended}, and with them the sign-in of this machine if it was one"
            ))?;
        }
        AppsCommand::Revoke { ids, .. } => revoke(&client, &hub, &ids).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn all(client: &HubClient) -> anyhow::Result<Vec<App>> {
    let mut apps: Vec<App> = Vec::new();
    loop {
        let page: Vec<App> = client.read(&format!("{ROUTE}?skip={}&limit={PAGE}", apps.len())).await?;
        let is_last = page.len() < PAGE;
        apps.extend(page);
        if is_last {
            return Ok(apps);
        }
    }
}

async fn list(client: &HubClient, json: bool) -> anyhow::Result<()> {
    if json {
        let apps: serde_json::Value = client.read(&format!("{ROUTE}?limit={PAGE}")).await?;
        return Ok(terminal::line(apps.to_string())?);
    }
    let apps = all(client).await?;
    if apps.is_empty() {
        return Ok(terminal::line("no apps are connected")?);
    }
    for app in apps {
        let kind = if app.device { "device" } else { "app" };
        let at = app.resource.rsplit('/').next().unwrap_or_default();
        let line = format!(
            "{}  {kind:<6}  {}  ({} at /{at}; since {}, last used {})",
            app.id,
            app.client_name,
            app.scopes.join(" "),
            minute(&app.created_at),
            minute(&app.last_used_at),
        );
        terminal::line(terminal::harmless(&line))?;
    }
    Ok(())
}

/// A moment as far as people need it.
fn minute(moment: &str) -> String {
    moment.get(..16).unwrap_or(moment).replace('T', " ")
}

async fn revoke(client: &HubClient, hub: &Url, ids: &[String]) -> anyhow::Result<()> {
    for id in ids {
        let is_id = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        ensure!(is_id, "`{id}` is no id: see `syfthub apps list`");
        match client.change::<serde_json::Value>(Method::DELETE, &format!("{ROUTE}/{id}")).await {
            Ok(_) => terminal::line(format!("ended {id}"))?,
            Err(error) => match error.downcast_ref::<crate::ask::hub::Refused>() {
                Some(refused) if refused.status == StatusCode::NOT_FOUND => {
                    bail!("{id} is not connected: see `syfthub apps list`")
                }
                Some(refused) if refused.status == StatusCode::FORBIDDEN => bail!(
                    "{refused}; ending needs the scope full: run `syfthub login --hub {} --scope \"read write full\"`",
                    address(hub)
                ),
                _ => return Err(error),
            },
        }
    }
    Ok(())
}
