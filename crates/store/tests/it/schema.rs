//! Both databases have the same tables and columns, and migrating is safe to repeat and to race.

use std::collections::BTreeSet;

use sqlx::Row as _;
use syfthub_store::{Db, embedded};

use crate::contract;
use crate::fixture::TestDb;

async fn columns(db: &Db) -> BTreeSet<(String, String)> {
    match db {
        Db::Postgres(pool) => sqlx::query(
            "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = 'public'",
        )
        .fetch_all(pool)
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect(),
        // `search_words` and what FTS5 keeps for it exist on SQLite only.
        Db::Sqlite { read, .. } => sqlx::query(
            "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE 'search_words%'",
        )
        .fetch_all(read)
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect(),
    }
}

#[tokio::test]
async fn both_databases_have_the_same_tables_and_columns() {
    let (sqlite, postgres) = (TestDb::sqlite().await, TestDb::postgres().await);
    let (ours, theirs) = (columns(&sqlite.db).await, columns(&postgres.db).await);
    assert!(ours.len() > 80, "the query found the tables");
    assert_eq!(ours, theirs);
}

#[tokio::test]
async fn every_sqlite_table_is_strict() {
    let test = TestDb::sqlite().await;
    let Db::Sqlite { read, .. } = &test.db else { unreachable!("a SQLite database") };
    let loose: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0 \
         AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'search_words%'",
    )
    .fetch_all(read)
    .await
    .unwrap();
    assert!(loose.is_empty(), "{loose:?}");
}

contract! {
    async fn migrating_again_does_nothing(db: Db) {
        assert!(db.pending_migrations().await.unwrap().is_empty());
        assert!(db.migrate().await.unwrap().is_empty());
        db.ping().await.unwrap();
        assert!(columns(&db).await.contains(&("users".to_owned(), "token_epoch".to_owned())));
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
