#![doc = include_str!("../README.md")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for a terminal")]

mod bench;
mod browser;
mod check;
mod compat;
#[cfg(test)]
mod compose_tests;
mod conformance;
mod counts;
mod databases;
mod docs;
mod eval;
mod guard;
mod http;
mod interrupt;
mod matrix;
mod migration;
mod nginx;
mod oauth_clients;
mod process;
mod provision;
mod run;
#[cfg(test)]
mod scripts_tests;
mod source;
mod stack;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The commands behind the Makefile.
#[derive(Parser)]
#[command(name = "xtask", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the hub and become `syfthub serve`.
    Run {
        /// Handed to `syfthub serve`.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Run every test; the last line is the count.
    Test {
        /// Only these parts, separated by commas; all of them when not given.
        #[arg(long, value_enum, value_delimiter = ',')]
        only: Vec<test::Part>,
        /// Take the binaries as they are.
        #[arg(long)]
        no_build: bool,
    },
    /// Format, lints, guards, generated files, links, nginx and compose files.
    Check,
    /// Write the files that follow from the source.
    Gen,
    /// Only the guards.
    Guard,
    /// Write docs/security/oauth-matrix.md from the requirements and the tests that prove them.
    Matrix,
    /// The three services behind nginx, on loopback.
    Stack {
        /// Port of the proxy.
        #[arg(long, default_value_t = 8080)]
        port: u16,
    },
    /// Kills and restarts services under load and looks for what was lost; chats and looks for what stays behind.
    Soak {
        /// How long the kills take together, and how long the chats.
        #[arg(long, default_value_t = 10)]
        minutes: u64,
        /// Only one of the two.
        #[arg(long, value_enum)]
        only: Option<stack::soak::Part>,
    },
    /// An empty migration for both databases.
    Migration {
        /// What it changes, in lower_case_words.
        name: String,
    },
    /// Run a command with a PostgreSQL of its own, for single tests: `xtask databases -- cargo test …`.
    Databases {
        /// The command; it finds the server in `SYFTHUB_TEST_POSTGRES_URL`.
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Ask a hub questions whose answers are known, and say how good its answers are.
    Eval {
        /// Name the questions whose document was not found.
        #[arg(long)]
        show_misses: bool,
    },
    /// Measure the hub.
    Bench {
        /// Handed to the bench.
        #[arg(last = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        // It becomes the hub, which has ways of its own.
        Command::Run { arguments } => run::run(&arguments).map(|()| true),
        command => interrupt::listen().and_then(|()| dispatch(command)),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command; tells whether everything was well.
fn dispatch(command: Command) -> anyhow::Result<bool> {
    match command {
        Command::Run { arguments } => run::run(&arguments).map(|()| true),
        Command::Test { only, no_build } => test::run(&only, !no_build),
        Command::Check => check::run(),
        Command::Gen => check::generate().map(|()| true),
        Command::Guard => guard::run().map(|counts| counts.failed == 0),
        Command::Matrix => matrix::write().map(|()| true),
        Command::Stack { port } => stack::run(port).map(|()| true),
        Command::Soak { minutes, only } => stack::soak::run(minutes, only),
        Command::Migration { name } => migration::create(&name).map(|()| true),
        Command::Eval { show_misses } => eval::command(show_misses),
        Command::Bench { arguments } => bench::run(&arguments).map(|()| true),
        Command::Databases { command } => databases::lend(&command),
    }
}
