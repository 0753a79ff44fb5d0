//! Who may use an account, who is an administrator, and the end of an account.

use serde_json::json;
use syfthub_auth::Principal;
use syfthub_domain::{Error, ErrorCode, Result, Role, UserId};
use syfthub_store::users::{self, ProfileChange, UserRow};
use syfthub_store::{Page, Tx};

use super::{Users, ending, unknown};
use crate::audit::{self, Origin};

/// Refuses an administrator who would switch off their own account.
pub(super) fn not_self(admin: &Principal, id: UserId) -> Result<()> {
    if admin.user_id == id {
        let text = "You cannot deactivate your own account; another administrator can";
        return Err(Error::coded(ErrorCode::ValidationError, text));
    }
    Ok(())
}

/// Refuses to take away the last active administrator, whoever asks. The caller holds [`users::lock_admins`].
pub(super) async fn keep_an_admin(tx: &mut Tx, user: &UserRow) -> Result<()> {
    let is_needed = user.role == Role::Admin && user.is_active;
    if is_needed && !users::any_other_admin(tx, user.id).await? {
        let text = "This is the hub's last administrator; make somebody else an administrator first";
        return Err(Error::coded(ErrorCode::Conflict, text).with_extra("resource", "user"));
    }
    Ok(())
}

impl Users {
    /// Accounts in the order of their ids, active or not.
    pub(crate) async fn list(&self, page: Page) -> Result<Vec<UserRow>> {
        Ok(users::list(&self.db, page).await?)
    }

    /// Switches an account off: its sessions end, its endpoints are no longer listed.
    pub(crate) async fn deactivate(&self, origin: &Origin, admin: &Principal, id: UserId) -> Result<UserRow> {
        not_self(admin, id)?;
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        users::lock_admins(&mut tx).await?;
        let before = users::find_by_id(&mut tx, id).await?.ok_or_else(unknown)?;
        keep_an_admin(&mut tx, &before).await?;
        let change = ProfileChange { is_active: Some(false), ..ProfileChange::default() };
        let after = users::update_profile(&mut tx, id, &change, now).await?.ok_or_else(unknown)?;
        let ended = ending::end_sessions(&mut tx, id, now).await?;
        let mut entry = origin.entry(now, "user.deactivated", "user", id);
        entry.before = Some(json!({"is_active": before.is_active}));
        entry.after = Some(json!({"is_active": false}));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        ended.announce(&self.access).await;
        self.told(&before, Some(&after)).await;
        tracing::info!(target: "syfthub.api.users", user_id = id.0, "user.deactivated");
        Ok(after)
    }

    /// Switches an account on again. Its sessions stay ended; its access tokens work again.
    pub(crate) async fn activate(&self, origin: &Origin, id: UserId) -> Result<UserRow> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let before = users::find_by_id(&mut tx, id).await?.ok_or_else(unknown)?;
        let change = ProfileChange { is_active: Some(true), ..ProfileChange::default() };
        let after = users::update_profile(&mut tx, id, &change, now).await?.ok_or_else(unknown)?;
        let mut entry = origin.entry(now, "user.activated", "user", id);
        entry.before = Some(json!({"is_active": before.is_active}));
        entry.after = Some(json!({"is_active": true}));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        self.told(&before, Some(&after)).await;
        tracing::info!(target: "syfthub.api.users", user_id = id.0, "user.activated");
        Ok(after)
    }

    /// Deletes an account with everything that hangs on it.
    pub(crate) async fn delete(&self, origin: &Origin, editor: &Principal, id: UserId) -> Result<()> {
        self.for_editor(editor, id).await?;
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        users::lock_admins(&mut tx).await?;
        let before = users::find_by_id(&mut tx, id).await?.ok_or_else(unknown)?;
        keep_an_admin(&mut tx, &before).await?;
        let ended = ending::end_sessions(&mut tx, id, now).await?;
        users::delete(&mut tx, id).await?;
        let mut entry = origin.entry(now, "user.deleted", "user", id);
        entry.before = Some(json!({"username": before.username.as_str(), "role": before.role.as_str()}));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        ended.announce(&self.access).await;
        self.told(&before, None).await;
        tracing::info!(target: "syfthub.api.users", user_id = id.0, "user.deleted");
        Ok(())
    }

    /// Makes an administrator an ordinary user.
    pub(crate) async fn demote(&self, origin: &Origin, username: &str) -> Result<UserRow> {
        let id = self.find(username).await?.id;
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        users::lock_admins(&mut tx).await?;
        let before = users::find_by_id(&mut tx, id).await?.ok_or_else(unknown)?;
        if before.role != Role::Admin {
            let text = format!("{} is no administrator", before.username.as_str());
            return Err(Error::coded(ErrorCode::Conflict, text));
        }
        keep_an_admin(&mut tx, &before).await?;
        let change = ProfileChange { role: Some(Role::User), ..ProfileChange::default() };
        let after = users::update_profile(&mut tx, id, &change, now).await?.ok_or_else(unknown)?;
        let mut entry = origin.entry(now, "user.demoted", "user", id);
        (entry.before, entry.after) = (Some(json!({"role": "admin"})), Some(json!({"role": "user"})));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        self.told(&before, Some(&after)).await;
        tracing::info!(target: "syfthub.api.users", user_id = id.0, role = "user", "user.updated");
        Ok(after)
    }
}
