//! Accounts of other providers that belong to a user.

use syfthub_domain::{SignInProvider, Timestamp, UserId};

use crate::column::{SqlTime, row};
use crate::db::{affected, on};
use crate::{Reads, Result, Tx};

/// One account of a provider is one account here.
pub const UNIQUE_SUBJECT: &str = "identities_provider_subject_key";
/// An account here has at most one of each provider.
pub const UNIQUE_PROVIDER: &str = "identities_user_id_provider_key";

row! {
    /// An account of a provider that belongs to a user.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct IdentityRow {
        /// Whose it is.
        pub user_id: UserId,
        /// Where it is.
        pub provider: SignInProvider,
        /// Its id there, which never changes.
        pub subject: String,
        /// What it is called there: a mail address or a name.
        pub label: String,
        /// When it was linked.
        pub created_at: Timestamp,
        /// When it was last used to sign in.
        pub last_used_at: Option<Timestamp>,
    }
}

/// A link to be stored.
#[derive(Debug, Clone)]
pub struct NewIdentity {
    /// Id, a UUID.
    pub id: String,
    /// Whose it is.
    pub user_id: UserId,
    /// Where it is.
    pub provider: SignInProvider,
    /// Its id there.
    pub subject: String,
    /// What it is called there.
    pub label: String,
}

macro_rules! columns {
    () => {
        "user_id, provider, subject, label, created_at, last_used_at"
    };
}

/// Links an account of a provider. Fails with [`UNIQUE_SUBJECT`] or [`UNIQUE_PROVIDER`].
pub async fn insert(tx: &mut Tx, new: &NewIdentity, now: Timestamp) -> Result<()> {
    const SQL: &str = "INSERT INTO identities (id, user_id, provider, subject, label, created_at) \
        VALUES ($1, $2, $3, $4, $5, $6)";
    affected!(
        tx.held(),
        sqlx::query(SQL)
            .bind(&new.id)
            .bind(new.user_id.0)
            .bind(new.provider.as_str())
            .bind(&new.subject)
            .bind(&new.label)
            .bind(SqlTime(now))
    )?;
    Ok(())
}

/// To whom an account of a provider belongs.
pub async fn find(from: impl Reads, provider: SignInProvider, subject: &str) -> Result<Option<IdentityRow>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM identities WHERE provider = $1 AND subject = $2");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, IdentityRow>(SQL)
        .bind(provider.as_str())
        .bind(subject)
        .fetch_optional(c))
}

/// What is linked to an account, in the order of the providers' names.
pub async fn list(from: impl Reads, user: UserId) -> Result<Vec<IdentityRow>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM identities WHERE user_id = $1 ORDER BY provider");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, IdentityRow>(SQL).bind(user.0).fetch_all(c))
}

/// The same inside a change that may take one away. The owner's row is locked, so that two such changes cannot
/// each count on the other's.
pub async fn list_locked(tx: &mut Tx, user: UserId) -> Result<Vec<IdentityRow>> {
    const LOCK: &str = "UPDATE users SET token_epoch = token_epoch WHERE id = $1";
    affected!(tx.held(), sqlx::query(LOCK).bind(user.0))?;
    list(tx, user).await
}

/// Records a sign-in, and what the account is called there now.
pub async fn touch(
    tx: &mut Tx,
    provider: SignInProvider,
    subject: &str,
    label: &str,
    now: Timestamp,
) -> Result<()> {
    const SQL: &str =
        "UPDATE identities SET last_used_at = $4, label = $3 WHERE provider = $1 AND subject = $2";
    affected!(
        tx.held(),
        sqlx::query(SQL).bind(provider.as_str()).bind(subject).bind(label).bind(SqlTime(now))
    )?;
    Ok(())
}

/// Takes a link away. Gives whether there was one.
pub async fn delete(tx: &mut Tx, user: UserId, provider: SignInProvider) -> Result<bool> {
    const SQL: &str = "DELETE FROM identities WHERE user_id = $1 AND provider = $2";
    affected!(tx.held(), sqlx::query(SQL).bind(user.0).bind(provider.as_str())).map(|rows| rows > 0)
}
