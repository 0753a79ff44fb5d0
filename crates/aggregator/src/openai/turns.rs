//! The messages of a request: checked, and told apart into question, history and system text.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use syfthub_domain::UnknownName;
use syfthub_web::Fields;
use syfthub_web::fields::{Checked, Patch};

use crate::chat::Turns;
use crate::chat::request::MAX_TEXT;
use crate::mask::mask;
use crate::prompt::{Message, Role};
use crate::shape::Shape;

/// Most parts of one message.
const MAX_PARTS: usize = 100;
/// Most calls of functions in one message.
const MAX_CALLS: usize = 64;
/// Longest id or name, in code points.
const MAX_NAME: usize = 200;

/// What is kept of a message.
pub(super) const TURN: Shape = Shape::Keys(&[
    ("role", Shape::Leaf),
    ("content", Shape::List(MAX_PARTS + 1, &PART)),
    ("name", Shape::Leaf),
    ("tool_call_id", Shape::Leaf),
    ("tool_calls", Shape::List(MAX_CALLS + 1, &CALL)),
]);
const PART: Shape = Shape::Keys(&[("type", Shape::Leaf), ("text", Shape::Leaf), ("refusal", Shape::Leaf)]);
const CALL: Shape = Shape::Keys(&[
    ("id", Shape::Leaf),
    ("type", Shape::Leaf),
    ("function", Shape::Keys(&[("name", Shape::Leaf), ("arguments", Shape::Leaf)])),
]);

const ROLES: &[&str] = &["system", "developer", "user", "assistant", "tool"];

/// Who says something. `developer` is the newer name of `system`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaker {
    System,
    User,
    Assistant,
    Tool,
}

impl std::str::FromStr for Speaker {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        match name {
            "system" | "developer" => Ok(Self::System),
            "user" => Ok(Self::User),
            "assistant" => Ok(Self::Assistant),
            "tool" => Ok(Self::Tool),
            other => Err(UnknownName { got: other.to_owned(), expected: ROLES.join(", ") }),
        }
    }
}

impl Speaker {
    const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

/// One message.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    speaker: Speaker,
    text: Option<String>,
    tool_calls: Vec<Value>,
    tool_call_id: Option<String>,
    name: Option<String>,
}

/// What the messages of a request come to.
#[derive(Debug)]
pub(super) struct Conversation {
    /// The last message of the user.
    pub(super) question: String,
    /// All system messages, if there are any.
    pub(super) system: Option<String>,
    /// What was said before the question; empty when it cannot be told without calls of functions.
    pub(super) history: Vec<Message>,
    /// All of it as it came.
    pub(super) turns: Turns,
}

/// Reads one message.
pub(super) fn read(fields: &mut Fields) -> Turn {
    let role: Checked<Speaker> = fields.string("role").choice(ROLES).required();
    let speaker = role.peek().copied().unwrap_or(Speaker::User);
    let name = fields.string("name").length(1, MAX_NAME).optional();
    let tool_calls = fields.each("tool_calls", read_call).items(1, MAX_CALLS).optional().unwrap_or_default();
    let tool_call_id = fields.string("tool_call_id").length(1, MAX_NAME).optional();
    if !tool_calls.is_empty() && speaker != Speaker::Assistant {
        fields.reject("tool_calls", "only the assistant calls functions");
    }
    if speaker == Speaker::Tool && tool_call_id.is_none() && !fields.contains("tool_call_id") {
        fields.reject("tool_call_id", "a message of a tool names the call that it answers");
    }
    let was_sent = fields.contains("content");
    let content = fields.any("content").rule(|content| text_of(content).map(|_| ())).patch();
    let text = match content {
        Patch::Value(content) => text_of(&content).ok(),
        Patch::Null | Patch::Absent => None,
    };
    let may_be_silent = speaker == Speaker::Assistant && !tool_calls.is_empty();
    // What was sent and is none was reported above, unless it is null.
    if text.is_none() && !may_be_silent && (!was_sent || content_is_null(fields)) {
        fields.reject("content", "a text is required");
    }
    Turn { speaker, text, tool_calls, tool_call_id, name }
}

fn content_is_null(fields: &mut Fields) -> bool {
    matches!(fields.any("content").patch(), Patch::Null)
}

fn read_call(fields: &mut Fields) -> Value {
    let id = fields.string("id").length(1, MAX_NAME).required();
    let kind = fields.string("type").length(1, 50).or("function".to_owned());
    let function = fields.object("function", |function| {
        let name = function.string("name").length(1, MAX_NAME).required();
        let arguments = function.string("arguments").length(0, MAX_TEXT).or("{}".to_owned());
        json!({"name": name.peek(), "arguments": arguments})
    });
    let function = function.required();
    json!({"id": id.peek(), "type": kind, "function": function.peek()})
}

/// The text of a content: a text, or parts that are texts.
fn text_of(content: &Value) -> Result<String, String> {
    let text = match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) if parts.len() > MAX_PARTS => {
            return Err(format!("at most {MAX_PARTS} parts are taken"));
        }
        Value::Array(parts) => parts.iter().map(part_text).collect::<Result<Vec<_>, _>>()?.concat(),
        _ => return Err("a text or a list of text parts belongs here".to_owned()),
    };
    if text.chars().count() > MAX_TEXT {
        return Err(format!("a message has at most {MAX_TEXT} characters"));
    }
    Ok(text)
}

fn part_text(part: &Value) -> Result<&str, String> {
    let key = match part.get("type").and_then(Value::as_str) {
        Some("text") => "text",
        Some("refusal") => "refusal",
        _ => return Err("only parts of type `text` are taken".to_owned()),
    };
    let text = part.get(key).and_then(Value::as_str);
    text.ok_or_else(|| format!("a part of type `{key}` has its text in `{key}`"))
}

/// Tells the messages apart; `None` when nobody asks anything.
pub(super) fn conversation(turns: &[Turn]) -> Option<Conversation> {
    let question = turns.iter().rposition(|turn| turn.speaker == Speaker::User)?;
    let text = turns[question].text.clone().filter(|text| !text.is_empty())?;
    let has_tools = turns.iter().any(|turn| turn.speaker == Speaker::Tool || !turn.tool_calls.is_empty());
    let said = |speaker| turns.iter().filter(move |turn| turn.speaker == speaker);
    let system: Vec<&str> = said(Speaker::System).filter_map(|turn| turn.text.as_deref()).collect();
    let before = turns[..question].iter().filter(|_| !has_tools);
    Some(Conversation {
        question: text,
        system: (!system.is_empty()).then(|| system.join("\n\n")),
        history: before.filter_map(Turn::message).collect(),
        turns: Turns { all: turns.iter().map(Turn::to_json).collect(), question, has_tools },
    })
}

/// Masks secrets in what tools returned, which comes from anywhere; gives how many there were.
pub(super) fn mask_tools(turns: &mut Turns) -> usize {
    let mut secrets = 0;
    for turn in turns.all.iter_mut().filter(|turn| turn["role"] == "tool") {
        let Some(text) = turn["content"].as_str() else { continue };
        let masked = mask(text);
        for (kind, count) in &masked.found {
            secrets += count;
            let count = u64::try_from(*count).unwrap_or(u64::MAX);
            metrics::counter!("syfthub_secrets_masked_total", "kind" => *kind).increment(count);
        }
        let changed = match masked.text {
            Cow::Owned(text) => Some(text),
            Cow::Borrowed(_) => None,
        };
        if let Some(text) = changed {
            turn["content"] = text.into();
        }
    }
    secrets
}

impl Turn {
    fn message(&self) -> Option<Message> {
        let role = match self.speaker {
            Speaker::User => Role::User,
            Speaker::Assistant => Role::Assistant,
            Speaker::System | Speaker::Tool => return None,
        };
        Some(Message { role, content: self.text.clone()? })
    }

    fn to_json(&self) -> Value {
        let mut turn = Map::new();
        turn.insert("role".into(), self.speaker.as_str().into());
        turn.insert("content".into(), self.text.as_deref().into());
        let more = [("name", &self.name), ("tool_call_id", &self.tool_call_id)];
        for (key, text) in more {
            if let Some(text) = text {
                turn.insert(key.to_owned(), text.as_str().into());
            }
        }
        if !self.tool_calls.is_empty() {
            turn.insert("tool_calls".into(), self.tool_calls.clone().into());
        }
        turn.into()
    }
}
