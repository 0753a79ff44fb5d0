//! A bounded queue in front of the table: whoever reports a fault never waits for the database, and no flood of
//! faults fills it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use syfthub_domain::{SharedClock, Timestamp};
use syfthub_store::Db;
use syfthub_store::error_logs::{self, NewErrorLog};
use tokio::sync::Notify;

/// Reports that may wait. Each came in a body of at most 64 KiB, so this is at most some 30 MiB.
const CAPACITY: usize = 500;
/// Reports that are written in one change.
const BATCH: usize = 100;
/// Reports that are taken in a minute, whoever sends them.
const PER_MINUTE: u32 = 1200;
/// The part of both that anybody can fill from outside: the rest is for faults of the hub itself, so that a flood of
/// reports cannot hide them.
const FROM_OUTSIDE: (usize, u32) = (CAPACITY / 2, PER_MINUTE / 2);

/// Who tells of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Teller {
    /// The hub found it in itself.
    Hub,
    /// A client caused it or sent it.
    Outside,
}

#[derive(Debug)]
pub(super) struct Recorder {
    db: Db,
    clock: SharedClock,
    waiting: Mutex<Waiting>,
    writing: tokio::sync::Mutex<()>,
    more: Notify,
}

#[derive(Debug)]
struct Waiting {
    rows: VecDeque<NewErrorLog>,
    minute: Timestamp,
    taken: u32,
    left_out: u64,
}

impl Recorder {
    pub(super) fn new(db: Db, clock: SharedClock) -> Self {
        let minute = clock.now();
        let waiting = Mutex::new(Waiting { rows: VecDeque::new(), minute, taken: 0, left_out: 0 });
        Self { db, clock, waiting, writing: tokio::sync::Mutex::new(()), more: Notify::new() }
    }

    /// Takes a report, or counts it as left out.
    pub(super) fn add(&self, teller: Teller, mut row: NewErrorLog) {
        let now = self.clock.now();
        row.timestamp.get_or_insert(now);
        let mut waiting = self.lock();
        if now.since(waiting.minute) >= Duration::from_mins(1) {
            waiting.minute = now;
            waiting.taken = 0;
        }
        let (room, per_minute) = match teller {
            Teller::Hub => (CAPACITY, PER_MINUTE),
            Teller::Outside => FROM_OUTSIDE,
        };
        if waiting.rows.len() >= room || waiting.taken >= per_minute {
            waiting.left_out += 1;
            return;
        }
        waiting.taken += 1;
        waiting.rows.push_back(row);
        drop(waiting);
        self.more.notify_one();
    }

    pub(super) async fn run(&self) {
        loop {
            self.more.notified().await;
            self.flush().await;
        }
    }

    /// Writes all that waits. What cannot be written is given up: the log has it.
    pub(super) async fn flush(&self) {
        // Whoever stops the hub waits here for what another call has taken and not yet written.
        let _turn = self.writing.lock().await;
        loop {
            let (batch, left_out) = self.take();
            if left_out > 0 {
                tracing::warn!(left_out, "error_reports.left_out");
            }
            if batch.is_empty() {
                return;
            }
            if let Err(error) = self.write(&batch).await {
                tracing::warn!(%error, lost = batch.len(), "error_reports.not_written");
            }
        }
    }

    fn take(&self) -> (Vec<NewErrorLog>, u64) {
        let mut waiting = self.lock();
        let count = waiting.rows.len().min(BATCH);
        (waiting.rows.drain(..count).collect(), std::mem::take(&mut waiting.left_out))
    }

    async fn write(&self, batch: &[NewErrorLog]) -> syfthub_store::Result<()> {
        let mut tx = self.db.begin().await?;
        error_logs::insert(&mut tx, batch, self.clock.now()).await?;
        tx.commit().await
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use syfthub_config::Settings;
    use syfthub_domain::FixedClock;

    use super::*;

    async fn recorder(folder: &std::path::Path) -> (Recorder, Arc<FixedClock>) {
        let db = Db::connect(&Settings::for_tests(folder).database).await.unwrap();
        let clock = FixedClock::new(Timestamp::from_secs(1_800_000_000));
        (Recorder::new(db, clock.clone()), clock)
    }

    #[tokio::test]
    async fn what_is_too_much_is_left_out_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let (recorder, _) = recorder(folder.path()).await;
        for _ in 0..=CAPACITY {
            recorder.add(Teller::Hub, NewErrorLog::default());
        }
        let waiting = recorder.lock();
        assert_eq!((waiting.rows.len(), waiting.left_out), (CAPACITY, 1));
    }

    #[tokio::test]
    async fn a_flood_from_outside_leaves_room_for_faults_of_the_hub() {
        let folder = tempfile::tempdir().unwrap();
        let (recorder, _) = recorder(folder.path()).await;
        for _ in 0..CAPACITY {
            recorder.add(Teller::Outside, NewErrorLog::default());
        }
        assert_eq!(recorder.lock().rows.len(), FROM_OUTSIDE.0);
        for _ in 0..PER_MINUTE {
            recorder.add(Teller::Outside, NewErrorLog::default());
            recorder.take();
        }
        assert_eq!(recorder.lock().taken, FROM_OUTSIDE.1);
        recorder.add(Teller::Hub, NewErrorLog::default());
        assert_eq!(recorder.lock().rows.len(), 1);
    }

    #[tokio::test]
    async fn a_minute_takes_so_many_and_the_next_one_again() {
        let folder = tempfile::tempdir().unwrap();
        let (recorder, clock) = recorder(folder.path()).await;
        for _ in 0..PER_MINUTE {
            recorder.add(Teller::Hub, NewErrorLog::default());
            recorder.take();
        }
        recorder.add(Teller::Hub, NewErrorLog::default());
        assert_eq!(recorder.lock().rows.len(), 0);
        clock.advance(Duration::from_mins(1));
        recorder.add(Teller::Hub, NewErrorLog::default());
        assert_eq!(recorder.lock().rows.len(), 1);
    }

    #[tokio::test]
    async fn a_database_that_does_not_answer_costs_the_reports_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (recorder, _) = recorder(folder.path()).await; // no table: nothing was migrated
        recorder.add(Teller::Hub, NewErrorLog::default());
        recorder.flush().await;
        assert_eq!(recorder.lock().rows.len(), 0);
    }
}
