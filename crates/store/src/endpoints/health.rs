//! Health reports of owners.

use syfthub_domain::{EndpointId, HealthStatus, Slug, Timestamp, UserId};

use crate::column::{SqlTime, row};
use crate::db::{Sql, affected, on};
use crate::{Result, Tx};

/// What an owner says about one endpoint.
#[derive(Debug, Clone)]
pub struct HealthReport {
    /// Slug of the endpoint.
    pub slug: Slug,
    /// Whether it answered.
    pub status: HealthStatus,
    /// When, never in the future (the caller cuts it to now).
    pub checked_at: Timestamp,
}

row! {
    /// How an endpoint was before a report.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct HealthState {
        /// Row id.
        pub id: EndpointId,
        /// Second half of `owner/slug`.
        pub slug: Slug,
        /// Off when it was found unreachable.
        pub is_active: bool,
        /// Result of the newest report or check.
        pub health_status: Option<HealthStatus>,
    }
}

/// How those of the owner's endpoints are that have one of these slugs.
pub async fn health_states(tx: &mut Tx, owner: UserId, slugs: &[&str]) -> Result<Vec<HealthState>> {
    const SQL: Sql = Sql {
        postgres: "SELECT id, slug, is_active, health_status FROM endpoints WHERE user_id = $1 \
             AND slug IN (SELECT jsonb_array_elements_text(CAST($2 AS jsonb))) ORDER BY id FOR NO KEY UPDATE",
        sqlite: "SELECT id, slug, is_active, health_status FROM endpoints WHERE user_id = $1 \
             AND slug IN (SELECT value FROM json_each($2)) ORDER BY id",
    };
    let conn = tx.held();
    let sql = SQL.pick(&conn);
    on!(conn, c => sqlx::query_as::<_, HealthState>(sql).bind(owner.0).bind(crate::json(slugs)).fetch_all(c))
}

/// Records a batch of reports about the owner's endpoints, inactive ones included, in one statement. Of two
/// reports about one slug the later in the list counts. A healthy report that is still fresh at `now` ends an
/// inactivity that failed checks caused. Gives how many endpoints were found; `updated_at` is not touched.
pub async fn apply_health_report(
    tx: &mut Tx,
    owner: UserId,
    reports: &[HealthReport],
    ttl_seconds: i64,
    now: Timestamp,
) -> Result<u64> {
    const SQL: Sql = Sql {
        postgres: "UPDATE endpoints SET health_status = report.status, health_ttl_seconds = $3, \
             health_checked_at = CAST(report.checked_at || '+00' AS timestamptz), \
             is_active = is_active OR report.revives, \
             consecutive_failure_count = CASE WHEN report.revives THEN 0 ELSE consecutive_failure_count END \
             FROM jsonb_to_recordset(CAST($2 AS jsonb)) \
                  AS report (slug TEXT, status TEXT, checked_at TEXT, revives BOOLEAN) \
             WHERE endpoints.user_id = $1 AND endpoints.slug = report.slug",
        sqlite: "UPDATE endpoints SET health_status = report.status, health_ttl_seconds = $3, \
             health_checked_at = report.checked_at, is_active = is_active OR report.revives, \
             consecutive_failure_count = CASE WHEN report.revives THEN 0 ELSE consecutive_failure_count END \
             FROM (SELECT json_extract(value, '$.slug') AS slug, json_extract(value, '$.status') AS status, \
                          json_extract(value, '$.checked_at') AS checked_at, \
                          json_extract(value, '$.revives') AS revives FROM json_each($2)) AS report \
             WHERE endpoints.user_id = $1 AND endpoints.slug = report.slug",
    };
    // Two source rows for one target row would make the statement pick either.
    let newest: std::collections::BTreeMap<&str, &HealthReport> =
        reports.iter().map(|report| (report.slug.as_str(), report)).collect();
    let life = std::time::Duration::from_secs(u64::try_from(ttl_seconds).unwrap_or(0));
    let rows: Vec<serde_json::Value> = newest
        .into_values()
        .map(|report| {
            serde_json::json!({
                "slug": report.slug,
                "status": report.status,
                "checked_at": report.checked_at.to_sql_text(),
                "revives": report.status == HealthStatus::Healthy && report.checked_at.plus(life) > now,
            })
        })
        .collect();
    let conn = tx.held();
    let sql = SQL.pick(&conn);
    affected!(conn, sqlx::query(sql).bind(owner.0).bind(crate::json(&rows)).bind(ttl_seconds))
}

/// Records a sign of life of an owner: until `until` all their endpoints count as healthy that have no report of
/// their own.
pub async fn set_heartbeat(tx: &mut Tx, owner: UserId, until: Timestamp) -> Result<()> {
    const SQL: &str = "UPDATE users SET heartbeat_expires_at = $2 WHERE id = $1";
    affected!(tx.held(), sqlx::query(SQL).bind(owner.0).bind(SqlTime(until)))?;
    Ok(())
}
