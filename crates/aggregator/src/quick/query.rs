//! `q=<entries>!<question>`: what is asked, and where.

use std::collections::HashMap;

use syfthub_config::Aggregator;
use syfthub_domain::{EndpointPath, Error, ErrorCode, Result};

use crate::chat::request::{MAX_NAME, MAX_TEXT};
use crate::chat::{Ask, EndpointRef, Sampling};

/// Longest address of a page.
const MAX_URL: usize = 2_048;

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// A published data source.
    Source(EndpointPath),
    /// A page in the web, fetched by the data source that the operator named.
    Page(String),
}

/// A question with the places to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) entries: Vec<Entry>,
    pub(super) question: String,
}

impl Query {
    /// Reads a text; `max_sources` are looked at at most.
    pub(super) fn parse(text: &str, max_sources: usize) -> Result<Self> {
        let (entries, question) = text.split_once('!').ok_or_else(|| {
            bad("A query is made of data sources, an exclamation mark and a question: owner/source|owner/other!What is it?")
        })?;
        let question = question.trim();
        if question.is_empty() {
            return Err(bad("The question behind the exclamation mark is missing"));
        }
        if question.chars().count() > MAX_TEXT {
            return Err(bad(&format!("The question has at most {MAX_TEXT} characters")));
        }
        let entries = entries.split('|').map(str::trim).filter(|entry| !entry.is_empty());
        let entries: Vec<Entry> = entries.map(Entry::parse).collect::<Result<_>>()?;
        if entries.len() > max_sources {
            return Err(bad(&format!("At most {max_sources} data sources are asked at once")));
        }
        Ok(Self { entries, question: question.to_owned() })
    }
}

impl Entry {
    fn parse(text: &str) -> Result<Self> {
        let lower = text.to_ascii_lowercase();
        if lower.starts_with("http://") || lower.starts_with("https://") {
            return Self::page(text.to_owned());
        }
        if text.split('/').next().is_some_and(|host| host.contains('.')) {
            return Self::page(format!("https://{text}"));
        }
        let path = EndpointPath::parse(text).filter(|_| text.len() <= MAX_NAME);
        path.map(Self::Source).ok_or_else(|| {
            let shown: String = text.chars().take(100).collect();
            bad(&format!("`{shown}` is neither a path like owner/slug nor a web address"))
        })
    }

    fn page(address: String) -> Result<Self> {
        if address.len() > MAX_URL || url::Url::parse(&address).is_err() {
            return Err(bad("A web address cannot be read, or is too long"));
        }
        Ok(Self::Page(address))
    }
}

/// A question to nobody yet.
pub(super) fn ask(question: String, settings: &Aggregator, retrieval_only: bool) -> Ask {
    Ask {
        prompt: question,
        model: EndpointRef::default(),
        data_sources: Vec::new(),
        endpoint_tokens: HashMap::new(),
        credential: None,
        top_k: usize::try_from(settings.default_top_k).unwrap_or(1),
        max_tokens: 1024,
        temperature: 0.7,
        similarity_threshold: 0.5,
        custom_system_prompt: None,
        messages: Vec::new(),
        retrieval_only,
        require_all_sources: false,
        fallback_models: Vec::new(),
        sampling: Sampling::default(),
        turns: None,
        is_resolved: true,
        conversation_id: None,
    }
}

pub(super) fn bad(text: &str) -> Error {
    Error::new(ErrorCode::BadRequest, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<Entry> {
        Query::parse(text, 3).unwrap().entries
    }

    #[test]
    fn entries_are_paths_or_addresses() {
        let page = |address: &str| Entry::Page(address.to_owned());
        let source = |path: &str| Entry::Source(EndpointPath::parse(path).unwrap());
        assert_eq!(
            entries("ann/docs| example.org/a/b|HTTP://x.org!Why? Really!"),
            [source("ann/docs"), page("https://example.org/a/b"), page("HTTP://x.org")]
        );
        assert_eq!(Query::parse("!Why? Really!", 3).unwrap().question, "Why? Really!");
        assert_eq!(entries("||!q"), []);
        for wrong in ["ann/docs", "ann/docs!", "ann/docs! ", "docs!q", "a/b/c!q", "a/a|b/b|c/c|d/d!q"] {
            assert_eq!(Query::parse(wrong, 3).unwrap_err().code, ErrorCode::BadRequest, "{wrong}");
        }
    }
}
