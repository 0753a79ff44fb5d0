//! What users say about the hub.

mod form;
mod picture;
pub(crate) mod routes;
mod sink;
mod wire;

use serde_json::json;
use syfthub_config::FeedbackSink as Place;
use syfthub_domain::{Error, Result, SharedClock, UserId};
use syfthub_store::feedback::{self, FeedbackFilter, FeedbackRow, NewFeedback};
use syfthub_store::{Db, Page};
use uuid::Uuid;

use self::form::Submission;
use self::picture::Picture;
use self::sink::{FeedbackSink, Local, Nowhere};
use self::wire::Receipt;
use crate::audit::{self, Origin};
use crate::parts::Parts;

/// The rules of the feature.
#[derive(Debug)]
pub(crate) struct Feedback {
    db: Db,
    clock: SharedClock,
    sink: Box<dyn FeedbackSink>,
}

impl Feedback {
    /// Builds the feature.
    #[expect(clippy::unnecessary_wraps, reason = "every feature is built alike")]
    pub(crate) fn build(parts: &Parts) -> Result<Self> {
        let (db, clock) = (parts.db.clone(), parts.clock.clone());
        let sink: Box<dyn FeedbackSink> = match parts.settings.optional.feedback_sink {
            Place::Local => Box::new(Local { db: db.clone(), clock: clock.clone() }),
            Place::None => Box::new(Nowhere),
        };
        Ok(Self { db, clock, sink })
    }

    /// Hands feedback on. Its author always gets an answer with 200, which says whether it arrived.
    async fn submit(&self, author: UserId, submission: Submission) -> Receipt {
        let (screenshot, left_out) = match submission.picture {
            Picture::None => (None, None),
            Picture::Good(media_type, bytes) => (Some((media_type, bytes)), None),
            Picture::Refused(why) => (None, Some(why)),
        };
        let new = NewFeedback {
            id: Uuid::now_v7().to_string(),
            user_id: author,
            category: submission.category,
            description: submission.description,
            page_url: submission.page_url,
            app_version: submission.app_version,
            browser_info: submission.browser_info,
            screenshot,
        };
        match self.sink.deliver(new).await {
            Ok(Some(delivered)) => Receipt::arrived(&delivered, left_out),
            Ok(None) => Receipt::failed("Feedback is switched off on this hub; tell its operator directly"),
            Err(error) => {
                let chain = error.chain();
                tracing::error!(target: "syfthub.api.feedback", %error, chain, "feedback.not_delivered");
                Receipt::failed("Your feedback could not be kept; try again later")
            }
        }
    }

    /// A page of the feedback, and how much there is under the filter.
    pub(crate) async fn list(&self, filter: &FeedbackFilter, page: Page) -> Result<(Vec<FeedbackRow>, i64)> {
        let rows = feedback::list(&self.db, filter, page).await?;
        Ok((rows, feedback::count(&self.db, filter).await?))
    }

    /// One piece of feedback.
    pub(crate) async fn get(&self, id: &str) -> Result<FeedbackRow> {
        feedback::find(&self.db, id).await?.ok_or_else(|| Error::not_found("Feedback not found"))
    }

    /// The picture that came with it: its media type and its bytes.
    pub(crate) async fn screenshot(&self, id: &str) -> Result<(&'static str, Vec<u8>)> {
        let bytes = feedback::screenshot(&self.db, id).await?;
        let bytes = bytes.ok_or_else(|| Error::not_found("There is no screenshot"))?;
        // Told by the bytes again, so that nothing is ever served under a name that a row happens to have.
        let media_type =
            picture::media_type(&bytes).ok_or_else(|| Error::not_found("There is no screenshot"))?;
        Ok((media_type, bytes))
    }

    /// Says what became of it.
    pub(crate) async fn set_status(&self, origin: &Origin, id: &str, status: &str) -> Result<FeedbackRow> {
        let (before, now) = (self.get(id).await?, self.clock.now());
        let mut tx = self.db.begin().await?;
        feedback::set_status(&mut tx, id, status, now).await?;
        let mut entry = origin.entry(now, "feedback.updated", "feedback", id);
        entry.before = Some(json!({"status": before.status}));
        entry.after = Some(json!({"status": status}));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        self.get(id).await
    }
}
