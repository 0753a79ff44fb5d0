//! The `syfthub` program: see `syfthub --help`.

use std::process::ExitCode;

use clap::Parser as _;
use syfthub::cli::Cli;

/// Chats make many small allocations on several threads at once, for which the system's allocator is slow.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    syfthub::run(Cli::parse())
}
