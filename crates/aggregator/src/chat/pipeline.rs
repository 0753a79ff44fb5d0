//! The steps of one question: retrieve, rank, prompt, generate, attribute.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use syfthub_domain::{Error, ErrorCode, Result};
use tokio::time::Instant;

use super::event::{Answer, Event, SourceInfo};
use super::found::{self, Found, Selection};
use super::outlet::Outlet;
use super::{Ask, Chat, Delivery, TARGET, Tokens, millis};
use crate::billing::Billing;
use crate::citations;
use crate::generate::{Piece, Usage, generate};
use crate::prompt::{self, Budget, Fence, Material, Message, TooLong};
use crate::retrieve::{Outcome, Status, query_sources};
use crate::space::Failure;

/// One question under way.
pub(super) struct Run<'a> {
    chat: &'a Chat,
    ask: &'a Ask,
    delivery: Delivery,
    outlet: &'a Outlet,
    started: Instant,
    billing: Billing,
}

impl<'a> Run<'a> {
    pub(super) fn new(chat: &'a Chat, ask: &'a Ask, delivery: Delivery, outlet: &'a Outlet) -> Self {
        Self { chat, ask, delivery, outlet, started: Instant::now(), billing: Billing::default() }
    }

    /// What was charged until now, for the report of a failure.
    pub(super) fn take_billing(&mut self) -> Billing {
        std::mem::take(&mut self.billing)
    }

    /// Takes all steps and emits every event but the last.
    pub(super) async fn execute(&mut self) -> Result<Answer> {
        self.emit(Event::RetrievalStart { sources: self.ask.data_sources.len() }).await?;
        self.check_length()?;
        let tokens = self.chat.tokens.for_request(self.ask).await;
        let outcomes = self.retrieve(&tokens).await?;
        let retrieval_time_ms = millis(self.started.elapsed());
        for outcome in &outcomes {
            self.billing.add(&outcome.path, outcome.policy.as_ref());
        }
        let outcomes =
            if self.chat.settings.rules.mask_secrets { found::masked(outcomes).await } else { outcomes };
        let (found, retrieval_info) = Found::collect(outcomes);
        log_retrieved(&found, &retrieval_info, retrieval_time_ms);
        check_sources(&retrieval_info, self.ask.require_all_sources)?;
        let held = Arc::clone(&found.held);
        let mut answer = Answer { retrieval_info, retrieval_time_ms, held, ..Answer::default() };
        if self.ask.retrieval_only {
            let total_documents = found.sources.len();
            self.emit(Event::RetrievalComplete { total_documents, time_ms: retrieval_time_ms }).await?;
            answer.sources = found.sources;
            return Ok(self.finish(answer));
        }
        let (found, mut selection) = self.rank(found).await?;
        let messages = self.messages(&found, &mut selection)?;
        let total_documents = selection.kept.len();
        self.emit(Event::RetrievalComplete { total_documents, time_ms: retrieval_time_ms }).await?;
        let generated = self.answer(&tokens, &messages).await?;
        attribute(&mut answer, generated.text, &found, &selection);
        answer.usage = generated.usage;
        answer.generation_time_ms = generated.time_ms;
        answer.sources = found.sources;
        Ok(self.finish(answer))
    }

    fn finish(&mut self, mut answer: Answer) -> Answer {
        answer.billing = self.take_billing();
        answer.total_time_ms = millis(self.started.elapsed());
        answer
    }

    /// Asks all sources; the outcomes come back in the order of the request.
    async fn retrieve(&self, tokens: &Tokens) -> Result<Vec<Outcome>> {
        let timeout = self.chat.settings.retrieval_timeout;
        let mut completed = query_sources(&self.chat.space, self.ask, tokens, timeout);
        let mut outcomes = Vec::with_capacity(self.ask.data_sources.len());
        let started = Instant::now();
        while let Some(outcome) = completed.next().await {
            self.chat.usage.source(self.ask, &outcome, started.elapsed());
            let (path, status) = (outcome.path.clone(), outcome.status);
            self.emit(Event::SourceComplete { path, status, documents: outcome.documents.len() }).await?;
            outcomes.push(outcome);
        }
        outcomes.sort_by_key(|outcome| outcome.index);
        Ok(outcomes)
    }

    async fn rank(&self, found: Found) -> Result<(Found, Selection)> {
        if found.sources.is_empty() {
            return Ok((found, Selection::default()));
        }
        self.emit(Event::RerankingStart { documents: found.sources.len() }).await?;
        let started = Instant::now();
        let (found, selection) =
            found.select(&self.ask.prompt, self.ask.top_k, self.chat.reranker.as_ref()).await;
        let time_ms = millis(started.elapsed());
        // After a failed ranking the count is what came back, as clients know it.
        let documents = if selection.is_ranked { selection.kept.len() } else { found.sources.len() };
        self.emit(Event::RerankingComplete { documents, time_ms }).await?;
        Ok((found, selection))
    }

    async fn answer(&mut self, tokens: &Tokens, messages: &[Message]) -> Result<Generated> {
        self.emit(Event::GenerationStart).await?;
        let started = Instant::now();
        let call = self.chat.usage.model(self.ask, &self.ask.model);
        match self.generate(tokens, messages).await {
            Ok((text, usage)) => {
                call.answered(usage);
                log_generated(&self.ask.model.path(), Ok((&text, usage)), started);
                Ok(Generated { text, usage, time_ms: millis(started.elapsed()) })
            }
            Err(Stop::Reader(error)) => Err(error),
            Err(Stop::Model(failure)) => {
                call.failed(&failure);
                log_generated(&self.ask.model.path(), Err(&failure), started);
                let error = model_error(&failure);
                self.billing.add(&self.ask.model.path(), failure.into_policy().as_ref());
                Err(error)
            }
        }
    }

    fn budget(&self) -> Budget {
        Budget::new(self.chat.settings.rules.context_tokens, self.ask.max_tokens)
    }

    /// Refuses what no model can be asked, before anybody is paid for documents.
    fn check_length(&self) -> Result<()> {
        let ask = self.ask;
        if ask.retrieval_only {
            return Ok(());
        }
        let system = ask.custom_system_prompt.as_deref();
        let has_sources = !ask.data_sources.is_empty();
        prompt::check(&ask.prompt, system, &ask.messages, has_sources, self.budget()).map_err(too_long)
    }

    /// What the model is sent; `selection` keeps only the documents that found room.
    fn messages(&self, found: &Found, selection: &mut Selection) -> Result<Vec<Message>> {
        let excerpts = found.excerpts(selection);
        let material = match (self.ask.data_sources.is_empty(), excerpts.is_empty()) {
            (true, _) => Material::General,
            (false, true) => Material::Nothing,
            (false, false) if selection.is_ranked => Material::Ranked(&excerpts),
            (false, false) => Material::Unranked(&excerpts),
        };
        let system = self.ask.custom_system_prompt.as_deref();
        let history = &self.ask.messages;
        let prompt =
            prompt::build(&self.ask.prompt, system, history, material, &Fence::random(), self.budget())
                .map_err(too_long)?;
        let (documents, turns) = (selection.kept.len().saturating_sub(prompt.shown), prompt.dropped_turns);
        if documents + turns > 0 {
            tracing::info!(target: TARGET, documents, turns, "chat.prompt.cut");
        }
        selection.kept.truncate(prompt.shown);
        Ok(prompt.messages)
    }

    /// Reads the model's answer and passes it on; heartbeats until it says something. The time that the
    /// reader takes is not the model's.
    async fn generate(
        &mut self,
        tokens: &Tokens,
        messages: &[Message],
    ) -> Result<(String, Option<Usage>), Stop> {
        let streamed = self.delivery == Delivery::Streamed && self.chat.settings.model_streaming;
        let mut pieces = pin!(generate(&self.chat.space, self.ask, tokens, messages, streamed));
        let (mut text, mut usage) = (String::new(), None);
        let started = Instant::now();
        let mut timeout = pin!(tokio::time::sleep(self.chat.settings.generation_timeout));
        let mut heartbeat = tokio::time::interval_at(started + self.chat.heartbeat, self.chat.heartbeat);
        let wants_heartbeats = self.delivery == Delivery::Streamed;
        loop {
            let event = tokio::select! {
                biased;
                piece = pieces.next() => match piece.transpose().map_err(Stop::Model)? {
                    Some(Piece::Text(more)) => {
                        text.push_str(&more);
                        Event::Token(more)
                    }
                    Some(Piece::Usage(counts)) => {
                        usage = Some(counts);
                        continue;
                    }
                    Some(Piece::Policy(policy)) => {
                        self.billing.add(&self.ask.model.path(), Some(&policy));
                        continue;
                    }
                    None => break,
                },
                () = &mut timeout => return Err(Stop::Model(Failure::Timeout)),
                _ = heartbeat.tick(), if wants_heartbeats && text.is_empty() => {
                    Event::GenerationHeartbeat { elapsed_ms: millis(started.elapsed()) }
                }
            };
            let waited = self.emit(event).await?;
            let until = timeout.deadline() + waited;
            timeout.as_mut().reset(until);
        }
        if text.is_empty() {
            // Clients wait for one token at least.
            self.emit(Event::Token(String::new())).await?;
        }
        Ok((text, usage))
    }

    async fn emit(&self, event: Event) -> Result<Duration> {
        self.outlet.emit(event).await
    }
}

fn too_long(error: TooLong) -> Error {
    Error::new(ErrorCode::BadRequest, error.to_string())
}

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

struct Generated {
    text: String,
    usage: Option<Usage>,
    time_ms: u64,
}

/// A source that denies access ends the request when nothing else succeeded; with `require_all` any
/// source that cannot be used does. Otherwise a failed source is only reported.
fn check_sources(infos: &[SourceInfo], require_all: bool) -> Result<()> {
    let failed = || infos.iter().filter(|info| info.status != Status::Success);
    let denied = || infos.iter().filter(|info| info.status == Status::AccessDenied);
    let none_succeeded = failed().count() == infos.len();
    let reason = |info: &SourceInfo| {
        format!("{} ({})", info.path, info.error_message.as_deref().unwrap_or(info.status.as_str()))
    };
    if denied().next().is_some() && (require_all || none_succeeded) {
        let reasons: Vec<String> = denied().map(reason).collect();
        let text = format!("Access to data sources was denied: {}", reasons.join("; "));
        return Err(Error::new(ErrorCode::SourceAccessDenied, text));
    }
    if require_all && failed().next().is_some() {
        let reasons: Vec<String> = failed().map(reason).collect();
        let text = format!("Data sources that are required could not be used: {}", reasons.join("; "));
        return Err(Error::new(ErrorCode::RetrievalFailed, text));
    }
    Ok(())
}

/// Annotates the answer and shares it among the paths, when its documents have numbers.
fn attribute(answer: &mut Answer, text: String, found: &Found, selection: &Selection) {
    if !selection.is_ranked {
        answer.response = text;
        return;
    }
    let annotated = citations::annotate(&text);
    let numbered: Vec<&str> =
        selection.kept.iter().map(|index| found.sources[*index].path.as_str()).collect();
    answer.profit_share = Some(citations::profit_share(&annotated.markers, &numbered));
    answer.citations = found.citations(selection);
    answer.response = annotated.text;
    answer.is_annotated = true;
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
    Error::new(code, format!("Generation failed: {reason}"))
}

fn log_retrieved(found: &Found, infos: &[SourceInfo], duration_ms: u64) {
    let failed = infos.iter().filter(|info| info.status != Status::Success).count();
    let documents = found.sources.len();
    tracing::info!(target: TARGET, sources = infos.len(), failed, documents, duration_ms, "chat.retrieval.completed");
}

fn log_generated(path: &str, result: Result<(&str, Option<Usage>), &Failure>, started: Instant) {
    let duration_ms = millis(started.elapsed());
    metrics::histogram!("syfthub_model_query_seconds").record(started.elapsed().as_secs_f64());
    match result {
        Ok((text, usage)) => {
            let tokens = usage.map(|usage| usage.total);
            let bytes = text.len();
            tracing::info!(target: "syfthub.aggregator.generate", path, bytes, tokens, duration_ms, "model.query.completed");
            tracing::info!(target: TARGET, duration_ms, "chat.generation.completed");
        }
        Err(failure) => {
            let error = failure.to_string();
            tracing::warn!(target: "syfthub.aggregator.generate", path, error, duration_ms, "model.query.failed");
            tracing::warn!(target: TARGET, error, duration_ms, "chat.generation.failed");
        }
    }
}
