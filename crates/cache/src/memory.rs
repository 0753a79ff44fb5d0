//! The backend in this process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use syfthub_config::Rule;
use syfthub_domain::{SharedClock, Timestamp};
use tokio::sync::broadcast;

use crate::limit::{Decision, Pace};
use crate::shelf::Shelf;
use crate::subscription::{self, Messages};

/// Messages that a slow subscriber may fall behind before it loses some.
const BACKLOG: usize = 1024;

/// How much the backend keeps of each kind of entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most entries of one kind (values, counters, limits, locks).
    pub entries: usize,
    /// Most bytes of all values together.
    pub bytes: usize,
}

impl Default for Bounds {
    /// 100,000 entries of each kind and 64 MiB of values.
    fn default() -> Self {
        Self { entries: 100_000, bytes: 64 * 1024 * 1024 }
    }
}

struct Shelves {
    values: Shelf<Bytes>,
    counters: Shelf<u64>,
    /// Theoretical arrival times.
    limits: Shelf<Timestamp>,
    /// Tokens of the owners.
    locks: Shelf<String>,
}

struct Inner {
    clock: SharedClock,
    shelves: Mutex<Shelves>,
    messages: broadcast::Sender<(Arc<str>, Bytes)>,
}

/// The backend in this process. Everything happens under one short lock, so every operation is atomic.
#[derive(Clone)]
pub struct Memory(Arc<Inner>);

impl Memory {
    /// An empty cache.
    pub fn new(clock: SharedClock, bounds: Bounds) -> Self {
        let unweighted = usize::MAX;
        let shelves = Shelves {
            values: Shelf::new(bounds.entries, bounds.bytes),
            counters: Shelf::new(bounds.entries, unweighted),
            limits: Shelf::new(bounds.entries, unweighted),
            locks: Shelf::new(bounds.entries, unweighted),
        };
        let messages = broadcast::Sender::new(BACKLOG);
        Self(Arc::new(Inner { clock, shelves: Mutex::new(shelves), messages }))
    }

    fn open(&self) -> (MutexGuard<'_, Shelves>, Timestamp) {
        let now = self.0.clock.now();
        (self.0.shelves.lock().unwrap_or_else(PoisonError::into_inner), now)
    }

    pub(crate) fn get(&self, key: &str) -> Option<Bytes> {
        let (shelves, now) = self.open();
        shelves.values.get(key, now).cloned()
    }

    pub(crate) fn put(&self, key: &str, value: Bytes, ttl: Duration) {
        let (mut shelves, now) = self.open();
        let weight = key.len() + value.len();
        shelves.values.put(key, value, weight, now.plus(ttl), now);
    }

    pub(crate) fn put_new(&self, key: &str, value: Bytes, ttl: Duration) -> bool {
        let (mut shelves, now) = self.open();
        if shelves.values.get(key, now).is_some() {
            return false;
        }
        let weight = key.len() + value.len();
        shelves.values.put(key, value, weight, now.plus(ttl), now);
        true
    }

    pub(crate) fn delete(&self, key: &str) {
        self.open().0.values.remove(key);
    }

    pub(crate) fn take(&self, key: &str) -> Option<Bytes> {
        let (mut shelves, now) = self.open();
        let alive = shelves.values.get(key, now).is_some();
        shelves.values.remove(key).filter(|_| alive)
    }

    pub(crate) fn incr(&self, key: &str, ttl: Duration) -> u64 {
        let (mut shelves, now) = self.open();
        let count = shelves.counters.get(key, now).map_or(1, |count| count.saturating_add(1));
        let ends = shelves.counters.ends(key, now).unwrap_or_else(|| now.plus(ttl));
        shelves.counters.put(key, count, 0, ends, now);
        count
    }

    pub(crate) fn limit(&self, key: &str, rule: Rule) -> Decision {
        let (mut shelves, now) = self.open();
        let pace = Pace::of(rule);
        let arrival = shelves.limits.get(key, now).map_or(now, |arrival| (*arrival).max(now));
        let debt = arrival.as_micros().saturating_sub(now.as_micros());
        let next = debt.saturating_add(pace.step);
        if next > pace.window {
            return Decision::from_debt(rule, pace, false, debt);
        }
        let arrival = Timestamp::from_micros(now.as_micros().saturating_add(next));
        shelves.limits.put(key, arrival, 0, arrival, now);
        Decision::from_debt(rule, pace, true, next)
    }

    pub(crate) fn lock(&self, key: &str, token: &str, ttl: Duration) -> bool {
        let (mut shelves, now) = self.open();
        if shelves.locks.get(key, now).is_some() {
            return false;
        }
        shelves.locks.put(key, token.to_owned(), 0, now.plus(ttl), now);
        true
    }

    pub(crate) fn unlock(&self, key: &str, token: &str) -> bool {
        let (mut shelves, now) = self.open();
        let held = shelves.locks.get(key, now).is_some_and(|holder| holder == token);
        held && shelves.locks.remove(key).is_some()
    }

    pub(crate) fn relock(&self, key: &str, token: &str, ttl: Duration) -> bool {
        let (mut shelves, now) = self.open();
        let held = shelves.locks.get(key, now).is_some_and(|holder| holder == token);
        if held {
            shelves.locks.put(key, token.to_owned(), 0, now.plus(ttl), now);
        }
        held
    }

    pub(crate) fn publish(&self, channel: &str, message: Bytes) {
        // An error only says that nobody listens.
        let _ = self.0.messages.send((channel.into(), message));
    }

    pub(crate) fn subscribe(&self, channel: &str) -> Messages {
        subscription::in_process(self.0.messages.subscribe(), channel.into())
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Memory")
    }
}
