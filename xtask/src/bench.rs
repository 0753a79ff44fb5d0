//! `make bench`: the bench crate against the built hub.

use anyhow::Result;

use crate::run;
use crate::workspace::{self, BINARIES, Profile};

/// Builds what is measured and what measures, then measures.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    run::need_compiler()?;
    println!("building the hub and the bench");
    let packages: Vec<&str> = BINARIES.iter().copied().chain(["syfthub-bench"]).collect();
    workspace::build(Profile::Quick, &packages)?;
    let mut bench = workspace::cargo();
    bench.args(["run", "--quiet", "--profile", Profile::Quick.name(), "--package", "syfthub-bench", "--"]);
    workspace::run(bench.args(arguments))
}
