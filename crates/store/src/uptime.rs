//! How endpoints were found, counted in buckets of time.

use serde_json::{Value, json};
use syfthub_domain::{EndpointId, Timestamp};

use crate::column::{SqlTime, row};
use crate::db::{Sql, affected, on};
use crate::{Reads, Result, Tx};

/// What one look at an endpoint adds to its bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Whether it was found healthy.
    pub healthy: bool,
    /// For how many usual intervals the look stands; more than one when the next look is put off.
    pub weight: i64,
}

row! {
    /// The looks at one endpoint within one bucket.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Bucket {
        /// When the bucket begins.
        pub bucket_start: Timestamp,
        /// Looks.
        pub total_checks: i64,
        /// Looks that found it healthy.
        pub healthy_checks: i64,
    }
}

/// Adds samples to the bucket that begins at `bucket`, in one statement. At most one sample per endpoint.
pub async fn add(tx: &mut Tx, bucket: Timestamp, samples: &[Sample]) -> Result<()> {
    const SQL: Sql = Sql {
        postgres: "INSERT INTO endpoint_uptime_samples AS kept (endpoint_id, bucket_start, total_checks, healthy_checks) \
             SELECT e.id, $1, sample.total, sample.healthy \
             FROM jsonb_to_recordset(CAST($2 AS jsonb)) AS sample (id BIGINT, total BIGINT, healthy BIGINT) \
             JOIN endpoints e ON e.id = sample.id ORDER BY e.id \
             ON CONFLICT (endpoint_id, bucket_start) DO UPDATE SET \
             total_checks = kept.total_checks + excluded.total_checks, \
             healthy_checks = kept.healthy_checks + excluded.healthy_checks",
        sqlite: "INSERT INTO endpoint_uptime_samples AS kept (endpoint_id, bucket_start, total_checks, healthy_checks) \
             SELECT e.id, $1, json_extract(value, '$.total'), json_extract(value, '$.healthy') \
             FROM json_each($2) JOIN endpoints e ON e.id = json_extract(value, '$.id') WHERE TRUE \
             ON CONFLICT (endpoint_id, bucket_start) DO UPDATE SET \
             total_checks = kept.total_checks + excluded.total_checks, \
             healthy_checks = kept.healthy_checks + excluded.healthy_checks",
    };
    if samples.is_empty() {
        return Ok(());
    }
    let rows: Vec<Value> = samples
        .iter()
        .map(|sample| {
            let healthy = if sample.healthy { sample.weight } else { 0 };
            json!({"id": sample.endpoint.0, "total": sample.weight, "healthy": healthy})
        })
        .collect();
    let conn = tx.held();
    let sql = SQL.pick(&conn);
    affected!(conn, sqlx::query(sql).bind(SqlTime(bucket)).bind(crate::json(&rows)))?;
    Ok(())
}

/// The buckets of an endpoint that begin at `since` or later, oldest first.
pub async fn list(from: impl Reads, endpoint: EndpointId, since: Timestamp) -> Result<Vec<Bucket>> {
    const SQL: &str = "SELECT bucket_start, total_checks, healthy_checks FROM endpoint_uptime_samples \
        WHERE endpoint_id = $1 AND bucket_start >= $2 ORDER BY bucket_start";
    on!(from.source().conn().await?, c => sqlx::query_as::<_, Bucket>(SQL)
        .bind(endpoint.0).bind(SqlTime(since)).fetch_all(c))
}

/// Deletes the buckets that begin before `before`; gives how many there were.
pub async fn purge(tx: &mut Tx, before: Timestamp) -> Result<u64> {
    const SQL: &str = "DELETE FROM endpoint_uptime_samples WHERE bucket_start < $1";
    affected!(tx.held(), sqlx::query(SQL).bind(SqlTime(before)))
}
