//! Aggregators that users chose, with one default at most.

pub(crate) mod routes;
pub(crate) mod wire;

use syfthub_domain::{AggregatorId, Error, ErrorCode, Result, SharedClock, UserId};
use syfthub_store::aggregators::{self, AggregatorRow};
use syfthub_store::{Db, Reads, Tx, users};

use crate::parts::Parts;

/// Most aggregators of one account; a list of them is one answer.
const MAX_OWNED: i64 = 50;

/// A new aggregator.
#[derive(Debug, Clone)]
pub(crate) struct NewAggregator {
    pub name: String,
    pub url: String,
    pub is_default: bool,
}

/// What changes; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Change {
    pub name: Option<String>,
    pub url: Option<String>,
    pub is_default: Option<bool>,
}

/// The rules of the feature.
#[derive(Debug)]
pub(crate) struct Aggregators {
    db: Db,
    clock: SharedClock,
}

impl Aggregators {
    /// Builds the feature.
    #[expect(clippy::unnecessary_wraps, reason = "every feature is built alike")]
    pub(crate) fn build(parts: &Parts) -> Result<Self> {
        Ok(Self { db: parts.db.clone(), clock: parts.clock.clone() })
    }

    /// The user's aggregators, newest first.
    pub(crate) async fn list(&self, user: UserId) -> Result<Vec<AggregatorRow>> {
        Ok(aggregators::list(&self.db, user).await?)
    }

    /// One of the user's aggregators.
    pub(crate) async fn get(&self, user: UserId, id: AggregatorId) -> Result<AggregatorRow> {
        own(&self.db, user, id).await
    }

    /// Adds an aggregator; the first one is the default.
    pub(crate) async fn create(&self, user: UserId, new: NewAggregator) -> Result<AggregatorRow> {
        let mut tx = self.locked(user).await?;
        let before = aggregators::count(&mut tx, user).await?;
        if before >= MAX_OWNED {
            let text = format!("An account has at most {MAX_OWNED} aggregators; remove one first");
            return Err(Error::new(ErrorCode::BadRequest, text));
        }
        let id = aggregators::insert(&mut tx, user, &new.name, &new.url, self.clock.now()).await?;
        if new.is_default || before == 0 {
            aggregators::set_default(&mut tx, user, id).await?;
        }
        let row = own(&mut tx, user, id).await?;
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.users", user_id = user.0, aggregator_id = id.0, "aggregator.created");
        Ok(row)
    }

    /// Changes one of the user's aggregators.
    pub(crate) async fn update(
        &self,
        user: UserId,
        id: AggregatorId,
        change: Change,
    ) -> Result<AggregatorRow> {
        let mut tx = self.locked(user).await?;
        let before = own(&mut tx, user, id).await?;
        let (name, url) = (change.name.as_deref(), change.url.as_deref());
        aggregators::update(&mut tx, id, name, url, self.clock.now()).await?;
        match change.is_default {
            Some(true) => aggregators::set_default(&mut tx, user, id).await?,
            Some(false) if before.is_default => aggregators::clear_default(&mut tx, user).await?,
            _ => {}
        }
        let row = own(&mut tx, user, id).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Makes one of the user's aggregators the default.
    pub(crate) async fn set_default(&self, user: UserId, id: AggregatorId) -> Result<AggregatorRow> {
        self.update(user, id, Change { is_default: Some(true), ..Change::default() }).await
    }

    /// Removes one of the user's aggregators; in place of the default the newest one becomes it.
    pub(crate) async fn delete(&self, user: UserId, id: AggregatorId) -> Result<()> {
        let mut tx = self.locked(user).await?;
        let gone = own(&mut tx, user, id).await?;
        aggregators::delete(&mut tx, id).await?;
        if gone.is_default
            && let Some(newest) = aggregators::list(&mut tx, user).await?.first()
        {
            aggregators::set_default(&mut tx, user, newest.id).await?;
        }
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.users", user_id = user.0, aggregator_id = id.0, "aggregator.deleted");
        Ok(())
    }

    /// A change that no other one to this user's aggregators runs beside.
    async fn locked(&self, user: UserId) -> Result<Tx> {
        let mut tx = self.db.begin().await?;
        if users::lock(&mut tx, user).await? {
            return Ok(tx);
        }
        Err(Error::not_found("User not found"))
    }
}

/// The aggregator if it is the user's: 404 if there is none, 403 if it is somebody else's.
async fn own(from: impl Reads, user: UserId, id: AggregatorId) -> Result<AggregatorRow> {
    let row = aggregators::find(from, id).await?;
    let row = row.ok_or_else(|| Error::not_found("Aggregator not found"))?;
    if row.user_id == user {
        return Ok(row);
    }
    Err(Error::new(ErrorCode::PermissionDenied, "This aggregator belongs to another user"))
}
