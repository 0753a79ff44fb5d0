//! Who used what through the chat service: the aggregator reports it in batches, owners and callers read figures by
//! the hour. Owners learn how many accounts called, never which.

pub(crate) mod grpc;
pub(crate) mod record;
pub(crate) mod routes;
pub(crate) mod wire;

use std::time::Duration;

use syfthub_domain::{Result, SharedClock, Timestamp};
use syfthub_store::usage::{self, Filter, GroupBy, UsageLine};
use syfthub_store::{Db, Page};

use crate::parts::Parts;

/// How long figures are kept: thirteen months, so that a month can be compared with the one a year before.
pub(crate) const KEPT: Duration = Duration::from_hours(24 * 400);
/// How long a batch is known by its id; nobody sends one again after that.
const BATCHES_KEPT: Duration = Duration::from_hours(24);
/// Most rounds of one purge; what is left then goes an hour later.
const PURGE_ROUNDS: usize = 100;

/// The rules of the feature.
#[derive(Debug)]
pub(crate) struct Usage {
    db: Db,
    clock: SharedClock,
}

impl Usage {
    /// Builds the feature.
    #[expect(clippy::unnecessary_wraps, reason = "every feature is built alike")]
    pub(crate) fn build(parts: &Parts) -> Result<Self> {
        Ok(Self { db: parts.db.clone(), clock: parts.clock.clone() })
    }

    /// A page of the figures.
    pub(crate) async fn figures(
        &self,
        filter: &Filter,
        group: GroupBy,
        page: Page,
    ) -> Result<Vec<UsageLine>> {
        Ok(usage::figures(&self.db, filter, group, page).await?)
    }

    /// Removes figures that are too old, and batches that nobody sends again. Gives how many rows went.
    pub(crate) async fn purge(&self) -> Result<u64> {
        let now = self.clock.now();
        let mut gone = 0;
        for _ in 0..PURGE_ROUNDS {
            let mut tx = self.db.begin().await?;
            let rows = usage::purge(&mut tx, now.minus(KEPT)).await?
                + usage::purge_batches(&mut tx, now.minus(BATCHES_KEPT)).await?;
            tx.commit().await?;
            gone += rows;
            if rows == 0 {
                break;
            }
        }
        Ok(gone)
    }
}

/// The beginning of the hour of a moment.
fn hour_of(at: Timestamp) -> Timestamp {
    let seconds = at.as_secs();
    Timestamp::from_secs(seconds - seconds.rem_euclid(3600))
}
