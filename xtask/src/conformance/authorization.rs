//! The suite's part about authorization servers: it plays the client, we play the user in front of the browser.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use super::Suite;
use super::report::{Baseline, Report};
use super::servers::{NAME, PASSWORD};
use crate::browser::{Browser, path_of};
use crate::http::Request;
use crate::process::{Service, free_port};

/// Time for the suite to say where to sign in, and to come to an end afterwards.
const PATIENCE: Duration = Duration::from_mins(1);

/// Registers a client, lets the suite begin, signs in and agrees.
pub(super) fn run(suite: &Suite, address: &str, folder: &Path) -> Result<Report> {
    let server = Request::new("GET", "/.well-known/oauth-authorization-server/mcp").send(address)?;
    let server = server.expect(200)?.json()?;
    let text =
        |key: &str| server[key].as_str().map(str::to_owned).with_context(|| format!("no {key} is told"));
    let port = free_port()?;
    let client = json!({
        "client_name": "Conformance suite",
        "redirect_uris": [format!("http://127.0.0.1:{port}/callback")],
        "token_endpoint_auth_method": "none",
    });
    let made = Request::post(path_of(&text("registration_endpoint")?)?, &client).send(address)?;
    let made = made.expect(201)?.json()?;
    let id = made["client_id"].as_str().context("the client got no id")?;
    let mut command = Command::new(&suite.node);
    command.arg(&suite.program).args(["authorization", "--url", &text("issuer")?, "--client-id", id]);
    command.args(["--resource", &text("issuer")?, "--port", &port.to_string()]);
    command.arg("--output-dir").arg(folder.join("results"));
    let mut running = Service::start("authorization", command, folder)?;
    let mut asked = None;
    let output = folder.join("authorization.log");
    running.wait_until(PATIENCE, || {
        let said = std::fs::read_to_string(&output).unwrap_or_default();
        asked =
            said.lines().find(|line| line.contains("response_type=code")).map(|line| line.trim().to_owned());
        asked.is_some()
    })?;
    let callback = Browser::new(address).agree(&asked.unwrap_or_default(), NAME, PASSWORD)?;
    let back = path_of(&callback)?.to_owned();
    Request::new("GET", back).send(&format!("127.0.0.1:{port}"))?;
    crate::process::eventually("the end of the suite", PATIENCE, || running.ended().is_some())?;
    let said = running.output();
    let report = Report::parse(&said, &Baseline::default());
    if report.has_failed() || report.scenarios.is_empty() {
        println!("{said}");
    }
    if report.scenarios.is_empty() {
        bail!("the suite reports no scenario");
    }
    Ok(report)
}
