//! `syfthub-backend serve | healthcheck | config | migrate | admin`.

use std::process::ExitCode;

use clap::Parser;
use syfthub_backend::command::{Command, run};

/// Chats make many small allocations on several threads at once, for which the system's allocator is slow.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// SyftHub's API, identity provider and registry.
#[derive(Debug, Parser)]
#[command(name = "syfthub-backend", version, about)]
struct Arguments {
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

fn main() -> anyhow::Result<ExitCode> {
    run(&Arguments::parse().command)
}
