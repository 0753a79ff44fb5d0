//! The steps of one question: retrieve, rank, prompt, generate, attribute.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};
use syfthub_domain::{Error, ErrorCode, Result};
use tokio::time::Instant;

use super::event::{Answer, Event, SourceInfo};
use super::found::{self, Found, Selection};
use super::outlet::Outlet;
use super::stage::Stage;
use super::watch::Watch;
use super::{Ask, Chat, Delivery, TARGET, Tokens, Turns, millis};
use crate::billing::Billing;
use crate::prompt::{self, Budget, Fence, Material, Message, TooLong};
use crate::retrieve::{Outcome, Status, query_sources};

/// One question under way.
pub(super) struct Run<'a> {
    pub(super) chat: &'a Chat,
    pub(super) ask: &'a Ask,
    pub(super) delivery: Delivery,
    outlet: &'a Outlet,
    pub(super) watch: &'a Watch,
    pub(super) started: Instant,
    pub(super) billing: Billing,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        chat: &'a Chat,
        ask: &'a Ask,
        delivery: Delivery,
        outlet: &'a Outlet,
        watch: &'a Watch,
    ) -> Self {
        Self { chat, ask, delivery, outlet, watch, started: Instant::now(), billing: Billing::default() }
    }

    /// What was charged until now, for the report of a failure.
    pub(super) fn take_billing(&mut self) -> Billing {
        std::mem::take(&mut self.billing)
    }

    /// Takes all steps and emits every event but the last.
    pub(super) async fn execute(&mut self) -> Result<Answer> {
        self.emit(Event::RetrievalStart { sources: self.ask.data_sources.len() }).await?;
        self.check_length()?;
        self.chat.standings.prepare(self.ask);
        let watch = self.watch;
        let tokens = watch.enter(Stage::Tokens).over(self.chat.tokens.for_request(self.ask)).await;
        let outcomes = self.retrieve(&tokens).await?;
        let retrieval_time_ms = millis(self.started.elapsed());
        for outcome in &outcomes {
            self.billing.add(&outcome.path, outcome.policy.as_ref());
        }
        let outcomes = self.masked(outcomes).await;
        let (found, retrieval_info) = Found::collect(outcomes);
        let checked = check_sources(&retrieval_info, self.ask.require_all_sources);
        log_retrieved(&found, &retrieval_info, retrieval_time_ms, checked.is_ok());
        checked?;
        let held = Arc::clone(&found.held);
        let mut answer = Answer { retrieval_info, retrieval_time_ms, held, ..Answer::default() };
        if self.ask.retrieval_only {
            let total_documents = found.sources.len();
            self.emit(Event::RetrievalComplete { total_documents, time_ms: retrieval_time_ms }).await?;
            answer.sources = found.sources;
            return Ok(self.finish(answer));
        }
        let (found, mut selection) = self.rank(found).await?;
        let messages = self.prompt(&found, &mut selection)?;
        let total_documents = selection.kept.len();
        self.emit(Event::RetrievalComplete { total_documents, time_ms: retrieval_time_ms }).await?;
        let generated = self.answer(&tokens, &messages, selection.numbers()).await?;
        let stage = watch.enter(Stage::Attribute);
        stage.within(|| generated.report(&mut answer, &found, &selection));
        stage.size("citations", answer.citations.len());
        stage.size("removed", answer.citations_removed);
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
        if self.ask.data_sources.is_empty() {
            return Ok(Vec::new());
        }
        let stage = self.watch.enter(Stage::Retrieve);
        tracing::debug!(target: TARGET, sources = self.ask.data_sources.len(), "chat.retrieval.started");
        let outcomes = stage.over(self.ask_sources(tokens)).await?;
        let documents = || outcomes.iter().flat_map(|outcome| &outcome.documents);
        stage.size("sources", outcomes.len());
        stage.size("documents", documents().count());
        stage.size("bytes", documents().map(|document| document.content.len()).sum());
        Ok(outcomes)
    }

    async fn ask_sources(&self, tokens: &Tokens) -> Result<Vec<Outcome>> {
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

    /// The same without secrets, if the operator wants it so.
    async fn masked(&self, outcomes: Vec<Outcome>) -> Vec<Outcome> {
        if outcomes.is_empty() || !self.chat.settings.rules.mask_secrets {
            return outcomes;
        }
        // A chat that ends for its sources ends where they were asked, so it is not told to be here.
        let stage = Stage::Mask.begin();
        stage.size("documents", outcomes.iter().map(|outcome| outcome.documents.len()).sum());
        stage.over(found::masked(outcomes)).await
    }

    async fn rank(&self, mut found: Found) -> Result<(Found, Selection)> {
        if found.sources.is_empty() {
            return Ok((found, Selection::default()));
        }
        found.standings = self.chat.standings.of_sources(self.ask);
        self.emit(Event::RerankingStart { documents: found.sources.len() }).await?;
        let started = Instant::now();
        let (found, selection) =
            found.select(&self.ask.prompt, self.ask.top_k, self.chat.reranker.as_ref(), self.watch).await;
        let time_ms = millis(started.elapsed());
        // After a failed ranking the count is what came back, as clients know it.
        let documents = if selection.is_ranked { selection.kept.len() } else { found.sources.len() };
        self.emit(Event::RerankingComplete { documents, time_ms }).await?;
        Ok((found, selection))
    }

    fn prompt(&self, found: &Found, selection: &mut Selection) -> Result<Vec<Value>> {
        let stage = self.watch.enter(Stage::Prompt);
        let messages = stage.within(|| self.conversation(found, selection))?;
        stage.size("documents", selection.kept.len());
        stage.size("messages", messages.len());
        stage.size("bytes", messages.iter().filter_map(|turn| turn["content"].as_str()).map(str::len).sum());
        Ok(messages)
    }

    /// What the model is told, as it is sent. A conversation without sources, or with calls of functions in it, is
    /// passed on as it came.
    fn conversation(&self, found: &Found, selection: &mut Selection) -> Result<Vec<Value>> {
        let Some(turns) = &self.ask.turns else { return Ok(to_json(self.messages(found, selection)?)) };
        if self.ask.data_sources.is_empty() {
            return self.as_it_came(turns);
        }
        let mut told = to_json(self.messages(found, selection)?);
        let (before, rest) = turns.all.split_at(turns.question.min(turns.all.len()));
        if turns.has_tools {
            let question = told.pop();
            told.extend(before.iter().filter(|turn| turn["role"] != "system").cloned());
            told.extend(question);
        }
        told.extend(rest.iter().skip(1).cloned());
        Ok(told)
    }

    /// The turns that fit; all of them, where calls of functions hold them together.
    fn as_it_came(&self, turns: &Turns) -> Result<Vec<Value>> {
        if turns.has_tools {
            return Ok(turns.all.clone());
        }
        let is_fixed = |(place, turn): (usize, &Value)| place >= turns.question || turn["role"] == "system";
        let texts = turns.all.iter().map(|turn| turn["content"].as_str().unwrap_or_default());
        let texts = texts.zip(turns.all.iter().enumerate().map(is_fixed));
        let kept = prompt::latest_of(&texts.collect::<Vec<_>>(), self.budget()).map_err(too_long)?;
        let dropped = kept.iter().filter(|is_kept| !**is_kept).count();
        if dropped > 0 {
            tracing::info!(target: TARGET, documents = 0, turns = dropped, "chat.prompt.cut");
        }
        let turns = turns.all.iter().zip(&kept).filter(|(_, is_kept)| **is_kept);
        Ok(turns.map(|(turn, _)| turn.clone()).collect())
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

    pub(super) async fn emit(&self, event: Event) -> Result<Duration> {
        self.outlet.emit(event).await
    }
}

fn too_long(error: TooLong) -> Error {
    Error::new(ErrorCode::BadRequest, error.to_string())
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

fn to_json(messages: Vec<Message>) -> Vec<Value> {
    messages.into_iter().map(|message| json!(message)).collect()
}

fn log_retrieved(found: &Found, infos: &[SourceInfo], duration_ms: u64, is_enough: bool) {
    if infos.is_empty() {
        return;
    }
    let failed = infos.iter().filter(|info| info.status != Status::Success).count();
    let (sources, documents, bytes) = (infos.len(), found.sources.len(), found.bytes());
    if is_enough {
        tracing::info!(target: TARGET, sources, failed, documents, bytes, duration_ms, "chat.retrieval.completed");
    } else {
        tracing::warn!(target: TARGET, sources, failed, documents, bytes, duration_ms, "chat.retrieval.failed");
    }
}
