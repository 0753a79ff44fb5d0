//! Other people's MCP and OAuth clients against the hub: one process on SQLite, and at the same time three services behind
//! nginx with PostgreSQL and Redis. People sign in on the hub's own pages, in a browser without a window.

use std::collections::VecDeque;
use std::fs;

use anyhow::Result;
use serde_json::{Map, json};

use crate::compat::{Clients, Group};
use crate::counts::Counts;
use crate::process::free_port;
use crate::provision;
use crate::stack::Stack;
use crate::workspace::{self, Profile};

const TESTS: &str = "oauth";

/// Runs the same tests on both.
pub(crate) fn run() -> Result<Counts> {
    provision::for_the_stack()?;
    provision::for_the_browser()?;
    let clients = Clients::install()?;
    let folder = tempfile::tempdir()?;
    // The services have to trust a server of the tests from their start on.
    workspace::run(clients.script("oauth/published.py").arg(folder.path()))?;
    let authority = folder.path().join("authority.pem").to_string_lossy().into_owned();
    let settings = vec![("SSL_CERT_FILE", authority), ("RATE_LIMIT_ENABLED", "false".to_owned())];
    let mut stack = Stack::start_with(Profile::Dev, free_port()?, settings)?;

    let environment: Map<_, _> =
        stack.environment().into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    let told = json!({"url": format!("http://{}", stack.address), "environment": environment});
    let file = folder.path().join("stack.json");
    fs::write(&file, told.to_string())?;
    let mut behind_nginx = Group::new("OAuth clients, three services behind nginx", &[TESTS]);
    behind_nginx.environment.push(("SYFTHUB_STACK", file));
    let one_process = Group::new("OAuth clients, one process", &[TESTS]);
    let mut counts = clients.test(VecDeque::from([behind_nginx, one_process]))?;
    if let Some(words) = stack.broken() {
        println!("{words}");
        counts.failed += 1;
    }
    stack.stop();
    Ok(counts)
}
