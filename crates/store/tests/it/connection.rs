//! Databases that are locked, gone, damaged or full: a clear error, nothing lost, and recovery.

use std::time::Duration;

use syfthub_domain::ErrorCode;
use syfthub_store::{Db, Error, settings};
use syfthub_testing::{postgres, postgres_settings, sqlite_settings};

use crate::contract;
use crate::fixture::{TestDb, at};

contract! {
    async fn reads_outside_a_change_do_not_see_it_before_it_is_committed(db: Db) {
        let mut tx = db.begin().await.unwrap();
        settings::put(&mut tx, "k", "v", at(1)).await.unwrap();
        assert_eq!(settings::get(&db, "k").await.unwrap(), None);
        assert_eq!(settings::get(&mut tx, "k").await.unwrap().as_deref(), Some("v"));
        tx.commit().await.unwrap();
        assert_eq!(settings::get(&db, "k").await.unwrap().as_deref(), Some("v"));
        db.close().await;
        assert!(matches!(db.ping().await, Err(Error::Unavailable(_))));
    }
}

#[tokio::test]
async fn a_second_writer_on_sqlite_is_told_that_the_database_is_busy() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = sqlite_settings(folder.path());
    config.pool_timeout = Duration::from_millis(500);
    let db = Db::connect(&config).await.unwrap();
    db.migrate().await.unwrap();
    let held = db.begin().await.unwrap();
    let error = db.begin().await.unwrap_err();
    assert!(matches!(error, Error::Locked(_)), "{error:?}");
    let told = syfthub_domain::Error::from(error);
    assert_eq!(told.code, ErrorCode::Unavailable);
    held.rollback().await.unwrap();
    db.begin().await.unwrap().commit().await.unwrap();
}

#[tokio::test]
async fn a_file_that_another_process_writes_to_is_busy_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = sqlite_settings(folder.path());
    let other = Db::connect(&config).await.unwrap();
    other.migrate().await.unwrap();
    config.pool_timeout = Duration::from_millis(500);
    let db = Db::connect(&config).await.unwrap();
    let mut held = other.begin().await.unwrap();
    settings::put(&mut held, "k", "theirs", at(1)).await.unwrap();
    let error = db.begin().await.unwrap_err();
    assert!(matches!(error, Error::Locked(_)), "{error:?}");
    assert_eq!(settings::get(&db, "k").await.unwrap(), None, "reading goes on meanwhile");
    held.commit().await.unwrap();
    let mut tx = db.begin().await.unwrap();
    settings::put(&mut tx, "k", "ours", at(2)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(settings::get(&other, "k").await.unwrap().as_deref(), Some("ours"));
}

#[cfg(unix)]
#[tokio::test]
async fn the_sqlite_file_is_its_owners_alone_and_its_folder_is_made() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("not/yet/there");
    let db = Db::connect(&sqlite_settings(&deep)).await.unwrap();
    db.migrate().await.unwrap();
    for entry in std::fs::read_dir(&deep).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("syfthub.db");
    let text = "this is a letter to my aunt, not a database\n".repeat(50);
    std::fs::write(&file, &text).unwrap();
    let error = Db::connect(&sqlite_settings(folder.path())).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt(_)), "{error:?}");
    assert!(error.to_string().contains("restore a backup"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test]
async fn a_folder_in_the_way_is_an_error_that_names_the_setting() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("syfthub.db")).unwrap();
    let error = Db::connect(&sqlite_settings(folder.path())).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    assert!(error.to_string().contains("DATABASE_URL"));
}

#[tokio::test]
async fn a_full_sqlite_database_says_so_and_keeps_what_it_has() {
    let test = TestDb::sqlite().await;
    let Db::Sqlite { write, .. } = &test.db else { unreachable!("a SQLite database") };
    let mut tx = test.db.begin().await.unwrap();
    settings::put(&mut tx, "before", "kept", at(1)).await.unwrap();
    tx.commit().await.unwrap();
    // The limit is the one of a full disk to SQLite: the same code, SQLITE_FULL.
    sqlx::query("PRAGMA max_page_count = 1").execute(write).await.unwrap();
    let mut tx = test.db.begin().await.unwrap();
    let error = settings::put(&mut tx, "big", &"x".repeat(10_000_000), at(1)).await.unwrap_err();
    assert!(matches!(error, Error::DiskFull(_)), "{error:?}");
    drop(tx);
    assert_eq!(settings::get(&test.db, "before").await.unwrap().as_deref(), Some("kept"));
}

#[tokio::test]
async fn postgres_that_dies_and_returns_is_survived() {
    let server = postgres::private().await;
    let mut config = postgres_settings(&server.fresh_database().await);
    config.pool_timeout = Duration::from_secs(2);
    let db = Db::connect(&config).await.unwrap();
    db.migrate().await.unwrap();
    server.stop().await;
    let error = syfthub_domain::Error::from(db.ping().await.unwrap_err());
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert!(Db::connect(&config).await.is_err_and(|error| matches!(error, Error::Unavailable(_))));
    server.start().await;
    syfthub_testing::wait::until(async || db.ping().await.is_ok(), "the pool to connect again").await;
}

#[tokio::test]
async fn postgres_connections_carry_the_name_of_the_service() {
    let url = postgres::shared().await.fresh_database().await;
    let db = Db::connect(&postgres_settings(&url)).await.unwrap();
    let Db::Postgres(pool) = &db else { unreachable!("a PostgreSQL database") };
    let name: String =
        sqlx::query_scalar("SELECT current_setting('application_name')").fetch_one(pool).await.unwrap();
    assert_eq!(name, "syfthub-test");
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_unavailable() {
    let url = postgres::shared().await.fresh_database().await;
    let error = Db::connect(&postgres_settings(&url.replace("test_", "absent_"))).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
}
