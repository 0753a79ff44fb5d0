//! `syfthub-aggregator serve | healthcheck | config`.

use std::process::ExitCode;

use clap::Parser;
use syfthub_aggregator::command::{Command, run};

/// Chats make many small allocations on several threads at once, for which the system's allocator is slow.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The chat service of SyftHub.
#[derive(Debug, Parser)]
#[command(name = "syfthub-aggregator", version, about)]
struct Arguments {
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

fn main() -> anyhow::Result<ExitCode> {
    run(&Arguments::parse().command)
}
