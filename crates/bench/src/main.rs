//! Measures a built hub against bare handlers in the same run and prints a table of ratios.
//!
//! Absolute figures drift with the machine; ratios of one run do not. `cargo xtask bench` builds the
//! binaries and calls this.

mod bare;
mod cases;
mod chats;
mod load;
mod process;
mod registry;
mod report;
mod seed;
mod soak;
mod stubs;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::report::Report;

/// Measures a built hub.
#[derive(Debug, Parser)]
#[command(name = "syfthub-bench", version, about)]
struct Cli {
    /// Folder with the built binaries (`syfthub`, `syfthub-backend`, …).
    #[arg(long, value_name = "DIR", default_value = "target/release")]
    binaries: PathBuf,
    /// Seconds of load per case.
    #[arg(long, default_value = "4")]
    seconds: u64,
    /// Connections that send at once.
    #[arg(long, default_value = "16")]
    connections: usize,
    /// Run only the cases with these names.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    #[command(subcommand)]
    command: Option<Internal>,
}

/// Other things than measuring; the hidden ones are started by the harness itself, so that what is
/// compared runs in a process of its own too.
#[derive(Debug, Subcommand)]
enum Internal {
    /// Kill a hub again and again under writes and check that nothing is lost.
    Soak {
        /// How long.
        #[arg(long, default_value = "10")]
        minutes: u64,
    },
    /// Chat at half of what is possible and check that nothing of it stays behind.
    Chats {
        /// How long.
        #[arg(long, default_value = "10")]
        minutes: u64,
    },
    /// Fill an empty PostgreSQL database with the registry that is measured, to look at plans and single queries.
    Fill {
        /// `postgresql://…`
        #[arg(long)]
        database: String,
    },
    /// The bare handlers.
    #[command(hide = true)]
    Bare {
        /// SQLite file with the endpoints to list.
        #[arg(long)]
        database: Option<PathBuf>,
        /// PostgreSQL database of a filled registry.
        #[arg(long)]
        registry: Option<String>,
    },
    /// Stub data source and model.
    #[command(hide = true)]
    Stubs,
    /// The same for `chats`.
    #[command(hide = true)]
    ChatStubs,
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match cli.command {
            Some(Internal::Bare { ref database, ref registry }) => {
                bare::serve(database.as_deref(), registry.as_deref()).await
            }
            Some(Internal::Fill { ref database }) => registry::fill(database).await.map(|_| ()),
            Some(Internal::Stubs) => stubs::serve().await,
            Some(Internal::ChatStubs) => chats::stubs::serve().await,
            Some(Internal::Chats { minutes }) => {
                chats::run(&plan(&cli)?, Duration::from_secs(60 * minutes)).await
            }
            Some(Internal::Soak { minutes }) => {
                soak::run(&plan(&cli)?, Duration::from_secs(60 * minutes)).await
            }
            None => measure(&cli).await,
        }
    })
}

fn plan(cli: &Cli) -> anyhow::Result<cases::Plan> {
    let hub = cli.binaries.join("syfthub");
    anyhow::ensure!(hub.is_file(), "{} is not built: run `cargo xtask bench`", hub.display());
    Ok(cases::Plan {
        binaries: cli.binaries.canonicalize().context("the folder of binaries")?,
        seconds: Duration::from_secs(cli.seconds),
        connections: cli.connections,
    })
}

async fn measure(cli: &Cli) -> anyhow::Result<()> {
    let plan = plan(cli)?;
    let mut report = Report::default();
    for (name, run) in cases::all() {
        if cli.only.is_empty() || cli.only.iter().any(|only| only == name) {
            report::progress(name)?;
            run(&plan, &mut report).await.with_context(|| format!("case {name}"))?;
        }
    }
    report.print()
}
