//! Taking old rows away, so that the rest stays provable.

use serde_json::json;
use syfthub_domain::Timestamp;

use super::chain::{Turn, take_turn};
use super::{Actor, Entry, Outcome, PRUNED, record};
use crate::column::SqlTime;
use crate::db::{affected, on};
use crate::{Result, Tx};

/// What a pruning took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// The seal where the log begins from now on.
    pub checkpoint: i64,
    /// Rows that are gone.
    pub rows: u64,
}

/// Removes the rows of all seals made before `before`. The last of these seals stays as the checkpoint that the
/// next one names, and an entry in the log says what was done.
pub async fn prune(tx: &mut Tx, turn: Turn, before: Timestamp, now: Timestamp) -> Result<Option<Pruned>> {
    // The checkpoint itself may be that old; then there is nothing more to take.
    const FIND: &str = "SELECT number FROM audit_seals WHERE sealed_at < $1 AND pruned_at IS NULL \
        ORDER BY number DESC LIMIT 1";
    const MARK: &str = "UPDATE audit_seals SET pruned_at = $2 WHERE number = $1";
    const ROWS: &str = "DELETE FROM audit_log WHERE seal_number <= $1";
    const SEALS: &str = "DELETE FROM audit_seals WHERE number < $1";
    if !take_turn(tx, turn).await? {
        return Ok(None);
    }
    let found =
        on!(tx.held(), c => sqlx::query_scalar::<_, i64>(FIND).bind(SqlTime(before)).fetch_optional(c))?;
    let Some(number) = found else { return Ok(None) };
    affected!(tx.held(), sqlx::query(MARK).bind(number).bind(SqlTime(now)))?;
    let rows = affected!(tx.held(), sqlx::query(ROWS).bind(number))?;
    affected!(tx.held(), sqlx::query(SEALS).bind(number))?;
    let entry = Entry {
        at: now,
        actor: Actor { user_id: None, name: "hub".to_owned(), address: None, correlation_id: None },
        action: PRUNED,
        target_kind: "audit_seal",
        target: number.to_string(),
        outcome: Outcome::Success,
        before: None,
        after: Some(json!({"rows": rows, "sealed_before": before})),
    };
    record(tx, &entry).await?;
    Ok(Some(Pruned { checkpoint: number, rows }))
}
