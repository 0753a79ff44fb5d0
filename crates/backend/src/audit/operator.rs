//! What an operator does with the audit log from the command line.

use syfthub_domain::Result;
use syfthub_store::audit::{Pruned, Turn};

use super::wire::AuditReport;
use crate::App;

impl App {
    /// Seals what is committed now, without waiting for the job. Gives how many rows.
    pub async fn seal_audit(&self) -> Result<i64> {
        self.state.audit.seal(Turn::Wait).await
    }

    /// Recomputes the whole chain; `known` is the hash of a seal that was kept elsewhere.
    pub async fn verify_audit(&self, known: Option<&str>) -> Result<AuditReport> {
        self.state.audit.verify(known).await.map(AuditReport::from)
    }

    /// Takes away what is older than the settings keep, without waiting for the job.
    pub async fn prune_audit(&self) -> Result<Option<Pruned>> {
        self.state.audit.prune(Turn::Wait).await
    }

    /// Waits until the facts noted so far are written.
    pub async fn flush_activity(&self) {
        self.state.audit.flush_activity().await;
    }
}
