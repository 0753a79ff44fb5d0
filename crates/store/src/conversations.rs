//! Conversations: what an account asked and was answered, where it wished that to be kept.

use serde_json::Value;
use syfthub_domain::{Timestamp, UserId};

use crate::column::{SqlTime, row};
use crate::db::{affected, on};
use crate::search::{fold, like_pattern};
use crate::{Reads, Result, Tx};

/// Characters of a message that searches look at.
const SEARCHED: usize = 4_000;

row! {
    /// A row of `conversations`.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct ConversationRow {
        /// UUID.
        pub id: String,
        /// Whose it is.
        pub user_id: UserId,
        /// What it is called; empty until something was asked.
        pub title: String,
        /// Messages in it.
        pub message_count: i64,
        /// Bytes of all messages.
        pub size: i64,
        /// Since when there is a link to it.
        pub shared_at: Option<Timestamp>,
        /// Time of creation.
        pub created_at: Timestamp,
        /// Time of the last change.
        pub updated_at: Timestamp,
    }
}

row! {
    /// A row of `conversation_messages`.
    #[derive(Debug, Clone, PartialEq)]
    pub struct MessageRow {
        /// Place in the conversation, from 1.
        pub position: i64,
        /// UUID.
        pub id: String,
        /// `user` or `assistant`.
        pub role: String,
        /// `complete`, `partial` or `failed`.
        pub status: String,
        /// The text.
        pub content: String,
        /// The model that answered, `owner/slug`.
        pub model: Option<String>,
        /// What the numbers in the text stand for.
        pub citations: Value,
        /// Time of creation.
        pub created_at: Timestamp,
    }
}

/// A message to be added.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// UUID.
    pub id: String,
    /// `user` or `assistant`.
    pub role: &'static str,
    /// `complete`, `partial` or `failed`.
    pub status: &'static str,
    /// The text.
    pub content: String,
    /// The model that answered.
    pub model: Option<String>,
    /// What the numbers in the text stand for, a JSON object.
    pub citations: Value,
}

/// The last row of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    /// Time of its last change.
    pub updated_at: Timestamp,
    /// Its id.
    pub id: String,
}

macro_rules! columns {
    () => {
        "c.id, c.user_id, c.title, c.message_count, c.size, c.shared_at, c.created_at, c.updated_at"
    };
}

/// Adds an empty conversation.
pub async fn insert(tx: &mut Tx, id: &str, user: UserId, title: &str, now: Timestamp) -> Result<()> {
    const SQL: &str = "INSERT INTO conversations (id, user_id, title, title_folded, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $5, $5)";
    affected!(
        tx.held(),
        sqlx::query(SQL).bind(id).bind(user.0).bind(title).bind(fold(title)).bind(SqlTime(now))
    )?;
    Ok(())
}

/// The conversation with this id if it is this account's.
pub async fn find(from: impl Reads, user: UserId, id: &str) -> Result<Option<ConversationRow>> {
    const SQL: &str =
        concat!("SELECT ", columns!(), " FROM conversations c WHERE c.id = $1 AND c.user_id = $2");
    on!(from.source().conn().await?, c => sqlx::query_as::<_, ConversationRow>(SQL)
        .bind(id).bind(user.0).fetch_optional(c))
}

/// The same, and no other change to it happens until this one ends.
pub async fn lock(tx: &mut Tx, user: UserId, id: &str) -> Result<Option<ConversationRow>> {
    const SQL: &str = "UPDATE conversations SET size = size WHERE id = $1 AND user_id = $2";
    affected!(tx.held(), sqlx::query(SQL).bind(id).bind(user.0))?;
    find(tx, user, id).await
}

/// The conversation behind a link, while its owner's account may be used.
pub async fn find_shared(from: impl Reads, share_hash: &str) -> Result<Option<ConversationRow>> {
    const SQL: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM conversations c JOIN users u ON u.id = c.user_id WHERE c.share_hash = $1 AND u.is_active = TRUE"
    );
    on!(from.source().conn().await?, c => sqlx::query_as::<_, ConversationRow>(SQL).bind(share_hash).fetch_optional(c))
}

/// The conversations of one account in the order of their index, and of each as many messages as it takes to find the text
/// in one. `EXISTS` would do as well, if PostgreSQL did not think of reading the messages of everybody for it.
pub(crate) const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM conversations c WHERE c.user_id = $1 AND (c.updated_at, c.id) < ($2, $3) \
     AND (CAST($4 AS TEXT) IS NULL OR c.title_folded LIKE $4 ESCAPE '\\' OR (SELECT m.position \
     FROM conversation_messages m WHERE m.conversation_id = c.id AND m.folded LIKE $4 ESCAPE '\\' LIMIT 1) IS NOT NULL) \
     ORDER BY c.updated_at DESC, c.id DESC LIMIT $5"
);

/// A page of an account's conversations, last changed first; with `search` only those whose title or messages have
/// that text.
pub async fn list(
    from: impl Reads,
    user: UserId,
    search: Option<&str>,
    after: Option<&After>,
    limit: u32,
) -> Result<Vec<ConversationRow>> {
    const NEVER: Timestamp = Timestamp::from_micros(253_402_300_799_999_999);
    let (at, id) = after.map_or((NEVER, "~"), |after| (after.updated_at, after.id.as_str()));
    on!(from.source().conn().await?, c => sqlx::query_as::<_, ConversationRow>(LIST)
        .bind(user.0)
        .bind(SqlTime(at))
        .bind(id)
        .bind(search.map(like_pattern))
        .bind(i64::from(limit))
        .fetch_all(c))
}

/// How many conversations an account has, and how many bytes their messages are.
pub async fn holdings(from: impl Reads, user: UserId) -> Result<(i64, i64)> {
    const SQL: &str =
        "SELECT COUNT(*), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM conversations WHERE user_id = $1";
    on!(from.source().conn().await?, c => sqlx::query_as::<_, (i64, i64)>(SQL).bind(user.0).fetch_one(c))
}

/// Gives a conversation another title.
pub async fn rename(tx: &mut Tx, id: &str, title: &str, now: Timestamp) -> Result<()> {
    const SQL: &str = "UPDATE conversations SET title = $2, title_folded = $3, updated_at = $4 WHERE id = $1";
    affected!(tx.held(), sqlx::query(SQL).bind(id).bind(title).bind(fold(title)).bind(SqlTime(now)))?;
    Ok(())
}

/// Sets or takes away the hash of the link's token.
pub async fn set_share(tx: &mut Tx, id: &str, share_hash: Option<&str>, now: Timestamp) -> Result<()> {
    const SQL: &str = "UPDATE conversations SET share_hash = $2, shared_at = $3 WHERE id = $1";
    let since = share_hash.map(|_| SqlTime(now));
    affected!(tx.held(), sqlx::query(SQL).bind(id).bind(share_hash).bind(since))?;
    Ok(())
}

/// Removes a conversation with its messages. `false` when there was none.
pub async fn delete(tx: &mut Tx, id: &str) -> Result<bool> {
    const SQL: &str = "DELETE FROM conversations WHERE id = $1";
    Ok(affected!(tx.held(), sqlx::query(SQL).bind(id))? == 1)
}

/// Whether there is a message with this id.
pub async fn has_message(from: impl Reads, id: &str) -> Result<bool> {
    const SQL: &str = "SELECT COUNT(*) FROM conversation_messages WHERE id = $1";
    let count =
        on!(from.source().conn().await?, c => sqlx::query_scalar::<_, i64>(SQL).bind(id).fetch_one(c))?;
    Ok(count > 0)
}

/// Adds messages behind the last one of a conversation that was locked ([`lock`]).
pub async fn append(
    tx: &mut Tx,
    to: &ConversationRow,
    messages: &[NewMessage],
    now: Timestamp,
) -> Result<()> {
    const SQL: &str = "INSERT INTO conversation_messages (conversation_id, position, id, role, status, content, folded, \
        model, citations, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    const COUNT: &str = "UPDATE conversations SET message_count = message_count + $2, size = size + $3, \
        updated_at = $4 WHERE id = $1";
    let (mut count, mut size) = (0_i64, 0_i64);
    for message in messages {
        count += 1;
        size += i64::try_from(message.content.len()).unwrap_or(i64::MAX);
        let searched: String = message.content.chars().take(SEARCHED).collect();
        affected!(
            tx.held(),
            sqlx::query(SQL)
                .bind(&to.id)
                .bind(to.message_count + count)
                .bind(&message.id)
                .bind(message.role)
                .bind(message.status)
                .bind(&message.content)
                .bind(fold(&searched))
                .bind(message.model.as_deref())
                .bind(message.citations.to_string())
                .bind(SqlTime(now))
        )?;
    }
    affected!(tx.held(), sqlx::query(COUNT).bind(&to.id).bind(count).bind(size).bind(SqlTime(now)))?;
    Ok(())
}

/// A page of a conversation's messages in their order, those behind the place `after`.
pub async fn messages(from: impl Reads, id: &str, after: i64, limit: u32) -> Result<Vec<MessageRow>> {
    const SQL: &str = "SELECT position, id, role, status, content, model, citations, created_at \
        FROM conversation_messages WHERE conversation_id = $1 AND position > $2 ORDER BY position LIMIT $3";
    on!(from.source().conn().await?, c => sqlx::query_as::<_, MessageRow>(SQL)
        .bind(id).bind(after).bind(i64::from(limit)).fetch_all(c))
}
