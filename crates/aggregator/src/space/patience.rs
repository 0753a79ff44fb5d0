//! How long a source is worth waiting for when others have answered.
//!
//! A deadline has to suit the slowest service that is any good, so a source that hangs would hold up every answer for
//! all of it. But a source that has always answered in 50 ms and is silent for seconds has most likely nothing to add.
//! So each is given what its own record justifies: one that is slow by nature is waited for, and so is one that nobody
//! knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::future::Cache;
use tokio::sync::watch;

use super::breaker::Key;

/// Sources whose pace is remembered.
const CAPACITY: u64 = 4_096;
/// How long it is remembered without a call: what slept since then may take long to wake up.
const MEMORY: Duration = Duration::from_mins(10);
/// How many times its slowest recent answer a source is waited for.
const FACTOR: u32 = 4;

/// The pace of sources.
#[derive(Debug)]
pub(super) struct Patience {
    least: Duration,
    /// The slowest recent answer in microseconds.
    slowest: Cache<Key, Arc<AtomicU64>>,
}

impl Patience {
    /// Waits for every source for `least` at least.
    pub(super) fn new(least: Duration) -> Self {
        Self { least, slowest: Cache::builder().max_capacity(CAPACITY).time_to_idle(MEMORY).build() }
    }

    /// How long the source is waited for when others have answered; `None` when it is not known.
    pub(super) async fn of(&self, source: &Key) -> Option<Duration> {
        let slowest = Duration::from_micros(self.slowest.get(source).await?.load(Ordering::Relaxed));
        Some((slowest * FACTOR).max(self.least))
    }

    /// Remembers how long an answer took. A slow one is forgotten little by little, over some dozens of others.
    pub(super) async fn answered(&self, source: &Key, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        match self.slowest.get(source).await {
            Some(slowest) => {
                let faded = slowest.load(Ordering::Relaxed) / 32 * 31;
                slowest.store(took.max(faded), Ordering::Relaxed);
            }
            None => self.slowest.insert(*source, Arc::new(AtomicU64::new(took))).await,
        }
    }
}

/// Whether any source of a request has found something.
#[derive(Debug, Clone)]
pub(crate) struct Others(watch::Sender<bool>);

impl Others {
    /// None has yet.
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// One has.
    pub(crate) fn found(&self) {
        self.0.send_replace(true);
    }

    /// Waits until one has.
    pub(super) async fn have_found(&self) {
        // The sender is here too, so the wait cannot fail.
        let _ = self.0.subscribe().wait_for(|found| *found).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: Duration = Duration::from_secs(2);
    const SOURCE: Key = [1; 32];

    #[tokio::test]
    async fn a_source_is_waited_for_as_its_record_justifies() {
        let patience = Patience::new(LEAST);
        assert_eq!(patience.of(&SOURCE).await, None, "nobody knows it");
        patience.answered(&SOURCE, Duration::from_millis(50)).await;
        assert_eq!(patience.of(&SOURCE).await, Some(LEAST));
        patience.answered(&SOURCE, Duration::from_secs(5)).await;
        assert_eq!(patience.of(&SOURCE).await, Some(Duration::from_secs(20)));
        patience.answered(&SOURCE, Duration::from_millis(50)).await;
        assert!(
            patience.of(&SOURCE).await.unwrap() > Duration::from_secs(19),
            "one quick answer changes little"
        );
        for _ in 0..200 {
            patience.answered(&SOURCE, Duration::from_millis(50)).await;
        }
        assert_eq!(patience.of(&SOURCE).await, Some(LEAST));
    }

    #[tokio::test]
    async fn who_asks_late_is_told_too() {
        let others = Others::new();
        others.found();
        others.have_found().await;
    }
}
