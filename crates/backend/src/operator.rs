//! Commands about keys and the audit log that both command lines have: how they are spelled, and their answers.

use clap::{Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use syfthub_domain::{Error, ErrorCode, Result, Timestamp};
use syfthub_store::Db;
use syfthub_store::audit::{self, AuditRow, Filter};

use crate::audit::wire::AuditEntry;
use crate::identity_provider::rotation::KeyInfo;

/// Which keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ring {
    /// Those of the tokens that prove users to nodes
    #[default]
    Satellite,
    /// Those of the OAuth server, which the MCP service signs with
    Mcp,
}

impl Ring {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Satellite => "satellite",
            Self::Mcp => "mcp",
        }
    }

    /// The ring of a name; an empty one is that of satellite tokens.
    pub(crate) fn named(name: &str) -> Result<Self> {
        match name {
            "" | "satellite" => Ok(Self::Satellite),
            "mcp" => Ok(Self::Mcp),
            _ => Err(Error::new(ErrorCode::BadRequest, "The rings of keys are satellite and mcp")),
        }
    }
}

/// A command about keys, and about which.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct KeysLine {
    /// Which keys: those of tokens for nodes, or those of the OAuth server
    #[arg(long, global = true, value_name = "RING", default_value = "satellite")]
    pub ring: Ring,
    /// What to do
    #[command(subcommand)]
    pub command: KeysCommand,
}

/// What to do about the keys that tokens are signed with.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum KeysCommand {
    /// Show the keys that are published
    List,
    /// Make a new key; it signs an hour later, when every verifier can know it
    Rotate {
        /// Sign with it at once: verifiers that keep the old key set refuse its tokens until they fetch the new one
        #[arg(long)]
        now: bool,
    },
    /// Take a retired key away before its time; the key that signs is never taken
    Retire {
        /// Id of the key, or the beginning of it
        // One in 64 begins with a hyphen.
        #[arg(allow_hyphen_values = true)]
        kid: String,
        /// Although tokens that it signed may still be in use, for example when the key was stolen
        #[arg(long)]
        force: bool,
    },
}

/// What to do with the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum AuditCommand {
    /// Show what was done, newest first
    List {
        /// By this account or part of the hub
        #[arg(long, value_name = "NAME")]
        actor: Option<String>,
        /// This action, for example user.deactivated
        #[arg(long, value_name = "ACTION")]
        action: Option<String>,
        /// To this kind of thing, for example endpoint
        #[arg(long, value_name = "KIND")]
        target_kind: Option<String>,
        /// To this thing: an id, or owner/slug
        #[arg(long, value_name = "TARGET")]
        target: Option<String>,
        /// From this moment on (RFC 3339)
        #[arg(long, value_name = "TIME", value_parser = time)]
        since: Option<Timestamp>,
        /// Before this moment (RFC 3339)
        #[arg(long, value_name = "TIME", value_parser = time)]
        until: Option<Timestamp>,
        /// Entries to show
        #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// One JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Check that nothing was changed or removed; exits with 1 if something was
    Verify {
        /// The hash that an earlier check printed: is the log still the one that had it?
        #[arg(long, value_name = "HASH")]
        known: Option<String>,
    },
}

fn time(text: &str) -> std::result::Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "expected a time such as 2026-01-31T12:00:00Z".to_owned())
}

/// What to print, and whether all is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// The lines.
    pub text: String,
    /// Whether the exit code says success.
    pub is_good: bool,
}

/// The keys as a table.
pub fn keys_table(keys: &[KeyInfo]) -> String {
    let line = |key: &KeyInfo| format!("{}  {:<8}  {}\n", key.kid, key.state, period(key));
    keys.iter().map(line).collect::<Vec<_>>().concat()
}

fn period(key: &KeyInfo) -> String {
    match (key.state.as_str(), key.activated_at, key.published_until) {
        ("next", Some(at), _) => format!("signs from {at}"),
        ("retired", _, Some(until)) => format!("published until {until}"),
        ("pinned", _, _) => "given by the settings".to_owned(),
        (_, Some(at), Some(until)) => format!("signs since {at}, published until {until}"),
        (_, Some(at), None) => format!("signs since {at}"),
        _ => String::new(),
    }
}

/// Runs a command on the audit log. It only reads, so it needs no running hub and disturbs none.
pub async fn audit(db: &Db, command: &AuditCommand) -> Result<Printed> {
    match command {
        AuditCommand::Verify { known } => verify(db, known.as_deref()).await,
        AuditCommand::List { actor, action, target_kind, target, since, until, limit, json } => {
            let filter = Filter {
                actor: actor.clone(),
                action: action.clone(),
                target_kind: target_kind.clone(),
                target: target.clone(),
                since: *since,
                until: *until,
            };
            let rows = audit::list(db, &filter, None, *limit).await?;
            let mut text = String::new();
            for row in rows {
                text.push_str(&if *json { json_line(row)? } else { plain_line(&row) });
                text.push('\n');
            }
            Ok(Printed { text, is_good: true })
        }
    }
}

fn json_line(row: AuditRow) -> Result<String> {
    serde_json::to_string(&AuditEntry::from(row)).map_err(Error::internal)
}

/// Names and targets come from users: what would steer a terminal is left out.
fn plain_line(row: &AuditRow) -> String {
    let harmless = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
    let mut parts = vec![
        row.occurred_at.to_string(),
        format!("{:<20}", harmless(&row.actor_name)),
        row.action.clone(),
        format!("{}:{}", row.target_kind, harmless(&row.target)),
    ];
    if row.outcome != "success" {
        parts.push(row.outcome.clone());
    }
    parts.extend(row.actor_address.as_deref().map(|address| format!("from {}", harmless(address))));
    parts.extend(row.correlation_id.as_deref().map(|id| format!("id {}", harmless(id))));
    parts.extend(row.after_json.as_deref().map(harmless));
    parts.join("  ")
}

async fn verify(db: &Db, known: Option<&str>) -> Result<Printed> {
    let report = audit::verify(db, known).await?;
    let mut lines = vec![format!(
        "{} rows in {} seals were checked; {} rows wait for a seal",
        report.rows, report.seals, report.unsealed
    )];
    lines.extend(report.checkpoint.map(|seal| format!("everything up to seal {seal} was pruned")));
    lines.extend(report.head.map(|(number, hash)| {
        format!("the last seal is {number} with the hash {hash}; keep it elsewhere for --known")
    }));
    lines.push(report.fault.as_ref().map_or_else(
        || "the audit log is as it was written".to_owned(),
        |fault| {
            let seal = fault.seal.map(|seal| format!("seal {seal}, ")).unwrap_or_default();
            let row = fault.row.as_deref().map(|row| format!("row {row}, ")).unwrap_or_default();
            format!("THE AUDIT LOG WAS TAMPERED WITH: {seal}{row}{}", fault.reason)
        },
    ));
    Ok(Printed { text: lines.join("\n") + "\n", is_good: report.fault.is_none() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(subcommand)]
        command: KeysCommand,
    }

    #[test]
    fn a_key_whose_id_begins_with_a_hyphen_can_be_named() {
        use clap::Parser as _;
        let read =
            |words: &[&str]| Line::try_parse_from([&["keys", "retire"], words].concat()).unwrap().command;
        for kid in ["-Xk_7", "_Xk-7", "Xk7"] {
            for words in [&[kid, "--force"][..], &["--force", kid]] {
                assert_eq!(
                    read(words),
                    KeysCommand::Retire { kid: kid.to_owned(), force: true },
                    "{words:?}"
                );
            }
            assert_eq!(read(&[kid]), KeysCommand::Retire { kid: kid.to_owned(), force: false });
        }
    }

    #[test]
    fn the_table_of_keys_says_what_each_is_for() {
        let key = |kid: &str, state: &str, at: Option<i64>, until: Option<i64>| KeyInfo {
            kid: kid.to_owned(),
            state: state.to_owned(),
            created_at: None,
            activated_at: at.map(Timestamp::from_secs),
            retired_at: None,
            published_until: until.map(Timestamp::from_secs),
        };
        let keys = [
            key("a", "next", Some(60), None),
            key("b", "active", Some(0), Some(90)),
            key("c", "retired", Some(0), Some(30)),
        ];
        let text = keys_table(&keys);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "a  next      signs from 1970-01-01T00:01:00.000000Z");
        assert!(lines[1].contains("active") && lines[1].contains("signs since"), "{text}");
        assert!(lines[2].ends_with("published until 1970-01-01T00:00:30.000000Z"), "{text}");
    }
}
