//! How lists that every account reads are read when there are many accounts: by an index, whatever others have.

use sqlx::{AssertSqlSafe, Row as _};

use crate::{Db, conversations, oauth, presets};

const USERS: i64 = 1_000;
const PRESETS: i64 = 20_000;
const CONVERSATIONS: i64 = 10_000;
const MESSAGES: i64 = 60_000;
const GRANTS: i64 = 20_000;

async fn execute(db: &Db, sql: String) {
    match db {
        Db::Postgres(pool) => drop(sqlx::query(AssertSqlSafe(sql)).execute(pool).await.unwrap()),
        Db::Sqlite { write, .. } => drop(sqlx::query(AssertSqlSafe(sql)).execute(write).await.unwrap()),
    }
}

async fn filled(db: &Db) {
    db.migrate().await.unwrap();
    let numbers = |count: i64| match db {
        Db::Postgres(_) => format!("generate_series(1, {count}) AS numbers (n)"),
        Db::Sqlite { .. } => format!(
            "(WITH RECURSIVE all_of (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM all_of WHERE n < {count}) \
             SELECT n FROM all_of)"
        ),
    };
    let moment = match db {
        Db::Postgres(_) => "now() - make_interval(secs => (n * 7919) % 400009)",
        Db::Sqlite { .. } => "strftime('%Y-%m-%d %H:%M:%f000', 1e9 + (n * 7919) % 400009, 'unixepoch')",
    };
    // Nearly all grants that are kept are live.
    let later = match db {
        Db::Postgres(_) => "now() + interval '30 days'",
        Db::Sqlite { .. } => "'9999-01-01 00:00:00.000000'",
    };
    for sql in [
        format!(
            "INSERT INTO users (username, email, full_name, created_at, updated_at) \
             SELECT 'user' || n, n || '@example.org', 'User', {moment}, {moment} FROM {}",
            numbers(USERS)
        ),
        format!(
            "INSERT INTO presets (user_id, slug, name, description, model, visibility, created_at, updated_at) \
             SELECT 1 + n % {USERS}, 'slug-' || n, 'Name', 'Words', 'ada/writer', \
             CASE WHEN n % 2 = 0 THEN 'public' ELSE 'private' END, {moment}, {moment} FROM {}",
            numbers(PRESETS)
        ),
        format!(
            "INSERT INTO conversations (id, user_id, title, title_folded, created_at, updated_at) \
             SELECT 'c' || n, 1 + n % {USERS}, 'Title', 'title', {moment}, {moment} FROM {}",
            numbers(CONVERSATIONS)
        ),
        format!(
            "INSERT INTO conversation_messages (conversation_id, position, id, role, status, content, folded, created_at) \
             SELECT 'c' || (1 + n % {CONVERSATIONS}), n, 'm' || n, 'user', 'complete', 'Words', 'words', {moment} FROM {}",
            numbers(MESSAGES)
        ),
        format!(
            "INSERT INTO oauth_grants (id, user_id, client_id, client_name, resource, scopes, token_epoch, created_at, \
             last_used_at, expires_at) SELECT 'g' || n, 1 + n % {USERS}, 'client', 'Client', 'resource', '[]', 0, \
             {moment}, {moment}, {later} FROM {}",
            numbers(GRANTS)
        ),
        "ANALYZE".to_owned(),
    ] {
        execute(db, sql).await;
    }
}

async fn plan(db: &Db, sql: &str, values: &[&str]) -> String {
    let mut sql = sql.to_owned();
    for (place, value) in values.iter().enumerate() {
        sql = sql.replace(&format!("${}", place + 1), value);
    }
    match db {
        Db::Postgres(pool) => {
            let rows = sqlx::query(AssertSqlSafe(format!("EXPLAIN {sql}"))).fetch_all(pool).await.unwrap();
            rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
        }
        Db::Sqlite { read, .. } => {
            let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let rows = sqlx::query(sql).fetch_all(read).await.unwrap();
            rows.iter().map(|row| row.get::<String, _>(3)).collect::<Vec<_>>().join("\n")
        }
    }
}

async fn indexes_are_used(db: Db) {
    filled(&db).await;
    for viewer in ["77", "NULL"] {
        let visible = plan(&db, presets::VISIBLE, &[viewer, "20", "0", "20"]).await;
        assert!(visible.contains("presets_visibility_created_at_idx"), "{viewer}: {visible}");
        let is_own = visible.contains("presets_user_id_created_at_idx");
        assert!(is_own || viewer == "NULL", "{viewer}: {visible}");
        assert!(
            !visible.contains("Seq Scan on presets") && !visible.contains("SCAN p\n"),
            "{viewer}: {visible}"
        );
    }
    let now = match db {
        Db::Postgres(_) => "now()",
        Db::Sqlite { .. } => "'9999-01-01'",
    };
    let grants = plan(&db, oauth::grants::LIST, &["77", now, "20", "0"]).await;
    assert!(grants.contains("oauth_grants_user_id_last_used_at_idx"), "{grants}");
    assert!(!grants.contains("Seq Scan on oauth_grants") && !grants.contains("SCAN g"), "{grants}");
    for search in ["NULL", "'%words%'"] {
        let list = plan(&db, conversations::LIST, &["77", now, "'~'", search, "20"]).await;
        assert!(list.contains("conversations_user_id_updated_at_idx"), "{search}: {list}");
        let reads_all = ["Seq Scan on conversation", "SCAN c", "SCAN m", "hashed SubPlan"];
        assert!(!reads_all.iter().any(|step| list.contains(step)), "{search}: {list}");
    }
}

#[tokio::test]
async fn on_postgres_an_account_does_not_read_what_others_have() {
    let url = syfthub_testing::postgres::shared().await.fresh_database().await;
    indexes_are_used(Db::connect(&syfthub_testing::postgres_settings(&url)).await.unwrap()).await;
}

#[tokio::test]
async fn on_sqlite_an_account_does_not_read_what_others_have() {
    let folder = tempfile::tempdir().unwrap();
    indexes_are_used(Db::connect(&syfthub_testing::sqlite_settings(folder.path())).await.unwrap()).await;
}
