//! Databases and rows for the cases.

use std::time::Duration;

use serde_json::json;
use syfthub_config::Secret;
use syfthub_domain::{
    AuthProvider, Email, EndpointType, Role, Slug, Tag, Timestamp, UserId, Username, Version, Visibility,
};
use syfthub_store::Db;
use syfthub_store::endpoints::{self, EndpointWithOwner, NewEndpoint};
use syfthub_store::users::{self, NewUser, UserRow};

pub(crate) struct TestDb {
    pub(crate) db: Db,
    _folder: Option<tempfile::TempDir>,
}

impl TestDb {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::connect(&syfthub_testing::sqlite_settings(folder.path())).await.unwrap();
        db.migrate().await.unwrap();
        Self { db, _folder: Some(folder) }
    }

    pub(crate) async fn postgres() -> Self {
        let url = syfthub_testing::postgres::shared().await.fresh_database().await;
        let db = Db::connect(&syfthub_testing::postgres_settings(&url)).await.unwrap();
        db.migrate().await.unwrap();
        Self { db, _folder: None }
    }
}

/// A moment `seconds` after the start of the cases.
pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(1_790_000_000_123_456).plus(Duration::from_secs(seconds))
}

pub(crate) fn new_user(name: &str) -> NewUser {
    NewUser {
        username: Username::parse(name).unwrap(),
        email: Email::parse(&format!("{name}@example.org")).unwrap(),
        full_name: name.to_uppercase(),
        role: Role::User,
        password_hash: Some(Secret::new("$argon2id$x")),
        is_email_verified: true,
        auth_provider: AuthProvider::Local,
        google_id: None,
        avatar_url: None,
    }
}

pub(crate) async fn add_user(db: &Db, name: &str) -> UserRow {
    let mut tx = db.begin().await.unwrap();
    let user = users::insert(&mut tx, &new_user(name), at(0)).await.unwrap();
    tx.commit().await.unwrap();
    user
}

pub(crate) fn new_endpoint(owner: UserId, slug: &str) -> NewEndpoint {
    NewEndpoint {
        user_id: owner,
        name: format!("Name of {slug}"),
        slug: Slug::parse(slug).unwrap(),
        description: format!("Description of {slug}"),
        kind: EndpointType::DataSource,
        visibility: Visibility::Public,
        archived: false,
        version: Version::parse("1.2.3").unwrap(),
        readme: "# Read me".to_owned(),
        tags: vec![Tag::parse("zebra").unwrap(), Tag::parse("apple").unwrap()],
        contributors: vec![owner],
        policies: json!([]),
        connect: json!([{"type": "http", "config": {"z": 1, "a": {"y": 2, "b": "U+2028 \u{2028}"}}}]),
    }
}

pub(crate) async fn publish(db: &Db, new: &NewEndpoint, when: u64) -> EndpointWithOwner {
    let mut tx = db.begin().await.unwrap();
    let endpoint = endpoints::insert(&mut tx, new, at(when)).await.unwrap();
    tx.commit().await.unwrap();
    endpoint
}

pub(crate) fn slugs(rows: &[EndpointWithOwner]) -> Vec<&str> {
    rows.iter().map(|row| row.endpoint.slug.as_str()).collect()
}

/// Runs a statement that no function of the store has.
pub(crate) async fn execute(db: &Db, sql: &'static str) {
    match db {
        Db::Postgres(pool) => sqlx::query(sql).execute(pool).await.map(drop).unwrap(),
        Db::Sqlite { write, .. } => sqlx::query(sql).execute(write).await.map(drop).unwrap(),
    }
}

/// Waits until a statement on PostgreSQL waits for the lock of another. On SQLite the second writer waits in
/// the pool, where nobody can see it and nothing can go wrong.
pub(crate) async fn somebody_waits(db: &Db) {
    const SQL: &str = "SELECT COUNT(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    if let Db::Postgres(pool) = db {
        let waiting = async || sqlx::query_scalar::<_, i64>(SQL).fetch_one(pool).await.unwrap() > 0;
        syfthub_testing::wait::until(waiting, "a statement to wait for a lock").await;
    }
}
