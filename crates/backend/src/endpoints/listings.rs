//! Public listings as guests see them, kept ready to send. Every write drops all of them, here and by message on
//! the other replicas; without messages they are at most [`KEEP`] old.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use moka::future::Cache as Kept;
use syfthub_cache::Cache;
use syfthub_domain::Result;
use syfthub_web::etag::Tagged;

/// Longest life of a kept listing.
const KEEP: Duration = Duration::from_secs(30);
/// Bytes of kept listings, roughly.
const CAPACITY: u64 = 64 * 1024 * 1024;
/// Where replicas tell one another that listings changed.
const CHANNEL: &str = "endpoints.changed";

/// Kept listings by their query.
#[derive(Debug)]
pub(crate) struct Listings {
    kept: Kept<String, Tagged>,
    changes: AtomicU64,
    cache: Cache,
}

impl Listings {
    pub(crate) fn new(cache: Cache) -> Self {
        let weight =
            |key: &String, listing: &Tagged| u32::try_from(key.len() + listing.len()).unwrap_or(u32::MAX);
        let kept = Kept::builder().max_capacity(CAPACITY).weigher(weight).time_to_live(KEEP).build();
        Self { kept, changes: AtomicU64::new(0), cache }
    }

    /// The listing under `key`, made by `make` if it is not kept.
    pub(crate) async fn get<T: serde::Serialize>(
        &self,
        key: String,
        make: impl Future<Output = Result<T>>,
    ) -> Result<Tagged> {
        if let Some(listing) = self.kept.get(&key).await {
            return Ok(listing);
        }
        let before = self.changes.load(Ordering::SeqCst);
        let listing = Tagged::new(&make.await?)?;
        self.kept.insert(key.clone(), listing.clone()).await;
        if self.changes.load(Ordering::SeqCst) != before {
            // Something was written while we read, so what we read may be the state before it.
            self.kept.invalidate(&key).await;
        }
        Ok(listing)
    }

    /// Drops everything, here and on the other replicas.
    pub(crate) async fn changed(&self) {
        self.drop_here();
        if let Err(error) = self.cache.publish(CHANNEL, "*").await {
            tracing::warn!(%error, "endpoints.invalidation.not_sent");
        }
    }

    /// Listens to the other replicas until the process ends.
    pub(crate) async fn follow_changes(&self) {
        let mut messages = self.cache.subscribe(CHANNEL).await;
        while messages.next().await.is_some() {
            self.drop_here();
        }
    }

    fn drop_here(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.kept.invalidate_all();
    }
}
