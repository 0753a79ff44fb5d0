//! Keys at rest: RSA signing keys, sealed by the caller, and the wrapped keys that seal. Nothing here can
//! open them.

use syfthub_domain::Timestamp;

use crate::column::{SqlTime, row};
use crate::db::{affected, on};
use crate::{Reads, Result, Tx};

row! {
    /// A row of `signing_keys`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct SigningKeyRow {
        /// RFC 7638 thumbprint.
        pub kid: String,
        /// What it signs: `satellite` or `mcp`. One purpose never uses the key of another.
        pub purpose: String,
        /// The private key, sealed.
        pub private_sealed: Vec<u8>,
        /// The public key, PEM.
        pub public_pem: String,
        /// Time of creation.
        pub created_at: Timestamp,
        /// From when it signs.
        pub activated_at: Option<Timestamp>,
        /// From when it only verifies.
        pub retired_at: Option<Timestamp>,
        /// From when it does not even verify.
        pub expires_at: Option<Timestamp>,
    }
}

row! {
    /// A row of `sealing_keys`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct SealingKeyRow {
        /// The number that sealed values carry; grows by one.
        pub version: i64,
        /// The key, wrapped.
        pub wrapped: Vec<u8>,
        /// Time of creation.
        pub created_at: Timestamp,
        /// From when it only opens.
        pub retired_at: Option<Timestamp>,
    }
}

macro_rules! columns {
    () => {
        "kid, purpose, private_sealed, public_pem, created_at, activated_at, retired_at, expires_at"
    };
}

/// Stores a signing key.
pub async fn insert(tx: &mut Tx, key: &SigningKeyRow) -> Result<()> {
    const SQL: &str =
        concat!("INSERT INTO signing_keys (", columns!(), ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
    affected!(
        tx.held(),
        sqlx::query(SQL)
            .bind(&key.kid)
            .bind(&key.purpose)
            .bind(&key.private_sealed)
            .bind(&key.public_pem)
            .bind(SqlTime(key.created_at))
            .bind(key.activated_at.map(SqlTime))
            .bind(key.retired_at.map(SqlTime))
            .bind(key.expires_at.map(SqlTime))
    )?;
    Ok(())
}

/// Stores a signing key unless its purpose has one that is not retired. Replicas that start at the same
/// time all call this and then [`list`]: they end with the same key. Gives whether it was stored.
pub async fn insert_first(tx: &mut Tx, key: &SigningKeyRow) -> Result<bool> {
    const COUNT: &str = "SELECT COUNT(*) FROM signing_keys WHERE purpose = $1 AND retired_at IS NULL";
    lock(tx).await?;
    let count = on!(tx.held(), c => sqlx::query_scalar::<_, i64>(COUNT).bind(&key.purpose).fetch_one(c))?;
    if count == 0 {
        insert(tx, key).await?;
    }
    Ok(count == 0)
}

/// Keys of a purpose, newest first, retired ones included.
pub async fn list(from: impl Reads, purpose: &str) -> Result<Vec<SigningKeyRow>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM signing_keys WHERE purpose = $1 ORDER BY created_at DESC, activated_at DESC, kid"
    );
    on!(from.source().conn().await?, c => sqlx::query_as::<_, SigningKeyRow>(SQL).bind(purpose).fetch_all(c))
}

/// Stops a key from signing; it verifies until `expires_at`. Gives whether it was signing.
pub async fn retire(tx: &mut Tx, kid: &str, now: Timestamp, expires_at: Timestamp) -> Result<bool> {
    const SQL: &str =
        "UPDATE signing_keys SET retired_at = $2, expires_at = $3 WHERE kid = $1 AND retired_at IS NULL";
    affected!(tx.held(), sqlx::query(SQL).bind(kid).bind(SqlTime(now)).bind(SqlTime(expires_at)))
        .map(|rows| rows > 0)
}

/// Sets when a key begins to sign, ends to sign, and ends to verify. Gives whether there is such a key.
pub async fn set_times(tx: &mut Tx, key: &SigningKeyRow) -> Result<bool> {
    const SQL: &str =
        "UPDATE signing_keys SET activated_at = $2, retired_at = $3, expires_at = $4 WHERE kid = $1";
    affected!(
        tx.held(),
        sqlx::query(SQL)
            .bind(&key.kid)
            .bind(key.activated_at.map(SqlTime))
            .bind(key.retired_at.map(SqlTime))
            .bind(key.expires_at.map(SqlTime))
    )
    .map(|rows| rows > 0)
}

/// Replaces the sealed form of a private key, after the sealing key changed.
pub async fn reseal(tx: &mut Tx, kid: &str, private_sealed: &[u8]) -> Result<bool> {
    const SQL: &str = "UPDATE signing_keys SET private_sealed = $2 WHERE kid = $1";
    affected!(tx.held(), sqlx::query(SQL).bind(kid).bind(private_sealed)).map(|rows| rows > 0)
}

/// Deletes keys that do not even verify any more. Gives how many.
pub async fn purge_expired(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    const SQL: &str = "DELETE FROM signing_keys WHERE expires_at <= $1";
    affected!(tx.held(), sqlx::query(SQL).bind(SqlTime(now)))
}

/// Stores the first sealing key (version 1) unless there is one already, under the same lock as
/// [`insert_first`]. Gives whether it was stored.
pub async fn insert_first_sealing(tx: &mut Tx, wrapped: &[u8], now: Timestamp) -> Result<bool> {
    const COUNT: &str = "SELECT COUNT(*) FROM sealing_keys";
    lock(tx).await?;
    let count = on!(tx.held(), c => sqlx::query_scalar::<_, i64>(COUNT).fetch_one(c))?;
    if count == 0 {
        insert_sealing(tx, wrapped, now).await?;
    }
    Ok(count == 0)
}

/// Adds a sealing key with the next version, retires the ones before it, and gives the version.
pub async fn insert_sealing(tx: &mut Tx, wrapped: &[u8], now: Timestamp) -> Result<i64> {
    const RETIRE: &str = "UPDATE sealing_keys SET retired_at = $1 WHERE retired_at IS NULL";
    const INSERT: &str = "INSERT INTO sealing_keys (version, wrapped, created_at) \
        SELECT COALESCE(MAX(version), 0) + 1, $1, $2 FROM sealing_keys RETURNING version";
    lock(tx).await?;
    affected!(tx.held(), sqlx::query(RETIRE).bind(SqlTime(now)))?;
    on!(tx.held(), c => sqlx::query_scalar::<_, i64>(INSERT).bind(wrapped).bind(SqlTime(now)).fetch_one(c))
}

/// All sealing keys, newest first.
pub async fn list_sealing(from: impl Reads) -> Result<Vec<SealingKeyRow>> {
    const SQL: &str =
        "SELECT version, wrapped, created_at, retired_at FROM sealing_keys ORDER BY version DESC";
    on!(from.source().conn().await?, c => sqlx::query_as::<_, SealingKeyRow>(SQL).fetch_all(c))
}

/// Replaces the wrapped form of a sealing key, after the wrapping secret changed.
pub async fn rewrap_sealing(tx: &mut Tx, version: i64, wrapped: &[u8]) -> Result<bool> {
    const SQL: &str = "UPDATE sealing_keys SET wrapped = $2 WHERE version = $1";
    affected!(tx.held(), sqlx::query(SQL).bind(version).bind(wrapped)).map(|rows| rows > 0)
}

/// One writer of keys at a time, until the end of the change. SQLite has only one writer anyway.
pub async fn lock(tx: &mut Tx) -> Result<()> {
    if let Tx::Postgres(conn) = tx {
        sqlx::query("SELECT pg_advisory_xact_lock(839203)").execute(&mut **conn).await?;
    }
    Ok(())
}
