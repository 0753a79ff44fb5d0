//! One-time codes that go by mail, kept as keyed hashes.

use syfthub_domain::{Email, Timestamp};

use crate::column::{SqlTime, row};
use crate::db::{affected, on};
use crate::{Reads, Result, Tx};

/// The lock of the clean-up: one replica at a time.
const CLEAN_UP_LOCK: i64 = 839_202;
/// Rows that one clean-up deletes at most.
const PURGE_BATCH: i64 = 5_000;

/// What a code is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Confirming the mail address of a new account.
    Registration,
    /// Choosing a new password.
    PasswordReset,
}

impl Purpose {
    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::PasswordReset => "password_reset",
        }
    }
}

/// A code to be kept.
#[derive(Debug, Clone)]
pub struct NewCode {
    /// Whom it is sent to.
    pub email: Email,
    /// What it is for.
    pub purpose: Purpose,
    /// Keyed hash, hex.
    pub code_hash: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The network address that asked for it.
    pub requester_ip: String,
}

row! {
    /// How much was sent in a window.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Sent {
        /// Codes.
        pub codes: i64,
        /// When the first of them was sent.
        pub first_at: Option<Timestamp>,
    }
}

row! {
    /// A code that is being guessed, this guess counted.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Attempt {
        /// Row id.
        pub id: i64,
        /// Keyed hash, hex.
        pub code_hash: String,
        /// Guesses so far.
        pub attempts: i64,
    }
}

/// Lets nobody else send to this mail address or for this network address before the change ends, so that two
/// requests at once cannot pass a limit together. On SQLite there is one writer anyway.
pub async fn lock_sends(tx: &mut Tx, email: &Email, purpose: Purpose, ip: &str) -> Result<()> {
    const LOCK: &str = "SELECT pg_advisory_xact_lock($1, hashtext($2))";
    let Tx::Postgres(conn) = tx else { return Ok(()) };
    let to = format!("{} {}", purpose.as_str(), email.as_str());
    // Always in this order, so that no two changes wait for each other.
    for (space, key) in [(839_203_i32, ip), (839_204_i32, to.as_str())] {
        sqlx::query(LOCK).bind(space).bind(key).execute(&mut **conn).await?;
    }
    Ok(())
}

/// What was sent to a mail address for one purpose after `since`.
pub async fn sent_to(from: impl Reads, email: &Email, purpose: Purpose, since: Timestamp) -> Result<Sent> {
    const SQL: &str = "SELECT COUNT(*) AS codes, MIN(created_at) AS first_at FROM otp_codes \
        WHERE email = $1 AND purpose = $2 AND created_at > $3";
    on!(from.source().conn().await?, c => sqlx::query_as::<_, Sent>(SQL)
        .bind(email.as_str())
        .bind(purpose.as_str())
        .bind(SqlTime(since))
        .fetch_one(c))
}

/// What a network address asked for after `since`, for any purpose.
pub async fn sent_for(from: impl Reads, ip: &str, since: Timestamp) -> Result<Sent> {
    const SQL: &str = "SELECT COUNT(*) AS codes, MIN(created_at) AS first_at FROM otp_codes \
        WHERE requester_ip = $1 AND created_at > $2";
    on!(from.source().conn().await?, c => sqlx::query_as::<_, Sent>(SQL)
        .bind(ip)
        .bind(SqlTime(since))
        .fetch_one(c))
}

/// Keeps a code; earlier ones for the same address and purpose end. Gives its row id.
pub async fn insert(tx: &mut Tx, new: &NewCode, now: Timestamp) -> Result<i64> {
    const END: &str = "UPDATE otp_codes SET used_at = $3, updated_at = $3 \
        WHERE email = $1 AND purpose = $2 AND used_at IS NULL";
    const SQL: &str = "INSERT INTO otp_codes \
        (email, code_hash, purpose, expires_at, requester_ip, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $6) RETURNING id";
    let purpose = new.purpose.as_str();
    affected!(tx.held(), sqlx::query(END).bind(new.email.as_str()).bind(purpose).bind(SqlTime(now)))?;
    on!(tx.held(), c => sqlx::query_scalar::<_, i64>(SQL)
        .bind(new.email.as_str())
        .bind(&new.code_hash)
        .bind(purpose)
        .bind(SqlTime(new.expires_at))
        .bind(&new.requester_ip)
        .bind(SqlTime(now))
        .fetch_one(c))
}

/// Counts a guess at the code that is good now, and gives the code; `None` when there is none or when it had
/// `max` guesses. However many guess at once, `max` of them get an answer.
pub async fn count_attempt(
    tx: &mut Tx,
    email: &Email,
    purpose: Purpose,
    max: u32,
    now: Timestamp,
) -> Result<Option<Attempt>> {
    const SQL: &str = "UPDATE otp_codes SET attempts = attempts + 1, updated_at = $4 WHERE id = \
        (SELECT id FROM otp_codes WHERE email = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $4 \
        ORDER BY created_at DESC, id DESC LIMIT 1) \
        AND attempts < $3 AND used_at IS NULL RETURNING id, code_hash, attempts";
    on!(tx.held(), c => sqlx::query_as::<_, Attempt>(SQL)
        .bind(email.as_str())
        .bind(purpose.as_str())
        .bind(i64::from(max))
        .bind(SqlTime(now))
        .fetch_optional(c))
}

/// Whether there is a code that is neither used nor expired, guessed too often or not.
pub async fn is_pending(from: impl Reads, email: &Email, purpose: Purpose, now: Timestamp) -> Result<bool> {
    const SQL: &str = "SELECT COUNT(*) FROM otp_codes \
        WHERE email = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3";
    let count = on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL)
        .bind(email.as_str())
        .bind(purpose.as_str())
        .bind(SqlTime(now))
        .fetch_one(c))?;
    Ok(count > 0)
}

/// Uses a code up. Of many callers exactly one gets `true`.
pub async fn consume(tx: &mut Tx, id: i64, now: Timestamp) -> Result<bool> {
    const SQL: &str = "UPDATE otp_codes SET used_at = $2, updated_at = $2 WHERE id = $1 AND used_at IS NULL";
    affected!(tx.held(), sqlx::query(SQL).bind(id).bind(SqlTime(now))).map(|rows| rows > 0)
}

/// Takes a code back that was never sent.
pub async fn delete(tx: &mut Tx, id: i64) -> Result<bool> {
    const SQL: &str = "DELETE FROM otp_codes WHERE id = $1";
    affected!(tx.held(), sqlx::query(SQL).bind(id)).map(|rows| rows > 0)
}

/// Deletes codes from before `before` that are used or expired, a batch at a time. Gives how many went; `None`
/// when another replica is at it.
pub async fn purge(tx: &mut Tx, before: Timestamp, now: Timestamp) -> Result<Option<u64>> {
    const LOCK: &str = "SELECT pg_try_advisory_xact_lock($1)";
    const SQL: &str = "DELETE FROM otp_codes WHERE id IN (SELECT id FROM otp_codes WHERE created_at < $1 \
        AND (used_at IS NOT NULL OR expires_at <= $2) ORDER BY created_at LIMIT $3)";
    if let Tx::Postgres(conn) = tx {
        let ours = sqlx::query_scalar::<_, bool>(LOCK).bind(CLEAN_UP_LOCK).fetch_one(&mut **conn).await?;
        if !ours {
            return Ok(None);
        }
    }
    affected!(tx.held(), sqlx::query(SQL).bind(SqlTime(before)).bind(SqlTime(now)).bind(PURGE_BATCH))
        .map(Some)
}
