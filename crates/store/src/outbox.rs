//! Mail that waits to be delivered. What it says and to whom is sealed by the caller.

use syfthub_domain::Timestamp;

use crate::column::{SqlTime, row};
use crate::db::{Sql, affected, on};
use crate::{Reads, Result, Tx};

row! {
    /// A mail that was taken for delivery.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Claimed {
        /// Row id, a UUIDv7.
        pub id: String,
        /// The mail, sealed.
        pub sealed: Vec<u8>,
        /// Tries so far, this one included.
        pub attempts: i64,
        /// When nobody needs it any more.
        pub expires_at: Option<Timestamp>,
    }
}

/// A mail to be kept.
#[derive(Debug, Clone)]
pub struct NewMail {
    /// Row id, a UUIDv7.
    pub id: String,
    /// The mail, sealed.
    pub sealed: Vec<u8>,
    /// When nobody needs it any more.
    pub expires_at: Option<Timestamp>,
}

/// Keeps a mail until it is delivered.
pub async fn insert(tx: &mut Tx, new: &NewMail, now: Timestamp) -> Result<()> {
    const SQL: &str = "INSERT INTO outbox (id, sealed, next_attempt_at, expires_at, created_at) \
        VALUES ($1, $2, $3, $4, $3)";
    affected!(
        tx.held(),
        sqlx::query(SQL)
            .bind(&new.id)
            .bind(new.sealed.as_slice())
            .bind(SqlTime(now))
            .bind(new.expires_at.map(SqlTime))
    )?;
    Ok(())
}

/// Takes at most `limit` mails that are due, for whoever calls and until `lease_until`; then they are free
/// again. The oldest come first. The try is counted now, so that a mail that kills its process is given up too.
pub async fn claim(tx: &mut Tx, lease_until: Timestamp, limit: u32, now: Timestamp) -> Result<Vec<Claimed>> {
    const SQL: Sql = Sql {
        postgres: "UPDATE outbox SET attempts = attempts + 1, lease_until = $2 WHERE id IN \
            (SELECT id FROM outbox WHERE next_attempt_at <= $1 AND (lease_until IS NULL OR lease_until <= $1) \
            ORDER BY next_attempt_at, id LIMIT $3 FOR UPDATE SKIP LOCKED) \
            RETURNING id, sealed, attempts, expires_at",
        sqlite: "UPDATE outbox SET attempts = attempts + 1, lease_until = $2 WHERE id IN \
            (SELECT id FROM outbox WHERE next_attempt_at <= $1 AND (lease_until IS NULL OR lease_until <= $1) \
            ORDER BY next_attempt_at, id LIMIT $3) \
            RETURNING id, sealed, attempts, expires_at",
    };
    let conn = tx.held();
    let sql = SQL.pick(&conn);
    let mut claimed = on!(conn, c => sqlx::query_as::<_, Claimed>(sql)
        .bind(SqlTime(now))
        .bind(SqlTime(lease_until))
        .bind(i64::from(limit))
        .fetch_all(c))?;
    claimed.sort_by(|a, b| a.id.cmp(&b.id)); // neither database promises an order here
    Ok(claimed)
}

/// Forgets a mail that was delivered or given up, unless its lease has passed to somebody else.
pub async fn finish(tx: &mut Tx, id: &str, lease_until: Timestamp) -> Result<bool> {
    const SQL: &str = "DELETE FROM outbox WHERE id = $1 AND lease_until = $2";
    affected!(tx.held(), sqlx::query(SQL).bind(id).bind(SqlTime(lease_until))).map(|rows| rows > 0)
}

/// Gives a mail back for another try, unless its lease has passed to somebody else.
pub async fn retry(
    tx: &mut Tx,
    id: &str,
    lease_until: Timestamp,
    next_attempt_at: Timestamp,
    error: &str,
) -> Result<bool> {
    const SQL: &str = "UPDATE outbox SET next_attempt_at = $3, last_error = $4, lease_until = NULL \
        WHERE id = $1 AND lease_until = $2";
    affected!(
        tx.held(),
        sqlx::query(SQL).bind(id).bind(SqlTime(lease_until)).bind(SqlTime(next_attempt_at)).bind(error)
    )
    .map(|rows| rows > 0)
}

/// When the next mail that nobody works on is due; `None` when there is none.
pub async fn next_due(from: impl Reads, now: Timestamp) -> Result<Option<Timestamp>> {
    // The lease of a dead process counts as the time from which the mail is due again.
    const SQL: &str = "SELECT MIN(CASE WHEN lease_until > $1 AND lease_until > next_attempt_at \
        THEN lease_until ELSE next_attempt_at END) FROM outbox";
    let due = on!(from.source().conn().await?, c => sqlx::query_scalar::<_, Option<SqlTime>>(SQL)
        .bind(SqlTime(now))
        .fetch_one(c))?;
    Ok(due.map(|due| due.0))
}

row! {
    /// What waits.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Waiting {
        /// Mails that wait or are being delivered.
        pub mails: i64,
        /// Why the last of those that failed did.
        pub last_error: Option<String>,
    }
}

/// Counts what waits, for operators.
pub async fn waiting(from: impl Reads) -> Result<Waiting> {
    const SQL: &str = "SELECT COUNT(*) AS mails, MAX(last_error) AS last_error FROM outbox";
    on!(from.source().conn().await?, c => sqlx::query_as::<_, Waiting>(SQL).fetch_one(c))
}
