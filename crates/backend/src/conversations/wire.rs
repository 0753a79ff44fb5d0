//! The JSON of conversations.

use serde::Serialize;
use serde_json::Value;
use syfthub_domain::Timestamp;
use syfthub_store::conversations::{After, ConversationRow, MessageRow};
use utoipa::ToSchema;

/// A conversation without its messages.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Conversation {
    /// UUID.
    pub id: String,
    /// What it is called; empty until something was asked.
    #[schema(example = "What is the analytical engine?")]
    pub title: String,
    /// Messages in it.
    pub message_count: i64,
    /// Since when there is a link to it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub shared_at: Option<Timestamp>,
    /// When it was begun.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl From<ConversationRow> for Conversation {
    fn from(row: ConversationRow) -> Self {
        Self {
            id: row.id,
            title: row.title,
            message_count: row.message_count,
            shared_at: row.shared_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A question or an answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Message {
    /// UUID.
    pub id: String,
    /// Place in the conversation, from 1.
    pub position: i64,
    /// `user` or `assistant`.
    #[schema(example = "user")]
    pub role: String,
    /// `complete`, `partial` or `failed`.
    #[schema(example = "complete")]
    pub status: String,
    /// The text.
    #[schema(example = "What is the analytical engine?")]
    pub content: String,
    /// The model that answered, `owner/slug`.
    #[schema(example = "mia/writer")]
    pub model: Option<String>,
    /// What the numbers in the text stand for.
    #[schema(value_type = Object)]
    pub citations: Value,
    /// When it was said.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<MessageRow> for Message {
    fn from(row: MessageRow) -> Self {
        Self {
            id: row.id,
            position: row.position,
            role: row.role,
            status: row.status,
            content: row.content,
            model: row.model,
            citations: row.citations,
            created_at: row.created_at,
        }
    }
}

/// A page of conversations.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ConversationPage {
    /// Last changed first.
    pub conversations: Vec<Conversation>,
    /// `cursor` of the next page; none on the last one.
    pub next_cursor: Option<String>,
}

/// A conversation with a page of its messages.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ConversationWithMessages {
    #[serde(flatten)]
    pub conversation: Conversation,
    /// In their order.
    pub messages: Vec<Message>,
    /// `after` of the next page; none on the last one.
    pub next_after: Option<i64>,
}

/// A conversation as a file.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ConversationFile {
    #[serde(flatten)]
    pub conversation: Conversation,
    pub messages: Vec<Message>,
}

/// A link that lets others read.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ShareLink {
    /// The secret of the link; it is told once.
    pub token: String,
    /// Where the conversation can be read.
    #[schema(example = "https://hub.example.org/api/v1/conversations/shared/…")]
    pub url: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub shared_at: Timestamp,
}

/// What somebody with the link sees: nothing about the account.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct SharedConversation {
    /// What it is called.
    #[schema(example = "What is the analytical engine?")]
    pub title: String,
    /// In their order.
    pub messages: Vec<SharedMessage>,
    /// `after` of the next page; none on the last one.
    pub next_after: Option<i64>,
}

/// A question or an answer, as others see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct SharedMessage {
    /// `user` or `assistant`.
    #[schema(example = "user")]
    pub role: String,
    /// `complete`, `partial` or `failed`.
    #[schema(example = "complete")]
    pub status: String,
    /// The text.
    #[schema(example = "What is the analytical engine?")]
    pub content: String,
    /// What the numbers in the text stand for.
    #[schema(value_type = Object)]
    pub citations: Value,
    /// When it was said.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

impl From<MessageRow> for SharedMessage {
    fn from(row: MessageRow) -> Self {
        let MessageRow { role, status, content, citations, created_at, .. } = row;
        Self { role, status, content, citations, created_at }
    }
}

/// A new conversation.
#[derive(Debug, ToSchema)]
#[schema(example = json!({"title": "The analytical engine"}))]
#[expect(dead_code, reason = "the document's description of a body that is read field by field")]
pub(crate) struct NewConversation {
    /// What it is called; the beginning of the first question if nothing is said.
    #[schema(max_length = 200)]
    title: Option<String>,
}

/// Another title.
#[derive(Debug, ToSchema)]
#[schema(example = json!({"title": "The analytical engine"}))]
#[expect(dead_code, reason = "the document's description of a body that is read field by field")]
pub(crate) struct ConversationChange {
    /// What it is called.
    #[schema(min_length = 1, max_length = 200)]
    title: String,
}

/// The cursor behind a row.
pub(crate) fn cursor_text(row: &ConversationRow) -> String {
    format!("{}_{}", row.updated_at.as_micros(), row.id)
}

/// Reads what [`cursor_text`] wrote.
pub(crate) fn read_cursor(text: &str) -> Option<After> {
    let cursor = crate::audit::wire::read_cursor(text)?;
    Some(After { updated_at: cursor.occurred_at, id: cursor.id })
}
