//! The events of `/chat/stream`, as far as a terminal needs them.

use serde::Deserialize;
use serde_json::Value;

/// One event of the stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// So many sources are asked.
    RetrievalStart {
        /// How many.
        sources: usize,
    },
    /// One source is through.
    SourceComplete {
        /// `owner/slug`.
        path: String,
        /// `success` or what went wrong.
        status: String,
        /// Documents it returned.
        documents: u64,
    },
    /// All sources are through and the documents are ranked.
    RetrievalComplete {
        /// Documents that the model will see.
        total_documents: u64,
        /// Milliseconds that retrieval took.
        time_ms: u64,
    },
    /// The model is still thinking.
    Heartbeat {
        /// Milliseconds since it was asked.
        elapsed_ms: u64,
    },
    /// A piece of the answer.
    Token(String),
    /// The answer is complete.
    Done(Box<Done>),
    /// There will be no answer.
    Failed(String),
    /// An event that a terminal does not show.
    Other,
}

/// What `done` carries, in part; `raw` is all of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Done {
    /// Numbered documents that the answer may cite.
    pub(crate) citations: Vec<Citation>,
    /// Outcome of each source.
    pub(crate) retrieval: Vec<SourceOutcome>,
    /// Milliseconds in all.
    pub(crate) total_ms: u64,
    /// The whole object.
    pub(crate) raw: Value,
}

/// One numbered document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Citation {
    /// The number in `[n]`.
    pub(crate) number: u64,
    /// Title of the document.
    pub(crate) title: String,
    /// `owner/slug` of its source.
    pub(crate) path: String,
}

/// Outcome of one source.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct SourceOutcome {
    /// `owner/slug`.
    pub(crate) path: String,
    /// `success` or what went wrong.
    pub(crate) status: String,
    /// In words, when something did.
    #[serde(default)]
    pub(crate) error_message: Option<String>,
}

impl Event {
    /// Reads one server-sent event; `None` when its data is not what the contract says.
    pub(crate) fn parse(name: &str, data: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(data).ok()?;
        let number = |key: &str| value.get(key).and_then(Value::as_u64).unwrap_or(0);
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(match name {
            "retrieval_start" => Self::RetrievalStart { sources: usize::try_from(number("sources")).ok()? },
            "source_complete" => Self::SourceComplete {
                path: text("path"),
                status: text("status"),
                documents: number("documents"),
            },
            "retrieval_complete" => Self::RetrievalComplete {
                total_documents: number("total_documents"),
                time_ms: number("time_ms"),
            },
            "generation_heartbeat" => Self::Heartbeat { elapsed_ms: number("elapsed_ms") },
            "token" => Self::Token(text("content")),
            "done" => Self::Done(Box::new(Done::from_value(value))),
            "error" => Self::Failed(text("message")),
            _ => Self::Other,
        })
    }
}

impl Done {
    fn from_value(raw: Value) -> Self {
        let mut citations: Vec<Citation> = raw
            .get("citations")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(number, entry)| {
                let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
                Some(Citation { number: number.parse().ok()?, title: text("title"), path: text("slug") })
            })
            .collect();
        citations.sort_by_key(|citation| citation.number);
        let retrieval = raw
            .get("retrieval_info")
            .and_then(|list| serde_json::from_value(list.clone()).ok())
            .unwrap_or_default();
        let total_ms = raw.pointer("/metadata/total_time_ms").and_then(Value::as_u64).unwrap_or(0);
        Self { citations, retrieval, total_ms, raw }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn done_lists_its_citations_in_order() {
        let data = r#"{"citations":{"10":{"slug":"a/b","title":"Ten"},"2":{"slug":"a/b","title":"Two"}},
            "retrieval_info":[{"path":"a/b","documents_retrieved":2,"status":"success"}],
            "metadata":{"total_time_ms":7}}"#;
        let Some(Event::Done(done)) = Event::parse("done", data) else { panic!("not done") };
        assert_eq!(done.citations.iter().map(|c| c.number).collect::<Vec<_>>(), [2, 10]);
        assert_eq!((done.total_ms, done.retrieval.len()), (7, 1));
    }

    #[test]
    fn broken_data_is_no_event_and_an_unknown_name_is_ignored() {
        assert_eq!(Event::parse("token", "{"), None);
        assert_eq!(Event::parse("novelty", "{}"), Some(Event::Other));
    }
}
