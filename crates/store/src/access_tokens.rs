//! Personal access tokens. The token itself is never stored, only its SHA-256.

use syfthub_domain::{ApiTokenId, Scope, Timestamp, UserId};

use crate::column::{SqlTime, joined, row};
use crate::db::{affected, on};
use crate::{Page, Reads, Result, Tx};

row! {
    /// A row of `api_tokens` (spec backend 2.3).
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct AccessTokenRow {
        /// Row id.
        pub id: ApiTokenId,
        /// Whose it is.
        pub user_id: UserId,
        /// What its owner calls it.
        pub name: String,
        /// First characters, for recognising it in a list.
        pub token_prefix: String,
        /// What it may do.
        pub scopes: Vec<Scope>,
        /// When it ends by itself.
        pub expires_at: Option<Timestamp>,
        /// Last use, as far as it was recorded.
        pub last_used_at: Option<Timestamp>,
        /// Address of the last use.
        pub last_used_ip: Option<String>,
        /// Not revoked.
        pub is_active: bool,
        /// Time of creation.
        pub created_at: Timestamp,
        /// Time of the last change by its owner.
        pub updated_at: Timestamp,
    }
}

/// A token to be stored.
#[derive(Debug, Clone)]
pub struct NewAccessToken {
    /// Whose it is.
    pub user_id: UserId,
    /// What its owner calls it.
    pub name: String,
    /// First characters of the token.
    pub token_prefix: String,
    /// SHA-256 of the whole token, hex.
    pub token_hash: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

macro_rules! columns {
    () => {
        "id, user_id, name, token_prefix, scopes, expires_at, last_used_at, last_used_ip, is_active, created_at, \
         updated_at"
    };
}

/// Stores a token.
pub async fn insert(tx: &mut Tx, new: &NewAccessToken, now: Timestamp) -> Result<AccessTokenRow> {
    const SQL: &str = concat!(
        "INSERT INTO api_tokens (user_id, name, token_prefix, token_hash, scopes, expires_at, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7) RETURNING ",
        columns!()
    );
    on!(tx.held(), c => sqlx::query_as::<_, AccessTokenRow>(SQL)
        .bind(new.user_id.0)
        .bind(&new.name)
        .bind(&new.token_prefix)
        .bind(&new.token_hash)
        .bind(joined(new.scopes.iter().map(|scope| scope.as_str())))
        .bind(new.expires_at.map(SqlTime))
        .bind(SqlTime(now))
        .fetch_one(c))
}

/// The token with this hash, also when it was revoked or has expired: the caller says which.
pub async fn find_by_hash(from: impl Reads, hash: &str) -> Result<Option<AccessTokenRow>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM api_tokens WHERE token_hash = $1");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, AccessTokenRow>(SQL).bind(hash).fetch_optional(c))
}

/// The token of this owner with this id.
pub async fn find(from: impl Reads, user: UserId, id: ApiTokenId) -> Result<Option<AccessTokenRow>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM api_tokens WHERE id = $1 AND user_id = $2");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, AccessTokenRow>(SQL).bind(id.0).bind(user.0).fetch_optional(c))
}

/// Tokens of an owner, newest first; revoked ones only on request.
pub async fn list(
    from: impl Reads,
    user: UserId,
    include_inactive: bool,
    page: Page,
) -> Result<Vec<AccessTokenRow>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM api_tokens WHERE user_id = $1 AND ($2 OR is_active = TRUE) \
         ORDER BY created_at DESC, id DESC LIMIT $3 OFFSET $4"
    );
    on!(from.source().conn().await?, c => sqlx::query_as::<_, AccessTokenRow>(SQL)
        .bind(user.0)
        .bind(include_inactive)
        .bind(i64::from(page.limit))
        .bind(i64::from(page.skip))
        .fetch_all(c))
}

/// How many tokens [`list`] would give without a page.
pub async fn count(from: impl Reads, user: UserId, include_inactive: bool) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM api_tokens WHERE user_id = $1 AND ($2 OR is_active = TRUE)";
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL).bind(user.0).bind(include_inactive).fetch_one(c))
}

/// How many tokens of an owner are not revoked. Inside the change that adds one it also locks the owner's
/// row, so that two requests at once cannot pass the limit together.
pub async fn count_active(tx: &mut Tx, user: UserId) -> Result<i64> {
    const LOCK: &str = "UPDATE users SET token_epoch = token_epoch WHERE id = $1";
    affected!(tx.held(), sqlx::query(LOCK).bind(user.0))?;
    count(tx, user, false).await
}

/// Renames a token; `None` when the owner has no such token.
pub async fn rename(
    tx: &mut Tx,
    user: UserId,
    id: ApiTokenId,
    name: &str,
    now: Timestamp,
) -> Result<Option<AccessTokenRow>> {
    const SQL: &str = concat!(
        "UPDATE api_tokens SET name = $3, updated_at = $4 WHERE id = $1 AND user_id = $2 RETURNING ",
        columns!()
    );
    on!(tx.held(), c => sqlx::query_as::<_, AccessTokenRow>(SQL)
        .bind(id.0)
        .bind(user.0)
        .bind(name)
        .bind(SqlTime(now))
        .fetch_optional(c))
}

/// Revokes a token; the row stays. Gives its hash, by which caches know it, or `None` when the owner has
/// no such token.
pub async fn revoke(tx: &mut Tx, user: UserId, id: ApiTokenId, now: Timestamp) -> Result<Option<String>> {
    const SQL: &str = "UPDATE api_tokens SET is_active = FALSE, updated_at = $3 \
        WHERE id = $1 AND user_id = $2 RETURNING token_hash";
    on!(tx.held(), c => sqlx::query_scalar::<_, String>(SQL)
        .bind(id.0)
        .bind(user.0)
        .bind(SqlTime(now))
        .fetch_optional(c))
}

/// Records a use. Callers do this at most once a minute for a token.
pub async fn touch(tx: &mut Tx, id: ApiTokenId, ip: Option<&str>, now: Timestamp) -> Result<()> {
    const SQL: &str =
        "UPDATE api_tokens SET last_used_at = $2, last_used_ip = COALESCE($3, last_used_ip) WHERE id = $1";
    affected!(tx.held(), sqlx::query(SQL).bind(id.0).bind(SqlTime(now)).bind(ip))?;
    Ok(())
}
