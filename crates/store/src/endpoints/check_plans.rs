//! How ten thousand endpoints are looked at: in batches, each of a few statements that read what they need.

use std::collections::HashSet;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Row as _};

use super::*;
use crate::Db;
use crate::uptime::{self, Sample};

const ENDPOINTS: usize = 10_000;
const BATCH: u32 = 1_000;

async fn execute(db: &Db, sql: String) {
    match db {
        Db::Postgres(pool) => drop(sqlx::query(AssertSqlSafe(sql)).execute(pool).await.unwrap()),
        Db::Sqlite { write, .. } => drop(sqlx::query(AssertSqlSafe(sql)).execute(write).await.unwrap()),
    }
}

/// Endpoints of a hundred owners, all of them due at `now`.
async fn filled(db: &Db, now: Timestamp) {
    db.migrate().await.unwrap();
    let numbers = |count: usize| match db {
        Db::Postgres(_) => format!("generate_series(1, {count}) AS numbers (n)"),
        Db::Sqlite { .. } => format!(
            "(WITH RECURSIVE all_of (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM all_of WHERE n < {count}) \
             SELECT n FROM all_of)"
        ),
    };
    let moment = format!("'{}'", now.to_sql_text());
    let moment = match db {
        Db::Postgres(_) => format!("CAST({moment} || '+00' AS timestamptz)"),
        Db::Sqlite { .. } => moment,
    };
    for sql in [
        format!(
            "INSERT INTO users (username, email, full_name, created_at, updated_at) \
             SELECT 'user' || n, n || '@example.org', 'User', {moment}, {moment} FROM {}",
            numbers(100)
        ),
        format!(
            "INSERT INTO endpoints (user_id, name, slug, type, visibility, created_at, updated_at) \
             SELECT 1 + n % 100, 'Name', 'slug-' || n, 'model', 'public', {moment}, {moment} FROM {}",
            numbers(ENDPOINTS)
        ),
        format!(
            "INSERT INTO endpoint_checks (endpoint_id, next_check_at) SELECT id, {moment} FROM endpoints"
        ),
        "ANALYZE".to_owned(),
    ] {
        execute(db, sql).await;
    }
}

async fn plan(db: &Db, now: Timestamp) -> String {
    let values = |sql: &str| {
        let moment = format!("'{}'", now.to_sql_text());
        AssertSqlSafe(sql.replace("$1", &moment).replace("$2", &BATCH.to_string()))
    };
    match db {
        Db::Postgres(pool) => {
            let rows =
                sqlx::query(values(&format!("EXPLAIN {}", DUE.postgres))).fetch_all(pool).await.unwrap();
            rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
        }
        Db::Sqlite { read, .. } => {
            let sql = values(&format!("EXPLAIN QUERY PLAN {}", DUE.sqlite));
            let rows = sqlx::query(sql).fetch_all(read).await.unwrap();
            rows.iter().map(|row| row.get::<String, _>(3)).collect::<Vec<_>>().join("\n")
        }
    }
}

async fn looks_are_batches(db: Db) {
    let now = Timestamp::from_secs(1_800_000_000);
    filled(&db, now).await;
    let plan = plan(&db, now).await;
    assert!(plan.contains("endpoint_checks_next_check_at_idx"), "{plan}");
    assert!(!plan.contains("Sort") && !plan.contains("TEMP B-TREE") && !plan.contains("SCAN e"), "{plan}");
    let (mut seen, mut rounds, later) = (HashSet::new(), 0, now.plus(Duration::from_secs(30)));
    while is_check_due(&db, now).await.unwrap() {
        rounds += 1;
        let mut tx = db.begin().await.unwrap();
        let due = due_checks(&mut tx, now, BATCH).await.unwrap();
        seen.extend(due.iter().map(|row| row.id));
        let next: Vec<_> = due.iter().map(|row| (row.id, later)).collect();
        let found = |row: &CheckedEndpoint| HealthChange {
            id: row.id,
            is_active: true,
            failures: 1,
            status: Some(HealthStatus::Unhealthy),
            checked_at: Some(now),
            ttl_seconds: None,
        };
        let changes: Vec<_> = due.iter().map(found).collect();
        let samples: Vec<_> =
            due.iter().map(|row| Sample { endpoint: row.id, healthy: false, weight: 1 }).collect();
        reschedule(&mut tx, &next).await.unwrap();
        assert_eq!(apply_health(&mut tx, &changes).await.unwrap(), u64::from(BATCH));
        uptime::add(&mut tx, now, &samples).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert_eq!((rounds, seen.len()), (ENDPOINTS / BATCH as usize, ENDPOINTS));
    // And all of them at once, as they come back from a hub that was down.
    let ids: Vec<EndpointId> = seen.into_iter().collect();
    let mut tx = db.begin().await.unwrap();
    let rows = checks_of(&mut tx, &ids).await.unwrap();
    assert_eq!(rows.len(), ENDPOINTS);
    assert!(rows.iter().all(|row| row.health_status == Some(HealthStatus::Unhealthy)));
    assert_eq!(due_checks(&mut tx, later, u32::MAX).await.unwrap().len(), ENDPOINTS);
    assert_eq!(uptime::purge(&mut tx, later).await.unwrap(), ENDPOINTS as u64);
}

#[tokio::test]
async fn on_postgres_ten_thousand_looks_are_ten_batches() {
    let url = syfthub_testing::postgres::shared().await.fresh_database().await;
    looks_are_batches(Db::connect(&syfthub_testing::postgres_settings(&url)).await.unwrap()).await;
}

#[tokio::test]
async fn on_sqlite_ten_thousand_looks_are_ten_batches() {
    let folder = tempfile::tempdir().unwrap();
    looks_are_batches(Db::connect(&syfthub_testing::sqlite_settings(folder.path())).await.unwrap()).await;
}
