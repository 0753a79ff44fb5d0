//! Conversations: what an account asked and was answered, where it wished that to be kept. The chat service adds to
//! them; only their owner reads them, and whoever has the link while there is one.

pub(crate) mod exchange;
mod export;
pub(crate) mod grpc;
pub(crate) mod routes;
mod share;
pub(crate) mod wire;

use serde_json::Value;
use syfthub_auth::Principal;
use syfthub_domain::{Error, ErrorCode, Result, SharedClock};
use syfthub_store::conversations::{self, After, ConversationRow, MessageRow};
use syfthub_store::{Db, Tx, users};
use uuid::Uuid;

use crate::audit::{self, Origin};
use crate::parts::Parts;

/// Most conversations of one account.
const MAX_OWNED: i64 = 1_000;
/// Most bytes that all conversations of one account hold.
const MAX_HELD: i64 = 64 * 1024 * 1024;
/// Most messages of one conversation.
const MAX_MESSAGES: i64 = 1_000;
/// Most bytes of one conversation.
const MAX_SIZE: i64 = 4 * 1024 * 1024;

/// The rules of the feature.
#[derive(Debug)]
pub(crate) struct Conversations {
    db: Db,
    clock: SharedClock,
    origin: String,
}

impl Conversations {
    /// Builds the feature.
    #[expect(clippy::unnecessary_wraps, reason = "every feature is built alike")]
    pub(crate) fn build(parts: &Parts) -> Result<Self> {
        let origin = parts.settings.public.origin().to_owned();
        Ok(Self { db: parts.db.clone(), clock: parts.clock.clone(), origin })
    }

    /// A page of the caller's conversations, last changed first.
    pub(crate) async fn list(
        &self,
        owner: &Principal,
        search: Option<&str>,
        after: Option<&After>,
        limit: u32,
    ) -> Result<Vec<ConversationRow>> {
        Ok(conversations::list(&self.db, owner.user_id, search, after, limit).await?)
    }

    /// Begins a conversation.
    pub(crate) async fn create(&self, owner: &Principal, title: &str) -> Result<ConversationRow> {
        let mut tx = self.db.begin().await?;
        if !users::lock(&mut tx, owner.user_id).await? {
            return Err(Error::not_found("User not found"));
        }
        let (count, _) = conversations::holdings(&mut tx, owner.user_id).await?;
        if count >= MAX_OWNED {
            let text = format!("An account has at most {MAX_OWNED} conversations; remove one first");
            return Err(Error::new(ErrorCode::BadRequest, text));
        }
        let id = Uuid::now_v7().to_string();
        conversations::insert(&mut tx, &id, owner.user_id, title, self.clock.now()).await?;
        let row = conversations::find(&mut tx, owner.user_id, &id).await?.ok_or_else(unknown)?;
        tx.commit().await?;
        Ok(row)
    }

    /// One of the caller's conversations.
    pub(crate) async fn get(&self, owner: &Principal, id: &str) -> Result<ConversationRow> {
        let id = read_id(id)?;
        conversations::find(&self.db, owner.user_id, &id).await?.ok_or_else(unknown)
    }

    /// A page of a conversation's messages, and whether there are more behind it. Who may read them was asked before.
    pub(crate) async fn messages(
        &self,
        of: &ConversationRow,
        after: i64,
        limit: u32,
    ) -> Result<(Vec<MessageRow>, bool)> {
        let mut rows = conversations::messages(&self.db, &of.id, after, limit + 1).await?;
        let has_more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        Ok((rows, has_more))
    }

    /// Gives one of the caller's conversations another title.
    pub(crate) async fn rename(&self, owner: &Principal, id: &str, title: &str) -> Result<ConversationRow> {
        let (mut tx, row) = self.own(owner, id).await?;
        conversations::rename(&mut tx, &row.id, title, self.clock.now()).await?;
        let after = conversations::find(&mut tx, owner.user_id, &row.id).await?.ok_or_else(unknown)?;
        tx.commit().await?;
        Ok(after)
    }

    /// Removes one of the caller's conversations with its messages and its link.
    pub(crate) async fn delete(&self, owner: &Principal, id: &str) -> Result<()> {
        let (mut tx, row) = self.own(owner, id).await?;
        conversations::delete(&mut tx, &row.id).await?;
        let entry =
            Origin::of(owner).entry(self.clock.now(), "conversation.deleted", "conversation", &row.id);
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.conversations", user_id = owner.user_id.0, "conversation.deleted");
        Ok(())
    }

    /// The conversation with no other change beside this one; 404 if it is not the caller's, whether it exists or not.
    async fn own(&self, owner: &Principal, id: &str) -> Result<(Tx, ConversationRow)> {
        let id = read_id(id)?;
        let mut tx = self.db.begin().await?;
        let row = conversations::lock(&mut tx, owner.user_id, &id).await?.ok_or_else(unknown)?;
        Ok((tx, row))
    }
}

/// The id as it is kept. What cannot be one leads nowhere.
fn read_id(text: &str) -> Result<String> {
    Uuid::parse_str(text).map(|id| id.to_string()).map_err(|_| unknown())
}

/// The number of a list as an object; what the chat service sends is checked here once more.
fn as_object(json: &str) -> Value {
    match serde_json::from_str(json) {
        Ok(Value::Object(keys)) => Value::Object(keys),
        _ => Value::Object(serde_json::Map::new()),
    }
}

fn unknown() -> Error {
    Error::not_found("Conversation not found")
}
