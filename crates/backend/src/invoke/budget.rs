//! How much memory the bodies of calls may take in one process, however many calls there are.
//!
//! A body is booked piece by piece as it arrives, so that nobody holds memory by only saying how much will come.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use syfthub_domain::{Error, ErrorCode, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory for all bodies that are no streams, requests and answers together.
pub(super) const FOR_BODIES: usize = 64 * 1024 * 1024;
/// The least that is booked; it bounds the number of calls too.
const PIECE: usize = 16 * 1024;
/// When to try again. Bodies come and go within moments, unless endpoints hang.
const AGAIN: Duration = Duration::from_secs(2);

/// The memory that is left.
#[derive(Debug, Clone)]
pub(super) struct Budget(Arc<Semaphore>);

/// What one body has booked; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    budget: Budget,
    permit: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / PIECE)))
    }

    /// Begins to book for one body.
    pub(super) fn open(&self) -> Held {
        Held { budget: self.clone(), permit: None, bytes: 0 }
    }
}

impl Held {
    /// Books so many bytes more; 503 when they are not left.
    pub(super) fn take(&mut self, bytes: usize) -> Result<()> {
        let booked = self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        self.bytes = self.bytes.saturating_add(bytes);
        let more = self.bytes.div_ceil(PIECE).saturating_sub(booked);
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.budget.0).try_acquire_many_owned(more).map_err(|_| {
            let text = "Too many large bodies are on their way through this hub; try again in a moment";
            Error::new(ErrorCode::Unavailable, text).with_retry_after(AGAIN)
        })?;
        match &mut self.permit {
            Some(all) => all.merge(permit),
            None => self.permit = Some(permit),
        }
        Ok(())
    }

    /// The bytes that were booked; the booking ends with the last copy of them.
    pub(super) fn keep(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Kept { bytes, _held: self })
    }
}

struct Kept {
    bytes: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_booked_is_bounded_and_comes_back_with_the_last_copy() {
        let budget = Budget::new(4 * PIECE);
        let (mut one, mut two) = (budget.open(), budget.open());
        one.take(1).unwrap();
        one.take(PIECE - 1).unwrap();
        one.take(2 * PIECE).unwrap();
        two.take(1).unwrap();
        two.take(PIECE - 1).unwrap();
        let refused = two.take(1).unwrap_err();
        assert_eq!((refused.code, refused.retry_after), (ErrorCode::Unavailable, Some(AGAIN)));
        let kept = one.keep(Bytes::from_static(b"abc"));
        let copy = kept.clone();
        drop(kept);
        assert!(budget.open().take(1).is_err(), "a copy is left");
        assert_eq!(copy, "abc");
        drop(copy);
        budget.open().take(3 * PIECE).unwrap();
        drop(two);
        budget.open().take(4 * PIECE).unwrap();
    }
}
