//! When each endpoint is looked at next, and what a look changes. All of it in batches: a hub has thousands of
//! endpoints, and one statement costs nearly the same for one row as for a hundred.

use serde_json::{Value, json};
use syfthub_domain::{EndpointId, HealthStatus, Slug, Timestamp, UserId, Username};

use crate::column::{SqlTime, row};
use crate::db::{Sql, affected, on};
use crate::{Reads, Result, Tx};

row! {
    /// What the monitor must know about an endpoint to judge it.
    #[derive(Debug, Clone, PartialEq)]
    pub struct CheckedEndpoint {
        /// Row id.
        pub id: EndpointId,
        /// Second half of `owner/slug`.
        pub slug: Slug,
        /// First half.
        pub owner_username: Username,
        /// Where the owner's endpoints are served.
        pub owner_domain: Option<String>,
        /// Whether the owner's account may be used.
        pub owner_is_active: bool,
        /// Until when the owner's own heartbeat counts as health.
        pub heartbeat_expires_at: Option<Timestamp>,
        /// Connections as they were given.
        pub connect: Value,
        /// Off when it was found unreachable.
        pub is_active: bool,
        /// Switched off by an admin.
        pub admin_disabled: bool,
        /// Failed checks in a row.
        pub consecutive_failure_count: i64,
        /// Result of the newest report or check.
        pub health_status: Option<HealthStatus>,
        /// Time of that report or check.
        pub health_checked_at: Option<Timestamp>,
        /// For how many seconds a report counts as fresh; none after a check of the hub's own.
        pub health_ttl_seconds: Option<i64>,
    }
}

impl CheckedEndpoint {
    /// What the owner's last report says, while it is fresh.
    pub fn fresh_report(&self, now: Timestamp) -> Option<HealthStatus> {
        let ttl = u64::try_from(self.health_ttl_seconds?).ok()?;
        let until = self.health_checked_at?.plus(std::time::Duration::from_secs(ttl));
        self.health_status.filter(|_| until > now)
    }

    /// `owner/slug`.
    pub fn path(&self) -> String {
        format!("{}/{}", self.owner_username, self.slug)
    }
}

/// Health after a look, to be written as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthChange {
    /// The endpoint.
    pub id: EndpointId,
    /// Whether it is listed.
    pub is_active: bool,
    /// Failed checks in a row.
    pub failures: i64,
    /// What was found.
    pub status: Option<HealthStatus>,
    /// When.
    pub checked_at: Option<Timestamp>,
    /// For how many seconds that counts as a fresh report.
    pub ttl_seconds: Option<i64>,
}

macro_rules! looked_at {
    () => {
        "SELECT e.id, e.slug, u.username AS owner_username, u.domain AS owner_domain, \
         u.is_active AS owner_is_active, u.heartbeat_expires_at, e.connect, e.is_active, e.admin_disabled, \
         e.consecutive_failure_count, e.health_status, e.health_checked_at, e.health_ttl_seconds \
         FROM endpoint_checks c JOIN endpoints e ON e.id = c.endpoint_id JOIN users u ON u.id = e.user_id "
    };
}

/// Lets this change alone look at and write the health of the endpoints it reads. It never waits: what another
/// change holds is passed over, so that the monitor cannot be part of a deadlock.
macro_rules! held {
    () => {
        " FOR NO KEY UPDATE OF c, e SKIP LOCKED"
    };
}

/// Schedules the first look at new endpoints.
pub(super) async fn schedule_new(tx: &mut Tx, ids: &[EndpointId], first: Timestamp) -> Result<()> {
    const SQL: Sql = Sql {
        postgres: "INSERT INTO endpoint_checks (endpoint_id, next_check_at) \
            SELECT CAST(jsonb_array_elements_text(CAST($1 AS jsonb)) AS BIGINT), $2",
        sqlite: "INSERT INTO endpoint_checks (endpoint_id, next_check_at) SELECT value, $2 FROM json_each($1)",
    };
    let conn = tx.held();
    let sql = SQL.pick(&conn);
    affected!(conn, sqlx::query(sql).bind(crate::json(ids)).bind(SqlTime(first)))?;
    Ok(())
}

/// Whether a look at anything is due.
pub async fn is_check_due(from: impl Reads, now: Timestamp) -> Result<bool> {
    const SQL: &str =
        "SELECT COUNT(*) FROM (SELECT 1 FROM endpoint_checks WHERE next_check_at <= $1 LIMIT 1) AS due";
    let count = on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL)
        .bind(SqlTime(now)).fetch_one(c))?;
    Ok(count > 0)
}

const DUE: Sql = Sql {
    postgres: concat!(
        looked_at!(),
        "WHERE c.next_check_at <= $1 ORDER BY c.next_check_at, c.endpoint_id LIMIT $2",
        held!()
    ),
    sqlite: concat!(
        looked_at!(),
        "WHERE c.next_check_at <= $1 ORDER BY c.next_check_at, c.endpoint_id LIMIT $2"
    ),
};

/// At most `limit` endpoints that are due, longest first. Until the end of the change nobody else gets them;
/// whoever takes them schedules the next look ([`reschedule`]) in the same change, so that of several replicas
/// one looks.
pub async fn due_checks(tx: &mut Tx, now: Timestamp, limit: u32) -> Result<Vec<CheckedEndpoint>> {
    let conn = tx.held();
    let sql = DUE.pick(&conn);
    on!(conn, c => sqlx::query_as::<_, CheckedEndpoint>(sql).bind(SqlTime(now)).bind(i64::from(limit)).fetch_all(c))
}

/// The same facts about these endpoints as they are now; deleted ones and those that another change holds are
/// left out.
pub async fn checks_of(tx: &mut Tx, ids: &[EndpointId]) -> Result<Vec<CheckedEndpoint>> {
    const SQL: Sql = Sql {
        postgres: concat!(
            looked_at!(),
            "WHERE c.endpoint_id IN (SELECT CAST(jsonb_array_elements_text(CAST($1 AS jsonb)) AS BIGINT)) \
             ORDER BY c.endpoint_id",
            held!()
        ),
        sqlite: concat!(
            looked_at!(),
            "WHERE c.endpoint_id IN (SELECT value FROM json_each($1)) ORDER BY c.endpoint_id"
        ),
    };
    let conn = tx.held();
    let sql = SQL.pick(&conn);
    on!(conn, c => sqlx::query_as::<_, CheckedEndpoint>(sql).bind(crate::json(ids)).fetch_all(c))
}

/// Says when each of these endpoints is looked at next.
pub async fn reschedule(tx: &mut Tx, next: &[(EndpointId, Timestamp)]) -> Result<()> {
    const SQL: Sql = Sql {
        postgres: "UPDATE endpoint_checks SET next_check_at = CAST(next.at || '+00' AS timestamptz) \
             FROM jsonb_to_recordset(CAST($1 AS jsonb)) AS next (id BIGINT, at TEXT) WHERE endpoint_id = next.id",
        sqlite: "UPDATE endpoint_checks SET next_check_at = next.at \
             FROM (SELECT json_extract(value, '$.id') AS id, json_extract(value, '$.at') AS at \
                   FROM json_each($1)) AS next WHERE endpoint_id = next.id",
    };
    if next.is_empty() {
        return Ok(());
    }
    let rows: Vec<Value> = next.iter().map(|(id, at)| json!({"id": id.0, "at": at.to_sql_text()})).collect();
    let conn = tx.held();
    let sql = SQL.pick(&conn);
    affected!(conn, sqlx::query(sql).bind(crate::json(&rows)))?;
    Ok(())
}

/// Looks at an owner's endpoints again by `at` at the latest: what was put off because it failed may be back.
pub async fn check_owner_by(tx: &mut Tx, owner: UserId, at: Timestamp) -> Result<u64> {
    const SQL: &str = "UPDATE endpoint_checks SET next_check_at = $2 WHERE next_check_at > $2 \
        AND endpoint_id IN (SELECT id FROM endpoints WHERE user_id = $1)";
    affected!(tx.held(), sqlx::query(SQL).bind(owner.0).bind(SqlTime(at)))
}

/// Writes what looks have found, in one statement; `updated_at` is not touched.
pub async fn apply_health(tx: &mut Tx, changes: &[HealthChange]) -> Result<u64> {
    const SQL: Sql = Sql {
        postgres: "UPDATE endpoints SET is_active = found.is_active, consecutive_failure_count = found.failures, \
             health_status = found.status, health_checked_at = CAST(found.at || '+00' AS timestamptz), \
             health_ttl_seconds = found.ttl \
             FROM jsonb_to_recordset(CAST($1 AS jsonb)) \
                  AS found (id BIGINT, is_active BOOLEAN, failures BIGINT, status TEXT, at TEXT, ttl BIGINT) \
             WHERE endpoints.id = found.id",
        sqlite: "UPDATE endpoints SET is_active = found.is_active, consecutive_failure_count = found.failures, \
             health_status = found.status, health_checked_at = found.at, health_ttl_seconds = found.ttl \
             FROM (SELECT json_extract(value, '$.id') AS id, json_extract(value, '$.is_active') AS is_active, \
                          json_extract(value, '$.failures') AS failures, json_extract(value, '$.status') AS status, \
                          json_extract(value, '$.at') AS at, json_extract(value, '$.ttl') AS ttl \
                   FROM json_each($1)) AS found WHERE endpoints.id = found.id",
    };
    if changes.is_empty() {
        return Ok(0);
    }
    let rows: Vec<Value> = changes
        .iter()
        .map(|change| {
            json!({
                "id": change.id.0,
                "is_active": change.is_active,
                "failures": change.failures,
                "status": change.status,
                "at": change.checked_at.map(Timestamp::to_sql_text),
                "ttl": change.ttl_seconds,
            })
        })
        .collect();
    let conn = tx.held();
    let sql = SQL.pick(&conn);
    affected!(conn, sqlx::query(sql).bind(crate::json(&rows)))
}

#[cfg(test)]
#[path = "check_plans.rs"]
mod plans;
