//! What went wrong: every fault of the hub, and what the web app and our own services report.

mod input;
pub(crate) mod observe;
mod recorder;
pub(crate) mod routes;
mod service;
mod wire;

use std::time::Duration;

use syfthub_domain::{Error, Result, SharedClock};
use syfthub_store::error_logs::{self, ErrorLogFilter, ErrorLogRow, NewErrorLog};
use syfthub_store::{Db, Page, settings};

use self::recorder::{Recorder, Teller};
use crate::parts::Parts;

/// How often it is asked whether old reports were deleted today.
const ASK_EVERY: Duration = Duration::from_hours(1);
/// The day on which some replica last deleted old reports.
const PURGED_ON: &str = "error_logs.purged_on";

/// The rules of the feature.
#[derive(Debug)]
pub(crate) struct ErrorReports {
    db: Db,
    clock: SharedClock,
    retention: Duration,
    recorder: Recorder,
}

impl ErrorReports {
    /// Builds the feature.
    #[expect(clippy::unnecessary_wraps, reason = "every feature is built alike")]
    pub(crate) fn build(parts: &Parts) -> Result<Self> {
        let recorder = Recorder::new(parts.db.clone(), parts.clock.clone());
        let retention = parts.settings.optional.error_retention;
        Ok(Self { db: parts.db.clone(), clock: parts.clock.clone(), retention, recorder })
    }

    /// Takes a report. It is written soon, in the background, and never fails or delays its sender.
    fn record(&self, teller: Teller, row: NewErrorLog) {
        self.recorder.add(teller, row);
    }

    /// Writes what was recorded so far.
    pub(crate) async fn flush(&self) {
        self.recorder.flush().await;
    }

    /// Writes what is recorded, until the process ends.
    pub(crate) async fn write_forever(&self) {
        self.recorder.run().await;
    }

    /// A page of the reports, and how many there are under the filter.
    pub(crate) async fn list(&self, filter: &ErrorLogFilter, page: Page) -> Result<(Vec<ErrorLogRow>, i64)> {
        self.flush().await; // whoever has just seen a fault finds it
        let rows = error_logs::list(&self.db, filter, page).await?;
        Ok((rows, error_logs::count(&self.db, filter).await?))
    }

    /// One report.
    pub(crate) async fn get(&self, id: i64) -> Result<ErrorLogRow> {
        let row = error_logs::find(&self.db, id).await?;
        row.ok_or_else(|| Error::not_found("Error report not found"))
    }

    /// Deletes old reports once a day, on one replica, until the process ends.
    pub(crate) async fn purge_forever(&self) {
        loop {
            match self.purge_if_due().await {
                Ok(Some(rows)) => tracing::info!(rows, "error_reports.purge.completed"),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "error_reports.purge.failed"),
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Deletes old reports, if no replica has done so today.
    async fn purge_if_due(&self) -> Result<Option<u64>> {
        let now = self.clock.now();
        let today: String = now.to_rfc3339().chars().take(10).collect();
        let before = settings::get(&self.db, PURGED_ON).await?;
        if before.as_deref() == Some(today.as_str()) {
            return Ok(None);
        }
        let mut tx = self.db.begin().await?;
        let mine = settings::compare_and_put(&mut tx, PURGED_ON, before.as_deref(), &today, now).await?;
        tx.commit().await?;
        if !mine {
            return Ok(None);
        }
        Ok(Some(error_logs::purge(&self.db, now.minus(self.retention)).await?))
    }
}
