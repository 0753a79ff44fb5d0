//! Prepaid credits that users bought from owners outside the hub. The hub only remembers where they are.

use syfthub_domain::{SubscriptionId, Timestamp, UserId};

use crate::column::{SqlTime, row};
use crate::db::{affected, on};
use crate::{Reads, Result, Tx};

row! {
    /// A row of `user_xendit_subscriptions`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct SubscriptionRow {
        /// Row id, never reused.
        pub id: SubscriptionId,
        /// Where the credits are asked for.
        pub credits_url: String,
        /// Where credits are bought.
        pub payment_url: String,
        /// Currency of the balance.
        pub currency: String,
        /// Whose endpoints the credits are for.
        pub endpoint_owner: String,
        /// The endpoint that led there.
        pub endpoint_slug: Option<String>,
        /// What was left at the last look, in ten-thousandths of the currency.
        pub last_known_balance: Option<i64>,
        /// Time of that look.
        pub last_checked_at: Option<Timestamp>,
        /// When something was there for the first time.
        pub first_funded_at: Option<Timestamp>,
        /// Time of creation.
        pub created_at: Timestamp,
        /// Time of the last change.
        pub updated_at: Timestamp,
    }
}

/// What a client tells about credits.
#[derive(Debug, Clone)]
pub struct Told {
    /// Where the credits are asked for; with the user it identifies them.
    pub credits_url: String,
    /// Where credits are bought.
    pub payment_url: String,
    /// Currency of the balance.
    pub currency: String,
    /// Whose endpoints the credits are for.
    pub endpoint_owner: String,
    /// The endpoint that led there; a known one is kept when none is told.
    pub endpoint_slug: Option<String>,
    /// What is left, in ten-thousandths; a known one is kept when none is told.
    pub last_known_balance: Option<i64>,
}

macro_rules! columns {
    () => {
        "id, credits_url, payment_url, currency, endpoint_owner, endpoint_slug, last_known_balance, \
         last_checked_at, first_funded_at, created_at, updated_at"
    };
}

/// Remembers what was told, over what was known before. The first time that something is there is kept.
pub async fn upsert(tx: &mut Tx, user: UserId, told: &Told, now: Timestamp) -> Result<SubscriptionRow> {
    const SQL: &str = concat!(
        "INSERT INTO user_xendit_subscriptions AS known (user_id, credits_url, payment_url, currency, endpoint_owner, \
         endpoint_slug, last_known_balance, last_checked_at, first_funded_at, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $8, $8) \
         ON CONFLICT (user_id, credits_url) DO UPDATE SET payment_url = excluded.payment_url, \
         currency = excluded.currency, endpoint_owner = excluded.endpoint_owner, \
         endpoint_slug = COALESCE(excluded.endpoint_slug, known.endpoint_slug), \
         last_known_balance = COALESCE(excluded.last_known_balance, known.last_known_balance), \
         last_checked_at = excluded.last_checked_at, \
         first_funded_at = COALESCE(known.first_funded_at, excluded.first_funded_at), \
         updated_at = excluded.updated_at RETURNING ",
        columns!()
    );
    let funded = told.last_known_balance.filter(|balance| *balance > 0).map(|_| SqlTime(now));
    on!(tx.held(), c => sqlx::query_as::<_, SubscriptionRow>(SQL)
        .bind(user.0)
        .bind(&told.credits_url)
        .bind(&told.payment_url)
        .bind(&told.currency)
        .bind(&told.endpoint_owner)
        .bind(told.endpoint_slug.as_deref())
        .bind(told.last_known_balance)
        .bind(SqlTime(now))
        .bind(funded)
        .fetch_one(c))
}

/// The newest of each owner, last changed first.
pub async fn newest_by_owner(from: impl Reads, user: UserId) -> Result<Vec<SubscriptionRow>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY endpoint_owner ORDER BY updated_at DESC, id DESC) AS place \
         FROM user_xendit_subscriptions WHERE user_id = $1) AS ranked WHERE place = 1 \
         ORDER BY updated_at DESC, id DESC"
    );
    on!(from.source().conn().await?, c => sqlx::query_as::<_, SubscriptionRow>(SQL).bind(user.0).fetch_all(c))
}

/// How many a user has.
pub async fn count(from: impl Reads, user: UserId) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM user_xendit_subscriptions WHERE user_id = $1";
    on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL).bind(user.0).fetch_one(c))
}

/// Whether the user has one with this address.
pub async fn is_known(from: impl Reads, user: UserId, credits_url: &str) -> Result<bool> {
    const SQL: &str =
        "SELECT COUNT(*) FROM user_xendit_subscriptions WHERE user_id = $1 AND credits_url = $2";
    let count = on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL)
        .bind(user.0).bind(credits_url).fetch_one(c))?;
    Ok(count > 0)
}

/// Forgets one. `false` when the user has no such.
pub async fn delete(tx: &mut Tx, user: UserId, id: SubscriptionId) -> Result<bool> {
    const SQL: &str = "DELETE FROM user_xendit_subscriptions WHERE user_id = $1 AND id = $2";
    Ok(affected!(tx.held(), sqlx::query(SQL).bind(user.0).bind(id.0))? > 0)
}

/// Forgets all of one owner; gives how many there were.
pub async fn delete_by_owner(tx: &mut Tx, user: UserId, owner: &str) -> Result<u64> {
    const SQL: &str = "DELETE FROM user_xendit_subscriptions WHERE user_id = $1 AND endpoint_owner = $2";
    affected!(tx.held(), sqlx::query(SQL).bind(user.0).bind(owner))
}
