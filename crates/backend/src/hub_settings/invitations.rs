//! Invitations: made by an administrator, used by registering.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngExt as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use syfthub_auth::Principal;
use syfthub_domain::{Email, Error, Result, Timestamp};
use syfthub_store::invitations::{self, InvitationRow, NewInvitation};
use syfthub_store::{Page, Tx};
use syfthub_web::Fields;
use uuid::Uuid;

use super::wire::{Invitation, MadeInvitation};
use super::{HubSettings, refused};
use crate::audit::{self, Origin};
use crate::mail::Message;

/// Longest code that is looked up.
const MAX_CODE: usize = 128;
const MAX_USES: i64 = 1000;
const WEEK: i64 = 24 * 7;
const YEAR: i64 = 24 * 365;

/// What an invitation to make says.
#[derive(Debug)]
pub(super) struct Wanted {
    email: Option<Email>,
    max_uses: i64,
    hours: i64,
}

impl Wanted {
    /// Reads it; all fields that are wrong are reported at once.
    pub(super) fn read(body: Value) -> Result<Self> {
        let mut fields = Fields::body(body)?;
        let email = fields.string("email").name(Email::parse).optional();
        let max_uses = fields.int("max_uses").range(1, MAX_USES).optional().unwrap_or(1);
        let hours = fields.int("expires_in_hours").range(1, YEAR).optional().unwrap_or(WEEK);
        fields.finish()?;
        Ok(Self { email, max_uses, hours })
    }
}

impl HubSettings {
    /// Makes an invitation and sends it, if it is for an address and the hub can send mail.
    pub(super) async fn invite(
        &self,
        origin: &Origin,
        by: &Principal,
        wanted: Wanted,
    ) -> Result<MadeInvitation> {
        let now = self.clock.now();
        let bytes: [u8; 24] = rand::rng().random();
        let code = URL_SAFE_NO_PAD.encode(bytes);
        // After the hash sign it reaches no server, and so no log; `/register` is for clients of the OAuth server.
        let link = format!("{}/#invitation={code}", self.frontend);
        let hours = u64::try_from(wanted.hours).unwrap_or(1);
        let new = NewInvitation {
            id: Uuid::now_v7().to_string(),
            code_hash: hash(&code),
            email: wanted.email,
            max_uses: wanted.max_uses,
            created_by: Some(by.user_id),
            expires_at: now.plus(Duration::from_hours(hours)),
        };
        let mut tx = self.db.begin().await?;
        let row = invitations::insert(&mut tx, &new, now).await?;
        let to = new.email.as_ref().filter(|_| self.mail.is_enabled());
        if let Some(email) = to {
            let instance = self.current().instance_name.clone();
            let message = Message::RegistrationInvitation {
                instance,
                inviter: by.full_name.clone(),
                link: link.clone(),
            };
            self.mail.enqueue(&mut tx, email, message).await?;
        }
        let mut entry = origin.entry(now, "invitation.created", "invitation", &row.id);
        entry.after = Some(json!({"email": row.email.as_ref().map(Email::as_str), "max_uses": row.max_uses}));
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.settings", invitation = row.id, "invitation.created");
        Ok(MadeInvitation { mailed: to.is_some(), invitation: Invitation::at(row, now), code, link })
    }

    /// A page of invitations, the newest first.
    pub(super) async fn invitations(&self, page: Page) -> Result<Vec<Invitation>> {
        let now = self.clock.now();
        let rows = invitations::list(&self.db, page).await?;
        Ok(rows.into_iter().map(|row| Invitation::at(row, now)).collect())
    }

    /// Withdraws an invitation; accounts that were made with it stay.
    pub(super) async fn withdraw(&self, origin: &Origin, id: &str) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        // What is no id of ours need not be looked for.
        if Uuid::try_parse(id).is_err() || !invitations::revoke(&mut tx, id, now).await? {
            return Err(Error::not_found("Invitation not found"));
        }
        audit::record(&mut tx, &origin.entry(now, "invitation.revoked", "invitation", id)).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Uses an invitation for an account with this address, or says why it is not good.
    pub(super) async fn redeem(&self, tx: &mut Tx, email: &Email, code: &str) -> Result<()> {
        let now = self.clock.now();
        let hash = hash(code);
        if code.len() <= MAX_CODE && invitations::redeem(tx, &hash, email, now).await? {
            return Ok(());
        }
        let row = invitations::find_by_hash(tx, &hash).await?;
        Err(refused("invitation_invalid", why_not(row.as_ref(), email, now)))
    }
}

/// Only somebody who has the code learns what is wrong with it.
fn why_not(row: Option<&InvitationRow>, email: &Email, now: Timestamp) -> &'static str {
    match row {
        None => "This invitation code is not known; check it, or ask an administrator for another one",
        Some(row) if row.revoked_at.is_some() => {
            "This invitation was withdrawn; ask an administrator for another one"
        }
        Some(row) if row.expires_at <= now => {
            "This invitation has expired; ask an administrator for another one"
        }
        Some(row) if row.email.as_ref().is_some_and(|only| only != email) => {
            "This invitation is for another mail address; register with the one it was sent to"
        }
        Some(_) => "This invitation has been used; ask an administrator for another one",
    }
}

fn hash(code: &str) -> String {
    hex::encode(Sha256::digest(code.as_bytes()))
}
