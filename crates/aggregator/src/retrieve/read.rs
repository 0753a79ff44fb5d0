//! What a source's answer contains.

use serde_json::{Value, json};

use super::{Document, MAX_CONTENT_CHARS, MAX_DOCUMENTS, Outcome, Status};

/// Longest title, in code points.
const MAX_TITLE_CHARS: usize = 300;
/// Stands for a summary without text.
const EMPTY_SUMMARY: &str = "The source found nothing for this question.";

/// Reads references and summary of an answer with status 200.
pub(super) fn outcome(index: usize, path: String, json: &Value) -> Outcome {
    let references = json.pointer("/references/documents").and_then(Value::as_array);
    let mut documents: Vec<Document> = references
        .into_iter()
        .flatten()
        .take(MAX_DOCUMENTS)
        .filter_map(|reference| read_reference(&path, reference))
        .collect();
    documents.extend(json.get("summary").and_then(|summary| read_summary(&path, summary)));
    let policy = json.get("policy_metadata").cloned();
    Outcome { index, path, status: Status::Success, error_message: None, documents, policy }
}

fn read_reference(path: &str, reference: &Value) -> Option<Document> {
    let content = clean(reference.get("content")?.as_str()?, MAX_CONTENT_CHARS);
    let score = reference.get("similarity_score").and_then(Value::as_f64).unwrap_or(0.0);
    let metadata = reference.get("metadata").filter(|metadata| metadata.is_object());
    let metadata = metadata.cloned().unwrap_or_else(|| json!({}));
    Some(Document { title: title(path, &metadata), content, score, metadata })
}

/// A source may answer in words of its own; that is one more document.
fn read_summary(path: &str, summary: &Value) -> Option<Document> {
    let summary = summary.as_object()?;
    let message = summary.get("message");
    let text =
        message.and_then(|message| message.get("content").unwrap_or(message).as_str()).unwrap_or_default();
    let (content, kind) = if text.trim().is_empty() {
        (EMPTY_SUMMARY.to_owned(), "generated_empty")
    } else {
        (clean(text, MAX_CONTENT_CHARS), "generated")
    };
    let metadata = json!({"source_type": kind});
    Some(Document { title: title(path, &metadata), content, score: 1.0, metadata })
}

fn title(path: &str, metadata: &Value) -> String {
    ["title", "document_title"]
        .iter()
        .find_map(|key| metadata.get(key).and_then(Value::as_str))
        .map(|title| clean(title.trim(), MAX_TITLE_CHARS))
        .filter(|title| !title.is_empty())
        .unwrap_or_else(|| format!("Document from {path}"))
}

/// Cuts what is too long; U+0000 becomes U+FFFD, because databases of clients refuse it.
fn clean(text: &str, max_chars: usize) -> String {
    text.chars()
        .take(max_chars)
        .map(|character| if character == '\0' { '\u{FFFD}' } else { character })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(json: &Value) -> Vec<Document> {
        outcome(0, "bob/docs".to_owned(), json).documents
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
        assert_eq!(both[0].metadata["page"], 7);
        assert_eq!((both[2].content.as_str(), both[2].score), ("In short", 1.0));
        assert_eq!(both[2].metadata["source_type"], "generated");
        assert_eq!(both[2].title, "Document from bob/docs");
    }

    #[test]
    fn an_empty_summary_leaves_a_placeholder() {
        let documents = documents(&json!({"summary": {"message": {"content": "  "}}}));
        assert_eq!(documents[0].metadata["source_type"], "generated_empty");
        assert_eq!(documents[0].content, EMPTY_SUMMARY);
    }

    #[test]
    fn hostile_answers_are_cut_to_size() {
        let many: Vec<Value> = (0..10_000).map(|_| reference("x\0y")).collect();
        let documents = documents(&json!({"references": {"documents": many}}));
        assert_eq!(documents.len(), MAX_DOCUMENTS);
        assert_eq!(documents[0].content, "x\u{FFFD}y");
        for odd in
            [json!([]), json!({"references": 3}), json!({"references": {"documents": [1, {"content": 2}]}})]
        {
            assert_eq!(outcome(0, String::new(), &odd).documents, []);
        }
    }
}
