//! What holds for every answer of a data source, whatever its bytes.

use super::read::{ANSWER, MAX_TITLE_CHARS, outcome};
use super::{MAX_CONTENT_CHARS, MAX_DOCUMENTS, Status};
use crate::generate::fuzz::assert_billing;
use crate::mask::mask;
use crate::rerank::{Candidate, rank};
use crate::shape;
use crate::space::{Failure, Held};

/// Longest reason of a refusal with the words around it, in code points.
const MAX_REFUSAL: usize = 300;

/// The answer of a data source, to the point where its documents have an order.
pub fn source_answer(body: &[u8]) {
    let Ok(json) = shape::read(body, ANSWER) else { return };
    let outcome = outcome(0, "bob/docs".to_owned(), json, Held::nothing());
    assert_eq!((outcome.status, outcome.error_message), (Status::Success, None));
    // One more is the source's own summary.
    assert!(outcome.documents.len() <= MAX_DOCUMENTS + 1);
    for document in &outcome.documents {
        assert!((1..=MAX_TITLE_CHARS).contains(&document.title.chars().count()), "{:?}", document.title);
        assert!(document.content.chars().count() <= MAX_CONTENT_CHARS);
        assert!(!document.title.contains('\0') && !document.content.contains('\0'));
        assert!(document.score.is_finite(), "{}", document.score);
        let masked = mask(&document.content);
        assert_eq!(masked.found.is_empty(), masked.text == document.content);
    }
    if let Some(policy) = &outcome.policy {
        assert_billing(policy);
    }
    let candidates: Vec<Candidate<'_>> = outcome
        .documents
        .iter()
        .map(|document| Candidate {
            source: 0,
            title: &document.title,
            content: &document.content,
            score: document.score,
            standing: 0.0,
        })
        .collect();
    if let Ok(ranked) = rank("How do I restore it?", &candidates, candidates.len()) {
        let mut places: Vec<usize> = ranked.iter().map(|ranked| ranked.index).collect();
        places.sort_unstable();
        assert!(places.iter().copied().eq(0..candidates.len()), "each document has one place");
    }
}

/// An answer with another status than 200. The first byte chooses it.
pub fn refusal(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let code = [402, 403, 404, 418, 429, 500, 503][usize::from(*first) % 7];
    let failure = Failure::from_answer(code, (first & 64 != 0).then_some(7), body);
    let text = failure.to_string();
    assert!(!text.is_empty() && text.chars().count() <= MAX_REFUSAL, "{text}");
    if let Some(policy) = failure.into_policy() {
        assert_billing(&policy);
    }
}
