//! How many calls to one owner's data sources may be under way at once.
//!
//! An owner whose service hangs takes all turns of its own and none of anybody else's. An owner is known
//! by name and address together: names come from callers, and who sends a foreign name with an address of
//! their own must not use up the turns of the real one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Failure;

/// The turns of all owners.
#[derive(Debug)]
pub(super) struct Owners {
    limit: usize,
    /// Only owners with a call under way or waiting are here, so it never holds more than those.
    busy: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Owners {
    /// At most `limit` calls per owner.
    pub(super) fn new(limit: u32) -> Self {
        Self { limit: usize::try_from(limit).unwrap_or(1).max(1), busy: Mutex::default() }
    }

    /// Waits for a turn at the owner; as long as it takes, the caller has a deadline.
    pub(super) async fn turn(&self, owner: &str, origin: &str) -> Result<Turn<'_>, Failure> {
        let key = format!("{owner}@{origin}");
        let turns = {
            let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(busy.entry(key.clone()).or_insert_with(|| Arc::new(Semaphore::new(self.limit))))
        };
        // Made before the wait, so that who gives up while waiting leaves nothing behind.
        let mut turn = Turn { owners: self, key, turns: Some(Arc::clone(&turns)), permit: None };
        turn.permit = Some(turns.acquire_owned().await.map_err(|_| Failure::Timeout)?);
        Ok(turn)
    }

    #[cfg(test)]
    fn busy(&self) -> usize {
        self.busy.lock().unwrap().len()
    }
}

/// A turn at an owner; the next one's when dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    owners: &'a Owners,
    key: String,
    turns: Option<Arc<Semaphore>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.permit = None;
        let mut busy = self.owners.busy.lock().unwrap_or_else(PoisonError::into_inner);
        self.turns = None;
        // Only the table's is left: nobody has or awaits a turn. Others get theirs under this lock.
        if busy.get(&self.key).is_some_and(|turns| Arc::strong_count(turns) == 1) {
            busy.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_busy_owner_keeps_nobody_else_waiting() {
        let owners = Owners::new(2);
        let first = owners.turn("ann", "http://a").await.unwrap();
        let _second = owners.turn("ann", "http://a").await.unwrap();
        let waiting = Duration::from_secs(30);
        assert!(timeout(waiting, owners.turn("ann", "http://a")).await.is_err());
        let _forged = timeout(waiting, owners.turn("ann", "http://evil")).await.unwrap().unwrap();
        let _other = timeout(waiting, owners.turn("bob", "http://a")).await.unwrap().unwrap();
        drop(first);
        assert!(timeout(waiting, owners.turn("ann", "http://a")).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn an_owner_without_calls_is_forgotten() {
        let owners = Owners::new(1);
        let turn = owners.turn("ann", "http://a").await.unwrap();
        assert!(timeout(Duration::from_secs(1), owners.turn("ann", "http://a")).await.is_err());
        assert_eq!(owners.busy(), 1);
        drop(turn);
        assert_eq!(owners.busy(), 0);
    }
}
