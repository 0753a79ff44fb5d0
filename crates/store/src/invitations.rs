//! Invitations to register. The code itself is never kept, only its hash.

use syfthub_domain::{Email, Timestamp, UserId};

use crate::column::{SqlTime, row};
use crate::db::{affected, on};
use crate::{Page, Reads, Result, Tx};

row! {
    /// A row of `invitations`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct InvitationRow {
        /// Row id.
        pub id: String,
        /// Hash of the code.
        pub code_hash: String,
        /// The only address that may use it; `None` for anybody.
        pub email: Option<Email>,
        /// How many accounts it is good for.
        pub max_uses: i64,
        /// How many have been made with it.
        pub uses: i64,
        /// Who made it, if that account still exists.
        pub created_by: Option<UserId>,
        /// When.
        pub created_at: Timestamp,
        /// From when on it is no longer good.
        pub expires_at: Timestamp,
        /// When it was withdrawn.
        pub revoked_at: Option<Timestamp>,
    }
}

/// A new invitation.
#[derive(Debug, Clone)]
pub struct NewInvitation {
    /// Row id.
    pub id: String,
    /// Hash of the code.
    pub code_hash: String,
    /// The only address that may use it.
    pub email: Option<Email>,
    /// How many accounts it is good for.
    pub max_uses: i64,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// From when on it is no longer good.
    pub expires_at: Timestamp,
}

macro_rules! columns {
    () => {
        "id, code_hash, email, max_uses, uses, created_by, created_at, expires_at, revoked_at"
    };
}

/// Keeps a new invitation.
pub async fn insert(tx: &mut Tx, new: &NewInvitation, now: Timestamp) -> Result<InvitationRow> {
    const SQL: &str = concat!(
        "INSERT INTO invitations (id, code_hash, email, max_uses, created_by, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ",
        columns!()
    );
    on!(tx.held(), c => sqlx::query_as::<_, InvitationRow>(SQL)
        .bind(&new.id)
        .bind(&new.code_hash)
        .bind(new.email.as_ref().map(Email::as_str))
        .bind(new.max_uses)
        .bind(new.created_by.map(|id| id.0))
        .bind(SqlTime(now))
        .bind(SqlTime(new.expires_at))
        .fetch_one(c))
}

/// Invitations, the newest first.
pub async fn list(from: impl Reads, page: Page) -> Result<Vec<InvitationRow>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM invitations ORDER BY created_at DESC, id DESC LIMIT $1 OFFSET $2"
    );
    on!(from.source().conn().await?, c => sqlx::query_as::<_, InvitationRow>(SQL)
        .bind(i64::from(page.limit))
        .bind(i64::from(page.skip))
        .fetch_all(c))
}

/// The invitation with this hash, whatever its state.
pub async fn find_by_hash(from: impl Reads, hash: &str) -> Result<Option<InvitationRow>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM invitations WHERE code_hash = $1");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, InvitationRow>(SQL).bind(hash).fetch_optional(c))
}

/// Uses an invitation once, for this address. Gives whether it was good; of two who want its last use at the same
/// moment one gets it.
pub async fn redeem(tx: &mut Tx, hash: &str, email: &Email, now: Timestamp) -> Result<bool> {
    const SQL: &str = "UPDATE invitations SET uses = uses + 1 WHERE code_hash = $1 AND revoked_at IS NULL \
        AND expires_at > $2 AND uses < max_uses AND (email IS NULL OR email = $3)";
    affected!(tx.held(), sqlx::query(SQL).bind(hash).bind(SqlTime(now)).bind(email.as_str()))
        .map(|rows| rows > 0)
}

/// Withdraws an invitation; again does no harm. Gives whether there is one with this id.
pub async fn revoke(tx: &mut Tx, id: &str, now: Timestamp) -> Result<bool> {
    const SQL: &str = "UPDATE invitations SET revoked_at = COALESCE(revoked_at, $2) WHERE id = $1";
    affected!(tx.held(), sqlx::query(SQL).bind(id).bind(SqlTime(now))).map(|rows| rows > 0)
}
