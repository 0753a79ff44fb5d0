//! Dev-only: private PostgreSQL and Redis servers, a mail server, fake upstream endpoints, waiting without sleeping.
//!
//! Nothing here is skipped silently: what is missing on the machine is a panic that names the package.
#![expect(
    clippy::expect_used,
    reason = "only tests use this crate, and a test that cannot be set up should panic"
)]

pub mod log;
pub mod postgres;
pub mod proof_key;
pub mod redis;
pub mod smtp;
pub mod tls;
pub mod upstream;
pub mod wait;

mod process;

use std::path::Path;
use std::time::Duration;

use syfthub_config::{Database, DatabaseUrl, Secret};

/// Settings of a new SQLite database in `folder`.
pub fn sqlite_settings(folder: &Path) -> Database {
    database(DatabaseUrl::Sqlite(folder.join("syfthub.db")))
}

/// Settings for the PostgreSQL database at `url`.
pub fn postgres_settings(url: &str) -> Database {
    database(DatabaseUrl::Postgres(Secret::new(url)))
}

fn database(url: DatabaseUrl) -> Database {
    Database {
        url,
        echo: false,
        pool_size: 5,
        max_overflow: 5,
        pool_timeout: Duration::from_secs(10),
        application_name: "syfthub-test".to_owned(),
    }
}
