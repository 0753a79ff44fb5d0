//! The command line: what can be said, not what it does.

mod sign_in;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
pub use sign_in::{AppsArgs, AppsCommand, LoginArgs, LogoutArgs, WhoamiArgs};
use syfthub_backend::oauth::operator::ClientsCommand;
use syfthub_backend::operator::{AuditCommand, KeysLine};

/// What is shown below the help of `syfthub admin`.
const ADMIN_EXAMPLES: &str = "\
Examples:
  syfthub admin create ada --email ada@example.com
  syfthub admin promote bob
  syfthub admin settings list
  syfthub admin settings set registration invitation

The commands go through the running hub, if there is one, and work without one.";

/// What is shown below the help of `syfthub admin settings`.
const SETTINGS_EXAMPLES: &str = "\
Settings:
  registration     open, invitation, domains or closed
  allowed_domains  mail domains that may register with `domains`: example.com,example.org
  guest_access     true or false: whether people without an account may browse and ask
  instance_name    what the hub calls itself

Examples:
  syfthub admin settings list
  syfthub admin settings get registration
  syfthub admin settings set allowed_domains example.com,example.org
  syfthub admin settings set registration domains
  syfthub admin settings reset registration";

/// What is shown below the help of `syfthub clients`.
const CLIENTS_EXAMPLES: &str = "\
Examples:
  syfthub clients add \"Our wiki\" --redirect-uri https://wiki.example.org/callback
  syfthub clients add \"Nightly report\" --id nightly-report --act-as reports --scope read
  syfthub clients list --json
  syfthub clients new-secret nightly-report
  syfthub clients remove nightly-report

A secret is printed once. The commands go through the running hub, if there is one, and work without one.";

/// Where `make run` puts the hub.
pub const DEFAULT_HUB: &str = "http://localhost:8080";

/// SyftHub: publish AI endpoints as owner/slug, find them, and ask them.
#[derive(Debug, Parser)]
#[command(name = "syfthub", version, arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    /// Settings file (TOML); the environment wins over it. Alone, it means `serve`.
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the whole hub in one process.
    Serve(ServeArgs),
    /// Publish a folder of documents, a model, or both, to a hub.
    Node(Box<NodeArgs>),
    /// Ask a hub a question and read the cited answer.
    Ask(AskArgs),
    /// Sign in to a hub from this terminal, by a code that you enter in a browser.
    #[command(after_help = sign_in::LOGIN_EXAMPLES)]
    Login(LoginArgs),
    /// Sign out of a hub.
    Logout(LogoutArgs),
    /// Show who you are at a hub.
    Whoami(WhoamiArgs),
    /// See which programs and devices you have let in at a hub, and send them away.
    Apps(AppsArgs),
    /// Administrators and the hub's settings: who may register, guest access, the hub's name.
    #[command(after_help = ADMIN_EXAMPLES)]
    Admin(AdminArgs),
    /// List, rotate and retire the keys that tokens for nodes, or of the OAuth server, are signed with.
    Keys(KeysArgs),
    /// Clients of the authorization server that you make by hand: apps of your own, and services.
    #[command(after_help = CLIENTS_EXAMPLES)]
    Clients(ClientsArgs),
    /// Read and check the audit log.
    Audit(AuditArgs),
    /// Bring the database up to date and say what was done.
    Migrate(DataDirArgs),
    /// Show the settings that are in force, with secrets masked.
    Config(ConfigArgs),
    /// Look for faults in the set-up and say how to mend them.
    Doctor(DoctorArgs),
    /// Write the files that are generated from the code.
    #[command(hide = true)]
    Gen(GenArgs),
}

/// Where the data lives.
#[derive(Debug, Clone, Default, Args)]
pub struct DataDirArgs {
    /// Data directory: database, secrets and keys.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// `syfthub serve`.
#[derive(Debug, Clone, Default, Args)]
pub struct ServeArgs {
    /// Address to listen on, for example 127.0.0.1:8080.
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["host", "port"])]
    pub listen: Option<SocketAddr>,
    /// Host part of the address.
    #[arg(long, value_name = "IP")]
    pub host: Option<IpAddr>,
    /// Port part of the address.
    #[arg(long)]
    pub port: Option<u16>,
    /// Where the data lives.
    #[command(flatten)]
    pub data: DataDirArgs,
    /// Do not start the sample node on an empty hub.
    #[arg(long)]
    pub no_demo: bool,
}

/// `syfthub node`.
#[derive(Debug, Args)]
pub struct NodeArgs {
    /// Address of the hub; by default that of the last sign-in, or http://localhost:8080.
    #[arg(long, value_name = "URL")]
    pub hub: Option<url::Url>,
    /// Personal access token of the publisher (syft_pat_…); by default SYFTHUB_API_TOKEN, or what `syfthub login`
    /// left.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// File that holds the token, so that it is not seen in the list of processes.
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    pub token_file: Option<PathBuf>,
    /// Folder of documents to publish as a data source.
    #[arg(long, value_name = "DIR")]
    pub docs: Option<PathBuf>,
    /// Name shown to people.
    #[arg(long, default_value = "My notes")]
    pub name: String,
    /// Slug of the data source; derived from the name if not given. The model gets the same with `-model`.
    #[arg(long)]
    pub slug: Option<String>,
    /// Base address of an OpenAI-compatible server, for example http://localhost:11434/v1.
    #[arg(long, value_name = "URL", requires = "model")]
    pub model_url: Option<url::Url>,
    /// Model to publish: a name known to --model-url, or `extract` for the built-in one.
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// File that holds the key of --model-url.
    #[arg(long, value_name = "FILE", requires = "model_url")]
    pub model_key_file: Option<PathBuf>,
    /// Address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8010")]
    pub listen: SocketAddr,
    /// Address under which the hub reaches this node, if it is not the one it listens on.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<url::Url>,
    /// Who may see and use what is published.
    #[arg(long, value_enum, default_value = "public")]
    pub visibility: VisibilityArg,
    /// Where the index is kept; by default in the user's cache directory.
    #[arg(long, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
}

/// Who may see an endpoint.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum VisibilityArg {
    /// Everybody, guests included.
    Public,
    /// Its owner only.
    Private,
}

/// `syfthub ask`.
#[derive(Debug, Args)]
pub struct AskArgs {
    /// The question.
    pub question: String,
    /// Model to answer, as owner/slug; by default the hub's first public one.
    #[arg(long, value_name = "OWNER/SLUG")]
    pub model: Option<String>,
    /// Data source to search, as owner/slug; may be given several times; by default the hub's public ones.
    #[arg(long = "source", value_name = "OWNER/SLUG")]
    pub sources: Vec<String>,
    /// Address of the hub; by default that of the last sign-in, or http://localhost:8080.
    #[arg(long, value_name = "URL")]
    pub hub: Option<url::Url>,
    /// File with an access token; by default SYFTHUB_API_TOKEN, or what `syfthub login` left. Without any the
    /// question is asked as a guest.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// How many documents the answer may rest on (1 to 20).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20), default_value = "5")]
    pub top_k: u32,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

/// `syfthub admin`.
#[derive(Debug, Args)]
pub struct AdminArgs {
    /// Where the data lives.
    #[command(flatten)]
    pub data: DataDirArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: AdminCommand,
}

/// What `syfthub admin` can do.
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// Create an administrator.
    Create {
        /// Username.
        username: String,
        /// Mail address.
        #[arg(long)]
        email: String,
        /// Full name; the username if not given.
        #[arg(long)]
        full_name: Option<String>,
        /// Read the password from standard input instead of asking for it.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Make an existing user an administrator.
    Promote {
        /// Username.
        username: String,
    },
    /// Make an administrator an ordinary user again. The last one stays.
    Demote {
        /// Username.
        username: String,
    },
    /// List the administrators.
    List,
    /// Show and change what the hub decides at run time.
    #[command(subcommand, after_help = SETTINGS_EXAMPLES)]
    Settings(SettingsCommand),
}

/// What `syfthub admin settings` can do.
#[derive(Debug, Subcommand)]
pub enum SettingsCommand {
    /// List all settings, and which of them were changed.
    List,
    /// Print the value of one setting.
    Get {
        /// Its name.
        name: String,
    },
    /// Change one setting; the running hub follows at once.
    Set {
        /// Its name.
        name: String,
        /// Its new value.
        value: String,
    },
    /// Give one setting its default again.
    Reset {
        /// Its name.
        name: String,
    },
}

/// `syfthub keys`.
#[derive(Debug, Args)]
pub struct KeysArgs {
    /// Where the data lives.
    #[command(flatten)]
    pub data: DataDirArgs,
    /// What to do, and with which keys.
    #[command(flatten)]
    pub line: KeysLine,
}

/// `syfthub clients`.
#[derive(Debug, Args)]
pub struct ClientsArgs {
    /// Where the data lives.
    #[command(flatten)]
    pub data: DataDirArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: ClientsCommand,
}

/// `syfthub audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Where the data lives.
    #[command(flatten)]
    pub data: DataDirArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: AuditCommand,
}

/// `syfthub config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Only check: exit with 1 on a fault.
    #[arg(long)]
    pub check: bool,
    /// Where the data lives.
    #[command(flatten)]
    pub data: DataDirArgs,
    /// What to do; without one, show the settings.
    #[command(subcommand)]
    pub command: Option<ConfigCommand>,
}

/// What `syfthub config` can do.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Only check: exit with 1 on a fault.
    Check,
    /// Print the database address in the form that psql and pg_dump read (with its password).
    DatabaseUrl,
}

/// `syfthub doctor`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DoctorArgs {
    /// Something to look at more closely; this machine and its settings without it.
    #[command(subcommand)]
    pub what: Option<DoctorCommand>,
    /// Where the data lives.
    #[command(flatten)]
    pub data: DataDirArgs,
    /// Address of a running hub to look at as well.
    #[arg(long, value_name = "URL")]
    pub hub: Option<url::Url>,
}

/// `syfthub doctor …`.
#[derive(Debug, Subcommand)]
pub enum DoctorCommand {
    /// Walk the way of an MCP client through the proxy, up to where it would sign in: discovery documents, keys,
    /// challenge, web pages' permission to ask.
    Mcp {
        /// The address that people use for the hub, without a path.
        #[arg(value_name = "URL")]
        hub: url::Url,
    },
}

/// `syfthub gen`.
#[derive(Debug, Args)]
pub struct GenArgs {
    /// Change nothing; exit with 1 when a file is out of date.
    #[arg(long)]
    pub check: bool,
    /// Root of the source tree.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub root: PathBuf,
    /// Print one artefact to standard output instead: `route-table`, `env`, `config`, `errors` or `openapi`.
    #[arg(long, value_name = "NAME")]
    pub print: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn a_settings_file_alone_is_accepted() {
        let cli = Cli::try_parse_from(["syfthub", "--config", "hub.toml"]).unwrap();
        assert!(cli.command.is_none() && cli.config.is_some());
    }

    #[test]
    fn listen_and_port_exclude_each_other() {
        assert!(Cli::try_parse_from(["syfthub", "serve", "--listen", "127.0.0.1:1", "--port", "2"]).is_err());
    }
}
