//! The one table of settings. Loading, `docs/CONFIG.md`, `.env.example` and `syfthub config` follow it.

mod audit;
mod chat;
mod features;
mod foundation;
mod health;
mod hub;
mod mail;
mod optional;
mod sign_in;
mod wallet;

use std::sync::LazyLock;

use crate::Role;

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Yes or no.
    Flag,
    /// A whole number within bounds.
    Integer {
        /// Least value.
        min: u64,
        /// Greatest value.
        max: u64,
    },
    /// A number of seconds within bounds, with or without a fraction.
    Seconds {
        /// Least value.
        min: u64,
        /// Greatest value.
        max: u64,
    },
    /// A TCP port; 0 lets the system choose.
    Port,
    /// `address:port`, or `off`.
    Listener,
    /// An IP address or `localhost`.
    Host,
    /// An `http://` or `https://` URL.
    Url,
    /// An `http://` or `https://` URL without a path.
    Origin,
    /// A JSON array of texts, or texts separated by commas.
    List,
    /// IP addresses or networks separated by commas, or `none`.
    Networks,
    /// A path in the file system.
    Path,
    /// One of these words, in any case.
    Choice(&'static [&'static str]),
    /// PEM text, or its base64.
    Pem,
    /// 32 bytes in base64.
    Key32,
    /// At least 32 bytes that nobody can guess.
    Strong,
    /// `sqlite:///path` or `postgresql://user:password@host:port/name`.
    Database,
    /// `redis://:password@host:port/number`.
    Redis,
}

impl Kind {
    /// Says in words what a value must be.
    pub fn expects(self) -> String {
        match self {
            Self::Text => "a text".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Seconds { min, max } => format!("a number of seconds from {min} to {max}"),
            Self::Port => "a port number from 0 to 65535".to_owned(),
            Self::Listener => "an address with a port such as 127.0.0.1:9464, or off".to_owned(),
            Self::Host => "an IP address to listen on, or localhost".to_owned(),
            Self::Url => "an address that starts with http:// or https://".to_owned(),
            Self::Origin => "an address such as https://hub.example.com, without a path".to_owned(),
            Self::List => "a JSON array of texts, or texts separated by commas".to_owned(),
            Self::Networks => "IP addresses or networks (10.0.0.0/8) separated by commas, or none".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
            Self::Pem => "PEM text, or its base64 on one line (base64 -w0 file.pem)".to_owned(),
            Self::Key32 => "32 random bytes in base64 (openssl rand -base64 32)".to_owned(),
            Self::Strong => "at least 32 characters that nobody can guess (openssl rand -hex 32)".to_owned(),
            Self::Database => {
                "sqlite:///file.db, sqlite:////absolute/file.db or postgresql://user:password@host:5432/name"
                    .to_owned()
            }
            Self::Redis => "redis://:password@host:6379/0 or rediss://…".to_owned(),
        }
    }
}

/// A group of settings in the documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Read by the compose files, not by the programs.
    Deployment,
    /// What kind of installation this is and where its files are.
    General,
    /// Listeners and addresses.
    Addresses,
    /// Secrets and keys.
    Secrets,
    /// Token life times.
    Tokens,
    /// Logs, traces and metrics.
    Logging,
    /// Database and Redis.
    Storage,
    /// Rate limits and password rules.
    Limits,
    /// Mail and one-time codes.
    Mail,
    /// Endpoint health.
    Health,
    /// The chat service.
    Aggregator,
    /// The MCP service.
    Mcp,
    /// gRPC between services.
    Grpc,
    /// Parts that a hub may do without.
    Optional,
}

impl Section {
    /// Returns the heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment (read by the compose files)",
            Self::General => "General",
            Self::Addresses => "Addresses",
            Self::Secrets => "Secrets and keys",
            Self::Tokens => "Tokens",
            Self::Logging => "Logs, traces and metrics",
            Self::Storage => "Database and Redis",
            Self::Limits => "Limits",
            Self::Mail => "Mail and one-time codes",
            Self::Health => "Endpoint health",
            Self::Aggregator => "Aggregator",
            Self::Mcp => "MCP server",
            Self::Grpc => "gRPC between services",
            Self::Optional => "Optional parts",
        }
    }
}

/// All programs.
pub(crate) const ALL: &[Role] = &[Role::AllInOne, Role::Backend, Role::Aggregator, Role::Mcp];

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct SettingDoc {
    /// Name of the environment variable.
    pub name: &'static str,
    /// Other names that are read when `name` is not set.
    pub aliases: &'static [&'static str],
    /// Group in the documents.
    pub section: Section,
    /// What a value looks like.
    pub kind: Kind,
    /// The default, in words or as a value.
    pub default: &'static str,
    /// When it must be set; empty means never.
    pub required: &'static str,
    /// Whether its value is never shown, and `NAME_FILE` may name a file that holds it.
    pub secret: bool,
    /// Which programs read it; none means only the compose files do.
    pub programs: &'static [Role],
    /// A line that `.env.example` sets; without it the line is a comment with the default.
    pub example: Option<&'static str>,
    /// What it does.
    pub doc: &'static str,
}

impl SettingDoc {
    const fn new(
        name: &'static str,
        section: Section,
        kind: Kind,
        default: &'static str,
        doc: &'static str,
    ) -> Self {
        Self {
            name,
            aliases: &[],
            section,
            kind,
            default,
            required: "",
            secret: false,
            programs: ALL,
            example: None,
            doc,
        }
    }

    const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    const fn required(mut self, when: &'static str) -> Self {
        self.required = when;
        self
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    const fn only(mut self, programs: &'static [Role]) -> Self {
        self.programs = programs;
        self
    }

    const fn example(mut self, value: &'static str) -> Self {
        self.example = Some(value);
        self
    }

    /// Tells whether `upper` (in upper case) is a name of this setting, including its `_FILE` twin.
    pub fn is_named(&self, upper: &str) -> bool {
        let plain = |name: &str| name == self.name || self.aliases.contains(&name);
        plain(upper) || (self.secret && upper.strip_suffix("_FILE").is_some_and(plain))
    }
}

/// All settings, in the order of the documents.
pub static TABLE: LazyLock<Vec<SettingDoc>> = LazyLock::new(|| {
    let parts = [
        audit::SETTINGS,
        foundation::SETTINGS,
        features::SETTINGS,
        chat::SETTINGS,
        health::SETTINGS,
        hub::SETTINGS,
        mail::SETTINGS,
        optional::SETTINGS,
        sign_in::SETTINGS,
        wallet::SETTINGS,
    ];
    let mut all: Vec<SettingDoc> = parts.concat();
    all.sort_by_key(|setting| setting.section);
    all
});

/// Names that are accepted and do nothing, with the reason that is told when one is set.
pub const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("RSA_KEY_ID", "the id of a key is its RFC 7638 thumbprint"),
    ("RSA_KEYS_DIRECTORY", "generated keys are kept sealed in the database, so that all replicas share them"),
    ("AUTO_GENERATE_RSA_KEYS", "without RSA_PRIVATE_KEY_PEM a key is always generated once, in the database"),
    ("LINEAR_API_KEY", "feedback is kept in the hub's own database; see FEEDBACK_SINK"),
    ("LINEAR_TEAM_ID", "feedback is kept in the hub's own database; see FEEDBACK_SINK"),
    ("ACCOUNTING_ENCRYPTION_KEY", "the hub keeps no credentials of an accounting service"),
    ("TEMPO_TESTNET", "the hub has no Tempo wallets; see WALLET_PROVIDER"),
    ("MPP_SECRET_KEY", "the hub takes no payments itself; see WALLET_PROVIDER"),
    ("WORKERS", "one process uses all cores"),
];

/// Returns the setting of this name.
pub(crate) fn find(name: &str) -> Option<&'static SettingDoc> {
    TABLE.iter().find(|setting| setting.name == name)
}

/// Returns the known name that is most like `upper`, if any is like it.
pub(crate) fn nearest(upper: &str) -> Option<&'static str> {
    let names = TABLE.iter().flat_map(|setting| std::iter::once(&setting.name).chain(setting.aliases));
    names
        .map(|name| (distance(upper, name), *name))
        .min()
        .filter(|(distance, name)| *distance <= name.len().div_ceil(3))
        .map(|(_, name)| name)
}

/// Counts the letters to insert, delete or replace between two texts.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{TABLE, WITHOUT_EFFECT, nearest};

    #[test]
    fn every_name_occurs_once() {
        let mut seen = BTreeSet::new();
        for setting in TABLE.iter() {
            for name in std::iter::once(&setting.name).chain(setting.aliases) {
                assert!(seen.insert(*name), "{name} occurs twice");
            }
        }
        for (name, _) in WITHOUT_EFFECT {
            assert!(seen.insert(name), "{name} occurs twice");
        }
    }

    #[test]
    fn finds_the_name_that_was_meant() {
        assert_eq!(nearest("LOG_LEVL"), Some("LOG_LEVEL"));
        assert_eq!(nearest("DATABASEURL"), Some("DATABASE_URL"));
        assert_eq!(nearest("FAVOURITE_COLOUR"), None);
    }
}
