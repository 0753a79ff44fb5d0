//! Grants: one authorization each, with everything that is issued for it.

use std::time::Duration;

use syfthub_domain::{Timestamp, UserId};

use super::Exchange;
use crate::column::{SqlTime, row};
use crate::db::{Sql, affected, on};
use crate::users::{self, UserRow};
use crate::{Page, Reads, Result, Tx, json};

/// The longest life of an access token, with a margin for clocks that differ: a grant lives at least this long after
/// each exchange.
pub const ACCESS_LIFE: Duration = Duration::from_mins(65);

row! {
    /// A row of `oauth_grants`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct GrantRow {
        /// Id, a UUID.
        pub id: String,
        /// Who agreed; none when a client acts for itself.
        pub user_id: Option<UserId>,
        /// The client.
        pub client_id: String,
        /// Its name, as it was shown.
        pub client_name: String,
        /// The one resource that its tokens are for.
        pub resource: String,
        /// What was agreed to.
        pub scopes: Vec<String>,
        /// The account's token epoch when it began.
        pub token_epoch: i64,
        /// Thumbprint of the key that its tokens are bound to.
        pub dpop_jkt: Option<String>,
        /// When the user signed in.
        pub auth_time: Option<Timestamp>,
        /// When it began.
        pub created_at: Timestamp,
        /// Its last exchange, as far as it was recorded.
        pub last_used_at: Timestamp,
        /// When it ends unless it is used before.
        pub expires_at: Timestamp,
        /// When it was ended.
        pub revoked_at: Option<Timestamp>,
    }
}

/// A grant to be stored.
#[derive(Debug, Clone)]
pub struct NewGrant {
    /// Id, a UUID.
    pub id: String,
    /// Who agreed; none when a client acts for itself.
    pub user_id: Option<UserId>,
    /// The client.
    pub client_id: String,
    /// Its name, as it was shown.
    pub client_name: String,
    /// The one resource that its tokens are for.
    pub resource: String,
    /// What was agreed to.
    pub scopes: Vec<String>,
    /// The account's token epoch.
    pub token_epoch: i64,
    /// Thumbprint of the key that its tokens are bound to.
    pub dpop_jkt: Option<String>,
    /// When the user signed in.
    pub auth_time: Option<Timestamp>,
    /// When it ends unless it is used before.
    pub expires_at: Timestamp,
}

macro_rules! columns {
    ($table:literal) => {
        concat!(
            $table,
            "id, ",
            $table,
            "user_id, ",
            $table,
            "client_id, ",
            $table,
            "client_name, ",
            $table,
            "resource, ",
            $table,
            "scopes, ",
            $table,
            "token_epoch, ",
            $table,
            "dpop_jkt, ",
            $table,
            "auth_time, ",
            $table,
            "created_at, ",
            $table,
            "last_used_at, ",
            $table,
            "expires_at, ",
            $table,
            "revoked_at"
        )
    };
}
pub(super) use columns;

/// What makes a grant live: nobody ended it or the one that it follows from, its time is not over, and its account is
/// in use and of the same epoch.
macro_rules! live {
    () => {
        " FROM oauth_grants g LEFT JOIN users u ON u.id = g.user_id WHERE g.revoked_at IS NULL AND g.expires_at > $2 \
         AND (g.user_id IS NULL OR (u.is_active = TRUE AND u.token_epoch = g.token_epoch)) \
         AND (g.parent_id IS NULL OR EXISTS (SELECT 1 FROM oauth_grants p WHERE p.id = g.parent_id AND p.revoked_at IS NULL)) \
         AND "
    };
}

/// Stores a grant.
pub async fn insert(tx: &mut Tx, new: &NewGrant, now: Timestamp) -> Result<GrantRow> {
    const SQL: &str = concat!(
        "INSERT INTO oauth_grants (id, user_id, client_id, client_name, resource, scopes, token_epoch, dpop_jkt, \
         auth_time, created_at, last_used_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11) RETURNING ",
        columns!("")
    );
    on!(tx.held(), c => sqlx::query_as::<_, GrantRow>(SQL)
        .bind(&new.id)
        .bind(new.user_id.map(|id| id.0))
        .bind(&new.client_id)
        .bind(&new.client_name)
        .bind(&new.resource)
        .bind(json(&new.scopes))
        .bind(new.token_epoch)
        .bind(new.dpop_jkt.as_deref())
        .bind(new.auth_time.map(SqlTime))
        .bind(SqlTime(now))
        .bind(SqlTime(new.expires_at))
        .fetch_one(c))
}

/// Ties a grant to the one whose token was exchanged for it, or to the one that this one is tied to: with that it ends.
pub async fn follow(tx: &mut Tx, id: &str, parent: &str) -> Result<()> {
    const SQL: &str = "UPDATE oauth_grants SET parent_id = (SELECT COALESCE(p.parent_id, p.id) FROM oauth_grants p \
        WHERE p.id = $2) WHERE id = $1";
    affected!(tx.held(), sqlx::query(SQL).bind(id).bind(parent))?;
    Ok(())
}

/// The grant of this id, if it is live.
pub async fn find_live(from: impl Reads, id: &str, now: Timestamp) -> Result<Option<GrantRow>> {
    const SQL: &str = concat!("SELECT ", columns!("g."), live!(), "g.id = $1");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, GrantRow>(SQL)
        .bind(id)
        .bind(SqlTime(now))
        .fetch_optional(c))
}

/// The live grants of an account, the one used last first.
pub async fn list(from: impl Reads, user: UserId, now: Timestamp, page: Page) -> Result<Vec<GrantRow>> {
    on!(from.source().conn().await?, c => sqlx::query_as::<_, GrantRow>(LIST)
        .bind(user.0)
        .bind(SqlTime(now))
        .bind(i64::from(page.limit))
        .bind(i64::from(page.skip))
        .fetch_all(c))
}

/// The statement of [`list`].
pub(crate) const LIST: &str = concat!(
    "SELECT ",
    columns!("g."),
    live!(),
    "g.user_id = $1 ORDER BY g.last_used_at DESC, g.id DESC LIMIT $3 OFFSET $4"
);

/// Reads a grant and lets no other change exchange or end it before this one ends.
pub async fn hold(tx: &mut Tx, id: &str) -> Result<Option<GrantRow>> {
    // SQLite has one writer anyway.
    const SQL: Sql = Sql {
        postgres: concat!("SELECT ", columns!(""), " FROM oauth_grants WHERE id = $1 FOR UPDATE"),
        sqlite: concat!("SELECT ", columns!(""), " FROM oauth_grants WHERE id = $1"),
    };
    let conn = tx.held();
    let sql = SQL.pick(&conn);
    on!(conn, c => sqlx::query_as::<_, GrantRow>(sql).bind(id).fetch_optional(c))
}

/// Whether a held grant may be exchanged, and its user; what to answer if it may not.
pub(super) async fn standing(
    tx: &mut Tx,
    grant: &GrantRow,
    now: Timestamp,
) -> Result<std::result::Result<Option<UserRow>, Exchange>> {
    if grant.revoked_at.is_some() {
        return Ok(Err(Exchange::Revoked));
    }
    if grant.expires_at <= now {
        return Ok(Err(Exchange::Expired));
    }
    let Some(id) = grant.user_id else { return Ok(Ok(None)) };
    let user = users::find_by_id(&mut *tx, id).await?;
    let user = user.filter(|user| user.is_active && user.token_epoch == grant.token_epoch);
    Ok(user.map_or(Err(Exchange::Revoked), |user| Ok(Some(user))))
}

/// Records an exchange: the grant lives until `expires_at` at least, and is bound to a key if it was not before.
pub(super) async fn extend(
    tx: &mut Tx,
    id: &str,
    expires_at: Timestamp,
    dpop_jkt: Option<&str>,
    now: Timestamp,
) -> Result<Option<GrantRow>> {
    const SQL: &str = concat!(
        "UPDATE oauth_grants SET last_used_at = $3, dpop_jkt = COALESCE(dpop_jkt, $4), \
         expires_at = CASE WHEN expires_at < $2 THEN $2 ELSE expires_at END WHERE id = $1 RETURNING ",
        columns!("")
    );
    on!(tx.held(), c => sqlx::query_as::<_, GrantRow>(SQL)
        .bind(id)
        .bind(SqlTime(expires_at))
        .bind(SqlTime(now))
        .bind(dpop_jkt)
        .fetch_optional(c))
}

/// Takes the key from a grant.
pub(super) async fn unbind(tx: &mut Tx, id: &str) -> Result<()> {
    const SQL: &str = "UPDATE oauth_grants SET dpop_jkt = NULL WHERE id = $1 AND dpop_jkt IS NOT NULL";
    affected!(tx.held(), sqlx::query(SQL).bind(id))?;
    Ok(())
}

/// Records a use of an access token of a grant.
pub async fn touch(tx: &mut Tx, id: &str, now: Timestamp) -> Result<()> {
    const SQL: &str = "UPDATE oauth_grants SET last_used_at = $2 WHERE id = $1 AND last_used_at < $2";
    affected!(tx.held(), sqlx::query(SQL).bind(id).bind(SqlTime(now)))?;
    Ok(())
}

/// Ends a grant. Gives it, if it was not ended before.
pub async fn revoke(tx: &mut Tx, id: &str, now: Timestamp) -> Result<Option<GrantRow>> {
    const SQL: &str = concat!(
        "UPDATE oauth_grants SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING ",
        columns!("")
    );
    on!(tx.held(), c => sqlx::query_as::<_, GrantRow>(SQL).bind(id).bind(SqlTime(now)).fetch_optional(c))
}

/// Ends every grant of an account that is not ended. Gives how many.
pub async fn revoke_user(tx: &mut Tx, user: UserId, now: Timestamp) -> Result<u64> {
    const SQL: &str = "UPDATE oauth_grants SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL";
    affected!(tx.held(), sqlx::query(SQL).bind(user.0).bind(SqlTime(now)))
}

/// Ends every grant of a client that is not ended. Gives how many.
pub async fn revoke_client(tx: &mut Tx, client_id: &str, now: Timestamp) -> Result<u64> {
    const SQL: &str = "UPDATE oauth_grants SET revoked_at = $2 WHERE client_id = $1 AND revoked_at IS NULL";
    affected!(tx.held(), sqlx::query(SQL).bind(client_id).bind(SqlTime(now)))
}

/// Ends every grant that a client began with its own credentials. Gives how many.
pub async fn revoke_own(tx: &mut Tx, client_id: &str, now: Timestamp) -> Result<u64> {
    const SQL: &str = "UPDATE oauth_grants SET revoked_at = $2 \
        WHERE client_id = $1 AND auth_time IS NULL AND revoked_at IS NULL";
    affected!(tx.held(), sqlx::query(SQL).bind(client_id).bind(SqlTime(now)))
}
