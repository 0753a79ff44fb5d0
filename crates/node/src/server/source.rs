//! Answers questions to the data source.

use serde_json::{Map, Value};
use syfthub_domain::{Error, ErrorCode, Result};

use super::wire::{Envelope, Reference, References, SourceQuestion};
use crate::index::{Found, Index, SearchLimits};

/// More passages than this are never returned.
const MAX_LIMIT: u32 = 50;

pub(super) async fn answer(index: &Index, question: SourceQuestion) -> Result<Envelope> {
    let threshold = question.similarity_threshold;
    if !(0.0..=1.0).contains(&threshold) {
        return Err(Error::new(ErrorCode::ValidationError, "similarity_threshold must be between 0 and 1"));
    }
    if question.limit == 0 {
        return Err(Error::new(ErrorCode::ValidationError, "limit must be at least 1"));
    }
    let limits = SearchLimits { limit: question.limit.min(MAX_LIMIT) as usize, threshold };
    let found = index.search(question.messages.last_of_user(), limits).await.map_err(|error| {
        Error::new(ErrorCode::Unavailable, "The search index cannot be read right now").with_source(error)
    })?;
    let documents = found.into_iter().map(|found| reference(found, question.include_metadata)).collect();
    Ok(Envelope::new(None, Some(References { documents })))
}

/// The title of the document and the heading of the passage, so that two passages of a document can be told
/// apart where they are cited.
fn full_title(found: &Found) -> String {
    if found.heading.is_empty() || found.heading == found.title {
        return found.title.clone();
    }
    format!("{}: {}", found.title, found.heading)
}

fn reference(found: Found, with_metadata: bool) -> Reference {
    let document_id = format!("{}#L{}-L{}", found.path, found.line_start, found.line_end);
    let mut metadata = Map::new();
    if with_metadata {
        metadata.insert("title".to_owned(), Value::String(full_title(&found)));
        metadata.insert("path".to_owned(), Value::String(found.path));
        if !found.heading.is_empty() {
            metadata.insert("heading".to_owned(), Value::String(found.heading));
        }
        metadata.insert("line_start".to_owned(), found.line_start.into());
        metadata.insert("line_end".to_owned(), found.line_end.into());
    }
    // Three digits: more would pretend a precision that is not there.
    let similarity_score = (found.score * 1000.0).round() / 1000.0;
    Reference { document_id, content: found.content, metadata, similarity_score }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passages_of_a_document_can_be_told_apart_by_their_titles() {
        let found = |heading: &str| Found {
            path: "runbook.md".to_owned(),
            title: "Runbook".to_owned(),
            heading: heading.to_owned(),
            line_start: 1,
            line_end: 2,
            content: String::new(),
            score: 1.0,
        };
        assert_eq!(full_title(&found("")), "Runbook");
        assert_eq!(full_title(&found("Runbook")), "Runbook");
        assert_eq!(full_title(&found("Restoring a backup")), "Runbook: Restoring a backup");
    }
}
