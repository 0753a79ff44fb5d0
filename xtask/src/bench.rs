//! `make bench`: the bench crate against the built hub.

use std::process::Command;

use anyhow::Result;

use crate::run;
use crate::workspace::{self, BINARIES, Profile};

/// Builds what is measured and what measures, then measures.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    run::need_compiler()?;
    println!("building the hub and the bench");
    let packages: Vec<&str> = BINARIES.iter().copied().chain(["syfthub-bench"]).collect();
    workspace::build(Profile::Quick, &packages)?;
    program(arguments)
}

/// Runs the bench on the binaries of its own profile.
pub(crate) fn program(arguments: &[String]) -> Result<()> {
    let hub = workspace::binary(Profile::Quick, "syfthub")?;
    let mut bench = Command::new(workspace::binary(Profile::Quick, "syfthub-bench")?);
    bench.arg("--binaries").args(hub.parent()).args(arguments);
    workspace::run(&mut bench)
}
