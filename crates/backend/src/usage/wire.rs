//! The JSON of figures.

use serde::Serialize;
use syfthub_domain::Timestamp;
use syfthub_store::usage::UsageLine;
use utoipa::ToSchema;

/// Figures of a span of time.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct UsageReport {
    /// `caller` or `owner`.
    #[schema(example = "caller")]
    pub view: &'static str,
    /// `total`, `endpoint` or `day`.
    #[schema(example = "endpoint")]
    pub group_by: &'static str,
    /// From this moment on, the beginning of an hour.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Before this moment.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Everything together.
    pub total: UsageFigures,
    /// A page of the groups; empty when everything is one group.
    pub items: Vec<UsageGroup>,
    /// Number of the page, from 1.
    pub page: i64,
    /// Groups that a full page has.
    pub page_size: i64,
    /// Whether there is a further page.
    pub has_more: bool,
}

/// The figures of one endpoint or of one day.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct UsageGroup {
    /// `owner/slug`, when endpoints are told apart.
    #[schema(example = "ada/my-notes")]
    pub path: Option<String>,
    /// What it was used for, `model` or `source`, when endpoints are told apart.
    #[schema(example = "source")]
    pub part: Option<String>,
    /// The day in UTC, when days are told apart.
    #[schema(example = "2026-01-31")]
    pub day: Option<String>,
    #[serde(flatten)]
    pub figures: UsageFigures,
}

/// How much it was.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct UsageFigures {
    /// Calls.
    pub requests: i64,
    /// Calls that did not succeed.
    pub failed_requests: i64,
    /// Tokens that models read, as far as they say.
    pub prompt_tokens: i64,
    /// Tokens that models wrote, as far as they say.
    pub completion_tokens: i64,
    /// Both together.
    pub total_tokens: i64,
    /// Documents that came back.
    pub documents: i64,
    /// Mean time of a call in milliseconds; null without calls.
    pub average_latency_ms: Option<i64>,
    /// Time of the longest call in milliseconds.
    pub longest_latency_ms: i64,
    /// Different accounts that called; for owners only, and nobody is told which.
    pub callers: Option<i64>,
    /// Calls of people without an account; for owners only.
    pub guest_requests: Option<i64>,
}

impl UsageFigures {
    /// The figures of a line; `is_owner` says that callers are counted too.
    pub(crate) fn of(line: &UsageLine, is_owner: bool) -> Self {
        Self {
            requests: line.requests,
            failed_requests: line.failed,
            prompt_tokens: line.prompt_tokens,
            completion_tokens: line.completion_tokens,
            total_tokens: line.prompt_tokens.saturating_add(line.completion_tokens),
            documents: line.documents,
            average_latency_ms: line.latency_ms.checked_div(line.requests),
            longest_latency_ms: line.longest_ms,
            callers: is_owner.then_some(line.callers),
            guest_requests: is_owner.then_some(line.guest_requests),
        }
    }
}

impl UsageGroup {
    pub(crate) fn of(line: UsageLine, is_owner: bool) -> Self {
        let figures = UsageFigures::of(&line, is_owner);
        Self { path: line.path, part: line.part, day: line.day, figures }
    }
}
