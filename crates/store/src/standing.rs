//! How endpoints have done lately: what the chat services say of those that keep failing, what the hub's looks found,
//! and how calls ended.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use syfthub_domain::{EndpointId, Timestamp};

use crate::column::{SqlTime, row};
use crate::db::{Sql, affected, on};
use crate::{Reads, Result, Tx};

/// A breaker that is not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// Whether the endpoint is left alone; otherwise one call tries it.
    pub is_open: bool,
    /// Failures in a row.
    pub failures: i64,
}

row! {
    /// What all chat services together say of an endpoint.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct BreakerLine {
        /// The endpoint.
        pub endpoint_id: EndpointId,
        /// How many leave it alone.
        pub open: i64,
        /// How many say anything.
        pub reporters: i64,
        /// Most failures in a row that one has seen.
        pub failures: i64,
    }
}

row! {
    /// What the hub's looks found.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct LookLine {
        /// The endpoint.
        pub endpoint_id: EndpointId,
        /// Looks.
        pub checks: i64,
        /// Looks that found it healthy.
        pub healthy: i64,
    }
}

row! {
    /// How the calls of an endpoint ended.
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub struct CallLine {
        /// The endpoint.
        pub endpoint_id: EndpointId,
        /// Callers of each hour.
        pub votes: i64,
        /// The sum of the shares of their calls that succeeded.
        pub good: f64,
    }
}

/// The ids of a JSON list as a set that both databases can look into.
macro_rules! ids {
    (postgres) => {
        "(SELECT CAST(jsonb_array_elements_text(CAST($1 AS jsonb)) AS BIGINT))"
    };
    (sqlite) => {
        "(SELECT value FROM json_each($1))"
    };
}

/// Writes what a reporter says, in place of what it said before, and forgets what nobody repeated. Endpoints that are
/// gone are left out.
pub async fn replace_breakers(
    tx: &mut Tx,
    reporter: &str,
    breakers: &BTreeMap<EndpointId, Breaker>,
    now: Timestamp,
    until: Timestamp,
) -> Result<()> {
    const FORGET: &str = "DELETE FROM endpoint_breakers WHERE reporter = $1 OR expires_at <= $2";
    const ADD: Sql = Sql {
        postgres: "INSERT INTO endpoint_breakers (endpoint_id, reporter, state, failures, expires_at) \
             SELECT e.id, $2, said.state, said.failures, $3 FROM jsonb_to_recordset(CAST($1 AS jsonb)) \
                  AS said (id BIGINT, state TEXT, failures BIGINT) JOIN endpoints e ON e.id = said.id ORDER BY e.id",
        sqlite: "INSERT INTO endpoint_breakers (endpoint_id, reporter, state, failures, expires_at) \
             SELECT e.id, $2, value ->> 'state', value ->> 'failures', $3 \
             FROM json_each($1) JOIN endpoints e ON e.id = value ->> 'id'",
    };
    affected!(tx.held(), sqlx::query(FORGET).bind(reporter).bind(SqlTime(now)))?;
    if breakers.is_empty() {
        return Ok(());
    }
    let said = |(id, breaker): (&EndpointId, &Breaker)| {
        let state = if breaker.is_open { "open" } else { "half_open" };
        json!({"id": id.0, "state": state, "failures": breaker.failures})
    };
    let rows: Vec<Value> = breakers.iter().map(said).collect();
    let conn = tx.held();
    let sql = ADD.pick(&conn);
    affected!(conn, sqlx::query(sql).bind(crate::json(&rows)).bind(reporter).bind(SqlTime(until)))?;
    Ok(())
}

/// What is said of these endpoints and still counts at `now`; nothing of those of whom nobody says anything.
pub async fn breakers(from: impl Reads, ids: &[EndpointId], now: Timestamp) -> Result<Vec<BreakerLine>> {
    macro_rules! sql {
        ($dialect:ident) => {
            concat!(
                "SELECT endpoint_id, CAST(SUM(CASE WHEN state = 'open' THEN 1 ELSE 0 END) AS BIGINT) AS open, \
                 COUNT(*) AS reporters, MAX(failures) AS failures FROM endpoint_breakers \
                 WHERE expires_at > $2 AND endpoint_id IN ",
                ids!($dialect),
                " GROUP BY endpoint_id ORDER BY endpoint_id"
            )
        };
    }
    const SQL: Sql = Sql { postgres: sql!(postgres), sqlite: sql!(sqlite) };
    let conn = from.source().conn().await?;
    let sql = SQL.pick(&conn);
    on!(conn, c => sqlx::query_as::<_, BreakerLine>(sql).bind(crate::json(ids)).bind(SqlTime(now)).fetch_all(c))
}

/// What the hub's looks at these endpoints found since `since`; nothing of those it did not look at.
pub async fn looks(from: impl Reads, ids: &[EndpointId], since: Timestamp) -> Result<Vec<LookLine>> {
    macro_rules! sql {
        ($dialect:ident) => {
            concat!(
                "SELECT endpoint_id, CAST(SUM(total_checks) AS BIGINT) AS checks, \
                 CAST(SUM(healthy_checks) AS BIGINT) AS healthy FROM endpoint_uptime_samples \
                 WHERE bucket_start >= $2 AND endpoint_id IN ",
                ids!($dialect),
                " GROUP BY endpoint_id ORDER BY endpoint_id"
            )
        };
    }
    const SQL: Sql = Sql { postgres: sql!(postgres), sqlite: sql!(sqlite) };
    let conn = from.source().conn().await?;
    let sql = SQL.pick(&conn);
    on!(conn, c => sqlx::query_as::<_, LookLine>(sql).bind(crate::json(ids)).bind(SqlTime(since)).fetch_all(c))
}

/// How calls of these endpoints ended since `since`. Each caller has one vote an hour, guests together one and the owner
/// none, so that nobody makes or breaks a name by calling often. Refusals are no failures.
pub async fn calls(from: impl Reads, ids: &[EndpointId], since: Timestamp) -> Result<Vec<CallLine>> {
    macro_rules! sql {
        ($dialect:ident) => {
            concat!(
                "SELECT v.endpoint_id, COUNT(*) AS votes, SUM(v.share) AS good FROM (\
                 SELECT e.id AS endpoint_id, \
                 CAST(SUM(CASE WHEN h.outcome = 'success' THEN h.requests ELSE 0 END) AS DOUBLE PRECISION) \
                 / CAST(SUM(h.requests) AS DOUBLE PRECISION) AS share \
                 FROM endpoints e JOIN usage_hours h ON h.owner_id = e.user_id AND h.slug = e.slug \
                 WHERE h.hour >= $2 AND h.outcome IN ('success', 'error', 'timeout') AND h.requests > 0 \
                 AND h.caller_id <> h.owner_id AND e.id IN ",
                ids!($dialect),
                " GROUP BY e.id, h.hour, h.caller_id) AS v GROUP BY v.endpoint_id ORDER BY v.endpoint_id"
            )
        };
    }
    const SQL: Sql = Sql { postgres: sql!(postgres), sqlite: sql!(sqlite) };
    let conn = from.source().conn().await?;
    let sql = SQL.pick(&conn);
    on!(conn, c => sqlx::query_as::<_, CallLine>(sql).bind(crate::json(ids)).bind(SqlTime(since)).fetch_all(c))
}
