//! The answer: models asked in turn until one speaks, passed on as it comes, and attributed at its end.

use std::pin::pin;

use futures::StreamExt;
use serde_json::Value;
use syfthub_domain::{Error, ErrorCode, Result};
use tokio::time::Instant;

use super::ask::EndpointRef;
use super::event::{Answer, Attempt, Event};
use super::found::{Found, Selection};
use super::pipeline::Run;
use super::speed::Speed;
use super::stage::Stage;
use super::{Delivery, TARGET, Tokens, millis};
use crate::citations::{self, Live};
use crate::generate::{Piece, Usage, generate};
use crate::retrieve::Status;
use crate::space::Failure;

const MODEL_TARGET: &str = "syfthub.aggregator.generate";

/// Why there is no answer of the model.
enum Stop {
    Model(Failure),
    /// Nobody takes it.
    Reader(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Reader(error)
    }
}

/// What one model has said until now.
#[derive(Default)]
struct Said {
    text: String,
    usage: Option<Usage>,
    finish_reason: Option<String>,
    /// Something of it was passed on, so that no other model can take its place.
    has_begun: bool,
    /// Something of it was sent; what may become a citation waits until that is known.
    has_told: bool,
    /// Leaves out citations of documents that are none.
    live: Option<Live>,
    /// From the beginning of the chat.
    first_token_ms: Option<u64>,
    speed: Speed,
}

/// An answer that came to its end.
pub(super) struct Generated {
    said: Said,
    attempts: Vec<Attempt>,
    time_ms: u64,
}

/// What a model's refusal was, for interfaces that have a status for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ModelRefusal {
    /// It answered with this status.
    #[error("the model answered with status {0}")]
    Status(u16),
    /// It did not answer in time.
    #[error("the model did not answer in time")]
    Timeout,
}

impl Run<'_> {
    /// Asks the model, and those that stand in for it while nothing was said.
    /// `documents` is how many numbers there are to cite, if there are any.
    pub(super) async fn answer(
        &mut self,
        tokens: &Tokens,
        messages: &[Value],
        documents: Option<u32>,
    ) -> Result<Generated> {
        self.emit(Event::GenerationStart).await?;
        tracing::debug!(target: TARGET, messages = messages.len(), "chat.generation.started");
        let stage = self.watch.enter(Stage::Generate);
        let generated = stage.over(self.ask_models(tokens, messages, documents)).await?;
        stage.size("bytes", generated.said.text.len());
        Ok(generated)
    }

    async fn ask_models(
        &mut self,
        tokens: &Tokens,
        messages: &[Value],
        documents: Option<u32>,
    ) -> Result<Generated> {
        let started = Instant::now();
        let (ask, mut attempts) = (self.ask, Vec::new());
        let last = ask.fallback_models.len();
        for (number, model) in ask.models().enumerate() {
            let model = &*self.chat.standings.spoken(model, ask.is_resolved).await;
            let (began, mut said) =
                (Instant::now(), Said { live: documents.map(Live::new), ..Said::default() });
            let call = self.chat.usage.model(ask, model);
            let result = self.generate(model, tokens, messages, started, &mut said).await;
            let time_ms = millis(began.elapsed());
            let path = model.path();
            match result {
                Ok(()) => {
                    call.answered(said.usage);
                    said.log(&path, began);
                    attempts.push(Attempt { path, outcome: Status::Success, time_ms });
                    log_generated(attempts.len(), None, started);
                    if last == 0 {
                        attempts.clear();
                    }
                    return Ok(Generated { said, attempts, time_ms: millis(started.elapsed()) });
                }
                Err(Stop::Reader(error)) => return Err(error),
                Err(Stop::Model(failure)) => {
                    call.failed(&failure);
                    if matches!(failure, Failure::Timeout) && !said.has_begun {
                        self.chat.space.timed_out(model);
                    }
                    let told = failure.told(self.chat.space.quotes());
                    log_model_failed(&path, outcome(&failure), &told, began);
                    let next = number < last && !said.has_begun && another_may_answer(&failure);
                    let error = model_error(&failure);
                    attempts.push(Attempt { path: path.clone(), outcome: outcome(&failure), time_ms });
                    self.billing.add(&path, failure.into_policy().as_ref());
                    if !next {
                        log_generated(attempts.len(), Some(&told), started);
                        return Err(error);
                    }
                    metrics::counter!("syfthub_model_fallbacks_total").increment(1);
                }
            }
        }
        Err(Error::internal("no model was asked"))
    }

    /// Reads a model's answer and passes it on; heartbeats until it says something. The time that the
    /// reader takes is not the model's.
    async fn generate(
        &mut self,
        model: &EndpointRef,
        tokens: &Tokens,
        messages: &[Value],
        started: Instant,
        said: &mut Said,
    ) -> Result<(), Stop> {
        let streamed = self.delivery == Delivery::Streamed && self.chat.settings.model_streaming;
        tracing::debug!(target: MODEL_TARGET, path = model.path(), streamed, "model.query.started");
        let mut pieces = pin!(generate(&self.chat.space, self.ask, model, tokens, messages, streamed));
        let began = Instant::now();
        let mut timeout = pin!(tokio::time::sleep(self.chat.settings.generation_timeout));
        let mut heartbeat = tokio::time::interval_at(began + self.chat.heartbeat, self.chat.heartbeat);
        let wants_heartbeats = self.delivery == Delivery::Streamed;
        loop {
            let event = tokio::select! {
                biased;
                piece = pieces.next() => match piece.transpose().map_err(Stop::Model)? {
                    Some(Piece::Policy(policy)) => {
                        self.billing.add(&model.path(), Some(&policy));
                        continue;
                    }
                    Some(piece) => match said.take(piece) {
                        Some(event) => event,
                        None => continue,
                    },
                    None => break,
                },
                () = &mut timeout => return Err(Stop::Model(Failure::Timeout)),
                _ = heartbeat.tick(), if wants_heartbeats && !said.has_begun => {
                    Event::GenerationHeartbeat { elapsed_ms: millis(started.elapsed()) }
                }
            };
            if said.has_begun && said.first_token_ms.is_none() {
                self.first_token(said);
            }
            let waited = self.emit(event).await?;
            let until = timeout.deadline() + waited;
            timeout.as_mut().reset(until);
        }
        let rest = said.live.as_mut().map(Live::finish).unwrap_or_default();
        if !rest.is_empty() || !said.has_told {
            // Clients wait for one token at least.
            self.emit(Event::Token(rest)).await?;
        }
        Ok(())
    }

    /// The model says its first word.
    fn first_token(&self, said: &mut Said) {
        let waited = self.started.elapsed();
        said.first_token_ms = Some(millis(waited));
        if self.delivery == Delivery::Streamed {
            metrics::histogram!("syfthub_chat_first_token_seconds").record(waited.as_secs_f64());
        }
    }
}

impl Said {
    /// Adds a piece; what of it is passed on at once.
    fn take(&mut self, piece: Piece) -> Option<Event> {
        match piece {
            Piece::Text(more) => {
                self.text.push_str(&more);
                self.has_begun = true;
                self.speed.piece();
                let more = match &mut self.live {
                    Some(live) => live.push(more),
                    None => more,
                };
                self.has_told |= !more.is_empty();
                (!more.is_empty()).then_some(Event::Token(more))
            }
            Piece::ToolCalls(calls) => {
                (self.has_begun, self.has_told) = (true, true);
                Some(Event::ToolCalls(calls))
            }
            Piece::Usage(counts) => {
                self.usage = Some(counts);
                None
            }
            Piece::Finish(reason) => {
                self.finish_reason = Some(reason);
                None
            }
            Piece::Policy(_) => None,
        }
    }

    fn log(&self, path: &str, began: Instant) {
        let tokens_per_second = self.speed.tokens_per_second(self.usage);
        if let Some(rate) = tokens_per_second {
            metrics::histogram!("syfthub_chat_tokens_per_second").record(rate);
        }
        count_model(Status::Success, began);
        tracing::info!(
            target: MODEL_TARGET,
            path, bytes = self.text.len(), pieces = self.speed.pieces(),
            prompt_tokens = self.usage.map(|usage| usage.prompt),
            completion_tokens = self.usage.map(|usage| usage.completion),
            finish_reason = self.finish_reason, first_token_ms = self.first_token_ms, tokens_per_second,
            duration_ms = millis(began.elapsed()),
            "model.query.completed"
        );
    }
}

impl Generated {
    /// Writes it into the answer: annotated and shared among the paths, when its documents have numbers.
    pub(super) fn report(self, answer: &mut Answer, found: &Found, selection: &Selection) {
        answer.usage = self.said.usage;
        answer.finish_reason = self.said.finish_reason;
        answer.attempts = self.attempts;
        answer.generation_time_ms = self.time_ms;
        let text = self.said.text;
        if !selection.is_ranked {
            answer.plain.clone_from(&text);
            answer.response = text;
            return;
        }
        let documents = u32::try_from(selection.kept.len()).unwrap_or(u32::MAX);
        let annotated = citations::annotate_known(&text, |number| (1..=documents).contains(&number));
        let numbered: Vec<&str> =
            selection.kept.iter().map(|index| found.sources[*index].path.as_str()).collect();
        answer.profit_share = Some(citations::profit_share(&annotated.markers, &numbered));
        answer.citations = found.citations(selection, &annotated);
        answer.citations_removed = annotated.removed;
        answer.response = annotated.text;
        answer.plain = annotated.plain;
        answer.is_annotated = true;
        if annotated.removed > 0 {
            let removed = u64::try_from(annotated.removed).unwrap_or(u64::MAX);
            metrics::counter!("syfthub_citations_removed_total").increment(removed);
        }
    }
}

/// Whether a failure is one that another model may not have. What the caller sent wrongly stays wrong.
fn another_may_answer(failure: &Failure) -> bool {
    !matches!(failure, Failure::Busy | Failure::Status { code: 400 | 413 | 422, .. })
}

/// How a failed model is told of among the attempts.
fn outcome(failure: &Failure) -> Status {
    match failure {
        Failure::Timeout => Status::Timeout,
        Failure::Status { code: 429, .. } => Status::RateLimited,
        Failure::Status { code: 402, .. } => Status::PaymentFailed,
        Failure::Status { code: 401, .. } => Status::AccessDenied,
        Failure::Status { code: 403, outcome, .. } => match outcome.as_deref() {
            Some("rate_limited") => Status::RateLimited,
            Some("policy_violation") => Status::PolicyViolation,
            _ => Status::AccessDenied,
        },
        _ => Status::Error,
    }
}

fn model_error(failure: &Failure) -> Error {
    let (code, reason) = match failure {
        Failure::Status { code: 403, detail, .. } => {
            (ErrorCode::ModelAccessDenied, format!("Model access denied: {detail}"))
        }
        Failure::Timeout => (ErrorCode::GenerationFailed, "Model request timed out".to_owned()),
        Failure::InvalidJson => {
            let text = "Model returned invalid JSON; contact the owner of the model";
            (ErrorCode::GenerationFailed, text.to_owned())
        }
        other => (ErrorCode::GenerationFailed, other.to_string()),
    };
    let error = Error::new(code, format!("Generation failed: {reason}"));
    match failure {
        Failure::Status { code, .. } => error.with_source(ModelRefusal::Status(*code)),
        Failure::Timeout => error.with_source(ModelRefusal::Timeout),
        _ => error,
    }
}

fn count_model(status: Status, began: Instant) {
    metrics::counter!("syfthub_model_queries_total", "status" => status.as_str()).increment(1);
    metrics::histogram!("syfthub_model_query_seconds").record(began.elapsed().as_secs_f64());
}

fn log_model_failed(path: &str, status: Status, error: &str, began: Instant) {
    count_model(status, began);
    let (status, duration_ms) = (status.as_str(), millis(began.elapsed()));
    tracing::warn!(target: MODEL_TARGET, path, status, error, duration_ms, "model.query.failed");
}

/// The end of all attempts.
fn log_generated(attempts: usize, error: Option<&str>, started: Instant) {
    let duration_ms = millis(started.elapsed());
    match error {
        None => tracing::info!(target: TARGET, attempts, duration_ms, "chat.generation.completed"),
        Some(error) => {
            tracing::warn!(target: TARGET, attempts, error, duration_ms, "chat.generation.failed");
        }
    }
}
