//! What users see of their grants, and how they or an administrator end them.

use serde_json::json;
use syfthub_auth::Principal;
use syfthub_domain::{Error, Result, UserId};
use syfthub_store::oauth::grants::{self, GrantRow};
use syfthub_store::oauth::{consents, devices};
use syfthub_store::{Page, users};

use super::{OAuth, record_revoked};
use crate::audit::{self, Origin};

impl OAuth {
    /// The caller's live grants, the one used last first, and whether each is that of a device.
    pub(super) async fn list(&self, caller: &Principal, page: Page) -> Result<Vec<(GrantRow, bool)>> {
        let rows = grants::list(&self.db, caller.user_id, self.clock.now(), page).await?;
        let devices = devices::grants_of(&self.db, caller.user_id).await?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let is_device = devices.contains(&row.id);
                (row, is_device)
            })
            .collect())
    }

    /// Ends one grant of the caller. The client must ask for consent again.
    pub(super) async fn end_one(&self, caller: &Principal, id: &str) -> Result<()> {
        let unknown = || Error::not_found("Grant not found");
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let held = grants::hold(&mut tx, id).await?;
        let held = held.filter(|grant| grant.user_id == Some(caller.user_id)).ok_or_else(unknown)?;
        let grant = grants::revoke(&mut tx, &held.id, now).await?.ok_or_else(unknown)?;
        consents::forget(&mut tx, caller.user_id, &grant.client_id).await?;
        record_revoked(&mut tx, &Origin::of(caller), &grant, "user", now).await?;
        tx.commit().await?;
        self.access.forget_user(caller.user_id).await;
        tracing::info!(target: "syfthub.api.auth", user_id = caller.user_id.0, grant = id, "oauth.grant.revoked");
        Ok(())
    }

    /// Ends every grant of an account: the caller's own, or for an administrator anybody's. Gives how many.
    pub(super) async fn end_all(&self, caller: &Principal, user: UserId) -> Result<u64> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        if users::find_by_id(&mut tx, user).await?.is_none() {
            return Err(Error::not_found("User not found"));
        }
        let ended = grants::revoke_user(&mut tx, user, now).await?;
        consents::forget_all(&mut tx, user).await?;
        let mut entry = Origin::of(caller).entry(now, "grant.revoked_all", "user", user);
        entry.after = Some(json!({"ended": ended}));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        self.access.forget_user(user).await;
        tracing::info!(target: "syfthub.api.auth", user_id = user.0, ended, "oauth.grant.revoked_all");
        Ok(ended)
    }
}
