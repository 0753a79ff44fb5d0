//! Migrating is safe to repeat and to race, and an older version works beside a newer one.

use syfthub_store::{Db, Error, embedded};

use crate::contract;
use crate::fixture::execute;

contract! {
    async fn migrating_again_does_nothing(db: Db) {
        assert!(db.pending_migrations().await.unwrap().is_empty());
        assert!(db.migrate().await.unwrap().is_empty());
        assert_eq!(embedded(db.dialect())[0].to_string(), "0001_accounts");
    }

    async fn a_start_without_anything_to_apply_takes_no_lock(db: Db) {
        let held = db.begin().await.unwrap();
        if let Db::Postgres(pool) = &db {
            sqlx::query("SELECT pg_advisory_lock(839200)").execute(&mut *pool.acquire().await.unwrap()).await.unwrap();
        }
        assert!(db.migrate().await.unwrap().is_empty());
        drop(held);
    }

    async fn a_database_that_a_newer_version_expanded_is_good(db: Db) {
        execute(&db, "INSERT INTO schema_migrations SELECT 9998, 'add_later', 'x', applied_at FROM schema_migrations WHERE version = 1").await;
        assert!(db.pending_migrations().await.unwrap().is_empty());
        assert!(db.migrate().await.unwrap().is_empty());
    }

    async fn a_database_that_a_newer_version_contracted_is_refused(db: Db) {
        execute(&db, "INSERT INTO schema_migrations SELECT 9998, 'add_later', 'x', applied_at FROM schema_migrations WHERE version = 1").await;
        execute(&db, "INSERT INTO schema_migrations SELECT 9999, 'contract_it', 'x', applied_at FROM schema_migrations WHERE version = 1").await;
        let error = db.migrate().await.unwrap_err();
        assert!(matches!(&error, Error::Schema(text) if text.contains("9999_contract_it")), "{error}");
    }

    async fn an_edited_migration_is_refused_also_beside_newer_ones(db: Db) {
        execute(&db, "INSERT INTO schema_migrations SELECT 9998, 'add_later', 'x', applied_at FROM schema_migrations WHERE version = 1").await;
        execute(&db, "UPDATE schema_migrations SET checksum = 'x' WHERE version = 1").await;
        let error = db.migrate().await.unwrap_err();
        assert!(matches!(&error, Error::Schema(text) if text.contains("never edited")), "{error}");
    }
}

async fn race(db: Db) {
    let all = embedded(db.dialect()).len();
    assert_eq!(db.pending_migrations().await.unwrap().len(), all);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let db = db.clone();
        tasks.spawn(async move { db.migrate().await.unwrap().len() });
    }
    assert_eq!(tasks.join_all().await.iter().sum::<usize>(), all, "each step is applied once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_start_together_migrate_once_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    race(Db::connect(&syfthub_testing::sqlite_settings(folder.path())).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_start_together_migrate_once_on_postgres() {
    let url = syfthub_testing::postgres::shared().await.fresh_database().await;
    race(Db::connect(&syfthub_testing::postgres_settings(&url)).await.unwrap()).await;
}

/// The hub itself may run under a role that only reads and writes rows.
#[tokio::test]
async fn a_role_that_may_not_create_tables_can_start() {
    let url = syfthub_testing::postgres::shared().await.fresh_database().await;
    let owner = Db::connect(&syfthub_testing::postgres_settings(&url)).await.unwrap();
    owner.migrate().await.unwrap();
    let Db::Postgres(pool) = &owner else { unreachable!("a PostgreSQL database") };
    let database: String = sqlx::query_scalar("SELECT current_database()").fetch_one(pool).await.unwrap();
    let role = format!("role_of_{database}");
    let run = async |sql: &str| {
        let sql = sqlx::AssertSqlSafe(sql.replace("ROLE_NAME", &role));
        sqlx::raw_sql(sql).execute(pool).await.map(drop).unwrap();
    };
    run("CREATE ROLE ROLE_NAME; GRANT SELECT ON ALL TABLES IN SCHEMA public TO ROLE_NAME").await;
    let separator = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{separator}options[role]={role}");
    let db = Db::connect(&syfthub_testing::postgres_settings(&url)).await.unwrap();
    assert!(db.migrate().await.unwrap().is_empty());

    run("DELETE FROM schema_migrations").await;
    let error = db.migrate().await.unwrap_err();
    assert!(error.to_string().contains("syfthub migrate"), "{error}");
    db.close().await;
    run("DROP OWNED BY ROLE_NAME; DROP ROLE ROLE_NAME").await;
}
