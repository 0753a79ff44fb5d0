//! Who changed what: the audit log, its seals, and the high-rate facts beside it.

pub(crate) mod activity;
mod export;
mod operator;
pub(crate) mod origin;
pub(crate) mod routes;
pub(crate) mod wire;

use std::time::Duration;

use axum::body::Body;
use syfthub_config::Audit as Retention;
use syfthub_domain::{Result, SharedClock};
use syfthub_store::audit::{AuditRow, Cursor, Filter, Pruned, Report, Turn};
use syfthub_store::{Db, activity as facts, audit};

use crate::parts::Parts;

use activity::Activity;

pub(crate) use origin::Origin;
pub(crate) use syfthub_store::audit::record;

/// How often committed rows are looked for; they are sealed within twice this time.
const SEAL_EVERY: Duration = Duration::from_secs(1);
/// How often what is too old is looked for.
const PRUNE_EVERY: Duration = Duration::from_hours(1);

/// The rules of the feature.
#[derive(Debug)]
pub(crate) struct Audit {
    db: Db,
    clock: SharedClock,
    retention: Retention,
    activity: Activity,
}

impl Audit {
    /// Builds the feature.
    #[expect(clippy::unnecessary_wraps, reason = "all features are built alike")]
    pub(crate) fn build(parts: &Parts) -> Result<Self> {
        Ok(Self {
            db: parts.db.clone(),
            clock: parts.clock.clone(),
            retention: parts.settings.audit,
            activity: parts.activity.clone(),
        })
    }

    /// A page of the log, newest first.
    pub(crate) async fn list(
        &self,
        filter: &Filter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Vec<AuditRow>> {
        Ok(audit::list(&self.db, filter, after, limit).await?)
    }

    /// The log under a filter as a stream; that it was taken is in the log.
    pub(crate) async fn export(&self, origin: &Origin, filter: Filter, form: export::Form) -> Result<Body> {
        let entry = origin.entry(self.clock.now(), "audit.exported", "audit_log", form.as_str());
        let mut tx = self.db.begin().await?;
        record(&mut tx, &entry).await?;
        tx.commit().await?;
        Ok(export::body(self.db.clone(), filter, form))
    }

    /// A page of activity, newest first.
    pub(crate) async fn activity(
        &self,
        filter: &facts::Filter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Vec<facts::ActivityRow>> {
        Ok(facts::list(&self.db, filter, after, limit).await?)
    }

    /// Recomputes the whole chain.
    pub(crate) async fn verify(&self, known: Option<&str>) -> Result<Report> {
        Ok(audit::verify(&self.db, known).await?)
    }

    /// Seals everything that is committed. Gives how many rows.
    pub(crate) async fn seal(&self, turn: Turn) -> Result<i64> {
        let mut rows = 0;
        while audit::any_unsealed(&self.db).await? {
            let mut tx = self.db.begin().await?;
            let sealed = audit::seal(&mut tx, turn, self.clock.now()).await?;
            tx.commit().await?;
            let Some(seal) = sealed else { break };
            rows += seal.row_count;
            // Log files are kept elsewhere, so the hash there proves later that nothing was cut off here.
            tracing::info!(target: "syfthub.audit", seal = seal.number, rows = seal.row_count, digest = seal.hash, "audit.sealed");
        }
        Ok(rows)
    }

    /// Takes away what is older than the settings keep.
    pub(crate) async fn prune(&self, turn: Turn) -> Result<Option<Pruned>> {
        let Some(retention) = self.retention.retention else { return Ok(None) };
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let pruned = audit::prune(&mut tx, turn, now.minus(retention), now).await?;
        tx.commit().await?;
        if let Some(pruned) = pruned {
            tracing::info!(target: "syfthub.audit", checkpoint = pruned.checkpoint, rows = pruned.rows, "audit.pruned");
        }
        Ok(pruned)
    }

    /// Takes a fact that another service noted.
    pub(crate) fn note_fact(&self, fact: facts::NewActivity) {
        self.activity.put(fact);
    }

    /// Writes what waits in the queue.
    pub(crate) async fn flush_activity(&self) {
        self.activity.flush().await;
    }

    async fn forget_activity(&self) -> Result<u64> {
        let before = self.clock.now().minus(self.retention.activity_retention);
        let mut gone = 0;
        loop {
            let mut tx = self.db.begin().await?;
            let rows = facts::purge(&mut tx, before).await?;
            tx.commit().await?;
            gone += rows;
            if rows == 0 {
                return Ok(gone);
            }
        }
    }

    /// Seals until the process ends. Of several replicas one does it at a time.
    pub(crate) async fn seal_forever(&self) {
        loop {
            tokio::time::sleep(SEAL_EVERY).await;
            if let Err(error) = self.seal(Turn::Yield).await {
                tracing::warn!(target: "syfthub.audit", %error, chain = error.chain(), "audit.seal.failed");
            }
        }
    }

    /// Takes away what is too old until the process ends.
    pub(crate) async fn prune_forever(&self) {
        loop {
            tokio::time::sleep(PRUNE_EVERY).await;
            if let Err(error) = self.prune(Turn::Yield).await {
                tracing::warn!(target: "syfthub.audit", %error, chain = error.chain(), "audit.prune.failed");
            }
            if let Err(error) = self.forget_activity().await {
                tracing::warn!(target: "syfthub.audit", %error, chain = error.chain(), "activity.prune.failed");
            }
        }
    }
}
