//! The accounts of providers that belong to an account here.

use serde_json::json;
use syfthub_auth::Principal;
use syfthub_domain::{Error, ErrorCode, Result, SignInProvider, Timestamp, UserId};
use syfthub_store::identities::{self, IdentityRow, NewIdentity, UNIQUE_PROVIDER, UNIQUE_SUBJECT};
use syfthub_store::{Tx, users};
use uuid::Uuid;

use super::{Profile, SignInProviders};
use crate::audit::{self, Origin};

impl SignInProviders {
    /// What is linked to the caller's account.
    pub(super) async fn list(&self, caller: &Principal) -> Result<Vec<IdentityRow>> {
        Ok(identities::list(&self.db, caller.user_id).await?)
    }

    /// Links the account of whoever holds this ID token of Google.
    pub(super) async fn link_google(
        &self,
        origin: &Origin,
        caller: &Principal,
        credential: &str,
    ) -> Result<IdentityRow> {
        let profile = self.google.verify(credential).await.map_err(|error| match error.code {
            // Not 401: clients would refresh their own token, which is good, and repeat the request for ever.
            ErrorCode::Unauthenticated => {
                Error::new(ErrorCode::BadRequest, error.message.clone()).with_source(error)
            }
            _ => error,
        })?;
        self.link(origin, caller, &profile).await
    }

    /// Links an account of a provider to the caller's. Once more changes nothing.
    pub(super) async fn link(
        &self,
        origin: &Origin,
        caller: &Principal,
        profile: &Profile,
    ) -> Result<IdentityRow> {
        let now = self.clock.now();
        let provider = profile.provider;
        let mut tx = self.db.begin().await?;
        let linked = identities::list_locked(&mut tx, caller.user_id).await?;
        if let Some(there) = linked.into_iter().find(|row| row.provider == provider) {
            let is_same = there.subject == profile.subject;
            return if is_same { Ok(there) } else { Err(has_one(provider)) };
        }
        if identities::find(&mut tx, provider, &profile.subject).await?.is_some() {
            return Err(belongs_to_another(provider));
        }
        let new = NewIdentity {
            id: Uuid::now_v7().to_string(),
            user_id: caller.user_id,
            provider,
            subject: profile.subject.clone(),
            label: profile.label.clone(),
        };
        identities::insert(&mut tx, &new, now).await.map_err(|error| match error {
            taken if taken.is_unique(UNIQUE_SUBJECT) => belongs_to_another(provider),
            taken if taken.is_unique(UNIQUE_PROVIDER) => has_one(provider),
            other => other.into(),
        })?;
        record_linked(&mut tx, origin, caller.user_id, profile, now).await?;
        tx.commit().await?;
        let (user_id, provider) = (caller.user_id.0, provider.as_str());
        tracing::info!(target: "syfthub.api.users", user_id, provider, "identity.linked");
        let NewIdentity { user_id, provider, subject, label, .. } = new;
        Ok(IdentityRow { user_id, provider, subject, label, created_at: now, last_used_at: None })
    }

    /// Takes a link away, unless nothing would be left to sign in with.
    pub(super) async fn unlink(
        &self,
        origin: &Origin,
        caller: &Principal,
        provider: SignInProvider,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let linked = identities::list_locked(&mut tx, caller.user_id).await?;
        let unknown = || Error::not_found(format!("No {} account is linked to yours", provider.title()));
        let there = linked.iter().find(|row| row.provider == provider).ok_or_else(unknown)?;
        let user = users::find_by_id(&mut tx, caller.user_id).await?;
        let has_password = user.is_some_and(|user| user.password_hash.is_some());
        // What is switched off on this hub opens nothing.
        let another = linked.iter().any(|row| row.provider != provider && self.is_enabled(row.provider));
        if !has_password && !another {
            return Err(last_way(provider));
        }
        identities::delete(&mut tx, caller.user_id, provider).await?;
        let mut entry = origin.entry(now, "identity.unlinked", "user", caller.user_id);
        entry.before =
            Some(json!({"provider": provider.as_str(), "subject": there.subject, "label": there.label}));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        let (user_id, provider) = (caller.user_id.0, provider.as_str());
        tracing::info!(target: "syfthub.api.users", user_id, provider, "identity.unlinked");
        Ok(())
    }
}

/// Writes down that an account of a provider opens one here, in the change that makes it so.
pub(crate) async fn record_linked(
    tx: &mut Tx,
    origin: &Origin,
    user: UserId,
    profile: &Profile,
    now: Timestamp,
) -> Result<()> {
    let mut entry = origin.entry(now, "identity.linked", "user", user);
    let provider = profile.provider.as_str();
    entry.after = Some(json!({"provider": provider, "subject": profile.subject, "label": profile.label}));
    Ok(audit::record(tx, &entry).await?)
}

fn has_one(provider: SignInProvider) -> Error {
    let title = provider.title();
    let text = format!("Another {title} account is linked to your account; take that link away first");
    Error::coded(ErrorCode::Conflict, text).with_extra("reason", "another_is_linked")
}

fn belongs_to_another(provider: SignInProvider) -> Error {
    let title = provider.title();
    let text = format!(
        "This {title} account is linked to another account of this hub; sign in with it, or take that link away first"
    );
    Error::coded(ErrorCode::Conflict, text).with_extra("reason", "linked_elsewhere")
}

fn last_way(provider: SignInProvider) -> Error {
    let title = provider.title();
    let text = format!(
        "{title} is the only way to sign in to your account; set a password by a password reset, or link another \
         provider, then take this link away"
    );
    Error::coded(ErrorCode::Conflict, text).with_extra("reason", "last_way_to_sign_in")
}
