//! Reads the event stream of a model. Several dialects are in use, so each `data:` line may be our own
//! envelope, an OpenAI-style chunk, a bare `content` or `text`, or literal text.

use serde_json::Value;

use super::envelope::{self, SUMMARY, USAGE, Usage};
use crate::shape::{self, Shape};

/// Longest line that is read, in bytes.
pub(super) const MAX_LINE: usize = 1024 * 1024;

/// What is kept of a line, whatever its dialect.
const LINE: Shape = Shape::Keys(&[
    ("summary", SUMMARY),
    ("choices", Shape::List(1, &CHOICE)),
    ("content", Shape::Leaf),
    ("text", Shape::Leaf),
    ("usage", USAGE),
    ("policy_metadata", shape::POLICY),
    ("error", Shape::Keys(&[("message", Shape::Leaf)])),
    ("detail", Shape::Leaf),
    ("message", Shape::Leaf),
    ("finish_reason", Shape::Leaf),
]);
const CHOICE: Shape = Shape::Keys(&[("delta", DELTA), ("finish_reason", Shape::Leaf)]);
const DELTA: Shape = Shape::Keys(&[("content", Shape::Leaf), ("tool_calls", envelope::TOOL_CALLS)]);

/// What one line of the stream says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Item {
    /// More of the answer.
    Text(String),
    /// Parts of calls of functions.
    ToolCalls(Vec<Value>),
    /// Why the model stops.
    Finish(String),
    /// Token counts, usually near the end.
    Usage(Usage),
    /// What policies charged.
    Policy(Value),
    /// The model gave up and says why.
    Failed(String),
    /// The answer is complete.
    End,
}

/// A line is longer than anything a model has to say at once.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line of the model's stream is longer than {MAX_LINE} bytes")]
pub(super) struct LineTooLong;

/// Cuts the stream into lines, whatever the pieces in which it arrives.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pending: Vec<u8>,
    /// The event name of the block in hand is `error`.
    is_error: bool,
    /// Something was said that only comes at the end of an answer.
    has_end: bool,
    /// The dialect is one whose answers have an end that is told.
    tells_end: bool,
    /// The first line was read, the only one that may begin with a byte order mark.
    has_begun: bool,
}

/// How a stream stands that says nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The answer is complete.
    Complete,
    /// Nobody can say whether more was meant to come.
    Untold,
    /// More was meant to come.
    BrokenOff,
}

impl Reader {
    /// Reads the next piece and returns what it completes.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<Vec<Item>, LineTooLong> {
        let mut items = Vec::new();
        let mut lines = piece.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = lines.next() {
            if self.pending.len() + part.len() > MAX_LINE {
                return Err(LineTooLong);
            }
            self.pending.extend_from_slice(part);
            if lines.peek().is_some() {
                let line = std::mem::take(&mut self.pending);
                self.read_line(&line, &mut items);
            }
        }
        Ok(items)
    }

    /// Bytes of a line that is not complete.
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// How the stream stands after what was read.
    pub(super) fn ending(&self) -> Ending {
        match (self.has_end, self.tells_end) {
            (true, _) => Ending::Complete,
            (false, true) => Ending::BrokenOff,
            (false, false) => Ending::Untold,
        }
    }

    /// The stream is over; a last line needs no line end.
    pub(super) fn finish(&mut self) -> Vec<Item> {
        let mut items = Vec::new();
        let line = std::mem::take(&mut self.pending);
        self.read_line(&line, &mut items);
        items
    }

    fn read_line(&mut self, line: &[u8], items: &mut Vec<Item>) {
        let line = String::from_utf8_lossy(line);
        let line = line.strip_suffix('\r').unwrap_or(&line);
        let line = line.strip_prefix('\u{feff}').filter(|_| !self.has_begun).unwrap_or(line);
        self.has_begun = true;
        if line.is_empty() {
            self.is_error = false;
        } else if let Some(name) = line.strip_prefix("event:") {
            self.is_error = name.trim() == "error";
        } else if let Some(data) = line.strip_prefix("data:") {
            let data = data.strip_prefix(' ').unwrap_or(data);
            if self.is_error {
                items.push(Item::Failed(failure_text(data)));
            } else {
                self.read_data(data, items);
            }
        }
    }

    fn read_data(&mut self, data: &str, items: &mut Vec<Item>) {
        if data.trim() == "[DONE]" {
            self.has_end = true;
            items.push(Item::End);
            return;
        }
        match shape::read(data.as_bytes(), LINE) {
            Ok(json @ Value::Object(_)) => {
                self.tells_end |= json.get("choices").is_some_and(Value::is_array);
                self.has_end |= tells_end(&json);
                read_object(&json, items);
            }
            Ok(Value::String(text)) => items.push(Item::Text(text)),
            _ if data.is_empty() => {}
            _ => items.push(Item::Text(data.to_owned())),
        }
    }
}

/// Whether a line has what only comes at the end: a reason to stop, token counts, charges.
fn tells_end(json: &Value) -> bool {
    ["/choices/0/finish_reason", "/summary/finish_reason", "/usage", "/summary/usage", "/policy_metadata"]
        .iter()
        .any(|pointer| shape::at(json, pointer).is_some_and(|value| !value.is_null()))
}

fn failure_text(data: &str) -> String {
    shape::read(data.as_bytes(), LINE)
        .ok()
        .and_then(|json| envelope::error_text(&json))
        .unwrap_or_else(|| data.to_owned())
}

fn read_object(json: &Value, items: &mut Vec<Item>) {
    let text = ["/summary/message/content", "/choices/0/delta/content", "/content", "/text"]
        .iter()
        .find_map(|pointer| shape::at(json, pointer).and_then(Value::as_str));
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        items.push(Item::Text(text.to_owned()));
    } else if let Some(message) = envelope::error_text(json) {
        items.push(Item::Failed(message));
    }
    let calls = envelope::tool_calls(shape::at(json, "/choices/0/delta/tool_calls"));
    if !calls.is_empty() {
        items.push(Item::ToolCalls(calls));
    }
    if let Some(reason) = envelope::finish_reason(json) {
        items.push(Item::Finish(reason));
    }
    if let Some(usage) = json.get("usage").or_else(|| shape::at(json, "/summary/usage")).and_then(Usage::read)
    {
        items.push(Item::Usage(usage));
    }
    if let Some(policy) = json.get("policy_metadata").filter(|policy| policy.is_object()) {
        items.push(Item::Policy(policy.clone()));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(stream: &str) -> Vec<Item> {
        let mut reader = Reader::default();
        let mut items = reader.push(stream.as_bytes()).unwrap();
        items.extend(reader.finish());
        items
    }

    fn text(text: &str) -> Item {
        Item::Text(text.to_owned())
    }

    #[test]
    fn every_dialect_is_understood() {
        let stream = concat!(
            "event: message\r\n",
            "data: {\"summary\":{\"message\":{\"content\":\"a\"}}}\r\n\r\n",
            ": comment\n",
            "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\n",
            "data:{\"content\":\"c\"}\n\n",
            "data: {\"text\":\"d\"}\n\n",
            "data: plain  words\n\n",
            "data: 42\n\n",
            "data: \"quoted\"\n\n",
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"total_tokens\":7}}\n\n",
            "data: {\"policy_metadata\":{\"entries\":[]}}\n\n",
            "data: [DONE]",
        );
        let usage = Usage { prompt: 3, completion: 4, total: 7 };
        assert_eq!(
            read(stream),
            [
                text("a"),
                text("b"),
                text("c"),
                text("d"),
                text("plain  words"),
                text("42"),
                text("quoted"),
                Item::Usage(usage),
                Item::Policy(serde_json::json!({"entries": []})),
                Item::End,
            ]
        );
    }

    #[test]
    fn calls_of_functions_and_reasons_to_stop_are_read() {
        let call = serde_json::json!({"index": 0, "function": {"arguments": "{"}});
        let first =
            serde_json::json!({"choices": [{"delta": {"tool_calls": [call]}, "finish_reason": null}]});
        let last = serde_json::json!({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]});
        let expected = [Item::ToolCalls(vec![call]), Item::Finish("tool_calls".into())];
        assert_eq!(read(&format!("data: {first}\n\ndata: {last}\n\n")), expected);
    }

    #[test]
    fn a_model_may_fail_in_the_middle() {
        assert_eq!(
            read("data: {\"error\":{\"message\":\"no memory\"}}\n"),
            [Item::Failed("no memory".into())]
        );
        assert_eq!(
            read("event: error\ndata: {\"detail\":\"gone\"}\n\ndata: x\n"),
            [Item::Failed("gone".into()), text("x")]
        );
    }

    #[test]
    fn an_answer_that_breaks_off_is_told_from_one_that_ends() {
        let ending = |stream: &str| {
            let mut reader = Reader::default();
            reader.push(stream.as_bytes()).unwrap();
            reader.finish();
            reader.ending()
        };
        let chunk = r#"data: {"choices":[{"delta":{"content":"a"},"finish_reason":null}],"usage":null}"#;
        assert_eq!(ending(chunk), Ending::BrokenOff);
        for end in [
            r#"data: {"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
            r#"data: {"choices":[],"usage":{"total_tokens":7}}"#,
            "data: [DONE]",
        ] {
            assert_eq!(ending(&format!("{chunk}\n\n{end}")), Ending::Complete, "{end}");
        }
        assert_eq!(ending("data: words\n\ndata: {\"content\":\"a\"}"), Ending::Untold);
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_first_line() {
        assert_eq!(read("\u{feff}data: a\n\n\u{feff}data: b\ndata: c"), [text("a"), text("c")]);
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut reader = Reader::default();
        let piece = vec![b'x'; MAX_LINE / 2 + 1];
        assert_eq!(reader.push(&piece), Ok(vec![]));
        assert_eq!(reader.push(&piece), Err(LineTooLong));
    }

    proptest! {
        #[test]
        fn the_pieces_do_not_matter(texts in prop::collection::vec("[^\r\n\u{0}]{1,8}", 0..6), size in 1_usize..7) {
            let events: Vec<String> =
                texts.iter().map(|text| format!("data: {}\n\n", serde_json::json!({"content": text}))).collect();
            let stream = events.concat();
            let mut reader = Reader::default();
            let mut items = Vec::new();
            for piece in stream.as_bytes().chunks(size) {
                items.extend(reader.push(piece).unwrap());
            }
            items.extend(reader.finish());
            prop_assert_eq!(items, texts.iter().map(|item| text(item)).collect::<Vec<_>>());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::default();
            let _ = reader.push(&bytes);
            reader.finish();
        }
    }
}
