//! What happens while a question is worked on, in the words of the product. `chat.v1` and the
//! event stream of HTTP are two spellings of exactly these events.

use std::sync::Arc;

use serde_json::Value;
use syfthub_domain::Error;

use crate::billing::Billing;
use crate::citations::Passage;
use crate::generate::Usage;
use crate::retrieve::Status;
use crate::space::Held;

/// One step. The last event of a request is [`Event::Done`] or [`Event::Failed`], and it comes once.
#[derive(Debug)]
pub(crate) enum Event {
    /// Always first.
    RetrievalStart {
        /// Selected sources, 0 when none.
        sources: usize,
    },
    /// Once per source, as they complete.
    SourceComplete {
        /// `owner/slug`.
        path: String,
        /// How it ended.
        status: Status,
        /// Documents that it returned.
        documents: usize,
    },
    /// Only when there is something to rank.
    RerankingStart {
        /// Documents of all sources.
        documents: usize,
    },
    /// Follows every start, also when ranking was not possible.
    RerankingComplete {
        /// Documents kept.
        documents: usize,
        /// Time of the ranking.
        time_ms: u64,
    },
    /// After ranking.
    RetrievalComplete {
        /// Documents kept.
        total_documents: usize,
        /// Time of the retrieval alone.
        time_ms: u64,
    },
    /// The model is asked.
    GenerationStart,
    /// The model has not said anything yet.
    GenerationHeartbeat {
        /// Time since the start of the generation.
        elapsed_ms: u64,
    },
    /// More of the answer; at least one per answer.
    Token(String),
    /// Parts of calls of the functions that the caller offered, as the model makes them.
    ToolCalls(Vec<Value>),
    /// The answer.
    Done(Box<Answer>),
    /// There is no answer.
    Failed(Box<Failed>),
}

/// The result of a question.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The whole text; with annotated markers when `is_annotated`. Empty when only documents were asked for.
    pub response: String,
    /// The text without offsets in its markers, and without markers that name no document.
    pub plain: String,
    /// Whether documents were numbered, so that markers mean something.
    pub is_annotated: bool,
    /// Every document, in the order of the request's sources; titles are unique.
    pub sources: Vec<Source>,
    /// How each source ended, in the order of the request.
    pub retrieval_info: Vec<SourceInfo>,
    /// Time of the retrieval.
    pub retrieval_time_ms: u64,
    /// Time of the generation.
    pub generation_time_ms: u64,
    /// Time of everything.
    pub total_time_ms: u64,
    /// Token counts, when the model reports them.
    pub usage: Option<Usage>,
    /// Shares by path; `None` when documents were not numbered.
    pub profit_share: Option<Vec<(String, f64)>>,
    /// What the numbers in the answer stand for.
    pub citations: Vec<Citation>,
    /// Markers that named no document.
    pub citations_removed: usize,
    /// Why the model stopped, when it says so.
    pub finish_reason: Option<String>,
    /// Every model that was asked; empty when no fallback was named.
    pub attempts: Vec<Attempt>,
    /// What was charged.
    pub billing: Billing,
    /// Whether the conversation has it; `None` when it belongs to none.
    pub conversation_saved: Option<bool>,
    /// The memory of the sources, until the answer has been passed on.
    #[expect(dead_code, reason = "it is given back when the answer is dropped")]
    pub held: Arc<Vec<Held>>,
}

/// One document that came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// Unique within an answer.
    pub title: String,
    /// `owner/slug`.
    pub path: String,
    /// Its text.
    pub content: String,
}

/// How a source ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceInfo {
    /// `owner/slug`.
    pub path: String,
    /// Documents that it returned.
    pub documents_retrieved: usize,
    /// How it ended.
    pub status: Status,
    /// Why it failed.
    pub error_message: Option<String>,
}

/// A number that the model may cite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Citation {
    /// From 1.
    pub number: usize,
    /// `owner/slug`.
    pub path: String,
    /// Key of the document in `sources`.
    pub title: String,
    /// The part of the document that supports what cites it.
    pub passage: Option<Passage>,
}

/// One model that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// `owner/slug`.
    pub path: String,
    /// How it ended.
    pub outcome: Status,
    /// Time until then.
    pub time_ms: u64,
}

/// Why there is no answer, and what it cost nevertheless.
#[derive(Debug)]
pub(crate) struct Failed {
    /// For the client; its cause for the log.
    pub error: Error,
    /// What was charged before the failure.
    pub billing: Billing,
}
