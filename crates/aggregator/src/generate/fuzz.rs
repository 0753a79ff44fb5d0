//! What holds for every answer of a model, whatever its bytes.

use serde_json::Value;

use super::envelope::{ANSWER, Envelope, MAX_ERROR, MAX_REASON, MAX_TOOL_CALLS};
use super::stream::{Ending, Item, LineTooLong, MAX_LINE, Reader};
use crate::billing::Billing;
use crate::shape;

/// The event stream of a model. However it is cut into pieces, it says the same.
pub fn sse(stream: &[u8]) {
    let whole = read(&[stream]);
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_same(&whole, &read(&bytes));
    // Pieces as odd as the stream itself.
    let mut pieces = Vec::new();
    let mut rest = stream;
    while let Some(first) = rest.first() {
        let (piece, after) = rest.split_at(rest.len().min(usize::from(first % 32) + 1));
        pieces.push(piece);
        rest = after;
    }
    assert_same(&whole, &read(&pieces));
    let longest = stream.split(|byte| *byte == b'\n').map(<[u8]>::len).max().unwrap_or(0);
    assert_eq!(whole.ending.is_err(), longest > MAX_LINE, "a line is too long when it is");
    let mut text_length = 0;
    for item in &whole.items {
        match item {
            Item::Text(text) => text_length += text.len(),
            Item::ToolCalls(calls) => assert_calls(calls),
            Item::Finish(reason) => assert!((1..=MAX_REASON).contains(&reason.chars().count())),
            Item::Failed(message) => assert!(message.len() <= stream.len() * 3 + MAX_ERROR),
            Item::Policy(policy) => assert_billing(policy),
            Item::Usage(_) | Item::End => {}
        }
    }
    // A byte that is no UTF-8 becomes a character of three.
    assert!(text_length <= stream.len() * 3, "{text_length} bytes of text from {}", stream.len());
}

/// A model's answer in one piece, as our own envelope or in the shape of OpenAI.
pub fn model_answer(body: &[u8]) {
    let Ok(json) = shape::read(body, ANSWER) else { return };
    let envelope = Envelope::read(&json);
    assert!(envelope.text.len() <= body.len(), "nobody said that much");
    assert_calls(&envelope.tool_calls);
    for (index, call) in envelope.tool_calls.iter().enumerate() {
        assert_eq!(call["index"], index, "calls are numbered");
    }
    let reason = envelope.finish_reason.as_deref().unwrap_or("x").chars().count();
    assert!((1..=MAX_REASON).contains(&reason));
    assert!(envelope.error.unwrap_or_default().chars().count() <= MAX_ERROR);
    if let Some(policy) = &envelope.policy {
        assert_billing(policy);
    }
}

fn assert_calls(calls: &[Value]) {
    assert!(calls.len() <= MAX_TOOL_CALLS && calls.iter().all(Value::is_object), "{calls:?}");
}

/// The published SDKs refuse a whole answer for one entry that lacks a field.
pub(crate) fn assert_billing(policy: &Value) {
    let mut billing = Billing::default();
    billing.add("bob/docs", Some(policy));
    let billing = billing.to_json();
    if billing.is_null() {
        return;
    }
    assert_eq!(billing["total_cost"].is_number(), billing["currency"].is_string(), "{billing}");
    let Some(entries) = billing["entries"].as_array() else { panic!("no entries: {billing}") };
    assert!(!entries.is_empty());
    for entry in entries {
        for key in ["source", "policy_type", "kind", "status"] {
            assert!(entry[key].is_string(), "{key} of {entry}");
        }
        let transaction = &entry["transaction"];
        assert!(transaction.is_null() || (transaction["rail"].is_string() && transaction["id"].is_string()));
        assert!(entry["details"].is_object());
    }
}

/// What came of a stream.
struct Said {
    items: Vec<Item>,
    ending: Result<Ending, LineTooLong>,
}

fn read(pieces: &[&[u8]]) -> Said {
    let (mut reader, mut items) = (Reader::default(), Vec::new());
    for piece in pieces {
        match reader.push(piece) {
            Ok(more) => items.extend(more),
            Err(error) => return Said { items, ending: Err(error) },
        }
        assert!(reader.pending() <= MAX_LINE);
    }
    items.extend(reader.finish());
    Said { items, ending: Ok(reader.ending()) }
}

fn assert_same(whole: &Said, pieces: &Said) {
    assert_eq!(whole.ending, pieces.ending);
    // What came in one piece with a line that is too long is not read.
    if whole.ending.is_ok() {
        assert_eq!(whole.items, pieces.items, "the pieces matter");
    }
}
