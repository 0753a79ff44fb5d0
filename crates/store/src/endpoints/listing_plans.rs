//! How PostgreSQL and SQLite read listings of a hundred thousand endpoints.

use sqlx::{AssertSqlSafe, Row as _};
use syfthub_testing::wait;

use super::*;
use crate::Db;
use crate::search;

const USERS: i64 = 10_000;
const ENDPOINTS: i64 = 100_000;

/// Each dialect's counter from 1 to `$1`.
const POSTGRES_NUMBERS: &str = "generate_series(1, {n}) AS numbers (n)";
const SQLITE_NUMBERS: &str = "(WITH RECURSIVE all_of (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM all_of WHERE n < {n}) SELECT n FROM all_of)";

/// Fills the tables: nine of ten endpoints are listed, one of a hundred has no policy, one of fifty is an agent.
async fn filled(db: &Db) {
    db.migrate().await.unwrap();
    let (numbers, moment) = match db {
        Db::Postgres(_) => (POSTGRES_NUMBERS, "now() - make_interval(secs => (n * 7919) % 400009)"),
        Db::Sqlite { .. } => {
            (SQLITE_NUMBERS, "strftime('%Y-%m-%d %H:%M:%f000', 1e9 + (n * 7919) % 400009, 'unixepoch')")
        }
    };
    let readme = "Some text. ".repeat(50);
    let of = |count: i64| numbers.replace("{n}", &count.to_string());
    let users = format!(
        "INSERT INTO users (username, email, full_name, created_at, updated_at) \
         SELECT 'user' || n, n || '@example.org', 'User', {moment}, {moment} FROM {}",
        of(USERS)
    );
    let endpoints = format!(
        "INSERT INTO endpoints (user_id, name, slug, type, visibility, policies, listing_text, readme, stars_count, \
         created_at, updated_at) \
         SELECT 1 + n % {USERS}, 'Name ' || n, 'slug-' || n, CASE WHEN n % 50 = 0 THEN 'agent' ELSE 'model' END, \
         CASE WHEN n % 10 = 0 THEN 'private' ELSE 'public' END, CASE WHEN n % 100 = 7 THEN '[]' ELSE '[{{}}]' END, \
         'name ' || n || ' of a thing', '{readme}', (n * 7919) % 1000, {moment}, {moment} FROM {}",
        of(ENDPOINTS)
    );
    let postings = format!(
        "INSERT INTO search_postings (endpoint_id, term_id, weight) \
         SELECT n, 1 + n % 50, (n * 7919) % 1000000 FROM {}",
        of(ENDPOINTS)
    );
    for sql in [users, endpoints, postings, "ANALYZE".to_owned()] {
        execute(db, sql).await;
    }
    if let Db::Postgres(pool) = db {
        // While a statement of the server's own housekeeping runs, a vacuum leaves pages out.
        let vacuumed = async || {
            execute(db, "VACUUM ANALYZE endpoints".to_owned()).await;
            sqlx::query_scalar::<_, bool>(VACUUMED).fetch_one(pool).await.unwrap()
        };
        wait::until(vacuumed, "the pages of the endpoints to be known as visible").await;
    }
}

const VACUUMED: &str = "SELECT relallvisible * 10 > relpages * 9 FROM pg_class WHERE relname = 'endpoints'";

async fn execute(db: &Db, sql: String) {
    match db {
        Db::Postgres(pool) => drop(sqlx::query(AssertSqlSafe(sql)).execute(pool).await.unwrap()),
        Db::Sqlite { write, .. } => drop(sqlx::query(AssertSqlSafe(sql)).execute(write).await.unwrap()),
    }
}

/// The plan of a listing as the front page asks for it.
async fn plan(db: &Db, filter: &PublicFilter) -> String {
    let sql = listing(filter);
    match db {
        Db::Postgres(pool) => {
            let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN {sql}")))
                .bind(filter.kind.map(EndpointType::as_str))
                .bind(filter.search.as_deref().map(like_pattern))
                .bind(filter.owner.as_deref())
                .bind(filter.min_stars)
                .bind(filter.guest_accessible)
                .bind(20_i64)
                .bind(0_i64)
                .fetch_all(pool)
                .await
                .unwrap();
            rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
        }
        Db::Sqlite { read, .. } => {
            let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
                .fetch_all(read)
                .await
                .unwrap();
            rows.iter().map(|row| row.get::<String, _>(3)).collect::<Vec<_>>().join("\n")
        }
    }
}

/// The plan of a statement whose values do not matter to it.
async fn plan_of(db: &Db, sql: &str, values: &[i64]) -> String {
    let mut sql = sql.to_owned();
    for (place, value) in values.iter().enumerate() {
        sql = sql.replace(&format!("${}", place + 1), &value.to_string());
    }
    match db {
        Db::Postgres(pool) => {
            let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN {sql}"))).fetch_all(pool).await.unwrap();
            rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
        }
        Db::Sqlite { read, .. } => {
            let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
                .fetch_all(read)
                .await
                .unwrap();
            rows.iter().map(|row| row.get::<String, _>(3)).collect::<Vec<_>>().join("\n")
        }
    }
}

/// Every listing that the hub offers.
fn filters() -> Vec<(&'static str, PublicFilter)> {
    let usual = PublicFilter::default;
    vec![
        ("newest", usual()),
        ("trending", PublicFilter { sort: Sort::Stars, ..usual() }),
        ("trending with stars", PublicFilter { sort: Sort::Stars, min_stars: Some(10), ..usual() }),
        ("models", PublicFilter { kind: Some(EndpointType::Model), ..usual() }),
        ("agents", PublicFilter { kind: Some(EndpointType::Agent), ..usual() }),
        ("of an owner", PublicFilter { owner: Some("user77".to_owned()), ..usual() }),
        ("for guests", PublicFilter { guest_accessible: true, ..usual() }),
        ("with a text", PublicFilter { search: Some("name 4711".to_owned()), ..usual() }),
    ]
}

#[tokio::test]
async fn on_postgres_no_listing_reads_all_endpoints() {
    let url = syfthub_testing::postgres::shared().await.fresh_database().await;
    let db = Db::connect(&syfthub_testing::postgres_settings(&url)).await.unwrap();
    filled(&db).await;
    for (name, filter) in filters() {
        let plan = plan(&db, &filter).await;
        assert!(!plan.contains("Seq Scan on endpoints"), "{name}: {plan}");
        // What one owner has is little, and what holds a text is found first.
        let is_sorted = filter.search.is_some() || filter.owner.is_some();
        assert!(is_sorted || !plan.contains("Sort"), "{name}: the index gives the order: {plan}");
    }
    for (name, sql, values) in [("owners", OWNERS, &[100, 0][..]), ("grouped", GROUPED, &[15, 5000, 1 << 24])]
    {
        let plan = plan_of(&db, sql, values).await;
        assert!(!plan.contains("Seq Scan on endpoints"), "{name}: {plan}");
    }
    let own = [OWN, "AND NOT FALSE ORDER BY e.updated_at DESC, e.id DESC LIMIT 10"].concat();
    let own = plan_of(&db, &own, &[77]).await;
    assert!(own.contains("Index Scan on endpoints_user_id_updated_at_idx"), "{own}");
    for sql in search::PLANS {
        let plan = plan_of(&db, sql.postgres, &[7, 300, 0]).await;
        assert!(plan.contains("Index Only Scan using search_postings_term_id_weight_idx"), "{plan}");
        assert!(!plan.contains("Seq Scan on endpoints"), "{plan}");
    }
}

#[tokio::test]
async fn on_sqlite_no_listing_reads_all_endpoints() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::connect(&syfthub_testing::sqlite_settings(folder.path())).await.unwrap();
    filled(&db).await;
    for (name, filter) in filters() {
        let plan = plan(&db, &filter).await;
        // A text may stand anywhere in a name, and SQLite has no index for that: it looks at the short texts once.
        assert!(filter.search.is_some() || !plan.contains("SCAN e"), "{name}: {plan}");
        assert!(filter.search.is_some() || !plan.contains("TEMP B-TREE FOR ORDER BY"), "{name}: {plan}");
    }
    for sql in search::PLANS {
        let plan = plan_of(&db, sql.sqlite, &[7, 300, 0]).await;
        assert!(plan.contains("USING COVERING INDEX search_postings_term_id_weight_idx"), "{plan}");
    }
}
