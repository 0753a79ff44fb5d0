//! Values with a time to live, counters, limits, locks, one-shot values and messages, in memory or in
//! Redis.
//!
//! Nothing here may be the only copy of anything: entries can be evicted, and a Redis that dies loses
//! them. Both backends keep the same contract and are tested by the same suite.

mod breaker;
mod error;
mod limit;
mod lock;
mod memory;
mod outage;
mod redis;
mod shelf;
mod subscription;

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use syfthub_config::Rule;
use syfthub_domain::SharedClock;

pub use error::{Error, Result};
pub use limit::Decision;
pub use lock::LockGuard;
pub use memory::{Bounds, Memory};
pub use redis::Redis;
pub use subscription::Messages;

/// Longest key, in bytes. Callers hash what may be longer.
pub const MAX_KEY: usize = 512;

/// Largest value and message, in bytes.
pub const MAX_VALUE: usize = 1024 * 1024;

/// A cache. Cheap to clone; clones share their contents.
#[derive(Debug, Clone)]
pub enum Cache {
    /// In this process only.
    Memory(Memory),
    /// Shared by all processes that use the same server and prefix.
    Redis(Redis),
}

macro_rules! each {
    ($self:ident, $backend:ident => $call:expr) => {
        match $self {
            Cache::Memory($backend) => Ok($call),
            // In a box: a call takes kilobytes, which every caller, and theirs, would have to make room for.
            Cache::Redis($backend) => Box::pin($call).await,
        }
    };
}

impl Cache {
    /// A cache in this process, with the default bounds.
    pub fn memory(clock: SharedClock) -> Self {
        Self::Memory(Memory::new(clock, Bounds::default()))
    }

    /// A cache in Redis whose keys all start with `prefix:`. Connects when it is first used, so a
    /// server that is down delays nothing here; only a URL that is none is an error.
    pub fn redis(settings: &syfthub_config::Redis, prefix: &'static str) -> Result<Self> {
        Redis::new(settings, prefix).map(Self::Redis)
    }

    /// Whether other processes see the same contents.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Redis(_))
    }

    /// Whether it answers, for readiness checks.
    pub async fn ping(&self) -> Result<()> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Redis(redis) => redis.ping().await,
        }
    }

    /// The value under a key.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        check_key(key)?;
        each!(self, backend => backend.get(key))
    }

    /// Stores a value for `ttl`; a `ttl` of zero deletes it.
    pub async fn put(&self, key: &str, value: impl Into<Bytes>, ttl: Duration) -> Result<()> {
        let value = checked(key, value.into())?;
        each!(self, backend => backend.put(key, value, ttl))
    }

    /// Stores a value only if there is none; says whether it did. Exactly one of many callers wins.
    pub async fn put_new(&self, key: &str, value: impl Into<Bytes>, ttl: Duration) -> Result<bool> {
        let value = checked(key, value.into())?;
        each!(self, backend => backend.put_new(key, value, ttl))
    }

    /// Deletes a value.
    pub async fn delete(&self, key: &str) -> Result<()> {
        check_key(key)?;
        each!(self, backend => backend.delete(key))
    }

    /// Reads and deletes in one step: of many callers at most one gets the value.
    pub async fn take(&self, key: &str) -> Result<Option<Bytes>> {
        check_key(key)?;
        each!(self, backend => backend.take(key))
    }

    /// [`Self::get`] for JSON. A value that does not fit the type, for example one written by an older
    /// version, counts as absent.
    pub async fn get_json<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        Ok(self.get(key).await?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// [`Self::put`] for JSON.
    pub async fn put_json<T: Serialize + Sync + ?Sized>(
        &self,
        key: &str,
        value: &T,
        ttl: Duration,
    ) -> Result<()> {
        let bytes = serde_json::to_vec(value).map_err(|error| Error::Unencodable(error.to_string()))?;
        self.put(key, bytes, ttl).await
    }

    /// [`Self::take`] for JSON.
    pub async fn take_json<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        Ok(self.take(key).await?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Adds one to a counter and returns it. A counter starts at 0 and ends `ttl` after its first
    /// increment. Counters and values have separate keys.
    pub async fn incr(&self, key: &str, ttl: Duration) -> Result<u64> {
        check_key(key)?;
        each!(self, backend => backend.incr(key, ttl))
    }

    /// Counts one request against a limit: `max` at once, then evenly spread over the window (GCRA).
    /// A refused request counts nothing. Limits have keys of their own.
    pub async fn limit(&self, key: &str, rule: Rule) -> Result<Decision> {
        check_key(key)?;
        if rule.max == 0 || rule.window.is_zero() {
            return Ok(Decision::never(rule));
        }
        each!(self, backend => backend.limit(key, rule))
    }

    /// Takes a lock for at most `ttl`; `None` when somebody holds it. Locks have keys of their own. A
    /// lock saves double work; it does not replace a transaction.
    pub async fn lock(&self, key: &str, ttl: Duration) -> Result<Option<LockGuard>> {
        check_key(key)?;
        let token = uuid::Uuid::new_v4().to_string();
        let taken = each!(self, backend => backend.lock(key, &token, ttl))?;
        Ok(taken.then(|| LockGuard::new(self.clone(), key.to_owned(), token)))
    }

    pub(crate) async fn unlock(&self, key: &str, token: &str) -> Result<bool> {
        each!(self, backend => backend.unlock(key, token))
    }

    pub(crate) async fn relock(&self, key: &str, token: &str, ttl: Duration) -> Result<bool> {
        each!(self, backend => backend.relock(key, token, ttl))
    }

    /// Sends a message to whoever subscribes to the channel at this moment, in every process that
    /// shares the cache.
    pub async fn publish(&self, channel: &str, message: impl Into<Bytes>) -> Result<()> {
        let message = checked(channel, message.into())?;
        each!(self, backend => backend.publish(channel, message))
    }

    /// Receives the messages of a channel from now on. At most once: messages sent while the
    /// connection is down, or faster than they are read, are lost. The stream reconnects by itself
    /// and never ends.
    pub async fn subscribe(&self, channel: &str) -> Messages {
        match self {
            Self::Memory(memory) => memory.subscribe(channel),
            Self::Redis(redis) => redis.subscribe(channel).await,
        }
    }
}

fn check_key(key: &str) -> Result<()> {
    if key.is_empty() || key.len() > MAX_KEY { Err(Error::Key) } else { Ok(()) }
}

fn checked(key: &str, value: Bytes) -> Result<Bytes> {
    check_key(key)?;
    if value.len() > MAX_VALUE { Err(Error::TooLarge) } else { Ok(value) }
}
