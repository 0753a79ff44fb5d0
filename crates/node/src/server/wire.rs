//! The JSON that aggregators send and read.

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

/// A question to a data source.
#[derive(Debug, Deserialize)]
pub(super) struct SourceQuestion {
    /// A text, or a list of messages of which the last one of the user counts.
    pub(super) messages: Messages,
    /// How many passages, 1 to 50.
    #[serde(default = "five")]
    pub(super) limit: u32,
    /// Least score of a passage, 0 to 1.
    #[serde(default = "half")]
    pub(super) similarity_threshold: f64,
    /// Whether title, path and lines are wanted.
    #[serde(default = "yes")]
    pub(super) include_metadata: bool,
}

/// A chat with a model.
#[derive(Debug, Deserialize)]
pub(super) struct Chat {
    pub(super) messages: Messages,
    #[serde(default)]
    pub(super) max_tokens: Option<u32>,
    #[serde(default)]
    pub(super) temperature: Option<f64>,
    #[serde(default)]
    pub(super) stream: bool,
    #[serde(default)]
    pub(super) stop_sequences: Option<Vec<String>>,
}

/// A text or a conversation.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "`messages` must be a text or a list of {role, content}")]
pub(super) enum Messages {
    Text(String),
    List(Vec<Message>),
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Message {
    /// `system`, `user` or `assistant`.
    pub(crate) role: String,
    /// What was said.
    #[serde(deserialize_with = "text_of")]
    pub(crate) content: String,
}

impl Messages {
    /// What the user said last.
    pub(super) fn last_of_user(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::List(list) => list
                .iter()
                .rev()
                .find(|message| message.role == "user")
                .map_or("", |message| &message.content),
        }
    }

    pub(super) fn into_list(self) -> Vec<Message> {
        match self {
            Self::Text(content) => vec![Message { role: "user".to_owned(), content }],
            Self::List(list) => list,
        }
    }
}

/// Content is a text, or a list of parts of which the texts count.
fn text_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(text),
        Value::Null => Ok(String::new()),
        Value::Array(parts) => {
            let texts = parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str));
            Ok(texts.collect::<Vec<_>>().join("\n"))
        }
        _ => Err(de::Error::custom("`content` must be a text")),
    }
}

/// What both kinds of endpoint answer.
#[derive(Debug, Serialize)]
pub(super) struct Envelope {
    pub(super) summary: Option<Summary>,
    pub(super) references: Option<References>,
    /// Nothing is charged.
    pub(super) cost: f64,
    pub(super) currency: &'static str,
}

impl Envelope {
    pub(super) fn new(summary: Option<Summary>, references: Option<References>) -> Self {
        Self { summary, references, cost: 0.0, currency: "USD" }
    }
}

#[derive(Debug, Serialize)]
pub(super) struct References {
    pub(super) documents: Vec<Reference>,
}

/// A passage that was found.
#[derive(Debug, Serialize)]
pub(super) struct Reference {
    pub(super) document_id: String,
    pub(super) content: String,
    pub(super) metadata: Map<String, Value>,
    pub(super) similarity_score: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) id: String,
    pub(super) model: String,
    pub(super) message: Message,
    pub(super) usage: Option<Usage>,
    pub(super) finish_reason: String,
}

/// Token counts of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names on the wire")]
pub(crate) struct Usage {
    /// Tokens of the conversation.
    #[serde(default)]
    pub(crate) prompt_tokens: u64,
    /// Tokens of the answer.
    #[serde(default)]
    pub(crate) completion_tokens: u64,
    /// Both.
    #[serde(default)]
    pub(crate) total_tokens: u64,
}

fn five() -> u32 {
    5
}

fn half() -> f64 {
    0.5
}

fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_come_as_text_or_as_conversation() {
        let text: SourceQuestion = serde_json::from_str(r#"{"messages": "why?"}"#).unwrap();
        assert_eq!((text.messages.last_of_user(), text.limit), ("why?", 5));
        let list = r#"{"messages": [{"role":"user","content":"a"},{"role":"assistant","content":null},
            {"role":"user","content":[{"type":"text","text":"b"}]},{"role":"assistant","content":"c"}]}"#;
        let list: SourceQuestion = serde_json::from_str(list).unwrap();
        assert_eq!(list.messages.last_of_user(), "b");
    }

    #[test]
    fn other_shapes_are_refused_in_words() {
        for bad in [r#"{"messages": 7}"#, "{}", r#"{"messages":[{"role":"user","content":{}}]}"#, "[", "null"]
        {
            assert!(serde_json::from_str::<Chat>(bad).is_err(), "{bad}");
        }
    }
}
