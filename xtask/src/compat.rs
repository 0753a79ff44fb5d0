//! Other people's clients against the hub: published SDKs, a fuzzer of the API document, token libraries.
//!
//! The tests are in Python (`tests/compat/python`); this makes their environment, lends them a PostgreSQL, and
//! adds up what they report.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

use crate::counts::Counts;
use crate::databases::Postgres;
use crate::workspace::{self, Profile};
use crate::{interrupt, provision};

const TESTS: &str = "tests/compat/python";
/// The version that has to work in full, on both databases; it is the newest one.
const NEWEST: &str = "0.3.1";
/// Versions that are still in use, for the calls that they have.
const OLDER: &[&str] = &["0.1.0", "0.1.1", "0.2.0", "0.2.1", "0.3.0"];

/// Runs all of them.
pub(crate) fn run() -> Result<Counts> {
    provision::for_the_clients()?;
    let folder = workspace::target_directory()?.join("compat");
    workspace::run(
        Command::new("python3")
            .arg(TESTS.to_owned() + "/prepare.py")
            .arg(&folder)
            .current_dir(workspace::root()),
    )?;
    let clients = Clients {
        python: folder.join("venv/bin/python"),
        binary: workspace::binary(Profile::Dev, "syfthub")?,
    };
    let postgres = Postgres::start()?;
    postgres.create("sdk")?;
    let mut counts = Counts::default();
    let database = postgres.url("sdk");
    counts += clients.sdk(NEWEST, &["--database", &database], &folder)?;
    for version in [NEWEST].iter().chain(OLDER) {
        counts += clients.sdk(version, &[], &folder)?;
    }
    for part in ["jwks", "openapi"] {
        println!("-- {part}");
        counts += clients.pytest(&[part])?;
    }
    Ok(counts)
}

/// The environment that the tests run in.
struct Clients {
    python: PathBuf,
    binary: PathBuf,
}

impl Clients {
    /// The calls of one version of the SDK; their outcomes are kept beside the environment.
    fn sdk(&self, version: &str, more: &[&str], folder: &Path) -> Result<Counts> {
        let database = if more.is_empty() { "SQLite" } else { "PostgreSQL" };
        println!("-- syfthub-sdk {version} on {database}");
        let ledger = folder.join(format!("calls-{version}-{database}.json"));
        let ledger = ledger.to_string_lossy();
        let mut arguments = vec!["sdk", "--sdk", version, "--ledger", &ledger];
        arguments.extend(more);
        self.pytest(&arguments)
    }

    /// One run of the test runner. Its output passes through.
    fn pytest(&self, arguments: &[&str]) -> Result<Counts> {
        interrupt::check()?;
        let mut command = Command::new(&self.python);
        command.args(["-m", "pytest"]).args(arguments).current_dir(workspace::root().join(TESTS));
        // Nothing is written into the source tree.
        command.env("SYFTHUB_BIN", &self.binary).env("PYTHONDONTWRITEBYTECODE", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = interrupt::Waited::start(&mut command).context("pytest does not start")?;
        let output = child.stdout().context("pytest has no output")?;
        let mut counts = Counts::default();
        for line in BufReader::new(output).split(b'\n') {
            let line = String::from_utf8_lossy(&line?).into_owned();
            println!("{line}");
            counts.add_line(&line);
        }
        let status = child.wait()?;
        if !status.success() && counts.failed == 0 {
            println!("pytest failed without a failed test ({status})");
            counts.failed += 1;
        }
        Ok(counts)
    }
}
