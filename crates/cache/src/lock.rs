//! A lock that was taken.

use std::time::Duration;

use crate::{Cache, Result};

/// A lock that was taken. Ends with [`LockGuard::release`] or by itself after its time; dropping it
/// does not release it, because that would need a task that nobody waits for.
#[derive(Debug)]
#[must_use = "the lock is held until it is released or its time is over"]
pub struct LockGuard {
    cache: Cache,
    key: String,
    token: String,
}

impl LockGuard {
    pub(crate) fn new(cache: Cache, key: String, token: String) -> Self {
        Self { cache, key, token }
    }

    /// Holds the lock for `ttl` from now; `false` when it was lost in the meantime.
    pub async fn extend(&self, ttl: Duration) -> Result<bool> {
        self.cache.relock(&self.key, &self.token, ttl).await
    }

    /// Releases the lock; `false` when it was lost before. Somebody else's lock is never touched.
    pub async fn release(self) -> Result<bool> {
        self.cache.unlock(&self.key, &self.token).await
    }
}
