//! A whole conversation as a file.

use std::fmt::Write as _;

use syfthub_auth::Principal;
use syfthub_domain::{Error, Result};
use syfthub_store::conversations::{ConversationRow, MessageRow};

use super::wire::{Conversation, ConversationFile, Message};
use super::{Conversations, MAX_MESSAGES};

/// The form of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Markdown,
    Json,
}

impl Form {
    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Json => "application/json",
        }
    }

    pub(super) const fn extension(self) -> &'static str {
        match self {
            Self::Markdown => "md",
            Self::Json => "json",
        }
    }
}

impl Conversations {
    /// One of the caller's conversations with all its messages; a conversation is bounded, and so is the file.
    pub(super) async fn export(&self, owner: &Principal, id: &str, form: Form) -> Result<String> {
        let row = self.get(owner, id).await?;
        let limit = u32::try_from(MAX_MESSAGES).unwrap_or(u32::MAX);
        let (messages, _) = self.messages(&row, 0, limit).await?;
        match form {
            Form::Markdown => Ok(markdown(&row, &messages)),
            Form::Json => {
                let messages = messages.into_iter().map(Message::from).collect();
                let file = ConversationFile { conversation: Conversation::from(row), messages };
                serde_json::to_string_pretty(&file).map_err(Error::internal)
            }
        }
    }
}

fn markdown(row: &ConversationRow, messages: &[MessageRow]) -> String {
    let title = if row.title.is_empty() { "Conversation" } else { &row.title };
    let mut text = format!("# {title}\n");
    for message in messages {
        let who = match (message.role.as_str(), &message.model) {
            ("user", _) => "You".to_owned(),
            (_, Some(model)) => format!("Answer of {model}"),
            (_, None) => "Answer".to_owned(),
        };
        let note = match message.status.as_str() {
            "partial" => ", broken off",
            "failed" => ", failed",
            _ => "",
        };
        // Writing to a text does not fail.
        let _ =
            write!(text, "\n## {who} ({}{note})\n\n{}\n", message.created_at.to_rfc3339(), message.content);
        for (number, source) in message.citations.as_object().into_iter().flatten() {
            let of = |key: &str| source.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
            let _ = write!(text, "\n* [{number}] {} ({})", of("title"), of("slug"));
        }
        if message.citations.as_object().is_some_and(|sources| !sources.is_empty()) {
            text.push('\n');
        }
    }
    text
}
