//! Links that let others read a conversation. Only the hash of a link's token is kept.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use syfthub_auth::Principal;
use syfthub_domain::{Error, Result};
use syfthub_store::conversations::{self, ConversationRow};
use uuid::Uuid;

use super::Conversations;
use super::wire::ShareLink;
use crate::audit::{self, Origin};

impl Conversations {
    /// Makes a link; one that was made before ends.
    pub(crate) async fn share(&self, owner: &Principal, id: &str) -> Result<ShareLink> {
        let now = self.clock.now();
        let (mut tx, row) = self.own(owner, id).await?;
        let token = new_token();
        conversations::set_share(&mut tx, &row.id, Some(&hash(&token)), now).await?;
        let entry = Origin::of(owner).entry(now, "conversation.shared", "conversation", &row.id);
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.conversations", user_id = owner.user_id.0, "conversation.shared");
        let url = format!("{}/api/v1/conversations/shared/{token}", self.origin);
        Ok(ShareLink { token, url, shared_at: now })
    }

    /// Ends the link, if there is one.
    pub(crate) async fn unshare(&self, owner: &Principal, id: &str) -> Result<()> {
        let now = self.clock.now();
        let (mut tx, row) = self.own(owner, id).await?;
        if row.shared_at.is_some() {
            conversations::set_share(&mut tx, &row.id, None, now).await?;
            let entry = Origin::of(owner).entry(now, "conversation.unshared", "conversation", &row.id);
            audit::record(&mut tx, &entry).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The conversation behind a link.
    pub(crate) async fn shared(&self, token: &str) -> Result<ConversationRow> {
        let found = conversations::find_shared(&self.db, &hash(token)).await?;
        found.ok_or_else(|| Error::not_found("This link leads nowhere, or it was taken back"))
    }
}

/// 244 random bits, as two random UUIDs have them.
fn new_token() -> String {
    let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
    BASE64_URL_SAFE_NO_PAD.encode([first.into_bytes(), second.into_bytes()].concat())
}

fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}
