//! Reading the log: pages of it, and the rows of a seal.

use syfthub_domain::Timestamp;

use crate::column::{SqlTime, row};
use crate::db::on;
use crate::{Reads, Result};

row! {
    /// A row of `audit_log`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct AuditRow {
        /// UUID, roughly in the order of time.
        pub id: String,
        /// When it happened.
        pub occurred_at: Timestamp,
        /// The account that did it.
        pub actor_id: Option<i64>,
        /// Its name at that time, or the part of the hub.
        pub actor_name: String,
        /// Address of the client.
        pub actor_address: Option<String>,
        /// Ties it to the log lines of the request.
        pub correlation_id: Option<String>,
        /// What was done.
        pub action: String,
        /// To what kind of thing.
        pub target_kind: String,
        /// To which one.
        pub target: String,
        /// `success`, `refused` or `failed`.
        pub outcome: String,
        /// JSON of what it was before.
        pub before_json: Option<String>,
        /// JSON of what it is now.
        pub after_json: Option<String>,
        /// Its seal; none for the first seconds.
        pub seal_number: Option<i64>,
        /// Its place in the seal.
        pub seal_position: Option<i64>,
        /// Hash of its contents, set with the seal.
        pub row_hash: Option<String>,
    }
}

macro_rules! columns {
    () => {
        "id, occurred_at, actor_id, actor_name, actor_address, correlation_id, action, target_kind, target, outcome, \
         before_json, after_json, seal_number, seal_position, row_hash"
    };
}

/// What a listing shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Rows of this actor's name.
    pub actor: Option<String>,
    /// Rows of this action.
    pub action: Option<String>,
    /// Rows about this kind of thing.
    pub target_kind: Option<String>,
    /// Rows about this thing.
    pub target: Option<String>,
    /// Rows of this moment and later.
    pub since: Option<Timestamp>,
    /// Rows before this moment.
    pub until: Option<Timestamp>,
}

/// Where a page ends, and the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Time of its last row.
    pub occurred_at: Timestamp,
    /// Id of its last row.
    pub id: String,
}

/// The end of time, in both databases.
const NEVER: Timestamp = Timestamp::from_micros(253_402_300_799_999_999);
/// The beginning of time that both databases read back.
const EVER: Timestamp = Timestamp::from_micros(0);
/// Sorts after every id.
const AFTER_ALL: &str = "~";

/// The statement that begins with an indexed condition. All optional conditions follow, so that every variant
/// has the same parameters.
macro_rules! page {
    ($first:literal) => {
        concat!(
            "SELECT ",
            columns!(),
            " FROM audit_log WHERE ",
            $first,
            "(CAST($1 AS TEXT) IS NULL OR actor_name = $1) AND (CAST($2 AS TEXT) IS NULL OR action = $2) \
             AND (CAST($3 AS TEXT) IS NULL OR target_kind = $3) AND (CAST($4 AS TEXT) IS NULL OR target = $4) \
             AND occurred_at >= $5 AND occurred_at < $6 AND (occurred_at, id) < ($7, $8) \
             ORDER BY occurred_at DESC, id DESC LIMIT $9"
        )
    };
}

/// A page of the log, newest first.
pub async fn list(
    from: impl Reads,
    filter: &Filter,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Vec<AuditRow>> {
    let sql: &'static str = if filter.target.is_some() && filter.target_kind.is_some() {
        page!("target_kind = $3 AND target = $4 AND ")
    } else if filter.actor.is_some() {
        page!("actor_name = $1 AND ")
    } else if filter.action.is_some() {
        page!("action = $2 AND ")
    } else {
        page!("")
    };
    let (at, id) = after.map_or((NEVER, AFTER_ALL), |cursor| (cursor.occurred_at, cursor.id.as_str()));
    on!(from.source().conn().await?, c => sqlx::query_as::<_, AuditRow>(sql)
        .bind(filter.actor.as_deref())
        .bind(filter.action.as_deref())
        .bind(filter.target_kind.as_deref())
        .bind(filter.target.as_deref())
        .bind(SqlTime(filter.since.unwrap_or(EVER)))
        .bind(SqlTime(filter.until.unwrap_or(NEVER)))
        .bind(SqlTime(at))
        .bind(id)
        .bind(i64::from(limit))
        .fetch_all(c))
}

/// The oldest rows without a seal, by id.
pub(super) async fn unsealed(from: impl Reads, limit: i64) -> Result<Vec<AuditRow>> {
    const SQL: &str =
        concat!("SELECT ", columns!(), " FROM audit_log WHERE seal_number IS NULL ORDER BY id LIMIT $1");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, AuditRow>(SQL).bind(limit).fetch_all(c))
}

/// The rows of a seal in their order.
pub(super) async fn of_seal(from: impl Reads, number: i64) -> Result<Vec<AuditRow>> {
    const SQL: &str =
        concat!("SELECT ", columns!(), " FROM audit_log WHERE seal_number = $1 ORDER BY seal_position, id");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, AuditRow>(SQL).bind(number).fetch_all(c))
}

/// How many rows have no seal.
pub async fn count_unsealed(from: impl Reads) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM audit_log WHERE seal_number IS NULL";
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL).fetch_one(c))
}

/// A row that claims a seal outside the chain: after its end, or pruned.
pub(super) async fn stray(from: impl Reads, pruned: i64, head: i64) -> Result<Option<String>> {
    const SQL: &str =
        "SELECT id FROM audit_log WHERE seal_number > $1 OR seal_number <= $2 ORDER BY id LIMIT 1";
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, String>(SQL).bind(head).bind(pruned).fetch_optional(c))
}
