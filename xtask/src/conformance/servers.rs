//! The servers that are tested: one with the suite's fixtures, and the hub itself.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::http::Request;
use crate::process::{Service, free_port};
use crate::workspace::{self, Profile};

const READY: Duration = Duration::from_secs(90);

/// The user of the hub.
pub(super) const NAME: &str = "ada";
pub(super) const PASSWORD: &str = "Correct-horse-9-battery";

/// A server of MCP, and what runs with it.
pub(super) struct Server {
    /// Where the suite finds it.
    pub(super) url: String,
    /// Its own host and port.
    pub(super) address: String,
    // In the order in which they end.
    _processes: Vec<Service>,
}

/// The server with the suite's fixtures, on the transport of the hub. It asks for no token.
pub(super) fn fixtures(folder: &Path) -> Result<Server> {
    let port = free_port()?;
    let mut command = Command::new(workspace::binary(Profile::Dev, "examples/conformance")?);
    command.args(["--port", &port.to_string()]);
    let mut process = Service::start("fixtures", command, folder)?;
    wait(&mut process, port, "/health")?;
    let address = format!("127.0.0.1:{port}");
    Ok(Server { url: format!("http://{address}/mcp"), address, _processes: vec![process] })
}

/// The hub with one endpoint, behind a proxy that adds the token of a user, which the suite cannot send.
pub(super) fn hub(folder: &Path, node: &Path) -> Result<Server> {
    let (port, door) = (free_port()?, free_port()?);
    let address = format!("127.0.0.1:{port}");
    let mut command = Command::new(workspace::binary(Profile::Dev, "syfthub")?);
    // Only what is set here: nothing of the user's own environment leaks in.
    command.env_clear().args(["serve", "--no-demo", "--listen", &address]);
    command.arg("--data-dir").arg(folder.join("data")).current_dir(folder);
    for (name, value) in [
        ("RATE_LIMIT_ENABLED", "false"),
        ("METRICS_LISTEN", "127.0.0.1:0"),
        ("MCP_ACCEPT_HUB_TOKENS", "true"),
        ("LOG_LEVEL", "warning"),
    ] {
        command.env(name, value);
    }
    let mut hub = Service::start("hub", command, folder)?;
    wait(&mut hub, port, "/health/ready")?;
    let token = folder.join("token");
    fs::write(&token, account(&address)?)?;
    let mut command = Command::new("sh");
    // A service has no standard input, and a token has no place among the arguments of a program.
    command.args(["-c", "exec \"$0\" \"$1\" \"$2\" \"$3\" < \"$4\""]).arg(node);
    command.arg(workspace::root().join(super::LISTS).join("bearer.mjs"));
    command.args([door.to_string(), port.to_string()]).arg(&token);
    let mut proxy = Service::start("proxy", command, folder)?;
    wait(&mut proxy, door, "/health/ready")?;
    Ok(Server { url: format!("http://127.0.0.1:{door}/mcp"), address, _processes: vec![proxy, hub] })
}

fn wait(process: &mut Service, port: u16, path: &str) -> Result<()> {
    let address = format!("127.0.0.1:{port}");
    process.wait_at(port, READY, || {
        Request::new("GET", path).send(&address).is_ok_and(|answer| answer.status == 200)
    })
}

/// Registers a user with one endpoint and gives a personal access token of theirs.
fn account(address: &str) -> Result<String> {
    let user = json!({
        "username": NAME, "email": "ada@example.org", "full_name": "Ada", "password": PASSWORD,
    });
    let user = Request::post("/api/v1/auth/register", &user).send(address)?.expect(201)?.json()?;
    let access = user["access_token"].as_str().context("register gave no token")?;
    let notes = json!({"name": "Notes", "type": "data_source", "readme": "# Notes"});
    Request::post("/api/v1/endpoints", &notes).bearer(access).send(address)?.expect(201)?;
    let wanted = json!({"name": "conformance", "scopes": ["full"]});
    let made = Request::post("/api/v1/auth/tokens", &wanted).bearer(access).send(address)?.expect(201)?;
    made.json()?["token"].as_str().map(str::to_owned).context("no token in the answer")
}
