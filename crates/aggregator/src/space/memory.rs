//! What answers of endpoints may take of this process's memory, all requests together.
//!
//! Who selects ten large sources and a slow model keeps their answers in memory for minutes, and nothing
//! keeps a thousand clients from doing so at once. So answers are counted from their first byte until the
//! request that they belong to has ended, and what does not fit any more is refused.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Failure;

/// Bytes that are counted as one.
const UNIT: usize = 16 * 1024;

/// The budget.
#[derive(Debug)]
pub(super) struct Memory(Arc<Semaphore>);

impl Memory {
    /// A budget of so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes / UNIT)))
    }

    /// A part of the budget that is empty yet.
    pub(super) fn hold(&self) -> Held {
        Held { budget: Arc::clone(&self.0), permit: None }
    }
}

/// A part of the budget; given back when dropped.
#[derive(Debug)]
pub(crate) struct Held {
    budget: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Held {
    /// Makes room for `bytes` in all. Nobody waits here: who waited while holding a part could wait for
    /// another who does the same.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), Failure> {
        let held = self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let Some(missing) = bytes.div_ceil(UNIT).checked_sub(held).filter(|missing| *missing > 0) else {
            return Ok(());
        };
        let missing = u32::try_from(missing).map_err(|_| Failure::Busy)?;
        let more = Arc::clone(&self.budget).try_acquire_many_owned(missing).map_err(|_| {
            metrics::counter!("syfthub_answers_refused_total").increment(1);
            tracing::warn!(target: "syfthub.aggregator.space", bytes, "answers.memory.exhausted");
            Failure::Busy
        })?;
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(())
    }

    /// A part of no budget, which holds nothing.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn nothing() -> Self {
        Memory::new(0).hold()
    }

    /// Gives back what is beyond `bytes`.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        let Some(permit) = &mut self.permit else { return };
        let spare = permit.num_permits().saturating_sub(bytes.div_ceil(UNIT));
        drop(permit.split(spare));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_can_be_held_by_another() {
        let memory = Memory::new(4 * UNIT);
        let (mut first, mut second) = (memory.hold(), memory.hold());
        first.grow_to(3 * UNIT).unwrap();
        first.grow_to(UNIT).unwrap();
        second.grow_to(1).unwrap();
        assert!(matches!(second.grow_to(UNIT + 1), Err(Failure::Busy)));
        first.shrink_to(UNIT + 1);
        second.grow_to(2 * UNIT).unwrap();
        assert!(matches!(second.grow_to(3 * UNIT), Err(Failure::Busy)));
        drop(first);
        second.grow_to(4 * UNIT).unwrap();
        assert!(matches!(memory.hold().grow_to(usize::MAX), Err(Failure::Busy)));
    }

    #[test]
    fn what_is_refused_is_counted() {
        let figures = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&figures, || {
            assert!(Memory::new(UNIT).hold().grow_to(UNIT + 1).is_err());
        });
        let told = figures.handle().render();
        assert!(told.contains("syfthub_answers_refused_total 1"), "{told}");
    }
}
