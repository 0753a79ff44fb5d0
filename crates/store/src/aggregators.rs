//! Aggregators that accounts have chosen for themselves. Whoever changes which one is the default calls
//! [`crate::users::lock`] first.

use syfthub_domain::{AggregatorId, Timestamp, UserId};

use crate::column::{SqlTime, row};
use crate::db::{affected, on};
use crate::{Reads, Result, Tx};

row! {
    /// A row of `user_aggregators`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct AggregatorRow {
        /// Row id, never reused.
        pub id: AggregatorId,
        /// Whose it is.
        pub user_id: UserId,
        /// What its owner calls it.
        pub name: String,
        /// Where it is.
        pub url: String,
        /// Whether clients use it when no other is named.
        pub is_default: bool,
        /// Time of creation.
        pub created_at: Timestamp,
        /// Time of the last change.
        pub updated_at: Timestamp,
    }
}

macro_rules! columns {
    () => {
        "id, user_id, name, url, is_default, created_at, updated_at"
    };
}

/// Adds an aggregator that is not the default.
pub async fn insert(
    tx: &mut Tx,
    user: UserId,
    name: &str,
    url: &str,
    now: Timestamp,
) -> Result<AggregatorId> {
    const SQL: &str = "INSERT INTO user_aggregators (user_id, name, url, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $4) RETURNING id";
    on!(tx.held(), c => sqlx::query_scalar::<_, i64>(SQL)
        .bind(user.0).bind(name).bind(url).bind(SqlTime(now)).fetch_one(c))
    .map(AggregatorId)
}

/// An account's aggregators, newest first.
pub async fn list(from: impl Reads, user: UserId) -> Result<Vec<AggregatorRow>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM user_aggregators WHERE user_id = $1 ORDER BY created_at DESC, id DESC"
    );
    on!(from.source().conn().await?, c => sqlx::query_as::<_, AggregatorRow>(SQL).bind(user.0).fetch_all(c))
}

/// The aggregator with this id, whosever it is.
pub async fn find(from: impl Reads, id: AggregatorId) -> Result<Option<AggregatorRow>> {
    const SQL: &str = concat!("SELECT ", columns!(), " FROM user_aggregators WHERE id = $1");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, AggregatorRow>(SQL).bind(id.0).fetch_optional(c))
}

/// How many aggregators an account has.
pub async fn count(from: impl Reads, user: UserId) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM user_aggregators WHERE user_id = $1";
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL).bind(user.0).fetch_one(c))
}

/// Changes name and address; `None` keeps the old one.
pub async fn update(
    tx: &mut Tx,
    id: AggregatorId,
    name: Option<&str>,
    url: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    const SQL: &str = "UPDATE user_aggregators SET name = COALESCE($2, name), url = COALESCE($3, url), \
        updated_at = $4 WHERE id = $1";
    affected!(tx.held(), sqlx::query(SQL).bind(id.0).bind(name).bind(url).bind(SqlTime(now)))?;
    Ok(())
}

/// Makes one of an account's aggregators its default, and no other.
pub async fn set_default(tx: &mut Tx, user: UserId, id: AggregatorId) -> Result<()> {
    // In this order: the index allows one default at every moment.
    const CLEAR: &str = "UPDATE user_aggregators SET is_default = FALSE WHERE user_id = $1 AND is_default = TRUE AND id <> $2";
    const SET: &str = "UPDATE user_aggregators SET is_default = TRUE WHERE user_id = $1 AND id = $2";
    affected!(tx.held(), sqlx::query(CLEAR).bind(user.0).bind(id.0))?;
    affected!(tx.held(), sqlx::query(SET).bind(user.0).bind(id.0))?;
    Ok(())
}

/// Leaves an account without a default.
pub async fn clear_default(tx: &mut Tx, user: UserId) -> Result<()> {
    const SQL: &str =
        "UPDATE user_aggregators SET is_default = FALSE WHERE user_id = $1 AND is_default = TRUE";
    affected!(tx.held(), sqlx::query(SQL).bind(user.0))?;
    Ok(())
}

/// Removes an aggregator. `false` when there was none.
pub async fn delete(tx: &mut Tx, id: AggregatorId) -> Result<bool> {
    const SQL: &str = "DELETE FROM user_aggregators WHERE id = $1";
    Ok(affected!(tx.held(), sqlx::query(SQL).bind(id.0))? == 1)
}
