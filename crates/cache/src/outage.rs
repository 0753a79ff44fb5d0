//! Says once that the server is gone and once that it is back.

use std::sync::atomic::{AtomicBool, Ordering};

/// Remembers whether the last call failed.
#[derive(Debug, Default)]
pub(crate) struct Outage(AtomicBool);

impl Outage {
    /// A call failed because the server could not be reached.
    pub(crate) fn failed(&self, service: &str, error: &str) {
        if !self.0.swap(true, Ordering::Relaxed) {
            tracing::warn!(target: "syfthub.cache", service, error, "cache.redis.unavailable");
        }
    }

    /// A call went well.
    pub(crate) fn succeeded(&self, service: &str) {
        // The plain load keeps the ordinary case free of writes to shared memory.
        if self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed) {
            tracing::warn!(target: "syfthub.cache", service, "cache.redis.recovered");
        }
    }
}
