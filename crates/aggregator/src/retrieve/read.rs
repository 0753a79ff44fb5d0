//! What a source's answer contains.

use serde_json::Value;

use super::{Document, MAX_CONTENT_CHARS, MAX_DOCUMENTS, Outcome, Status};
use crate::shape::{self, Shape};
use crate::space::Held;

/// Longest title, in code points.
pub(super) const MAX_TITLE_CHARS: usize = 300;
/// Stands for a summary without text.
const EMPTY_SUMMARY: &str = "The source found nothing for this question.";

/// What is kept of an answer.
pub(super) const ANSWER: Shape = Shape::Keys(&[
    ("references", Shape::Keys(&[("documents", Shape::List(MAX_DOCUMENTS, &REFERENCE))])),
    ("summary", Shape::Keys(&[("message", Shape::Keys(&[("content", Shape::Leaf)]))])),
    ("policy_metadata", shape::POLICY),
]);
const REFERENCE: Shape = Shape::Keys(&[
    ("content", Shape::Leaf),
    ("similarity_score", Shape::Leaf),
    ("metadata", Shape::Keys(&[("title", Shape::Leaf), ("document_title", Shape::Leaf)])),
]);

/// Reads references and summary of an answer with status 200, which takes the place of `held`.
pub(super) fn outcome(index: usize, path: String, mut json: Value, mut held: Held) -> Outcome {
    let references = json.pointer_mut("/references/documents").and_then(Value::as_array_mut);
    let mut documents: Vec<Document> = references
        .into_iter()
        .flatten()
        .take(MAX_DOCUMENTS)
        .filter_map(|reference| read_reference(&path, reference))
        .collect();
    documents.extend(json.get_mut("summary").and_then(|summary| read_summary(&path, summary)));
    let policy = json.get_mut("policy_metadata").map(Value::take);
    held.shrink_to(documents.iter().map(|document| document.title.len() + document.content.len()).sum());
    Outcome { index, path, status: Status::Success, error_message: None, documents, policy, held: Some(held) }
}

fn read_reference(path: &str, reference: &mut Value) -> Option<Document> {
    let score = reference.get("similarity_score").and_then(Value::as_f64).unwrap_or(0.0);
    let title = reference.get("metadata").and_then(title).unwrap_or_else(|| untitled(path));
    let Value::String(content) = reference.get_mut("content")?.take() else { return None };
    Some(Document { title, content: clean(content, MAX_CONTENT_CHARS), score })
}

/// A source may answer in words of its own; that is one more document.
fn read_summary(path: &str, summary: &mut Value) -> Option<Document> {
    let message = summary.as_object_mut()?.get_mut("message").map(Value::take).unwrap_or_default();
    let text = match message {
        Value::Object(mut message) => message.get_mut("content").map(Value::take).unwrap_or_default(),
        text => text,
    };
    let content = match text {
        Value::String(text) if !text.trim().is_empty() => clean(text, MAX_CONTENT_CHARS),
        _ => EMPTY_SUMMARY.to_owned(),
    };
    Some(Document { title: untitled(path), content, score: 1.0 })
}

fn title(metadata: &Value) -> Option<String> {
    ["title", "document_title"]
        .iter()
        .find_map(|key| metadata.get(key).and_then(Value::as_str))
        .map(|title| clean(title.trim().to_owned(), MAX_TITLE_CHARS))
        .filter(|title| !title.is_empty())
}

fn untitled(path: &str) -> String {
    format!("Document from {path}")
}

/// Cuts what is too long; U+0000 becomes U+FFFD, because databases of clients refuse it.
fn clean(text: String, max_chars: usize) -> String {
    let is_clean = !text.contains('\0') && (text.len() <= max_chars || text.chars().count() <= max_chars);
    if is_clean {
        return text;
    }
    text.chars()
        .take(max_chars)
        .map(|character| if character == '\0' { '\u{FFFD}' } else { character })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn documents(json: &Value) -> Vec<Document> {
        let json = shape::read(json.to_string().as_bytes(), ANSWER).unwrap();
        outcome(0, "bob/docs".to_owned(), json, Held::nothing()).documents
    }

    fn reference(content: &str) -> Value {
        json!({"document_id": "1", "content": content, "metadata": {"title": " Q3 ", "page": 7}, "similarity_score": 0.4})
    }

    #[test]
    fn references_and_summary_are_documents() {
        let references = json!({"documents": [reference("a"), reference("b")]});
        let summary = json!({"message": {"content": "In short"}});
        assert_eq!(documents(&json!({"references": references, "summary": null})).len(), 2);
        assert_eq!(documents(&json!({"references": null, "summary": summary})).len(), 1);
        assert_eq!(documents(&json!({"references": null, "summary": null})), []);
        let both = documents(&json!({"references": references, "summary": summary}));
        assert_eq!((both[0].title.as_str(), both[0].score), ("Q3", 0.4));
        assert_eq!((both[2].content.as_str(), both[2].score), ("In short", 1.0));
        assert_eq!(both[2].title, "Document from bob/docs");
        assert_eq!(documents(&json!({"summary": {"message": "Short"}}))[0].content, "Short");
    }

    #[test]
    fn a_title_may_have_another_name() {
        let mut named = reference("a");
        named["metadata"] = json!({"document_title": "Q4"});
        let untitled = json!({"content": "a", "metadata": {"title": " "}});
        let documents = documents(&json!({"references": {"documents": [named, untitled]}}));
        assert_eq!((&*documents[0].title, &*documents[1].title), ("Q4", "Document from bob/docs"));
    }

    #[test]
    fn an_empty_summary_leaves_a_placeholder() {
        for summary in [json!({"message": {"content": "  "}}), json!({"message": {}}), json!({})] {
            assert_eq!(documents(&json!({"summary": summary}))[0].content, EMPTY_SUMMARY);
        }
    }

    #[test]
    fn hostile_answers_are_cut_to_size() {
        let many: Vec<Value> = (0..10_000).map(|_| reference("x\0y")).collect();
        let kept = documents(&json!({"references": {"documents": many}}));
        assert_eq!(kept.len(), MAX_DOCUMENTS);
        assert_eq!(kept[0].content, "x\u{FFFD}y");
        let long = "ä".repeat(MAX_CONTENT_CHARS + 1);
        let kept = documents(&json!({"references": {"documents": [reference(&long)]}}));
        assert_eq!(kept[0].content.chars().count(), MAX_CONTENT_CHARS);
        for odd in
            [json!([]), json!({"references": 3}), json!({"references": {"documents": [1, {"content": 2}]}})]
        {
            assert_eq!(documents(&odd), []);
        }
    }
}
