//! Health reports of owners.

use syfthub_domain::{HealthStatus, Slug, Timestamp, UserId};

use crate::db::{Sql, affected};
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

/// Records a batch of reports about the owner's endpoints, inactive ones included, in one statement. Of two
/// reports about one slug the later in the list counts. Gives how many endpoints were found; `updated_at`
/// is not touched.
pub async fn apply_health_report(
    tx: &mut Tx,
    owner: UserId,
    reports: &[HealthReport],
    ttl_seconds: i64,
) -> Result<u64> {
    const SQL: Sql = Sql {
        postgres: "UPDATE endpoints SET health_status = report.status, health_ttl_seconds = $3, \
             health_checked_at = CAST(report.checked_at || '+00' AS timestamptz) \
             FROM jsonb_to_recordset(CAST($2 AS jsonb)) AS report (slug TEXT, status TEXT, checked_at TEXT) \
             WHERE endpoints.user_id = $1 AND endpoints.slug = report.slug",
        sqlite: "UPDATE endpoints SET health_status = report.status, health_ttl_seconds = $3, \
             health_checked_at = report.checked_at \
             FROM (SELECT json_extract(value, '$.slug') AS slug, json_extract(value, '$.status') AS status, \
                          json_extract(value, '$.checked_at') AS checked_at FROM json_each($2)) AS report \
             WHERE endpoints.user_id = $1 AND endpoints.slug = report.slug",
    };
    // Two source rows for one target row would make the statement pick either.
    let newest: std::collections::BTreeMap<&str, &HealthReport> =
        reports.iter().map(|report| (report.slug.as_str(), report)).collect();
    let rows: Vec<serde_json::Value> = newest
        .into_values()
        .map(|report| {
            serde_json::json!({
                "slug": report.slug,
                "status": report.status,
                "checked_at": report.checked_at.to_sql_text(),
            })
        })
        .collect();
    let conn = tx.held();
    let sql = SQL.pick(&conn);
    affected!(conn, sqlx::query(sql).bind(owner.0).bind(crate::json(&rows)).bind(ttl_seconds))
}
