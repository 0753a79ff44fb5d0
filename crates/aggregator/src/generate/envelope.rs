//! The whole answer of a model that does not stream.

use serde::Serialize;
use serde_json::Value;

use crate::shape::{self, Shape};

/// Token counts as the model reports them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Usage {
    /// Tokens of the conversation.
    #[serde(rename = "prompt_tokens")]
    pub prompt: u64,
    /// Tokens of the answer.
    #[serde(rename = "completion_tokens")]
    pub completion: u64,
    /// Both.
    #[serde(rename = "total_tokens")]
    pub total: u64,
}

impl Usage {
    /// Reads `{prompt_tokens, completion_tokens, total_tokens}`; a missing total is the sum.
    pub(super) fn read(json: &Value) -> Option<Self> {
        let count = |key| json.get(key).and_then(Value::as_u64);
        let (prompt, completion) = (count("prompt_tokens"), count("completion_tokens"));
        if prompt.is_none() && completion.is_none() && count("total_tokens").is_none() {
            return None;
        }
        let (prompt, completion) = (prompt.unwrap_or(0), completion.unwrap_or(0));
        let total = count("total_tokens").unwrap_or_else(|| prompt.saturating_add(completion));
        Some(Self { prompt, completion, total })
    }
}

/// A model's answer in one piece.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Envelope {
    pub(super) text: String,
    pub(super) usage: Option<Usage>,
    pub(super) policy: Option<Value>,
}

/// What is kept of a model's answer in one piece.
pub(super) const ANSWER: Shape = Shape::Keys(&[("summary", SUMMARY), ("policy_metadata", shape::POLICY)]);
/// The envelope inside.
pub(super) const SUMMARY: Shape = Shape::Keys(&[
    ("message", Shape::Keys(&[("content", Shape::Leaf)])),
    ("usage", USAGE),
    ("finish_reason", Shape::Leaf),
]);
/// Token counts.
pub(super) const USAGE: Shape = Shape::Keys(&[
    ("prompt_tokens", Shape::Leaf),
    ("completion_tokens", Shape::Leaf),
    ("total_tokens", Shape::Leaf),
]);

impl Envelope {
    /// Reads the envelope; a missing summary is an empty answer.
    pub(super) fn read(json: &Value) -> Self {
        let message = json.pointer("/summary/message");
        let text = message
            .and_then(|message| message.get("content").unwrap_or(message).as_str())
            .unwrap_or_default()
            .to_owned();
        let usage = json.pointer("/summary/usage").and_then(Usage::read);
        Self { text, usage, policy: json.get("policy_metadata").cloned() }
    }
}

/// The message of an error object: `error.message`, `error`, `detail` or `message` as text.
pub(super) fn error_text(json: &Value) -> Option<String> {
    ["/error/message", "/error", "/detail", "/message"]
        .iter()
        .find_map(|pointer| json.pointer(pointer).and_then(Value::as_str))
        .map(|text| text.chars().take(500).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_both_forms_of_the_message() {
        let full = json!({"summary": {
            "message": {"role": "assistant", "content": "hi"},
            "usage": {"prompt_tokens": 2, "completion_tokens": 1},
        }});
        let envelope = Envelope::read(&full);
        assert_eq!(envelope.text, "hi");
        assert_eq!(envelope.usage, Some(Usage { prompt: 2, completion: 1, total: 3 }));
        assert_eq!(Envelope::read(&json!({"summary": {"message": "short"}})).text, "short");
    }

    #[test]
    fn a_missing_summary_is_an_empty_answer() {
        for json in
            [json!({}), json!({"summary": null}), json!([]), json!({"summary": {"message": {"content": 3}}})]
        {
            assert_eq!(Envelope::read(&json).text, "");
        }
    }
}
