//! Browser sessions, and what a user sees about all their sessions: those of tokens (the refresh families of
//! [`refresh`](crate::refresh)) and those of browsers are one list with one kind of id.

use std::time::Duration;

use syfthub_domain::{Timestamp, UserId};

use crate::column::{SqlTime, row};
use crate::db::{affected, on};
use crate::refresh::PURGE_BATCH;
use crate::{Page, Reads, Result, Tx};

/// Networks that are remembered of an account at most; the ones used longest ago go first.
const ADDRESSES: i64 = 50;
/// A network from which nobody signed in for so long is a stranger again.
const ADDRESS_LIFE: Duration = Duration::from_hours(24 * 180);

row! {
    /// A browser session that has not been ended.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct SessionRow {
        /// Id, a UUID.
        pub id: String,
        /// Whose it is.
        pub user_id: UserId,
        /// The account's token epoch when it began; a session of an earlier epoch is over.
        pub token_epoch: i64,
        /// When it began.
        pub created_at: Timestamp,
        /// Last use, as far as it was recorded.
        pub last_used_at: Timestamp,
        /// When it ends unless it is used before.
        pub expires_at: Timestamp,
    }
}

/// A browser session to be stored.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Id, a UUID.
    pub id: String,
    /// Whose it is.
    pub user_id: UserId,
    /// SHA-256 of the cookie's value, hex.
    pub token_hash: String,
    /// The account's token epoch.
    pub token_epoch: i64,
    /// What the client calls itself.
    pub device: Option<String>,
    /// Where it was.
    pub address: Option<String>,
    /// Now.
    pub created_at: Timestamp,
    /// When it ends unless it is used before.
    pub expires_at: Timestamp,
}

row! {
    /// A live session of any kind.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ListedSession {
        /// Id, a UUID.
        pub id: String,
        /// `token` or `browser`.
        pub kind: String,
        /// What the client called itself when the session began.
        pub device: Option<String>,
        /// Where it was last.
        pub address: Option<String>,
        /// When it began.
        pub created_at: Timestamp,
        /// Last use, as far as it was recorded.
        pub last_used_at: Timestamp,
        /// When it ends unless it is used before.
        pub expires_at: Timestamp,
    }
}

/// Stores a browser session.
pub async fn insert(tx: &mut Tx, new: &NewSession) -> Result<()> {
    const SQL: &str = "INSERT INTO sessions (id, user_id, token_hash, token_epoch, device, address, created_at, \
        last_used_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)";
    affected!(
        tx.held(),
        sqlx::query(SQL)
            .bind(&new.id)
            .bind(new.user_id.0)
            .bind(&new.token_hash)
            .bind(new.token_epoch)
            .bind(new.device.as_deref())
            .bind(new.address.as_deref())
            .bind(SqlTime(new.created_at))
            .bind(SqlTime(new.expires_at))
    )?;
    Ok(())
}

/// The browser session whose cookie has this hash, unless it has ended.
pub async fn find_live(from: impl Reads, hash: &str, now: Timestamp) -> Result<Option<SessionRow>> {
    const SQL: &str = "SELECT id, user_id, token_epoch, created_at, last_used_at, expires_at FROM sessions \
        WHERE token_hash = $1 AND revoked_at IS NULL AND expires_at > $2";
    on!(from.source().conn().await?, c => sqlx::query_as::<_, SessionRow>(SQL)
        .bind(hash)
        .bind(SqlTime(now))
        .fetch_optional(c))
}

/// Records a use of a browser session and moves its end.
pub async fn touch(
    tx: &mut Tx,
    id: &str,
    address: Option<&str>,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<()> {
    const SQL: &str = "UPDATE sessions SET last_used_at = $3, expires_at = $4, address = COALESCE($2, address) \
        WHERE id = $1 AND revoked_at IS NULL AND last_used_at < $3";
    affected!(
        tx.held(),
        sqlx::query(SQL).bind(id).bind(address).bind(SqlTime(now)).bind(SqlTime(expires_at))
    )?;
    Ok(())
}

/// Live sessions of both kinds, the one used last first.
pub async fn list(from: impl Reads, user: UserId, now: Timestamp, page: Page) -> Result<Vec<ListedSession>> {
    const SQL: &str = "SELECT id, 'token' AS kind, device, address, created_at, \
        COALESCE(last_used_at, created_at) AS last_used_at, expires_at \
        FROM refresh_families WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2 \
        UNION ALL SELECT id, 'browser' AS kind, device, address, created_at, last_used_at, expires_at \
        FROM sessions WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2 \
        ORDER BY last_used_at DESC, id DESC LIMIT $3 OFFSET $4";
    on!(from.source().conn().await?, c => sqlx::query_as::<_, ListedSession>(SQL)
        .bind(user.0)
        .bind(SqlTime(now))
        .bind(i64::from(page.limit))
        .bind(i64::from(page.skip))
        .fetch_all(c))
}

/// Ends one session of an account, of either kind. Gives whether there was a live one.
pub async fn end(tx: &mut Tx, user: UserId, id: &str, now: Timestamp) -> Result<bool> {
    const TOKENS: &str = "UPDATE refresh_families SET revoked_at = $3 \
        WHERE id = $2 AND user_id = $1 AND revoked_at IS NULL AND expires_at > $3";
    const BROWSERS: &str = "UPDATE sessions SET revoked_at = $3 \
        WHERE id = $2 AND user_id = $1 AND revoked_at IS NULL AND expires_at > $3";
    let mut rows = 0;
    for sql in [TOKENS, BROWSERS] {
        rows += affected!(tx.held(), sqlx::query(sql).bind(user.0).bind(id).bind(SqlTime(now)))?;
    }
    Ok(rows > 0)
}

/// Ends every session of an account, of both kinds, but the one that is to stay. Gives how many there were.
pub async fn end_all(tx: &mut Tx, user: UserId, stays: Option<&str>, now: Timestamp) -> Result<u64> {
    const TOKENS: &str = "UPDATE refresh_families SET revoked_at = $3 \
        WHERE user_id = $1 AND id <> $2 AND revoked_at IS NULL";
    const BROWSERS: &str = "UPDATE sessions SET revoked_at = $3 \
        WHERE user_id = $1 AND id <> $2 AND revoked_at IS NULL";
    let stays = stays.unwrap_or_default();
    let mut rows = 0;
    for sql in [TOKENS, BROWSERS] {
        rows += affected!(tx.held(), sqlx::query(sql).bind(user.0).bind(stays).bind(SqlTime(now)))?;
    }
    Ok(rows)
}

/// Deletes some browser sessions that have expired. Gives how many rows went; while that is not 0 there may be
/// more.
pub async fn purge_expired(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    const SQL: &str = "DELETE FROM sessions WHERE id IN \
        (SELECT id FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
    affected!(tx.held(), sqlx::query(SQL).bind(SqlTime(now)).bind(PURGE_BATCH))
}

/// Remembers that an account was signed in to from a network.
pub async fn remember_address(tx: &mut Tx, user: UserId, address: &str, now: Timestamp) -> Result<()> {
    const SQL: &str = "INSERT INTO known_addresses (user_id, address, last_seen_at) VALUES ($1, $2, $3) \
        ON CONFLICT (user_id, address) DO UPDATE SET last_seen_at = excluded.last_seen_at";
    const TRIM: &str = "DELETE FROM known_addresses WHERE user_id = $1 AND address NOT IN \
        (SELECT address FROM known_addresses WHERE user_id = $1 ORDER BY last_seen_at DESC, address LIMIT $2)";
    affected!(tx.held(), sqlx::query(SQL).bind(user.0).bind(address).bind(SqlTime(now)))?;
    affected!(tx.held(), sqlx::query(TRIM).bind(user.0).bind(ADDRESSES))?;
    Ok(())
}

/// Whether an account was signed in to from this network in the last half year.
pub async fn knows_address(from: impl Reads, user: UserId, address: &str, now: Timestamp) -> Result<bool> {
    const SQL: &str = "SELECT COUNT(*) FROM known_addresses \
        WHERE user_id = $1 AND address = $2 AND last_seen_at > $3";
    let count = on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL)
        .bind(user.0)
        .bind(address)
        .bind(SqlTime(now.minus(ADDRESS_LIFE)))
        .fetch_one(c))?;
    Ok(count > 0)
}
