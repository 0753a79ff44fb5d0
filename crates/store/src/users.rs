//! Accounts.

use syfthub_config::Secret;
use syfthub_domain::{AuthProvider, Email, Role, Timestamp, UserId, Username};

use crate::column::{SqlTime, row};
use crate::db::{Sql, affected, on};
use crate::{Page, Reads, Result, Tx, search};

/// Two accounts never share a name.
pub const UNIQUE_USERNAME: &str = "users_username_key";
/// Two accounts never share an address.
pub const UNIQUE_EMAIL: &str = "users_email_key";
/// One Google account is one account here.
pub const UNIQUE_GOOGLE_ID: &str = "users_google_id_key";

row! {
    /// A row of `users` (spec backend 5.1).
    #[derive(Debug, Clone)]
    pub struct UserRow {
        /// Row id, never reused.
        pub id: UserId,
        /// Lower-case name, unique.
        pub username: Username,
        /// Lower-case address, unique.
        pub email: Email,
        /// Name for people.
        pub full_name: String,
        /// Picture, an address.
        pub avatar_url: Option<String>,
        /// What the account may do.
        pub role: Role,
        /// Argon2id PHC string; none for accounts of a sign-in provider.
        pub password_hash: Option<Secret>,
        /// Whether the account may be used.
        pub is_active: bool,
        /// Whether the address was proved.
        pub is_email_verified: bool,
        /// Where the account came from.
        pub auth_provider: AuthProvider,
        /// Subject at Google.
        pub google_id: Option<String>,
        /// Address of the wallet.
        pub wallet_address: Option<String>,
        /// Sealed key of the wallet.
        pub wallet_private_key: Option<Secret>,
        /// Where the owner's endpoints are served.
        pub domain: Option<String>,
        /// The aggregator this account prefers.
        pub aggregator_url: Option<String>,
        /// A few words about the account.
        pub bio: Option<String>,
        /// Whether the public profile shows the address.
        pub is_email_public: bool,
        /// Time of the last sign-in; refreshing a session is none.
        pub last_login_at: Option<Timestamp>,
        /// Key for encrypted tunnels.
        pub encryption_public_key: Option<String>,
        /// Until when the owner's own heartbeat counts as health.
        pub heartbeat_expires_at: Option<Timestamp>,
        /// Tokens of an earlier epoch are not accepted.
        pub token_epoch: i64,
        /// Time of registration.
        pub created_at: Timestamp,
        /// Time of the last change of the profile.
        pub updated_at: Timestamp,
    }
}

/// What a new account needs; the rest starts empty.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Lower-case name.
    pub username: Username,
    /// Lower-case address.
    pub email: Email,
    /// Name for people.
    pub full_name: String,
    /// What the account may do.
    pub role: Role,
    /// Argon2id PHC string.
    pub password_hash: Option<Secret>,
    /// Whether the address was proved.
    pub is_email_verified: bool,
    /// Where the account comes from.
    pub auth_provider: AuthProvider,
    /// Subject at Google.
    pub google_id: Option<String>,
    /// Picture, an address.
    pub avatar_url: Option<String>,
}

/// What changes in a profile; `None` keeps the old value, `Some(None)` clears it.
#[derive(Debug, Clone, Default)]
pub struct ProfileChange {
    /// New name; the addresses of all the owner's endpoints change with it.
    pub username: Option<Username>,
    /// New address.
    pub email: Option<Email>,
    /// New name for people.
    pub full_name: Option<String>,
    /// New picture.
    pub avatar_url: Option<String>,
    /// New place where the owner's endpoints are served.
    pub domain: Option<Option<String>>,
    /// New preferred aggregator.
    pub aggregator_url: Option<String>,
    /// New words about the account.
    pub bio: Option<Option<String>>,
    /// Whether the public profile shows the address.
    pub is_email_public: Option<bool>,
    /// Whether the address was proved.
    pub is_email_verified: Option<bool>,
    /// Whether the account may be used.
    pub is_active: Option<bool>,
    /// What the account may do.
    pub role: Option<Role>,
}

macro_rules! columns {
    () => {
        "id, username, email, full_name, avatar_url, role, password_hash, is_active, is_email_verified, \
         auth_provider, google_id, wallet_address, wallet_private_key, domain, aggregator_url, bio, \
         is_email_public, last_login_at, encryption_public_key, heartbeat_expires_at, token_epoch, \
         created_at, updated_at"
    };
}

/// Lets no other change that locks this account happen until this one ends, for rules that count what an account
/// has before they add to it. `false` when there is no such account.
pub async fn lock(tx: &mut Tx, id: UserId) -> Result<bool> {
    const SQL: &str = "UPDATE users SET token_epoch = token_epoch WHERE id = $1";
    Ok(affected!(tx.held(), sqlx::query(SQL).bind(id.0))? == 1)
}

/// Creates an account. Fails with [`UNIQUE_USERNAME`] or [`UNIQUE_EMAIL`].
pub async fn insert(tx: &mut Tx, new: &NewUser, now: Timestamp) -> Result<UserRow> {
    const SQL: &str = concat!(
        "INSERT INTO users (username, email, full_name, role, password_hash, is_email_verified, auth_provider, \
         google_id, avatar_url, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10) RETURNING ",
        columns!()
    );
    on!(tx.held(), c => sqlx::query_as::<_, UserRow>(SQL)
        .bind(new.username.as_str())
        .bind(new.email.as_str())
        .bind(&new.full_name)
        .bind(new.role.as_str())
        .bind(new.password_hash.as_ref().map(Secret::expose))
        .bind(new.is_email_verified)
        .bind(new.auth_provider.as_str())
        .bind(new.google_id.as_deref())
        .bind(new.avatar_url.as_deref())
        .bind(SqlTime(now))
        .fetch_one(c))
}

/// The account with this id, active or not.
pub async fn find_by_id(from: impl Reads, id: UserId) -> Result<Option<UserRow>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM users WHERE id = $1");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, UserRow>(SQL).bind(id.0).fetch_optional(c))
}

/// The account with this name, active or not. The name is compared as it is; names are kept in lower case.
pub async fn find_by_username(from: impl Reads, username: &str) -> Result<Option<UserRow>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM users WHERE username = $1");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, UserRow>(SQL).bind(username).fetch_optional(c))
}

/// The account with this address, active or not. Addresses are kept in lower case.
pub async fn find_by_email(from: impl Reads, email: &str) -> Result<Option<UserRow>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM users WHERE email = $1");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, UserRow>(SQL).bind(email).fetch_optional(c))
}

/// The accounts with these names, in the order of their ids; unknown names are left out.
pub async fn find_by_usernames(from: impl Reads, usernames: &[&str]) -> Result<Vec<UserRow>> {
    const SQL: Sql = Sql {
        postgres: concat!(
            "SELECT ",
            columns!(),
            " FROM users WHERE username IN \
             (SELECT jsonb_array_elements_text(CAST($1 AS jsonb))) ORDER BY id"
        ),
        sqlite: concat!(
            "SELECT ",
            columns!(),
            " FROM users WHERE username IN \
             (SELECT value FROM json_each($1)) ORDER BY id"
        ),
    };
    let conn = from.source().conn().await?;
    let sql = SQL.pick(&conn);
    on!(conn, c => sqlx::query_as::<_, UserRow>(sql).bind(crate::json(usernames)).fetch_all(c))
}

/// Which of these ids belong to active accounts, in ascending order.
pub async fn active_ids(from: impl Reads, ids: &[UserId]) -> Result<Vec<UserId>> {
    const SQL: Sql = Sql {
        postgres: "SELECT id FROM users WHERE is_active = TRUE AND id IN \
             (SELECT CAST(jsonb_array_elements_text(CAST($1 AS jsonb)) AS BIGINT)) ORDER BY id",
        sqlite: "SELECT id FROM users WHERE is_active = TRUE AND id IN (SELECT value FROM json_each($1)) ORDER BY id",
    };
    let conn = from.source().conn().await?;
    let sql = SQL.pick(&conn);
    let found = on!(conn, c => sqlx::query_scalar::<_, i64>(sql).bind(crate::json(ids)).fetch_all(c))?;
    Ok(found.into_iter().map(UserId).collect())
}

/// Accounts in the order of their ids.
pub async fn list(from: impl Reads, page: Page) -> Result<Vec<UserRow>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM users ORDER BY id LIMIT $1 OFFSET $2");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, UserRow>(SQL)
        .bind(i64::from(page.limit))
        .bind(i64::from(page.skip))
        .fetch_all(c))
}

/// Names of all active accounts in alphabetical order.
pub async fn active_usernames(from: impl Reads) -> Result<Vec<Username>> {
    const SQL: &str = "SELECT username FROM users WHERE is_active = TRUE ORDER BY username";
    let names = on!(from.source().conn().await?, c => sqlx::query_scalar::<_, String>(SQL).fetch_all(c))?;
    Ok(names.into_iter().map(Username::from_trusted).collect())
}

row! {
    /// How many accounts there are, and how many of them are active admins.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct UserCounts {
        /// All accounts.
        pub all_users: i64,
        /// Active accounts with the role `admin`.
        pub admins: i64,
    }
}

/// Counts accounts.
pub async fn counts(from: impl Reads) -> Result<UserCounts> {
    const SQL: &str = "SELECT COUNT(*) AS all_users, \
        COUNT(CASE WHEN role = 'admin' AND is_active = TRUE THEN 1 END) AS admins FROM users";
    on!(from.source().conn().await?, c => sqlx::query_as::<_, UserCounts>(SQL).fetch_one(c))
}

/// How many active admins there are.
pub async fn count_admins(from: impl Reads) -> Result<i64> {
    counts(from).await.map(|counts| counts.admins)
}

/// Whether the hub has an active admin.
pub async fn any_admin(from: impl Reads) -> Result<bool> {
    counts(from).await.map(|counts| counts.admins > 0)
}

/// Waits until no other change decides about admins. Whoever takes an admin away holds this first, so that two who
/// take one each see what the other did; before every other lock. SQLite has one writer anyway.
pub async fn lock_admins(tx: &mut Tx) -> Result<()> {
    // The number stands for "who is an admin" and for nothing else.
    const LOCK: &str = "SELECT pg_advisory_xact_lock(839205)";
    if let Tx::Postgres(conn) = tx {
        sqlx::query(LOCK).execute(&mut **conn).await?;
    }
    Ok(())
}

/// Whether somebody else than this account is an active admin.
pub async fn any_other_admin(from: impl Reads, id: UserId) -> Result<bool> {
    const SQL: &str = "SELECT COUNT(*) FROM users WHERE role = 'admin' AND is_active = TRUE AND id <> $1";
    let count =
        on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL).bind(id.0).fetch_one(c))?;
    Ok(count > 0)
}

/// Stamps a sign-in. Does not touch `updated_at`.
pub async fn set_last_login(tx: &mut Tx, id: UserId, now: Timestamp) -> Result<bool> {
    const SQL: &str = "UPDATE users SET last_login_at = $2 WHERE id = $1";
    affected!(tx.held(), sqlx::query(SQL).bind(id.0).bind(SqlTime(now))).map(|rows| rows > 0)
}

/// Starts a new token epoch: every token issued before is refused. Gives the new epoch, or `None` for
/// an unknown account.
pub async fn bump_token_epoch(tx: &mut Tx, id: UserId) -> Result<Option<i64>> {
    const SQL: &str = "UPDATE users SET token_epoch = token_epoch + 1 WHERE id = $1 RETURNING token_epoch";
    on!(tx.held(), c => sqlx::query_scalar::<_, i64>(SQL).bind(id.0).fetch_optional(c))
}

/// Sets where the owner's endpoints are served; `None` clears it. Gives whether that was another place before;
/// if not, nothing is written.
pub async fn set_domain(tx: &mut Tx, id: UserId, domain: Option<&str>, now: Timestamp) -> Result<bool> {
    const SQL: &str =
        "UPDATE users SET domain = $2, updated_at = $3 WHERE id = $1 AND domain IS DISTINCT FROM $2";
    affected!(tx.held(), sqlx::query(SQL).bind(id.0).bind(domain).bind(SqlTime(now))).map(|rows| rows > 0)
}

/// Sets the public key under which others write to an account. Gives whether there is such an account.
pub async fn set_encryption_key(tx: &mut Tx, id: UserId, key: &str, now: Timestamp) -> Result<bool> {
    const SQL: &str = "UPDATE users SET encryption_public_key = $2, updated_at = $3 WHERE id = $1";
    affected!(tx.held(), sqlx::query(SQL).bind(id.0).bind(key).bind(SqlTime(now))).map(|rows| rows > 0)
}

/// Replaces the password.
pub async fn set_password(tx: &mut Tx, id: UserId, hash: &Secret, now: Timestamp) -> Result<bool> {
    const SQL: &str = "UPDATE users SET password_hash = $2, updated_at = $3 WHERE id = $1";
    affected!(tx.held(), sqlx::query(SQL).bind(id.0).bind(hash.expose()).bind(SqlTime(now)))
        .map(|rows| rows > 0)
}

/// Changes a profile; `None` when there is no such account. Fails with [`UNIQUE_USERNAME`] or
/// [`UNIQUE_EMAIL`]. A new name is also put into the search index of the owner's endpoints.
pub async fn update_profile(
    tx: &mut Tx,
    id: UserId,
    change: &ProfileChange,
    now: Timestamp,
) -> Result<Option<UserRow>> {
    const SQL: &str = concat!(
        "UPDATE users SET username = COALESCE($2, username), email = COALESCE($3, email), \
         full_name = COALESCE($4, full_name), avatar_url = COALESCE($5, avatar_url), \
         domain = CASE WHEN $6 THEN $7 ELSE domain END, aggregator_url = COALESCE($8, aggregator_url), \
         bio = CASE WHEN $9 THEN $10 ELSE bio END, is_email_public = COALESCE($11, is_email_public), \
         is_email_verified = COALESCE($12, is_email_verified), is_active = COALESCE($13, is_active), \
         role = COALESCE($14, role), updated_at = $15 WHERE id = $1 RETURNING ",
        columns!()
    );
    if change.username.is_some() {
        search::lock(tx).await?;
    }
    let row = on!(tx.held(), c => sqlx::query_as::<_, UserRow>(SQL)
        .bind(id.0)
        .bind(change.username.as_ref().map(Username::as_str))
        .bind(change.email.as_ref().map(Email::as_str))
        .bind(change.full_name.as_deref())
        .bind(change.avatar_url.as_deref())
        .bind(change.domain.is_some())
        .bind(change.domain.as_ref().and_then(Option::as_deref))
        .bind(change.aggregator_url.as_deref())
        .bind(change.bio.is_some())
        .bind(change.bio.as_ref().and_then(Option::as_deref))
        .bind(change.is_email_public)
        .bind(change.is_email_verified)
        .bind(change.is_active)
        .bind(change.role.map(Role::as_str))
        .bind(SqlTime(now))
        .fetch_optional(c))?;
    if change.username.is_some() && row.is_some() {
        search::reindex_owner(tx, id).await?;
    }
    Ok(row)
}

/// Deletes an account with everything it owns; stars it gave are taken off their endpoints. Gives
/// whether there was one.
pub async fn delete(tx: &mut Tx, id: UserId) -> Result<bool> {
    // A star that is being given holds the row against deletion but not against a plain update, so only
    // FOR UPDATE waits for it; stars that come later wait for us and find no account. SQLite has one writer.
    const LOCK: &str = "SELECT id FROM users WHERE id = $1 FOR UPDATE";
    // Deleted first: what two changes take away at once is given back by one of them only.
    const STARS: &str = "DELETE FROM endpoint_stars WHERE user_id = $1 RETURNING endpoint_id";
    const COUNT: Sql = Sql {
        postgres: "UPDATE endpoints SET stars_count = stars_count - 1 WHERE stars_count > 0 \
            AND id IN (SELECT CAST(jsonb_array_elements_text(CAST($1 AS jsonb)) AS BIGINT))",
        sqlite: "UPDATE endpoints SET stars_count = stars_count - 1 WHERE stars_count > 0 \
            AND id IN (SELECT value FROM json_each($1))",
    };
    const DELETE: &str = "DELETE FROM users WHERE id = $1";
    // Before the row, the way publishing takes them.
    search::lock(tx).await?;
    if let Tx::Postgres(conn) = tx {
        sqlx::query(LOCK).bind(id.0).execute(&mut **conn).await?;
    }
    crate::endpoints::delete_by_owner(tx, id).await?;
    let starred = on!(tx.held(), c => sqlx::query_scalar::<_, i64>(STARS).bind(id.0).fetch_all(c))?;
    let conn = tx.held();
    let sql = COUNT.pick(&conn);
    affected!(conn, sqlx::query(sql).bind(crate::json(&starred)))?;
    affected!(tx.held(), sqlx::query(DELETE).bind(id.0)).map(|rows| rows > 0)
}
