//! Use of endpoints, summed up by the hour, for owners and for callers.

use serde_json::json;
use syfthub_domain::{Timestamp, UserId};

use crate::column::{SqlTime, row};
use crate::db::{Conn, Sql, affected, on};
use crate::{Page, Reads, Result, Tx};

/// Rows that one purge takes at most.
const PURGE: i64 = 10_000;

/// What is counted together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The beginning of the hour.
    pub hour: Timestamp,
    /// Whose endpoint it is.
    pub owner: UserId,
    /// Which of them.
    pub slug: String,
    /// Who used it; `None` for guests.
    pub caller: Option<UserId>,
    /// `model` or `source`.
    pub part: &'static str,
    /// How it ended.
    pub outcome: &'static str,
}

/// How much it was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Calls.
    pub requests: i64,
    /// Tokens that the model read.
    pub prompt_tokens: i64,
    /// Tokens that the model wrote.
    pub completion_tokens: i64,
    /// Documents that came back.
    pub documents: i64,
    /// Time of all calls together.
    pub latency_ms: i64,
    /// Time of the longest call.
    pub longest_ms: i64,
}

/// Remembers a batch. `false` when it is known already.
pub async fn remember_batch(tx: &mut Tx, id: &str, now: Timestamp) -> Result<bool> {
    const SQL: &str =
        "INSERT INTO usage_batches (id, recorded_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
    Ok(affected!(tx.held(), sqlx::query(SQL).bind(id).bind(SqlTime(now)))? == 1)
}

/// Adds amounts to the figures in one statement. Keys come once each and in their order, so that two batches at
/// the same time wait for one another in one direction only.
pub async fn add(tx: &mut Tx, amounts: &std::collections::BTreeMap<Key, Amount>) -> Result<()> {
    macro_rules! upsert {
        ($from:literal) => {
            concat!(
                "INSERT INTO usage_hours (hour, owner_id, slug, caller_id, part, outcome, requests, prompt_tokens, \
                 completion_tokens, documents, latency_ms, longest_ms) ",
                $from,
                " ON CONFLICT (hour, owner_id, slug, caller_id, part, outcome) DO UPDATE SET \
                 requests = usage_hours.requests + excluded.requests, \
                 prompt_tokens = usage_hours.prompt_tokens + excluded.prompt_tokens, \
                 completion_tokens = usage_hours.completion_tokens + excluded.completion_tokens, \
                 documents = usage_hours.documents + excluded.documents, \
                 latency_ms = usage_hours.latency_ms + excluded.latency_ms, \
                 longest_ms = CASE WHEN excluded.longest_ms > usage_hours.longest_ms \
                              THEN excluded.longest_ms ELSE usage_hours.longest_ms END"
            )
        };
    }
    const SQL: Sql = Sql {
        postgres: upsert!(
            "SELECT f.hour::timestamptz, f.owner_id, f.slug, f.caller_id, f.part, f.outcome, f.requests, \
             f.prompt_tokens, f.completion_tokens, f.documents, f.latency_ms, f.longest_ms \
             FROM json_to_recordset($1::json) AS f (place BIGINT, hour TEXT, owner_id BIGINT, slug TEXT, \
             caller_id BIGINT, part TEXT, outcome TEXT, requests BIGINT, prompt_tokens BIGINT, \
             completion_tokens BIGINT, documents BIGINT, latency_ms BIGINT, longest_ms BIGINT) \
             WHERE EXISTS (SELECT 1 FROM users u WHERE u.id = f.owner_id) ORDER BY f.place"
        ),
        sqlite: upsert!(
            "SELECT value ->> 'sql_hour', value ->> 'owner_id', value ->> 'slug', value ->> 'caller_id', \
             value ->> 'part', value ->> 'outcome', value ->> 'requests', value ->> 'prompt_tokens', \
             value ->> 'completion_tokens', value ->> 'documents', value ->> 'latency_ms', value ->> 'longest_ms' \
             FROM json_each($1) WHERE EXISTS (SELECT 1 FROM users u WHERE u.id = value ->> 'owner_id')"
        ),
    };
    let rows: Vec<_> = amounts
        .iter()
        .enumerate()
        .map(|(place, (key, amount))| {
            json!({
                "place": place, "hour": key.hour.to_rfc3339(), "sql_hour": key.hour.to_sql_text(),
                "owner_id": key.owner.0, "slug": key.slug, "caller_id": key.caller.map_or(0, |id| id.0),
                "part": key.part, "outcome": key.outcome, "requests": amount.requests,
                "prompt_tokens": amount.prompt_tokens, "completion_tokens": amount.completion_tokens,
                "documents": amount.documents, "latency_ms": amount.latency_ms, "longest_ms": amount.longest_ms,
            })
        })
        .collect();
    let conn = tx.held();
    let sql = SQL.pick(&conn);
    affected!(conn, sqlx::query(sql).bind(crate::json(&rows)))?;
    Ok(())
}

/// Whose use is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// What this account used.
    Caller(UserId),
    /// What this account's endpoints were used for.
    Owner(UserId),
}

/// What makes a line of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    /// Everything together.
    Total,
    /// Each endpoint and what it was used for, most used first.
    Endpoint,
    /// Each day in UTC, newest first.
    Day,
}

/// Which use is asked for.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Whose.
    pub view: View,
    /// From this moment on.
    pub from: Timestamp,
    /// Before this moment.
    pub until: Timestamp,
    /// Of this endpoint only, `owner` and `slug`.
    pub endpoint: Option<(String, String)>,
}

row! {
    /// A line of the figures.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct UsageLine {
        /// `owner/slug`, when endpoints are told apart.
        pub path: Option<String>,
        /// `model` or `source`, when endpoints are told apart.
        pub part: Option<String>,
        /// `2026-01-31`, when days are told apart.
        pub day: Option<String>,
        /// Calls.
        pub requests: i64,
        /// Calls that did not succeed.
        pub failed: i64,
        /// Calls of guests.
        pub guest_requests: i64,
        /// Different accounts that called.
        pub callers: i64,
        /// Tokens that models read.
        pub prompt_tokens: i64,
        /// Tokens that models wrote.
        pub completion_tokens: i64,
        /// Documents that came back.
        pub documents: i64,
        /// Time of all calls together.
        pub latency_ms: i64,
        /// Time of the longest call.
        pub longest_ms: i64,
    }
}

/// A statement over the rows that a filter means: `$1` whose, `$2` from, `$3` until, `$4` and `$5` the endpoint.
macro_rules! figures {
    ($whose:literal, $keys:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            $keys,
            ", CAST(COALESCE(SUM(h.requests), 0) AS BIGINT) AS requests, \
             CAST(COALESCE(SUM(CASE WHEN h.outcome = 'success' THEN 0 ELSE h.requests END), 0) AS BIGINT) AS failed, \
             CAST(COALESCE(SUM(CASE WHEN h.caller_id = 0 THEN h.requests ELSE 0 END), 0) AS BIGINT) AS guest_requests, \
             COUNT(DISTINCT CASE WHEN h.caller_id = 0 THEN NULL ELSE h.caller_id END) AS callers, \
             CAST(COALESCE(SUM(h.prompt_tokens), 0) AS BIGINT) AS prompt_tokens, \
             CAST(COALESCE(SUM(h.completion_tokens), 0) AS BIGINT) AS completion_tokens, \
             CAST(COALESCE(SUM(h.documents), 0) AS BIGINT) AS documents, \
             CAST(COALESCE(SUM(h.latency_ms), 0) AS BIGINT) AS latency_ms, \
             CAST(COALESCE(MAX(h.longest_ms), 0) AS BIGINT) AS longest_ms \
             FROM usage_hours h JOIN users u ON u.id = h.owner_id WHERE ",
            $whose,
            " = $1 AND h.hour >= $2 AND h.hour < $3 \
             AND (CAST($4 AS TEXT) IS NULL OR (u.username = $4 AND h.slug = $5)) ",
            $rest
        )
    };
}

/// The four statements of one way to group, by database and by whose use it is.
macro_rules! statements {
    ($conn:expr, $view:expr, $pg:literal, $lite:literal, $rest:literal) => {
        match ($conn, $view) {
            (Conn::Postgres(_), View::Caller(_)) => figures!("h.caller_id", $pg, $rest),
            (Conn::Postgres(_), View::Owner(_)) => figures!("h.owner_id", $pg, $rest),
            (Conn::Sqlite(_), View::Caller(_)) => figures!("h.caller_id", $lite, $rest),
            (Conn::Sqlite(_), View::Owner(_)) => figures!("h.owner_id", $lite, $rest),
        }
    };
}

/// A page of the figures. Without groups it is one line.
pub async fn figures(
    from: impl Reads,
    filter: &Filter,
    group: GroupBy,
    page: Page,
) -> Result<Vec<UsageLine>> {
    let conn = from.source().conn().await?;
    let sql: &'static str = match group {
        GroupBy::Total => statements!(
            &conn,
            filter.view,
            "CAST(NULL AS TEXT) AS path, CAST(NULL AS TEXT) AS part, CAST(NULL AS TEXT) AS day",
            "NULL AS path, NULL AS part, NULL AS day",
            "LIMIT $6 OFFSET $7"
        ),
        GroupBy::Endpoint => statements!(
            &conn,
            filter.view,
            "u.username || '/' || h.slug AS path, h.part AS part, CAST(NULL AS TEXT) AS day",
            "u.username || '/' || h.slug AS path, h.part AS part, NULL AS day",
            "GROUP BY u.username, h.slug, h.part \
             ORDER BY SUM(h.requests) DESC, u.username, h.slug, h.part LIMIT $6 OFFSET $7"
        ),
        GroupBy::Day => statements!(
            &conn,
            filter.view,
            "CAST(NULL AS TEXT) AS path, CAST(NULL AS TEXT) AS part, \
             to_char(h.hour AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day",
            "NULL AS path, NULL AS part, substr(h.hour, 1, 10) AS day",
            "GROUP BY 3 ORDER BY 3 DESC LIMIT $6 OFFSET $7"
        ),
    };
    let (View::Caller(whose) | View::Owner(whose)) = filter.view;
    let (owner, slug) =
        filter.endpoint.as_ref().map_or((None, None), |(owner, slug)| (Some(owner), Some(slug)));
    on!(conn, c => sqlx::query_as::<_, UsageLine>(sql)
        .bind(whose.0)
        .bind(SqlTime(filter.from))
        .bind(SqlTime(filter.until))
        .bind(owner.map(String::as_str))
        .bind(slug.map(String::as_str))
        .bind(i64::from(page.limit))
        .bind(i64::from(page.skip))
        .fetch_all(c))
}

/// Removes hours from before a moment, a bounded number of rows at a time. Gives how many.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    const SQL: Sql = Sql {
        postgres: "DELETE FROM usage_hours WHERE ctid IN \
            (SELECT ctid FROM usage_hours WHERE hour < $1 ORDER BY hour LIMIT $2)",
        sqlite: "DELETE FROM usage_hours WHERE rowid IN \
            (SELECT rowid FROM usage_hours WHERE hour < $1 ORDER BY hour LIMIT $2)",
    };
    let conn = tx.held();
    let sql = SQL.pick(&conn);
    affected!(conn, sqlx::query(sql).bind(SqlTime(before)).bind(PURGE))
}

/// Forgets batches from before a moment, a bounded number at a time. Gives how many.
pub async fn purge_batches(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    const SQL: &str = "DELETE FROM usage_batches WHERE id IN \
        (SELECT id FROM usage_batches WHERE recorded_at < $1 ORDER BY recorded_at LIMIT $2)";
    affected!(tx.held(), sqlx::query(SQL).bind(SqlTime(before)).bind(PURGE))
}
