//! Asks the selected data sources, all at once. What one source does never affects another.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod read;

use std::time::Duration;

use futures::stream::{FuturesUnordered, Stream};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::Instrument;

use crate::chat::{Ask, EndpointRef, Tokens};
use crate::space::{Failure, Held, Others, Space, Target};

/// How a source ended. SDKs refuse any other name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// It answered, perhaps with nothing.
    Success,
    /// It cannot be used.
    Error,
    /// It did not answer in time.
    Timeout,
    /// It wants to be paid, and paying did not work.
    PaymentFailed,
    /// The caller may not use it.
    AccessDenied,
    /// The caller has used it too often.
    RateLimited,
    /// A policy of its owner refuses this request.
    PolicyViolation,
}

impl Status {
    /// The name on the wire.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::PaymentFailed => "payment_failed",
            Self::AccessDenied => "access_denied",
            Self::RateLimited => "rate_limited",
            Self::PolicyViolation => "policy_violation",
        }
    }
}

/// A document as a source returned it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document {
    /// Title from its metadata, or one made from the path; not unique yet.
    pub title: String,
    /// Text, at most [`MAX_CONTENT_CHARS`] code points.
    pub content: String,
    /// The source's own score.
    pub score: f64,
}

/// Most documents that are taken from one source.
pub(crate) const MAX_DOCUMENTS: usize = 100;
/// Longest text of a document, in code points.
pub(crate) const MAX_CONTENT_CHARS: usize = 100_000;

/// Most that is read of a source's answer, in bytes.
const MAX_ANSWER: usize = 2 * 1024 * 1024;

/// How one source ended and what it returned.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Position in the request.
    pub index: usize,
    /// `owner/slug`.
    pub path: String,
    /// How it ended.
    pub status: Status,
    /// Why it failed, for people.
    pub error_message: Option<String>,
    /// Empty unless it succeeded.
    pub documents: Vec<Document>,
    /// What its policies report; not trusted.
    pub policy: Option<Value>,
    /// The memory of the documents.
    pub held: Option<Held>,
}

/// Asks every source of `ask` and yields the outcomes as they complete. `timeout` bounds each source, repetitions included.
pub(crate) fn query_sources<'a>(
    space: &'a Space,
    ask: &'a Ask,
    tokens: &'a Tokens,
    timeout: Duration,
) -> impl Stream<Item = Outcome> + Send + Unpin + 'a {
    let others = Others::new();
    let query = move |(index, source)| {
        let others = others.clone();
        query_source(space, ask, tokens, (index, source), timeout, others)
    };
    ask.data_sources.iter().enumerate().map(query).collect::<FuturesUnordered<_>>()
}

async fn query_source(
    space: &Space,
    ask: &Ask,
    tokens: &Tokens,
    (index, source): (usize, &EndpointRef),
    timeout: Duration,
    others: Others,
) -> Outcome {
    let path = source.path();
    let started = Instant::now();
    let limit = ask.top_k;
    tracing::debug!(target: TARGET, path, limit, "data_source.query.started");
    let body = json!({
        "messages": source.query_override.as_deref().unwrap_or(&ask.prompt),
        "limit": ask.top_k,
        "similarity_threshold": ask.similarity_threshold,
        "include_metadata": true,
    });
    let target = Target::new(source, tokens);
    let span = tracing::debug_span!(target: TARGET, "data_source.query", path);
    let reading = space.read(&target, &body, (read::ANSWER, MAX_ANSWER), timeout, &others).instrument(span);
    let (outcome, error) = match reading.await {
        Ok((json, held)) => (read::outcome(index, path, json, held), None),
        Err(failure) => {
            let told = failure.told(space.quotes());
            (failed(index, path, failure, ask.credential.is_some()), Some(told))
        }
    };
    // Who needs every source waits for every source.
    if !outcome.documents.is_empty() && !ask.require_all_sources {
        others.found();
    }
    log(&outcome, error.as_deref(), started.elapsed());
    outcome
}

const TARGET: &str = "syfthub.aggregator.retrieve";

fn log(outcome: &Outcome, error: Option<&str>, took: Duration) {
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let (path, status) = (&outcome.path, outcome.status.as_str());
    metrics::counter!("syfthub_data_source_queries_total", "status" => status).increment(1);
    metrics::histogram!("syfthub_data_source_query_seconds").record(took.as_secs_f64());
    if outcome.status == Status::Success {
        let documents = outcome.documents.len();
        let bytes: usize = outcome.documents.iter().map(|document| document.content.len()).sum();
        tracing::info!(target: TARGET, path, status, documents, bytes, duration_ms, "data_source.query.completed");
    } else {
        tracing::warn!(target: TARGET, path, status, error, duration_ms, "data_source.query.failed");
    }
}

/// The report of a failed call. `can_pay` says that the caller brought the credential that a payment
/// would be made on; there is no wallet yet, so a demanded payment then fails.
fn failed(index: usize, path: String, failure: Failure, can_pay: bool) -> Outcome {
    let status = match &failure {
        Failure::Timeout | Failure::Overdue { .. } => Status::Timeout,
        Failure::Status { code: 403, outcome, .. } => match outcome.as_deref() {
            Some("rate_limited") => Status::RateLimited,
            Some("policy_violation") => Status::PolicyViolation,
            _ => Status::AccessDenied,
        },
        Failure::Status { code: 402, .. } if can_pay => Status::PaymentFailed,
        _ => Status::Error,
    };
    let error_message = Some(match &failure {
        Failure::Status { code: 403, detail, .. } => format!("Access denied: {detail}"),
        Failure::Status { code: 402, detail, .. } if can_pay => {
            format!("Payment required, and this hub has no wallet to pay from: {detail}")
        }
        other => other.to_string(),
    });
    let policy = failure.into_policy();
    Outcome { index, path, status, error_message, documents: Vec::new(), policy, held: None }
}
