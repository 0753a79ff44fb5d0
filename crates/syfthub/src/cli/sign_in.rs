//! What can be said about signing in, and about what one has let in.

use clap::{Args, Subcommand};

/// What is shown below the help of `syfthub login`.
pub(super) const LOGIN_EXAMPLES: &str = "\
Examples:
  syfthub login
  syfthub login --hub https://hub.example.org
  syfthub login --hub https://hub.example.org --scope read

It shows a code and the address of a page; open that page in any browser, enter the code, and agree.
What comes of it is kept in ~/.config/syfthub/credentials.json, for you alone, and used by `syfthub ask`,
`syfthub node` and `syfthub apps` when neither a flag nor SYFTHUB_API_TOKEN names another token.";

/// `syfthub login`.
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// Address of the hub; by default that of the last sign-in, or http://localhost:8080.
    #[arg(long, value_name = "URL")]
    pub hub: Option<url::Url>,
    /// Do not open a browser on this machine.
    #[arg(long)]
    pub no_browser: bool,
    /// What to be allowed: read (look and ask), write (publish and change), full (also tokens, apps and payments).
    #[arg(long, value_name = "SCOPES", default_value = "read write")]
    pub scope: String,
}

/// `syfthub logout`.
#[derive(Debug, Args)]
pub struct LogoutArgs {
    /// Address of the hub; by default that of the last sign-in.
    #[arg(long, value_name = "URL", conflicts_with = "all")]
    pub hub: Option<url::Url>,
    /// Sign out of every hub.
    #[arg(long)]
    pub all: bool,
}

/// `syfthub whoami`.
#[derive(Debug, Args)]
pub struct WhoamiArgs {
    /// Address of the hub; by default that of the last sign-in, or http://localhost:8080.
    #[arg(long, value_name = "URL")]
    pub hub: Option<url::Url>,
}

/// `syfthub apps`.
#[derive(Debug, Args)]
pub struct AppsArgs {
    /// Address of the hub; by default that of the last sign-in, or http://localhost:8080.
    #[arg(long, value_name = "URL", global = true)]
    pub hub: Option<url::Url>,
    /// What to do.
    #[command(subcommand)]
    pub command: AppsCommand,
}

/// What `syfthub apps` can do.
#[derive(Debug, Subcommand)]
pub enum AppsCommand {
    /// List them, the one used last first.
    List {
        /// Print the hub's JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Send some of them away: their tokens are refused from then on.
    Revoke {
        /// Their ids, from the list.
        #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
        ids: Vec<String>,
        /// All of them, sign-ins of `syfthub login` included.
        #[arg(long)]
        all: bool,
    },
}
