//! Facts that come too often for the audit log: sign-ins, refreshes, use of tokens. Written in batches.

use serde_json::json;
use syfthub_domain::{Timestamp, UserId};
use uuid::Uuid;

use crate::audit::Cursor;
use crate::column::{SqlTime, row};
use crate::db::{Sql, affected, on};
use crate::{Reads, Result, Tx};

/// Rows that one [`purge`] takes at most.
const PURGE: i64 = 10_000;

row! {
    /// A row of `activity`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ActivityRow {
        /// UUID, roughly in the order of time.
        pub id: String,
        /// When it happened.
        pub occurred_at: Timestamp,
        /// Whose account it is about.
        pub user_id: Option<UserId>,
        /// What happened: `login.success`.
        pub kind: String,
        /// Address of the client.
        pub address: Option<String>,
        /// Ties it to the log lines of the request.
        pub correlation_id: Option<String>,
        /// What else is worth knowing.
        pub detail: Option<String>,
    }
}

/// A fact to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewActivity {
    /// When it happened.
    pub at: Timestamp,
    /// Whose account it is about, if it is known.
    pub user_id: Option<UserId>,
    /// Username or mail address that was given instead; an account that has it is named in the row, and what
    /// was typed is not kept, because people type passwords into the wrong field.
    pub claimed: Option<String>,
    /// What happened.
    pub kind: &'static str,
    /// Address of the client.
    pub address: Option<String>,
    /// Ties it to the log lines of the request.
    pub correlation_id: Option<String>,
    /// What else is worth knowing.
    pub detail: Option<String>,
}

macro_rules! columns {
    () => {
        "id, occurred_at, user_id, kind, address, correlation_id, detail"
    };
}

/// Stores a batch in one statement. Accounts that are gone by now are left out of the rows.
pub async fn insert_batch(tx: &mut Tx, facts: &[NewActivity]) -> Result<u64> {
    const SQL: Sql = Sql {
        postgres: "INSERT INTO activity (id, occurred_at, user_id, kind, address, correlation_id, detail) \
            SELECT f.id, f.occurred_at::timestamptz, \
              (SELECT u.id FROM users u WHERE u.id = f.user_id OR u.username = f.claimed OR u.email = f.claimed \
               ORDER BY u.id LIMIT 1), \
              f.kind, f.address, f.correlation_id, f.detail \
            FROM json_to_recordset($1::json) AS f (id TEXT, occurred_at TEXT, user_id BIGINT, claimed TEXT, \
              kind TEXT, address TEXT, correlation_id TEXT, detail TEXT)",
        sqlite: "INSERT INTO activity (id, occurred_at, user_id, kind, address, correlation_id, detail) \
            SELECT value ->> 'id', value ->> 'sql_time', \
              (SELECT u.id FROM users u WHERE u.id = value ->> 'user_id' OR u.username = value ->> 'claimed' \
               OR u.email = value ->> 'claimed' ORDER BY u.id LIMIT 1), \
              value ->> 'kind', value ->> 'address', value ->> 'correlation_id', value ->> 'detail' \
            FROM json_each($1)",
    };
    let rows: Vec<_> = facts
        .iter()
        .map(|fact| {
            json!({
                "id": Uuid::now_v7().to_string(),
                "occurred_at": fact.at.to_rfc3339(),
                "sql_time": fact.at.to_sql_text(),
                "user_id": fact.user_id.map(|id| id.0),
                "claimed": fact.claimed.as_deref().map(clean),
                "kind": fact.kind,
                "address": fact.address.as_deref().map(clean),
                "correlation_id": fact.correlation_id.as_deref().map(clean),
                "detail": fact.detail.as_deref().map(clean),
            })
        })
        .collect();
    let conn = tx.held();
    let sql = SQL.pick(&conn);
    affected!(conn, sqlx::query(sql).bind(crate::json(&rows)))
}

/// A text that both databases can keep.
fn clean(text: &str) -> String {
    text.chars().take(400).filter(|c| *c != '\0').collect()
}

/// What a listing shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Facts about this account.
    pub user_id: Option<UserId>,
    /// Facts of this kind, or of the kinds that begin so if it ends with a dot.
    pub kind: Option<String>,
}

/// A page, newest first.
pub async fn list(
    from: impl Reads,
    filter: &Filter,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Vec<ActivityRow>> {
    macro_rules! page {
        ($first:literal) => {
            concat!(
                "SELECT ",
                columns!(),
                " FROM activity WHERE ",
                $first,
                "(CAST($1 AS BIGINT) IS NULL OR user_id = $1) \
                 AND (CAST($2 AS TEXT) IS NULL OR kind = $2 OR (substr($2, length($2)) = '.' \
                      AND substr(kind, 1, length($2)) = $2)) \
                 AND (occurred_at, id) < ($3, $4) ORDER BY occurred_at DESC, id DESC LIMIT $5"
            )
        };
    }
    const NEVER: Timestamp = Timestamp::from_micros(253_402_300_799_999_999);
    let sql: &'static str = if filter.user_id.is_some() { page!("user_id = $1 AND ") } else { page!("") };
    let (at, id) = after.map_or((NEVER, "~"), |cursor| (cursor.occurred_at, cursor.id.as_str()));
    on!(from.source().conn().await?, c => sqlx::query_as::<_, ActivityRow>(sql)
        .bind(filter.user_id.map(|id| id.0))
        .bind(filter.kind.as_deref())
        .bind(SqlTime(at))
        .bind(id)
        .bind(i64::from(limit))
        .fetch_all(c))
}

/// Removes facts from before a moment, a bounded number at a time. Gives how many.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    const SQL: &str = "DELETE FROM activity WHERE id IN \
        (SELECT id FROM activity WHERE occurred_at < $1 ORDER BY occurred_at, id LIMIT $2)";
    affected!(tx.held(), sqlx::query(SQL).bind(SqlTime(before)).bind(PURGE))
}
