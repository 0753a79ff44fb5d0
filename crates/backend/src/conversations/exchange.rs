//! What the chat service adds: a question with what became of it.

use syfthub_auth::Principal;
use syfthub_domain::{Error, ErrorCode, Result};
use syfthub_store::conversations::{self, ConversationRow, NewMessage};
use uuid::Uuid;

use super::{Conversations, MAX_HELD, MAX_MESSAGES, MAX_SIZE, as_object, unknown};

/// Most characters of a title that is made from a question.
const TITLE: usize = 80;
/// Longest citations, in bytes.
const MAX_CITATIONS: usize = 64 * 1024;

/// A question and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    /// UUID, made once by the chat service.
    pub(crate) id: String,
    pub(crate) question: String,
    pub(crate) answer: String,
    /// `complete`, `partial` or `failed`.
    pub(crate) status: &'static str,
    pub(crate) model: String,
    pub(crate) citations: String,
}

impl Conversations {
    /// Adds an exchange to one of the caller's conversations; `false` when it was added before.
    pub(crate) async fn append(&self, owner: &Principal, to: &str, exchange: Exchange) -> Result<bool> {
        let bad = |text: &str| Error::new(ErrorCode::BadRequest, text);
        let id =
            Uuid::parse_str(&exchange.id).map_err(|_| bad("an exchange is named by a UUID"))?.to_string();
        let now = self.clock.now();
        let (mut tx, row) = self.own(owner, to).await?;
        if conversations::has_message(&mut tx, &id).await? {
            return Ok(false);
        }
        let messages = messages(id, exchange);
        let bytes: usize = messages.iter().map(|message| message.content.len()).sum();
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let (_, held) = conversations::holdings(&mut tx, owner.user_id).await?;
        check_room(&row, bytes, held)?;
        if row.title.is_empty() {
            let title = title_of(&messages[0].content);
            conversations::rename(&mut tx, &row.id, &title, now).await?;
        }
        conversations::append(&mut tx, &row, &messages, now).await?;
        tx.commit().await?;
        Ok(true)
    }
}

fn check_room(row: &ConversationRow, bytes: i64, held: i64) -> Result<()> {
    let full = |text: &str| Err(Error::new(ErrorCode::PayloadTooLarge, text));
    if row.message_count + 2 > MAX_MESSAGES || row.size.saturating_add(bytes) > MAX_SIZE {
        return full("This conversation is full; begin another one");
    }
    if held.saturating_add(bytes) > MAX_HELD {
        return full("The conversations of this account are full; remove some");
    }
    Ok(())
}

fn messages(id: String, exchange: Exchange) -> [NewMessage; 2] {
    let citations =
        if exchange.citations.len() > MAX_CITATIONS { as_object("") } else { as_object(&exchange.citations) };
    // PostgreSQL does not take U+0000, and a text of a model may have it.
    let clean = |text: String| if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text };
    let citations = serde_json::from_str(&clean(citations.to_string())).unwrap_or_else(|_| as_object(""));
    [
        NewMessage {
            id,
            role: "user",
            status: "complete",
            content: clean(exchange.question),
            model: None,
            citations: as_object(""),
        },
        NewMessage {
            id: Uuid::now_v7().to_string(),
            role: "assistant",
            status: exchange.status,
            content: clean(exchange.answer),
            model: Some(clean(exchange.model)).filter(|model| !model.is_empty()),
            citations,
        },
    ]
}

/// The beginning of a question on one line.
fn title_of(question: &str) -> String {
    let line = question.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= TITLE {
        return line;
    }
    let cut: String = line.chars().take(TITLE - 1).collect();
    format!("{}…", cut.trim_end())
}

impl Conversations {
    /// Whether the caller may add to a conversation.
    pub(crate) async fn check(&self, owner: &Principal, id: &str) -> Result<()> {
        self.get(owner, id)
            .await
            .map(drop)
            .map_err(|error| if error.code == ErrorCode::NotFound { unknown() } else { error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_the_beginning_of_the_question_on_one_line() {
        assert_eq!(title_of("  What\n is   it? "), "What is it?");
        let long = title_of(&"word ".repeat(40));
        assert!(long.chars().count() <= TITLE && long.ends_with("word…"), "{long}");
    }
}
