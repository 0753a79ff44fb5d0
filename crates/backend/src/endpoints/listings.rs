//! Public listings as guests see them, kept ready to send. Every write drops all of them, here and by message on
//! the other replicas; without messages they are at most [`KEEP`] old.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use moka::future::Cache as Kept;
use syfthub_cache::Cache;
use syfthub_domain::{Error, Result};
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
    /// The key is the number of changes that were known when the listing was read, and its query. What was read
    /// before a change is under a key that nobody asks for after it.
    kept: Kept<(u64, String), Tagged>,
    changes: AtomicU64,
    cache: Cache,
}

impl Listings {
    pub(crate) fn new(cache: Cache) -> Self {
        let weight = |(_, query): &(u64, String), listing: &Tagged| {
            u32::try_from(query.len() + listing.len()).unwrap_or(u32::MAX)
        };
        let kept = Kept::builder().max_capacity(CAPACITY).weigher(weight).time_to_live(KEEP).build();
        Self { kept, changes: AtomicU64::new(0), cache }
    }

    /// The listing under `key`, made by `make` if it is not kept. Of those who ask at the same moment one makes
    /// it and the others wait for it: what many want is often large.
    pub(crate) async fn get<T: serde::Serialize>(
        &self,
        key: String,
        make: impl Future<Output = Result<T>>,
    ) -> Result<Tagged> {
        let key = (self.changes.load(Ordering::SeqCst), key);
        // In a box, or the futures of the routes would each hold it several times.
        let made = Box::pin(self.kept.try_get_with(key, async { Tagged::new(&make.await?) })).await;
        made.map_err(|error| Arc::try_unwrap(error).unwrap_or_else(|shared| shared_error(&shared)))
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

/// The error of a listing for each of those who waited for it.
fn shared_error(error: &Error) -> Error {
    let mut copy = Error::new(error.code, error.message.clone()).with_source(error.chain());
    copy.retry_after = error.retry_after;
    copy
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use syfthub_domain::{ErrorCode, SystemClock};

    use super::*;

    fn listings() -> Listings {
        Listings::new(Cache::memory(Arc::new(SystemClock)))
    }

    #[tokio::test]
    async fn those_who_ask_at_once_wait_for_one() {
        let (listings, made) = (listings(), AtomicUsize::new(0));
        let ask = || {
            listings.get("all".to_owned(), async {
                tokio::task::yield_now().await;
                Ok(made.fetch_add(1, Ordering::SeqCst))
            })
        };
        let (a, b, c) = tokio::join!(ask(), ask(), ask());
        assert_eq!([a, b, c].map(|listing| listing.unwrap().len()), [1, 1, 1]);
        assert_eq!(made.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn who_asks_after_a_change_does_not_get_what_was_read_before_it() {
        let listings = listings();
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        let before = listings.get("all".to_owned(), async {
            wait.await.unwrap();
            Ok("before")
        });
        let after = async {
            listings.changed().await;
            let fresh = listings.get("all".to_owned(), async { Ok("fresh") }).await.unwrap().len();
            go.send(()).unwrap();
            fresh
        };
        let (_, fresh) = tokio::join!(before, after);
        assert_eq!(fresh, "\"fresh\"".len());
        let kept = listings.get("all".to_owned(), async { Ok("made again") }).await.unwrap();
        assert_eq!(kept.len(), fresh);
    }

    #[tokio::test]
    async fn a_failure_is_told_to_all_and_not_kept() {
        let listings = listings();
        let fail = || {
            listings.get::<()>("all".to_owned(), async {
                tokio::task::yield_now().await;
                Err(Error::new(ErrorCode::Unavailable, "The database is busy"))
            })
        };
        let (a, b) = tokio::join!(fail(), fail());
        for error in [a.unwrap_err(), b.unwrap_err()] {
            assert_eq!(
                (error.code, error.message.as_str()),
                (ErrorCode::Unavailable, "The database is busy")
            );
        }
        listings.get("all".to_owned(), async { Ok("good") }).await.unwrap();
    }
}
