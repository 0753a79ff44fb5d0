//! Where feedback goes.

use async_trait::async_trait;
use syfthub_domain::{Result, SharedClock};
use syfthub_store::Db;
use syfthub_store::feedback::{self, NewFeedback};

/// Bytes that all stored pictures may have together. Beyond it the words are kept without the picture.
const MAX_PICTURES: i64 = 512 * 1024 * 1024;

/// What became of feedback that arrived.
#[derive(Debug)]
pub(super) struct Delivered {
    /// By what it can be found.
    pub(super) ticket_id: String,
    /// Whether there was no room for its picture.
    pub(super) without_picture: bool,
}

/// A place for feedback.
#[async_trait]
pub(super) trait FeedbackSink: std::fmt::Debug + Send + Sync {
    /// Hands feedback on; `None` when the place takes none.
    async fn deliver(&self, new: NewFeedback) -> Result<Option<Delivered>>;
}

/// The hub's own database.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) db: Db,
    pub(super) clock: SharedClock,
}

#[async_trait]
impl FeedbackSink for Local {
    async fn deliver(&self, mut new: NewFeedback) -> Result<Option<Delivered>> {
        let mut tx = self.db.begin().await?;
        let size = new.screenshot.as_ref().map_or(0, |(_, bytes)| bytes.len());
        let full = size > 0
            && feedback::stored_bytes(&mut tx).await?.saturating_add(i64::try_from(size).unwrap_or(i64::MAX))
                > MAX_PICTURES;
        if full {
            new.screenshot = None;
        }
        feedback::insert(&mut tx, &new, self.clock.now()).await?;
        tx.commit().await?;
        let (user_id, category) = (new.user_id.0, new.category);
        tracing::info!(target: "syfthub.api.feedback", user_id, category, feedback_id = new.id, "feedback.received");
        Ok(Some(Delivered { ticket_id: new.id, without_picture: full }))
    }
}

/// Nowhere: the operator wants none.
#[derive(Debug)]
pub(super) struct Nowhere;

#[async_trait]
impl FeedbackSink for Nowhere {
    async fn deliver(&self, _: NewFeedback) -> Result<Option<Delivered>> {
        Ok(None)
    }
}
