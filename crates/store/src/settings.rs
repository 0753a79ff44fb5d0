//! Small facts of the hub under a key, such as the hash of the set-up link.

use syfthub_domain::Timestamp;

use crate::column::SqlTime;
use crate::db::{affected, on};
use crate::{Reads, Result, Tx};

/// The value under a key.
pub async fn get(from: impl Reads, key: &str) -> Result<Option<String>> {
    const SQL: &str = "SELECT value FROM settings WHERE key = $1";
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, String>(SQL).bind(key).fetch_optional(c))
}

/// Writes the value under a key.
pub async fn put(tx: &mut Tx, key: &str, value: &str, now: Timestamp) -> Result<()> {
    const SQL: &str = "INSERT INTO settings (key, value, updated_at) VALUES ($1, $2, $3) \
        ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at";
    affected!(tx.held(), sqlx::query(SQL).bind(key).bind(value).bind(SqlTime(now)))?;
    Ok(())
}

/// Writes the value only if the present one is `expected` (`None`: there is none). Gives whether it did.
pub async fn compare_and_put(
    tx: &mut Tx,
    key: &str,
    expected: Option<&str>,
    value: &str,
    now: Timestamp,
) -> Result<bool> {
    const CREATE: &str =
        "INSERT INTO settings (key, value, updated_at) VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING";
    const CHANGE: &str = "UPDATE settings SET value = $2, updated_at = $3 WHERE key = $1 AND value = $4";
    let rows = match expected {
        None => affected!(tx.held(), sqlx::query(CREATE).bind(key).bind(value).bind(SqlTime(now)))?,
        Some(old) => {
            affected!(tx.held(), sqlx::query(CHANGE).bind(key).bind(value).bind(SqlTime(now)).bind(old))?
        }
    };
    Ok(rows == 1)
}

/// Removes a key. Gives whether it was there.
pub async fn delete(tx: &mut Tx, key: &str) -> Result<bool> {
    const SQL: &str = "DELETE FROM settings WHERE key = $1";
    affected!(tx.held(), sqlx::query(SQL).bind(key)).map(|rows| rows > 0)
}
