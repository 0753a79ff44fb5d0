//! The durable state of the OAuth 2.1 authorization server, whose protocol the MCP service speaks: who may ask, who
//! agreed to what, and what became of it. Here is also how users see and end what they agreed to.

mod admin_routes;
mod checks;
pub(crate) mod client_wire;
mod clients;
mod consent;
mod devices;
mod exchange;
pub(crate) mod grpc;
mod keys;
pub mod operator;
mod own;
mod people;
pub(crate) mod routes;
mod static_clients;
mod wire;

use std::sync::Arc;

use serde_json::json;
use syfthub_auth::keys::KeyBits;
use syfthub_auth::{MasterKey, SealedBox, oauth_keys};
use syfthub_domain::{Error, ErrorCode, Result, Scope, SharedClock, Timestamp};
use syfthub_store::oauth::grants::{GrantRow, NewGrant};
use syfthub_store::users::UserRow;
use syfthub_store::{Db, Tx};
use uuid::Uuid;

use crate::access::Access;
use crate::audit::{self, Origin};
use crate::parts::Parts;

/// What the audit log calls the authorization server when it acts by itself.
const SERVER: &str = "oauth";

/// The rules of the feature.
#[derive(Debug)]
pub(crate) struct OAuth {
    db: Db,
    clock: SharedClock,
    access: Arc<Access>,
    /// Seals new keys for the MCP service.
    sealing: SealedBox,
    key_bits: KeyBits,
}

/// What a client asks for, checked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub client_id: String,
    pub client_name: String,
    pub resource: String,
    pub scopes: Vec<String>,
    pub dpop_jkt: Option<String>,
}

impl OAuth {
    /// Builds the feature.
    #[expect(clippy::unnecessary_wraps, reason = "all features are built alike")]
    pub(crate) fn build(parts: &Parts) -> Result<Self> {
        let previous = parts.settings.secrets.secret_key_previous.as_ref().map(MasterKey::new);
        Ok(Self {
            db: parts.db.clone(),
            clock: parts.clock.clone(),
            access: Arc::clone(&parts.access),
            sealing: SealedBox::new(&parts.master, previous.as_ref(), oauth_keys::LABEL),
            key_bits: KeyBits::from_bits(parts.settings.rsa.size).unwrap_or_default(),
        })
    }

    /// Full rights are for the hub's own API only, whoever asks and agrees.
    fn check_scopes(&self, asked: &Asked) -> Result<()> {
        let is_full = asked.scopes.iter().any(|scope| scope == Scope::Full.as_str());
        if is_full && asked.resource != self.access.grants().api() {
            let text = "The scope `full` can be granted for the hub's own API only";
            return Err(Error::new(ErrorCode::BadRequest, text));
        }
        Ok(())
    }
}

/// A grant of what was asked for; of `user`, who signed in at the given time, or of the client itself.
fn new_grant(asked: &Asked, user: Option<(&UserRow, Timestamp)>, expires_at: Timestamp) -> NewGrant {
    NewGrant {
        id: Uuid::now_v7().to_string(),
        user_id: user.map(|(user, _)| user.id),
        client_id: asked.client_id.clone(),
        client_name: asked.client_name.clone(),
        resource: asked.resource.clone(),
        scopes: asked.scopes.clone(),
        token_epoch: user.map_or(0, |(user, _)| user.token_epoch),
        dpop_jkt: asked.dpop_jkt.clone(),
        auth_time: user.map(|(_, at)| at),
        expires_at,
    }
}

/// Writes that a user agreed.
async fn record_created(tx: &mut Tx, user: &UserRow, grant: &GrantRow, now: Timestamp) -> Result<()> {
    let origin = Origin::system(SERVER).as_user(user.id, user.username.as_str());
    let mut entry = origin.entry(now, "grant.created", "grant", &grant.id);
    entry.after = Some(json!({
        "client_id": grant.client_id, "client_name": grant.client_name, "resource": grant.resource,
        "scopes": grant.scopes,
    }));
    Ok(audit::record(tx, &entry).await?)
}

/// Writes that a grant was ended, by whom, and why.
async fn record_revoked(
    tx: &mut Tx,
    origin: &Origin,
    grant: &GrantRow,
    reason: &str,
    now: Timestamp,
) -> Result<()> {
    let mut entry = origin.entry(now, "grant.revoked", "grant", &grant.id);
    entry.before = Some(json!({
        "user_id": grant.user_id.map(|id| id.0), "client_id": grant.client_id, "client_name": grant.client_name,
        "resource": grant.resource, "scopes": grant.scopes,
    }));
    entry.after = Some(json!({"reason": reason}));
    Ok(audit::record(tx, &entry).await?)
}
