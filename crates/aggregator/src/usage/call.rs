//! One call of an endpoint, as it is reported.

use std::time::Duration;

use syfthub_config::Secret;
use syfthub_domain::Timestamp;
use syfthub_proto::usage::{Outcome, Part};
use tokio::time::Instant;

use super::Recorder;
use crate::chat::{Ask, EndpointRef};
use crate::generate::Usage;
use crate::retrieve::{self, Status};
use crate::space::Failure;

/// One call, ended.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// When it ended.
    pub at: Timestamp,
    /// `owner/slug`.
    pub path: String,
    /// The address that was called.
    pub url: String,
    /// What the endpoint was used for.
    pub part: Part,
    /// How it ended.
    pub outcome: Outcome,
    /// What the caller showed; it goes to the hub and nowhere else.
    pub credential: Option<Secret>,
    /// Tokens that a model read.
    pub prompt_tokens: u64,
    /// Tokens that a model wrote.
    pub completion_tokens: u64,
    /// Documents that a source returned.
    pub documents: u64,
    /// How long it took.
    pub latency: Duration,
}

impl Recorder {
    /// Notes the call of a data source. Nothing is noted of an endpoint without an owner, because nobody could be
    /// told.
    pub(crate) fn source(&self, ask: &Ask, outcome: &retrieve::Outcome, latency: Duration) {
        let Some(source) = ask.data_sources.get(outcome.index) else { return };
        if let Some(mut call) = self.call(ask, source, Part::Source, of_status(outcome.status), latency) {
            call.documents = outcome.documents.len() as u64;
            self.note(call);
        }
    }

    /// Begins the call of a model. When it is dropped before its end, the caller went away.
    pub(crate) fn model<'a>(&'a self, ask: &'a Ask, model: &'a EndpointRef) -> ModelCall<'a> {
        ModelCall { recorder: self, ask, model, started: Instant::now(), ended: false }
    }

    fn call(
        &self,
        ask: &Ask,
        endpoint: &EndpointRef,
        part: Part,
        outcome: Outcome,
        latency: Duration,
    ) -> Option<Call> {
        endpoint.owner_username.as_ref()?;
        Some(Call {
            at: self.now(),
            path: endpoint.path(),
            url: endpoint.url.clone(),
            part,
            outcome,
            credential: ask.credential.clone(),
            prompt_tokens: 0,
            completion_tokens: 0,
            documents: 0,
            latency,
        })
    }
}

/// A model that is being asked.
#[derive(Debug)]
#[must_use = "a call that is dropped is one that its caller left"]
pub(crate) struct ModelCall<'a> {
    recorder: &'a Recorder,
    ask: &'a Ask,
    model: &'a EndpointRef,
    started: Instant,
    ended: bool,
}

impl ModelCall<'_> {
    /// It answered.
    pub(crate) fn answered(mut self, usage: Option<Usage>) {
        self.end(Outcome::Success, usage);
    }

    /// It did not.
    pub(crate) fn failed(mut self, failure: &Failure) {
        self.end(of_failure(failure), None);
    }

    fn end(&mut self, outcome: Outcome, usage: Option<Usage>) {
        self.ended = true;
        let took = self.started.elapsed();
        if let Some(mut call) = self.recorder.call(self.ask, self.model, Part::Model, outcome, took) {
            call.prompt_tokens = usage.map_or(0, |usage| usage.prompt);
            call.completion_tokens = usage.map_or(0, |usage| usage.completion);
            self.recorder.note(call);
        }
    }
}

impl Drop for ModelCall<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Outcome::Cancelled, None);
        }
    }
}

fn of_status(status: Status) -> Outcome {
    match status {
        Status::Success => Outcome::Success,
        Status::Error => Outcome::Error,
        Status::Timeout => Outcome::Timeout,
        Status::PaymentFailed => Outcome::PaymentFailed,
        Status::AccessDenied => Outcome::AccessDenied,
        Status::RateLimited => Outcome::RateLimited,
        Status::PolicyViolation => Outcome::PolicyViolation,
    }
}

fn of_failure(failure: &Failure) -> Outcome {
    match failure {
        Failure::Timeout => Outcome::Timeout,
        Failure::Status { code: 402, .. } => Outcome::PaymentFailed,
        Failure::Status { code: 429, .. } => Outcome::RateLimited,
        Failure::Status { code: 403, outcome, .. } => match outcome.as_deref() {
            Some("rate_limited") => Outcome::RateLimited,
            Some("policy_violation") => Outcome::PolicyViolation,
            _ => Outcome::AccessDenied,
        },
        _ => Outcome::Error,
    }
}
