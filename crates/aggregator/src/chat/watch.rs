//! One chat from its beginning to its end, for the log and the figures, also when nobody waits for the end.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use syfthub_domain::{Error, ErrorCode};
use tokio::time::Instant;

use super::event::{Answer, Event};
use super::stage::{Stage, Under};
use super::{Ask, Delivery, EndpointRef, TARGET, millis};
use crate::measure::{self, Active};
use crate::retrieve::Status;

/// No stage has begun.
const NONE: u8 = u8::MAX;

/// Watches a chat.
#[derive(Debug)]
pub(super) struct Watch {
    started: Instant,
    stage: AtomicU8,
    quotes: bool,
    has_ended: bool,
    _active: Active,
}

impl Watch {
    /// The chat begins. What endpoints said goes into the log only with `quotes`: they may repeat what they were sent.
    pub(super) fn begin(ask: &Ask, delivery: Delivery, quotes: bool) -> Self {
        let delivery = delivery.name();
        let sources: Vec<String> = ask.data_sources.iter().map(EndpointRef::path).collect();
        tracing::info!(
            target: TARGET,
            model = ask.model.path(), ?sources, delivery,
            retrieval_only = ask.retrieval_only, top_k = ask.top_k,
            prompt_bytes = ask.prompt.len(), earlier_turns = ask.messages.len(),
            "chat.request.started"
        );
        Self {
            started: Instant::now(),
            stage: AtomicU8::new(NONE),
            quotes,
            has_ended: false,
            _active: Active::at(measure::active_chats(delivery)),
        }
    }

    /// The chat comes to a stage.
    pub(super) fn enter(&self, stage: Stage) -> Under {
        self.stage.store(stage as u8, Ordering::Relaxed);
        stage.begin()
    }

    /// The chat has come to its end.
    pub(super) fn end(mut self, last: &Event) {
        self.has_ended = true;
        let took = self.started.elapsed();
        let outcome = match last {
            Event::Done(answer) => {
                log_answered(answer, took);
                "ok"
            }
            Event::Failed(failed) if failed.error.code == ErrorCode::Cancelled => {
                self.log_cancelled(&failed.error.message);
                failed.error.code.name()
            }
            Event::Failed(failed) => {
                self.log_failed(&failed.error, took);
                failed.error.code.name()
            }
            _ => "unknown",
        };
        count(outcome, took);
    }

    /// Where it is, or was.
    fn stage(&self) -> Option<&'static str> {
        Stage::ALL.get(usize::from(self.stage.load(Ordering::Relaxed))).map(|stage| stage.name())
    }

    fn log_failed(&self, error: &Error, took: Duration) {
        let (code, stage, duration_ms) = (error.code.name(), self.stage(), millis(took));
        let cause = error.chain();
        let error = if error.code.repeats_others() && !self.quotes {
            error.code.description()
        } else {
            &error.message
        };
        tracing::warn!(target: TARGET, code, stage, error, cause, duration_ms, "chat.request.failed");
    }

    fn log_cancelled(&self, reason: &str) {
        let (stage, duration_ms) = (self.stage(), millis(self.started.elapsed()));
        tracing::info!(target: TARGET, stage, reason, duration_ms, "chat.request.cancelled");
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.has_ended {
            self.log_cancelled("the caller went away");
            count(ErrorCode::Cancelled.name(), self.started.elapsed());
        }
    }
}

fn count(outcome: &'static str, took: Duration) {
    metrics::counter!("syfthub_chat_requests_total", "outcome" => outcome).increment(1);
    metrics::histogram!("syfthub_chat_request_seconds").record(took.as_secs_f64());
}

fn log_answered(answer: &Answer, took: Duration) {
    let failed = answer.retrieval_info.iter().filter(|info| info.status != Status::Success).count();
    tracing::info!(
        target: TARGET,
        sources = answer.retrieval_info.len(), failed_sources = failed, documents = answer.sources.len(),
        citations = answer.citations.len(), answer_bytes = answer.response.len(),
        prompt_tokens = answer.usage.map(|usage| usage.prompt),
        completion_tokens = answer.usage.map(|usage| usage.completion),
        retrieval_ms = answer.retrieval_time_ms, generation_ms = answer.generation_time_ms,
        duration_ms = millis(took),
        "chat.request.completed"
    );
}
