//! The objects that OpenAI's clients read: completions and their chunks.

use serde_json::{Map, Value, json};
use syfthub_domain::Timestamp;

use crate::chat::event::Answer;
use crate::chat::wire;

/// Most calls of functions that are put together.
const MAX_CALLS: usize = 128;

/// What all objects of one answer have in common.
#[derive(Debug, Clone)]
pub(super) struct Head {
    id: String,
    created: i64,
    model: String,
}

impl Head {
    /// Of an answer that begins now, from what was called `model` in the request.
    pub(super) fn new(model: String, now: Timestamp) -> Self {
        Self { id: format!("chatcmpl-{}", uuid::Uuid::new_v4().simple()), created: now.as_secs(), model }
    }

    /// The answer in one piece.
    pub(super) fn completion(&self, answer: &Answer, calls: &ToolCalls) -> Value {
        let mut message = Map::new();
        message.insert("role".into(), "assistant".into());
        let is_silent = answer.plain.is_empty() && !calls.is_empty();
        message.insert("content".into(), (!is_silent).then_some(answer.plain.as_str()).into());
        message.insert("refusal".into(), Value::Null);
        if !calls.is_empty() {
            message.insert("tool_calls".into(), calls.whole());
        }
        json!({
            "id": self.id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{
                "index": 0,
                "message": message,
                "logprobs": null,
                "finish_reason": finish_reason(answer, calls),
            }],
            "usage": answer.usage,
            "syfthub": wire::beyond_text_json(answer),
        })
    }

    /// A chunk with a part of the message.
    pub(super) fn chunk(&self, delta: &Value) -> Value {
        self.of_choices(&json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": null}]))
    }

    /// The chunk that ends the message.
    pub(super) fn last_chunk(&self, answer: &Answer, calls: &ToolCalls) -> Value {
        let reason = finish_reason(answer, calls);
        let choices = json!([{"index": 0, "delta": {}, "logprobs": null, "finish_reason": reason}]);
        let mut chunk = self.of_choices(&choices);
        chunk["syfthub"] = wire::beyond_text_json(answer);
        chunk
    }

    /// The chunk with the token counts, for those who asked for it.
    pub(super) fn usage_chunk(&self, answer: &Answer) -> Value {
        let mut chunk = self.of_choices(&json!([]));
        chunk["usage"] = json!(answer.usage);
        chunk
    }

    fn of_choices(&self, choices: &Value) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
            "choices": choices,
        })
    }
}

/// Why the answer ended, in the words that OpenAI's clients know.
fn finish_reason(answer: &Answer, calls: &ToolCalls) -> &'static str {
    match answer.finish_reason.as_deref() {
        Some("length" | "max_tokens") => "length",
        Some("content_filter") => "content_filter",
        _ if !calls.is_empty() => "tool_calls",
        _ => "stop",
    }
}

/// Calls of functions, put together from the parts in which a model makes them.
#[derive(Debug, Default)]
pub(super) struct ToolCalls(Vec<Call>);

#[derive(Debug, Default)]
struct Call {
    index: u64,
    id: String,
    name: String,
    arguments: String,
}

impl ToolCalls {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds parts, and tells them as a client reads them: with an index each, and only what it knows.
    pub(super) fn add(&mut self, parts: &[Value]) -> Value {
        parts.iter().filter_map(|part| self.add_one(part)).collect()
    }

    fn add_one(&mut self, part: &Value) -> Option<Value> {
        let text = |pointer: &str| part.pointer(pointer).and_then(Value::as_str);
        let (id, name) = (text("/id").unwrap_or_default(), text("/function/name").unwrap_or_default());
        let arguments = text("/function/arguments").unwrap_or_default();
        let index = part.get("index").and_then(Value::as_u64).unwrap_or_else(|| self.next_index(id));
        let known = self.0.iter().position(|call| call.index == index);
        let is_new = known.is_none();
        if is_new && self.0.len() >= MAX_CALLS {
            return None;
        }
        let at = known.unwrap_or_else(|| {
            self.0.push(Call { index, ..Call::default() });
            self.0.len() - 1
        });
        let call = &mut self.0[at];
        call.id.push_str(if call.id.is_empty() { id } else { "" });
        call.name.push_str(name);
        call.arguments.push_str(arguments);
        let mut told = json!({"index": index, "function": {"arguments": arguments}});
        if is_new {
            if call.id.is_empty() {
                call.id = format!("call_{}", uuid::Uuid::new_v4().simple());
            }
            told["id"] = call.id.as_str().into();
            told["type"] = "function".into();
        }
        if !name.is_empty() {
            told["function"]["name"] = name.into();
        }
        Some(told)
    }

    /// Services that number nothing begin a call with its id and go on without.
    fn next_index(&self, id: &str) -> u64 {
        let last = self.0.last().map_or(0, |call| call.index);
        if id.is_empty() || self.0.is_empty() { last } else { last + 1 }
    }

    fn whole(&self) -> Value {
        let call = |call: &Call| {
            json!({
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            })
        };
        self.0.iter().map(call).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_put_together_from_its_parts() {
        let mut calls = ToolCalls::default();
        let first =
            json!({"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}});
        let told = calls.add(&[first]);
        assert_eq!(
            told[0],
            json!({"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}})
        );
        let more = calls.add(&[json!({"index": 0, "function": {"arguments": "{\"a\":1}"}})]);
        assert_eq!(more[0], json!({"index": 0, "function": {"arguments": "{\"a\":1}"}}));
        let other = calls.add(&[json!({"id": "c2", "function": {"name": "g", "arguments": "{}"}})]);
        assert_eq!(other[0]["index"], 1);
        let expected = json!([
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}},
            {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
        ]);
        assert_eq!(calls.whole(), expected);
    }

    #[test]
    fn reasons_are_those_that_clients_know() {
        let answer = |reason: &str| Answer { finish_reason: Some(reason.to_owned()), ..Answer::default() };
        let none = ToolCalls::default();
        for (said, told) in
            [("length", "length"), ("max_tokens", "length"), ("end_turn", "stop"), ("stop", "stop")]
        {
            assert_eq!(finish_reason(&answer(said), &none), told);
        }
        let mut calls = ToolCalls::default();
        calls.add(&[json!({"function": {"name": "f"}})]);
        assert_eq!(finish_reason(&answer("stop"), &calls), "tool_calls");
    }
}
