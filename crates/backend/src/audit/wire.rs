//! The JSON of the audit log and of activity.

use serde::Serialize;
use serde_json::Value;
use syfthub_domain::Timestamp;
use syfthub_store::activity::ActivityRow;
use syfthub_store::audit::{AuditRow, Cursor, Report};
use utoipa::ToSchema;

/// Something that was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    /// UUID.
    pub id: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The account that did it, if it was one.
    pub actor_id: Option<i64>,
    /// Its name at that time, `guest`, or the part of the hub that did it.
    pub actor: String,
    /// Address of the client.
    pub address: Option<String>,
    /// The id that ties it to the log lines of the request.
    pub correlation_id: Option<String>,
    /// What was done, for example `user.deactivated`.
    pub action: String,
    /// What kind of thing it was done to.
    pub target_kind: String,
    /// Which one.
    pub target: String,
    /// `success`, `refused` or `failed`.
    pub outcome: String,
    /// What it was like before, without secrets.
    pub before: Option<Value>,
    /// What it was like afterwards, without secrets.
    pub after: Option<Value>,
    /// Number of its seal; none for the first seconds.
    pub seal: Option<i64>,
}

impl From<AuditRow> for AuditEntry {
    fn from(row: AuditRow) -> Self {
        // A text that is no JSON was not written by the hub; it is shown as it is.
        let json = |text: Option<String>| {
            text.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)))
        };
        Self {
            id: row.id,
            at: row.occurred_at,
            actor_id: row.actor_id,
            actor: row.actor_name,
            address: row.actor_address,
            correlation_id: row.correlation_id,
            action: row.action,
            target_kind: row.target_kind,
            target: row.target,
            outcome: row.outcome,
            before: json(row.before_json),
            after: json(row.after_json),
            seal: row.seal_number,
        }
    }
}

/// A page of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditPage {
    /// The entries, newest first.
    pub(crate) entries: Vec<AuditEntry>,
    /// What to send as `cursor` for the next page; none at the end.
    pub(crate) next_cursor: Option<String>,
}

/// The first thing that is not as it was sealed.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditFault {
    /// Number of the seal.
    pub seal: Option<i64>,
    /// Id of the row.
    pub row: Option<String>,
    /// What is wrong.
    pub reason: String,
}

/// What a check of the audit log found.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditReport {
    /// Whether everything is as it was sealed.
    pub valid: bool,
    /// Seals that were checked.
    pub seals: i64,
    /// Sealed rows that were checked.
    pub rows: i64,
    /// Rows too new to have a seal.
    pub unsealed: i64,
    /// The seal up to which everything was pruned.
    pub checkpoint: Option<i64>,
    /// Number of the last seal.
    pub head_number: Option<i64>,
    /// Hash of the last seal. Kept elsewhere and given to a later check, it proves that the end was not cut off.
    pub head_hash: Option<String>,
    /// Whether the hash that was given belongs to the chain; only when one was given.
    pub known_hash_found: Option<bool>,
    /// The first fault.
    pub fault: Option<AuditFault>,
}

impl From<Report> for AuditReport {
    fn from(report: Report) -> Self {
        let (head_number, head_hash) = report.head.unzip();
        Self {
            valid: report.fault.is_none(),
            seals: report.seals,
            rows: report.rows,
            unsealed: report.unsealed,
            checkpoint: report.checkpoint,
            head_number,
            head_hash,
            known_hash_found: report.met,
            fault: report.fault.map(|fault| AuditFault {
                seal: fault.seal,
                row: fault.row,
                reason: fault.reason,
            }),
        }
    }
}

/// Something that happened around an account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActivityEntry {
    /// UUID.
    pub(crate) id: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) at: Timestamp,
    /// What: `login.success`, `login.failed`, `token.refreshed`, `token.reused`, `logout`, `access_token.used`,
    /// `satellite_token.minted`, `tool.called` or `grant.begun`.
    pub(crate) kind: String,
    /// The account that it is about.
    pub(crate) user_id: Option<i64>,
    /// Address of the client.
    pub(crate) address: Option<String>,
    /// The id that ties it to the log lines of the request.
    pub(crate) correlation_id: Option<String>,
    /// What else is known, such as the audience of a token; `×5` stands for five at once.
    pub(crate) detail: Option<String>,
}

impl From<ActivityRow> for ActivityEntry {
    fn from(row: ActivityRow) -> Self {
        Self {
            id: row.id,
            at: row.occurred_at,
            kind: row.kind,
            user_id: row.user_id.map(|id| id.0),
            address: row.address,
            correlation_id: row.correlation_id,
            detail: row.detail,
        }
    }
}

/// A page of activity.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActivityPage {
    /// The facts, newest first.
    pub(crate) activity: Vec<ActivityEntry>,
    /// What to send as `cursor` for the next page; none at the end.
    pub(crate) next_cursor: Option<String>,
}

/// A cursor as text.
pub(crate) fn cursor_text(cursor: &Cursor) -> String {
    format!("{}_{}", cursor.occurred_at.as_micros(), cursor.id)
}

/// Reads what [`cursor_text`] wrote.
pub(crate) fn read_cursor(text: &str) -> Option<Cursor> {
    let (micros, id) = text.split_once('_')?;
    let good = !micros.is_empty()
        && micros.len() <= 17
        && micros.bytes().all(|b| b.is_ascii_digit())
        && id.len() == 36
        && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if !good {
        return None;
    }
    Some(Cursor { occurred_at: Timestamp::from_micros(micros.parse().ok()?), id: id.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn cursors_survive_a_round_trip(micros in 0_i64..99_999_999_999_999_999) {
            let id = "0199aaaa-0000-7000-8000-000000000001".to_owned();
            let cursor = Cursor { occurred_at: Timestamp::from_micros(micros), id };
            proptest::prop_assert_eq!(read_cursor(&cursor_text(&cursor)), Some(cursor));
        }

        #[test]
        fn other_texts_are_no_cursors(text in ".{0,60}") {
            if let Some(cursor) = read_cursor(&text) {
                proptest::prop_assert!(cursor.occurred_at.as_micros() >= 0);
            }
        }
    }
}
