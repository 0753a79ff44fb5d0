//! Other people's clients against the hub: published SDKs, a fuzzer of the API document, token libraries.
//!
//! The tests are in Python (`tests/compat/python`); this makes their environment, lends them a PostgreSQL, runs two
//! groups of them at a time, and adds up what they report.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};

use crate::counts::Counts;
use crate::databases::Postgres;
use crate::workspace::{self, Profile};
use crate::{interrupt, provision};

const TESTS: &str = "tests/compat/python";
/// The version that has to work in full, on both databases; it is the newest one.
const NEWEST: &str = "0.3.1";
/// Versions that are still in use, for the calls that they have.
const OLDER: &[&str] = &["0.1.0", "0.1.1", "0.2.0", "0.2.1", "0.3.0"];
/// Groups that run at the same time. Each has a hub of its own.
const AT_ONCE: usize = 2;

/// Runs all of them.
pub(crate) fn run() -> Result<Counts> {
    let clients = Clients::install()?;
    let postgres = Postgres::start()?;
    postgres.create("sdk")?;
    let mut counts = clients.test(groups(&clients.folder, &postgres.url("sdk")))?;
    let table = workspace::run(python("table.py").arg(&clients.folder).arg("--check"));
    counts.add(table.is_ok());
    println!("docs/compatibility.md says what was seen ... {}", if table.is_ok() { "ok" } else { "FAILED" });
    Ok(counts)
}

fn python(script: &str) -> Command {
    let mut command = Command::new("python3");
    command
        .arg(format!("{TESTS}/{script}"))
        .current_dir(workspace::root())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Tests that run one after the other on one hub.
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) arguments: Vec<String>,
    /// What its tests find in their environment besides.
    pub(crate) environment: Vec<(&'static str, PathBuf)>,
}

impl Group {
    /// With nothing besides.
    pub(crate) fn new(name: impl Into<String>, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
        Self { name: name.into(), arguments, environment: Vec::new() }
    }
}

/// All groups, those that take longest first.
fn groups(folder: &Path, postgres: &str) -> VecDeque<Group> {
    let fuzzer = ["admin", "user"]
        .map(|caller| Group::new(format!("openapi.json as {caller}"), &["openapi", "-k", caller]));
    let sdk = |version: &str, database: &str, more: &[&str]| {
        let ledger = folder.join(format!("calls-{version}-{database}.json"));
        let ledger = ledger.to_string_lossy().into_owned();
        let words = [["sdk", "--sdk", version, "--ledger", &ledger].as_slice(), more].concat();
        Group::new(format!("syfthub-sdk {version} on {database}"), &words)
    };
    let mut groups = VecDeque::from(fuzzer);
    groups.push_back(sdk(NEWEST, "PostgreSQL", &["--database", postgres]));
    groups.extend([NEWEST].iter().chain(OLDER).map(|version| sdk(version, "SQLite", &[])));
    groups.push_back(Group::new("libraries that verify tokens", &["jwks"]));
    groups.push_back(Group::new("clients of OpenAI's protocol", &["stock"]));
    groups
}

/// The environment that the tests run in.
pub(crate) struct Clients {
    folder: PathBuf,
    python: PathBuf,
    binary: PathBuf,
}

impl Clients {
    /// Installs what the lists of versions name, unless it is there.
    pub(crate) fn install() -> Result<Self> {
        provision::for_the_clients()?;
        let folder = workspace::target_directory()?.join("compat");
        workspace::run(python("prepare.py").arg(&folder))?;
        let binary = workspace::binary(Profile::Dev, "syfthub")?;
        Ok(Self { python: folder.join("venv/bin/python"), folder, binary })
    }

    /// A script of the tests, with the packages that they have.
    pub(crate) fn script(&self, path: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(workspace::root().join(TESTS).join(path)).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// Runs groups, as many at a time as there is room for.
    pub(crate) fn test(&self, groups: VecDeque<Group>) -> Result<Counts> {
        let groups = Mutex::new(groups);
        thread::scope(|scope| {
            let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| self.work_off(&groups))).collect();
            let mut counts = Counts::default();
            for worker in workers {
                counts += worker.join().map_err(|_| anyhow!("a worker of the other clients panicked"))??;
            }
            Ok(counts)
        })
    }

    /// Takes groups until there are no more.
    fn work_off(&self, groups: &Mutex<VecDeque<Group>>) -> Result<Counts> {
        let mut counts = Counts::default();
        loop {
            let next = groups.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(group) = next else { return Ok(counts) };
            counts += self.run(&group)?;
        }
    }

    /// One run of the test runner. Its output is shown at its end, so that two do not mingle.
    fn run(&self, group: &Group) -> Result<Counts> {
        interrupt::check()?;
        println!("-- {} begins", group.name);
        let start = Instant::now();
        let mut command = Command::new(&self.python);
        command.args(["-m", "pytest"]).args(&group.arguments).current_dir(workspace::root().join(TESTS));
        // Nothing is written into the source tree.
        command.env("SYFTHUB_BIN", &self.binary).env("PYTHONDONTWRITEBYTECODE", "1");
        command.envs(group.environment.iter().map(|(name, value)| (name, value)));
        let output = interrupt::output(&mut command).context("pytest does not start")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut counts = Counts::default();
        text.lines().for_each(|line| counts.add_line(line));
        let errors = String::from_utf8_lossy(&output.stderr);
        println!("-- {} ({} s)\n{text}{errors}", group.name, start.elapsed().as_secs());
        if !output.status.success() && counts.failed == 0 {
            println!("pytest failed without a failed test ({})", output.status);
            counts.failed += 1;
        }
        Ok(counts)
    }
}
