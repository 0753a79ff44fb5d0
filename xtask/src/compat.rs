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
    provision::for_the_clients()?;
    let folder = workspace::target_directory()?.join("compat");
    workspace::run(python("prepare.py").arg(&folder))?;
    let postgres = Postgres::start()?;
    postgres.create("sdk")?;
    let clients = Clients {
        python: folder.join("venv/bin/python"),
        binary: workspace::binary(Profile::Dev, "syfthub")?,
    };
    let groups = Mutex::new(groups(&folder, &postgres.url("sdk")));
    let mut counts = thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| clients.work_off(&groups))).collect();
        let mut counts = Counts::default();
        for worker in workers {
            counts += worker.join().map_err(|_| anyhow!("a worker of the other clients panicked"))??;
        }
        Ok::<_, anyhow::Error>(counts)
    })?;
    let table = workspace::run(python("table.py").arg(&folder).arg("--check"));
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
struct Group {
    name: String,
    arguments: Vec<String>,
}

/// All groups, those that take longest first.
fn groups(folder: &Path, postgres: &str) -> VecDeque<Group> {
    let fuzzer = ["admin", "user"].map(|caller| Group {
        name: format!("openapi.json as {caller}"),
        arguments: ["openapi", "-k", caller].map(str::to_owned).to_vec(),
    });
    let sdk = |version: &str, database: &str, more: &[&str]| {
        let ledger = folder.join(format!("calls-{version}-{database}.json"));
        let ledger = ledger.to_string_lossy().into_owned();
        let fixed = ["sdk", "--sdk", version, "--ledger", &ledger];
        Group {
            name: format!("syfthub-sdk {version} on {database}"),
            arguments: fixed.iter().chain(more).map(|word| (*word).to_owned()).collect(),
        }
    };
    let mut groups = VecDeque::from(fuzzer);
    groups.push_back(sdk(NEWEST, "PostgreSQL", &["--database", postgres]));
    groups.extend([NEWEST].iter().chain(OLDER).map(|version| sdk(version, "SQLite", &[])));
    groups.push_back(Group {
        name: "libraries that verify tokens".to_owned(),
        arguments: vec!["jwks".to_owned()],
    });
    groups.push_back(Group {
        name: "clients of OpenAI's protocol".to_owned(),
        arguments: vec!["stock".to_owned()],
    });
    groups
}

/// The environment that the tests run in.
struct Clients {
    python: PathBuf,
    binary: PathBuf,
}

impl Clients {
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
