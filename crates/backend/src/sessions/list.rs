//! What users see of their sessions, and how they end them.

use syfthub_auth::Principal;
use syfthub_domain::{Error, Result};
use syfthub_store::Page;
use syfthub_store::oauth::grants;
use syfthub_store::sessions::{self, ListedSession};

use super::Sessions;
use crate::audit::{self, Origin};

impl Sessions {
    /// The caller's live sessions, the one used last first.
    pub(crate) async fn list(&self, caller: &Principal, page: Page) -> Result<Vec<ListedSession>> {
        Ok(sessions::list(&self.db, caller.user_id, self.clock.now(), page).await?)
    }

    /// Ends one session of the caller.
    pub(crate) async fn end_one(&self, caller: &Principal, id: &str) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        if !sessions::end(&mut tx, caller.user_id, id, now).await? {
            return Err(Error::not_found("Session not found"));
        }
        let entry = Origin::of(caller).entry(now, "session.revoked", "session", id);
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        self.access.forget_user(caller.user_id).await;
        tracing::info!(target: "syfthub.api.auth", user_id = caller.user_id.0, session = id, "session.revoked");
        Ok(())
    }

    /// Ends the grant that an OAuth client asks with.
    pub(super) async fn end_grant(&self, caller: &Principal) -> Result<()> {
        let Some(id) = &caller.session else { return Ok(()) };
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        if grants::revoke(&mut tx, id, now).await?.is_some() {
            audit::record(&mut tx, &Origin::of(caller).entry(now, "grant.revoked", "grant", id)).await?;
        }
        tx.commit().await?;
        self.access.forget_user(caller.user_id).await;
        Ok(())
    }

    /// Ends every session of the caller but the one that asks; with a personal access token, all of them.
    pub(crate) async fn end_others(&self, caller: &Principal) -> Result<u64> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let ended = sessions::end_all(&mut tx, caller.user_id, caller.session.as_deref(), now).await?;
        let mut entry = Origin::of(caller).entry(now, "session.revoked_others", "user", caller.user_id);
        entry.after = Some(serde_json::json!({"ended": ended}));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        self.access.forget_user(caller.user_id).await;
        tracing::info!(target: "syfthub.api.auth", user_id = caller.user_id.0, ended, "session.revoked_others");
        Ok(ended)
    }
}
