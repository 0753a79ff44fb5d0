//! `make bench`: the bench crate against the built hub.

use std::process::Command;

use anyhow::Result;

use crate::run;
use crate::workspace::{self, BINARIES, Profile};

/// Builds what is measured and what measures, then measures.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    run::need_compiler()?;
    println!("building the hub and the bench, optimised; the first time takes {}", run::estimate(3));
    let packages: Vec<&str> = BINARIES.iter().copied().chain(["syfthub-bench"]).collect();
    workspace::build(Profile::Release, &packages)?;
    program(Profile::Release, arguments)
}

/// Runs the bench on the binaries of its own profile. Figures are worth something in `Release` only.
pub(crate) fn program(profile: Profile, arguments: &[String]) -> Result<()> {
    let hub = workspace::binary(profile, "syfthub")?;
    let mut bench = Command::new(workspace::binary(profile, "syfthub-bench")?);
    bench.arg("--binaries").args(hub.parent()).args(arguments);
    workspace::run(&mut bench)
}
