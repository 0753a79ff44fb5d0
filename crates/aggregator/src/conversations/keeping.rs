//! One question that is kept, from its beginning to whatever end it has.

use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use syfthub_proto::conversations::{AnswerStatus, AppendRequest};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{Keeper, PATIENCE};
use crate::chat::Ask;

/// Keeps a question with what arrives of its answer. Dropped before its end, it keeps what had arrived.
#[derive(Debug)]
pub(crate) struct Keeping {
    keeper: Keeper,
    /// What will be sent, until it is.
    request: Option<AppendRequest>,
    heard: Mutex<String>,
}

impl Keeping {
    pub(super) fn of(ask: &Ask, keeper: &Keeper) -> Option<Self> {
        // Who only wants documents has no answer to keep.
        let conversation_id = ask.conversation_id.clone().filter(|_| !ask.retrieval_only)?;
        let request = AppendRequest {
            credential: ask.credential.as_ref()?.expose().to_owned(),
            conversation_id,
            exchange_id: Uuid::now_v7().to_string(),
            question: ask.prompt.clone(),
            model: ask.model.path(),
            ..AppendRequest::default()
        };
        Some(Self { keeper: keeper.clone(), request: Some(request), heard: Mutex::default() })
    }

    /// More of the answer.
    pub(crate) fn hear(&self, text: &str) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
    }

    /// The answer is whole. Gives whether it is known to be kept.
    pub(crate) async fn answered(mut self, answer: &str, citations: &Value) -> bool {
        let Some(mut request) = self.request.take() else { return false };
        answer.clone_into(&mut request.answer);
        request.citations_json = citations.to_string();
        request.set_status(AnswerStatus::Complete);
        confirmed(self.keeper.send(request)).await
    }

    /// There is no answer, or not all of it. Gives whether that is known to be kept.
    pub(crate) async fn failed(mut self) -> bool {
        confirmed(self.send_what_was_heard()).await
    }

    fn send_what_was_heard(&mut self) -> Option<oneshot::Receiver<bool>> {
        let mut request = self.request.take()?;
        let heard = std::mem::take(self.heard.get_mut().unwrap_or_else(PoisonError::into_inner));
        let status = if heard.is_empty() { AnswerStatus::Failed } else { AnswerStatus::Partial };
        request.answer = heard;
        request.set_status(status);
        self.keeper.send(request)
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        // The client went away, or the work was stopped; nobody waits for this.
        drop(self.send_what_was_heard());
    }
}

async fn confirmed(answer: Option<oneshot::Receiver<bool>>) -> bool {
    let Some(answer) = answer else { return false };
    matches!(tokio::time::timeout(PATIENCE, answer).await, Ok(Ok(true)))
}
