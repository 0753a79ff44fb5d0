//! The `syfthub` program: see `syfthub --help`.

use std::process::ExitCode;

use clap::Parser as _;
use syfthub::cli::Cli;

fn main() -> ExitCode {
    syfthub::run(Cli::parse())
}
