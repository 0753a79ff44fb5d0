//! `make check`: everything that can be said about the source without running its tests.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::workspace::{self, Profile};
use crate::{docs, guard, matrix, nginx, provision};

/// A name and what it does.
type Step = (&'static str, fn() -> Result<()>);

const STEPS: &[Step] = &[
    ("format", format),
    ("lints", lints),
    ("guards", guards),
    ("generated files", generated),
    ("links of the documentation", links),
    ("nginx configuration", nginx::test),
    ("compose files", compose),
];

/// Runs every step, also after a failure, and tells whether all passed.
pub(crate) fn run() -> Result<bool> {
    provision::everything()?;
    let mut failed = Vec::new();
    for (name, step) in STEPS {
        println!("check: {name}");
        if let Err(error) = step() {
            eprintln!("{error:#}");
            failed.push(*name);
        }
    }
    if failed.is_empty() {
        println!("check: all {} passed", STEPS.len());
    } else {
        eprintln!("check: FAILED: {}", failed.join(", "));
    }
    Ok(failed.is_empty())
}

/// `make gen`.
pub(crate) fn generate() -> Result<()> {
    workspace::build(Profile::Dev, &["syfthub"])?;
    let mut hub = Command::new(workspace::binary(Profile::Dev, "syfthub")?);
    workspace::run(hub.current_dir(workspace::root()).arg("gen"))?;
    matrix::write()
}

fn format() -> Result<()> {
    workspace::run(workspace::cargo().args(["fmt", "--all", "--check"]))
}

fn lints() -> Result<()> {
    let mut clippy = workspace::cargo();
    clippy.args(["clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"]);
    workspace::run(&mut clippy)
}

fn guards() -> Result<()> {
    let counts = guard::run()?;
    ensure!(counts.failed == 0, "{} of the guards failed", counts.failed);
    Ok(())
}

fn generated() -> Result<()> {
    workspace::build(Profile::Dev, &["syfthub"])?;
    up_to_date()
}

/// Whether the generated files say what the code does; the binary is there already.
pub(crate) fn up_to_date() -> Result<()> {
    let mut hub = Command::new(workspace::binary(Profile::Dev, "syfthub")?);
    workspace::run(hub.current_dir(workspace::root()).args(["gen", "--check"]))
}

fn links() -> Result<()> {
    let faults = docs::links::check()?;
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

/// Lets compose read both files, with the settings that our own script writes.
pub(crate) fn compose() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let environment = folder.path().join("env");
    let mut script = Command::new("sh");
    script.current_dir(workspace::root()).arg("scripts/generate-env.sh").arg("--output").arg(&environment);
    workspace::read(&mut script)?;
    for file in ["docker-compose.dev.yml", "docker-compose.deploy.yml"] {
        let mut compose = Command::new("docker-compose");
        compose.current_dir(workspace::root()).arg("--env-file").arg(&environment);
        workspace::read(compose.args(["--file", file, "config", "--quiet"]))?;
    }
    Ok(())
}
