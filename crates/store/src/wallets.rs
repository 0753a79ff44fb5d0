//! Wallets: an address and a sealed key in the owner's row, and the payments that were made with them.
//!
//! A payment is written before the provider is asked and completed after it, so that what was spent is counted
//! even if the hub ends in between. Whoever reserves one calls [`crate::users::lock`] first.

use syfthub_config::Secret;
use syfthub_domain::{PaymentStatus, Timestamp, UserId};

use crate::column::{SqlTime, row};
use crate::db::{affected, on};
use crate::{Reads, Result, Tx};

row! {
    /// The wallet of an account. Without a key it cannot pay.
    #[derive(Debug, Clone)]
    pub struct WalletRow {
        /// Its public address.
        pub wallet_address: Option<String>,
        /// Its key, sealed.
        pub wallet_private_key: Option<Secret>,
    }
}

/// The wallet of an account; `None` when there is no such account.
pub async fn find(from: impl Reads, user: UserId) -> Result<Option<WalletRow>> {
    const SQL: &str = "SELECT wallet_address, wallet_private_key FROM users WHERE id = $1";
    on!(from.source().conn().await?, c => sqlx::query_as::<_, WalletRow>(SQL).bind(user.0).fetch_optional(c))
}

/// Gives an account that has no wallet one. `false` when it has one already.
pub async fn insert(tx: &mut Tx, user: UserId, address: &str, sealed_key: &str) -> Result<bool> {
    const SQL: &str = "UPDATE users SET wallet_address = $2, wallet_private_key = $3 \
        WHERE id = $1 AND (wallet_address IS NULL OR wallet_private_key IS NULL)";
    Ok(affected!(tx.held(), sqlx::query(SQL).bind(user.0).bind(address).bind(sealed_key))? == 1)
}

/// Gives an account this wallet in place of any other.
pub async fn replace(tx: &mut Tx, user: UserId, address: &str, sealed_key: &str) -> Result<()> {
    const SQL: &str = "UPDATE users SET wallet_address = $2, wallet_private_key = $3 WHERE id = $1";
    affected!(tx.held(), sqlx::query(SQL).bind(user.0).bind(address).bind(sealed_key))?;
    Ok(())
}

row! {
    /// A row of `wallet_payments`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct PaymentRow {
        /// UUIDv7.
        pub id: String,
        /// The endpoint that asked for it.
        pub endpoint_slug: String,
        /// Who is paid.
        pub recipient: String,
        /// Millionths of a dollar.
        pub amount: i64,
        /// How far it has come.
        pub status: PaymentStatus,
        /// What proves the payment, sealed.
        pub credential_sealed: Option<Vec<u8>>,
        /// Time of the reservation.
        pub created_at: Timestamp,
        /// Time of the last change.
        pub updated_at: Timestamp,
    }
}

/// A payment that is about to be made.
#[derive(Debug, Clone)]
pub struct NewPayment {
    /// UUIDv7.
    pub id: String,
    /// Who pays.
    pub user_id: UserId,
    /// SHA-256 of the challenge, hex: a challenge is paid once.
    pub challenge_hash: String,
    /// The endpoint that asked for it.
    pub endpoint_slug: String,
    /// Who is paid.
    pub recipient: String,
    /// Millionths of a dollar.
    pub amount: i64,
}

/// The payment of this challenge by this user.
pub async fn find_payment(
    from: impl Reads,
    user: UserId,
    challenge_hash: &str,
) -> Result<Option<PaymentRow>> {
    const SQL: &str = "SELECT id, endpoint_slug, recipient, amount, status, credential_sealed, created_at, updated_at \
        FROM wallet_payments WHERE user_id = $1 AND challenge_hash = $2";
    on!(from.source().conn().await?, c => sqlx::query_as::<_, PaymentRow>(SQL)
        .bind(user.0).bind(challenge_hash).fetch_optional(c))
}

/// Counts a payment before it is made; one that failed earlier is tried again under its old id, which is given.
pub async fn reserve(tx: &mut Tx, new: &NewPayment, now: Timestamp) -> Result<String> {
    const SQL: &str = "INSERT INTO wallet_payments (id, user_id, challenge_hash, endpoint_slug, recipient, amount, \
        status, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, 'reserved', $7, $7) \
        ON CONFLICT (user_id, challenge_hash) DO UPDATE SET endpoint_slug = excluded.endpoint_slug, \
        recipient = excluded.recipient, amount = excluded.amount, status = 'reserved', \
        created_at = excluded.created_at, updated_at = excluded.updated_at RETURNING id";
    on!(tx.held(), c => sqlx::query_scalar::<_, String>(SQL)
        .bind(&new.id)
        .bind(new.user_id.0)
        .bind(&new.challenge_hash)
        .bind(&new.endpoint_slug)
        .bind(&new.recipient)
        .bind(new.amount)
        .bind(SqlTime(now))
        .fetch_one(c))
}

/// Writes the outcome of a reserved payment.
pub async fn settle(
    tx: &mut Tx,
    id: &str,
    status: PaymentStatus,
    credential_sealed: Option<&[u8]>,
    now: Timestamp,
) -> Result<()> {
    const SQL: &str =
        "UPDATE wallet_payments SET status = $2, credential_sealed = $3, updated_at = $4 WHERE id = $1";
    affected!(
        tx.held(),
        sqlx::query(SQL).bind(id).bind(status.as_str()).bind(credential_sealed).bind(SqlTime(now))
    )?;
    Ok(())
}

/// What a user has spent or reserved since a moment, in millionths of a dollar.
pub async fn spent_since(from: impl Reads, user: UserId, since: Timestamp) -> Result<i64> {
    const SQL: &str = "SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM wallet_payments \
        WHERE user_id = $1 AND created_at > $2 AND status <> 'failed'";
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL)
        .bind(user.0).bind(SqlTime(since)).fetch_one(c))
}
