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
    pub(super) tool_calls: Vec<Value>,
    pub(super) finish_reason: Option<String>,
    pub(super) usage: Option<Usage>,
    pub(super) policy: Option<Value>,
    /// Why there is no answer, where the service says so with status 200.
    pub(super) error: Option<String>,
}

/// What is kept of a model's answer in one piece.
pub(super) const ANSWER: Shape = Shape::Keys(&[
    ("summary", SUMMARY),
    ("choices", Shape::List(1, &CHOICE)),
    ("usage", USAGE),
    ("policy_metadata", shape::POLICY),
    ("error", Shape::Keys(&[("message", Shape::Leaf)])),
]);
const CHOICE: Shape = Shape::Keys(&[
    ("message", Shape::Keys(&[("content", Shape::Leaf), ("tool_calls", TOOL_CALLS)])),
    ("finish_reason", Shape::Leaf),
]);
/// Calls of functions, or parts of them.
pub(super) const TOOL_CALLS: Shape = Shape::List(MAX_TOOL_CALLS, &TOOL_CALL);
const TOOL_CALL: Shape = Shape::Keys(&[
    ("index", Shape::Leaf),
    ("id", Shape::Leaf),
    ("type", Shape::Leaf),
    ("function", Shape::Keys(&[("name", Shape::Leaf), ("arguments", Shape::Leaf)])),
]);
/// Most calls of functions in an answer.
pub(super) const MAX_TOOL_CALLS: usize = 128;
/// Longest message of a model that gave up, in code points.
pub(super) const MAX_ERROR: usize = 500;
/// Longest reason to stop, in code points.
pub(super) const MAX_REASON: usize = 50;
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
        let message = shape::at(json, "/summary/message");
        let text = message
            .and_then(|message| message.get("content").unwrap_or(message).as_str())
            .unwrap_or_default()
            .to_owned();
        let text = match shape::at(json, "/choices/0/message/content").and_then(Value::as_str) {
            Some(said) if text.is_empty() => said.to_owned(),
            _ => text,
        };
        let usage = shape::at(json, "/summary/usage").or_else(|| json.get("usage")).and_then(Usage::read);
        let mut tool_calls = tool_calls(shape::at(json, "/choices/0/message/tool_calls"));
        for (index, call) in tool_calls.iter_mut().enumerate() {
            call["index"] = index.into();
        }
        let has_answer = json.get("choices").is_some() || json.get("summary").is_some();
        Self {
            text,
            tool_calls,
            finish_reason: finish_reason(json),
            usage,
            policy: json.get("policy_metadata").cloned(),
            error: json
                .get("error")
                .filter(|error| !has_answer && !error.is_null())
                .and_then(|_| error_text(json)),
        }
    }
}

/// Those of a list that are calls.
pub(super) fn tool_calls(list: Option<&Value>) -> Vec<Value> {
    let calls = list.and_then(Value::as_array).into_iter().flatten();
    calls.filter(|call| call.is_object()).cloned().collect()
}

/// Why the model stopped.
pub(super) fn finish_reason(json: &Value) -> Option<String> {
    let reason = ["/choices/0/finish_reason", "/summary/finish_reason", "/finish_reason"];
    let reason = reason.iter().find_map(|pointer| shape::at(json, pointer)?.as_str())?;
    (!reason.is_empty()).then(|| reason.chars().take(MAX_REASON).collect())
}

/// The message of an error object: `error.message`, `error`, `detail` or `message` as text.
pub(super) fn error_text(json: &Value) -> Option<String> {
    ["/error/message", "/error", "/detail", "/message"]
        .iter()
        .find_map(|pointer| shape::at(json, pointer).and_then(Value::as_str))
        .map(|text| text.chars().take(MAX_ERROR).collect())
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
    fn reads_the_answer_of_openais_protocol() {
        let call = json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
        let envelope = Envelope::read(&json!({
            "choices": [{"message": {"content": null, "tool_calls": [call]}, "finish_reason": "tool_calls"}],
            "usage": {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3},
        }));
        assert_eq!((envelope.text.as_str(), envelope.finish_reason.as_deref()), ("", Some("tool_calls")));
        assert_eq!(
            (&envelope.tool_calls[0]["id"], &envelope.tool_calls[0]["index"]),
            (&json!("c1"), &json!(0))
        );
        assert_eq!(envelope.usage.map(|usage| usage.total), Some(3));
        let said = Envelope::read(&json!({"choices": [{"message": {"content": "hi"}}]}));
        assert_eq!((said.text.as_str(), said.finish_reason), ("hi", None));
        let failed = Envelope::read(&json!({"error": {"message": "no memory"}}));
        assert_eq!(failed.error.as_deref(), Some("no memory"));
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
