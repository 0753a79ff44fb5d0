//! The `syfthub` program: see `syfthub --help`.

use std::process::ExitCode;

use clap::Parser as _;
use syfthub::cli::Cli;

/// Requests allocate much and briefly; the system's allocator costs a third of the throughput.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    syfthub::run(Cli::parse())
}
