//! The audit log: who changed what, written in the transaction of the change.
//!
//! A row carries no hash when it is written, since a chain inside the transaction would make every write of the
//! hub wait for the one before it. One sealing job chains committed rows in batches afterwards.

mod chain;
mod prune;
mod read;
mod redact;
mod verify;

use serde_json::Value;
use syfthub_domain::{Timestamp, UserId};
use uuid::Uuid;

use crate::column::SqlTime;
use crate::db::affected;
use crate::{Result, Tx};

pub use chain::{BATCH, GENESIS, SealRow, Turn, any_unsealed, checkpoint, head, seal};
pub use prune::{Pruned, prune};
pub use read::{AuditRow, Cursor, Filter, count_unsealed, list};
pub use verify::{Fault, Report, verify};

/// The action of the entry that a pruning leaves.
pub const PRUNED: &str = "audit.pruned";

/// Longest name, address or target that is kept, in characters.
const LONGEST: usize = 400;

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The account, if it was one.
    pub user_id: Option<UserId>,
    /// Username, or `guest`, or the part of the hub that did it, such as `cli`.
    pub name: String,
    /// Address of the client.
    pub address: Option<String>,
    /// Ties the row to the log lines of the request.
    pub correlation_id: Option<String>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was not allowed.
    Refused,
    /// It was allowed and did not work.
    Failed,
}

impl Outcome {
    /// As it is kept and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// What is written down about one change.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What was done, as `{thing}.{done}`: `user.deactivated`.
    pub action: &'static str,
    /// What kind of thing it was done to: `user`.
    pub target_kind: &'static str,
    /// Which one: an id, or `owner/slug`.
    pub target: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What it was like before, without secrets.
    pub before: Option<Value>,
    /// What it is like now, without secrets.
    pub after: Option<Value>,
}

/// Writes an entry down, in the transaction of the change that it is about. Fields whose names say that they
/// hold a secret lose their values here, whatever the caller meant.
pub async fn record(tx: &mut Tx, entry: &Entry) -> Result<()> {
    const SQL: &str = "INSERT INTO audit_log (id, occurred_at, actor_id, actor_name, actor_address, correlation_id, \
        action, target_kind, target, outcome, before_json, after_json) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    let Entry { actor, .. } = entry;
    affected!(
        tx.held(),
        sqlx::query(SQL)
            .bind(Uuid::now_v7().to_string())
            .bind(SqlTime(entry.at))
            .bind(actor.user_id.map(|id| id.0))
            .bind(kept(&actor.name))
            .bind(actor.address.as_deref().map(kept))
            .bind(actor.correlation_id.as_deref().map(kept))
            .bind(entry.action)
            .bind(entry.target_kind)
            .bind(kept(&entry.target))
            .bind(entry.outcome.as_str())
            .bind(entry.before.as_ref().map(redact::to_text))
            .bind(entry.after.as_ref().map(redact::to_text))
    )?;
    Ok(())
}

/// A text as both databases can keep it, cut at a length that no real name has.
fn kept(text: &str) -> String {
    text.chars().take(LONGEST).map(|c| if c == '\0' { '\u{fffd}' } else { c }).collect()
}
