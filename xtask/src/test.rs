//! `make test`: every runner there is, one sum.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::counts::Counts;
use crate::databases::Postgres;
use crate::workspace::{self, BINARIES, Profile};
use crate::{
    check, compat, conformance, docs, eval, guard, interrupt, nginx, oauth_clients, provision, stack,
};

/// What can be run alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// The rules of the architecture and the configuration files.
    Guards,
    /// `cargo test` of the workspace.
    Cargo,
    /// The services behind nginx, driven from outside.
    Stack,
    /// The shell blocks of the documentation.
    Docs,
    /// Questions whose answers are known.
    Quality,
    /// Other people's clients against the hub; fetches them the first time.
    Compat,
    /// MCP and OAuth clients through a browser, on one process and behind nginx; fetches them the first time.
    Clients,
    /// The conformance suite of MCP; fetches it the first time.
    Conformance,
}

/// A part, what the user reads, and what runs it.
type Runner = (Part, &'static str, fn() -> Result<Counts>);

const RUNNERS: &[Runner] = &[
    (Part::Guards, "guards", guards),
    (Part::Cargo, "tests of the workspace", cargo),
    (Part::Stack, "the stack from outside", stack),
    (Part::Docs, "shell blocks of the documentation", documentation),
    (Part::Quality, "quality of answers", quality),
    (Part::Compat, "other people's clients", compat::run),
    (Part::Clients, "MCP and OAuth clients through a browser", oauth_clients::run),
    (Part::Conformance, "the conformance suite of MCP", conformance::run),
];

/// Runs all parts, or those named, after building what they look at. The sum is the last line; tells whether nothing failed.
pub(crate) fn run(only: &[Part], build: bool) -> Result<bool> {
    provision::everything()?;
    let mut total = Counts::default();
    for (part, name, runner) in RUNNERS {
        if !only.is_empty() && !only.contains(part) {
            continue;
        }
        interrupt::check()?;
        println!("== {name}");
        let start = Instant::now();
        let built = if build { binaries(*part) } else { Ok(()) };
        let counts = built.and_then(|()| runner()).unwrap_or_else(|error| {
            // A runner that cannot run is a failure that has to be seen in the sum.
            println!("{name} FAILED: {error:#}");
            Counts { failed: 1, ..Counts::default() }
        });
        println!("== {name}: {counts} ({} s)", start.elapsed().as_secs());
        total += counts;
    }
    // A sum of half the tests would look like one of all.
    interrupt::check()?;
    println!("{total}");
    Ok(total.failed == 0)
}

/// Builds what a part looks at from outside.
fn binaries(part: Part) -> Result<()> {
    match part {
        Part::Guards | Part::Cargo => Ok(()),
        Part::Stack | Part::Clients => workspace::build(Profile::Dev, BINARIES),
        Part::Docs | Part::Quality | Part::Compat => workspace::build(Profile::Dev, &["syfthub"]),
        Part::Conformance => {
            workspace::build(Profile::Dev, &["syfthub"])?;
            workspace::build_example(Profile::Dev, "syfthub-mcp", "conformance")
        }
    }
}

fn quality() -> Result<Counts> {
    eval::run(false)
}

fn guards() -> Result<Counts> {
    let mut counts = guard::run()?;
    for (name, step) in [
        ("nginx -t", nginx::test as fn() -> Result<()>),
        ("compose config", check::compose),
        ("links", links),
    ] {
        let outcome = step();
        counts.add(outcome.is_ok());
        match outcome {
            Ok(()) => println!("guard: {name} ... ok"),
            Err(error) => println!("guard: {name} ... FAILED\n    {error:#}"),
        }
    }
    Ok(counts)
}

fn links() -> Result<()> {
    let faults = docs::links::check()?;
    anyhow::ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

/// `cargo test` with one PostgreSQL for all test binaries. Its output passes through.
fn cargo() -> Result<Counts> {
    let postgres = Postgres::start()?;
    let mut command = workspace::cargo();
    command.args(["test", "--workspace", "--no-fail-fast"]);
    command.env("SYFTHUB_TEST_POSTGRES_URL", postgres.url("postgres"));
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = interrupt::Waited::start(&mut command).context("cargo test does not start")?;
    let mut counts = Counts::default();
    let output = child.stdout().context("cargo test has no output")?;
    for line in BufReader::new(output).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        println!("{line}");
        counts.add_line(&line);
    }
    let status = child.wait()?;
    if !status.success() && counts.failed == 0 {
        println!(
            "cargo test failed without a failed test ({status}): a build error, or a test that ended its process"
        );
        counts.failed += 1;
    }
    Ok(counts)
}

fn stack() -> Result<Counts> {
    stack::tests::run(Profile::Dev)
}

fn documentation() -> Result<Counts> {
    let mut counts = docs::blocks::run()?;
    let fresh = check::up_to_date();
    counts.add(fresh.is_ok());
    println!("docs: generated files ... {}", if fresh.is_ok() { "ok" } else { "FAILED" });
    Ok(counts)
}
