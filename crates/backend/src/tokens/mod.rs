//! Personal access tokens: made by their owner, shown once, stored as a hash.

pub(crate) mod routes;
pub mod wire;

use std::sync::Arc;

use serde_json::{Value, json};
use syfthub_auth::{Principal, access_token};
use syfthub_config::Secret;
use syfthub_domain::{ApiTokenId, Error, ErrorCode, Result, Scope, SharedClock, Timestamp, UserId};
use syfthub_store::access_tokens::{self, AccessTokenRow, NewAccessToken};
use syfthub_store::{Db, Page, Tx, users};

use crate::access::Access;
use crate::audit::{self, Origin};

/// Active tokens that one user may have.
const MAX_ACTIVE: i64 = 50;

/// What a new token is to be.
#[derive(Debug, Clone)]
pub(crate) struct NewToken {
    pub name: String,
    pub scopes: Vec<Scope>,
    pub expires_at: Option<Timestamp>,
}

/// The rules of personal access tokens.
#[derive(Debug)]
pub struct Tokens {
    db: Db,
    clock: SharedClock,
    access: Arc<Access>,
}

impl Tokens {
    pub(crate) fn new(db: Db, clock: SharedClock, access: Arc<Access>) -> Self {
        Self { db, clock, access }
    }

    /// The present, for checks of expiry dates.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Makes a token. The secret is not stored; this is the only moment when it can be read.
    pub(crate) async fn create(&self, owner: UserId, new: NewToken) -> Result<(AccessTokenRow, Secret)> {
        let (token, token_hash, token_prefix) = access_token::generate()?;
        let row = NewAccessToken {
            user_id: owner,
            name: new.name,
            token_prefix,
            token_hash,
            scopes: new.scopes,
            expires_at: new.expires_at,
        };
        let mut tx = self.db.begin().await?;
        if access_tokens::count_active(&mut tx, owner).await? >= MAX_ACTIVE {
            let text = format!("Maximum of {MAX_ACTIVE} active tokens reached; revoke one first");
            return Err(Error::new(ErrorCode::BadRequest, text));
        }
        let row = access_tokens::insert(&mut tx, &row, self.clock.now()).await?;
        self.record(&mut tx, owner, "token.created", None, &row).await?;
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.auth", user_id = owner.0, token_id = row.id.0, "auth.token.created");
        Ok((row, token))
    }

    async fn record(
        &self,
        tx: &mut Tx,
        owner: UserId,
        action: &'static str,
        before: Option<Value>,
        row: &AccessTokenRow,
    ) -> Result<()> {
        let name = users::find_by_id(&mut *tx, owner).await?.map(|user| user.username.into_string());
        let origin = Origin::account(owner, &name.unwrap_or_default());
        let scopes: Vec<&str> = row.scopes.iter().map(|scope| scope.as_str()).collect();
        let mut entry = origin.entry(self.clock.now(), action, "token", row.id);
        entry.before = before;
        entry.after = Some(json!({
            "user_id": owner.0, "name": row.name, "prefix": row.token_prefix, "scopes": scopes,
            "expires_at": row.expires_at,
        }));
        Ok(audit::record(tx, &entry).await?)
    }

    /// A page of the owner's tokens and how many there are in all.
    pub(crate) async fn list(
        &self,
        owner: &Principal,
        include_inactive: bool,
        page: Page,
    ) -> Result<(Vec<AccessTokenRow>, i64)> {
        let rows = access_tokens::list(&self.db, owner.user_id, include_inactive, page).await?;
        let total = access_tokens::count(&self.db, owner.user_id, include_inactive).await?;
        Ok((rows, total))
    }

    /// One of the owner's tokens, revoked or not.
    pub(crate) async fn get(&self, owner: &Principal, id: ApiTokenId) -> Result<AccessTokenRow> {
        access_tokens::find(&self.db, owner.user_id, id).await?.ok_or_else(unknown)
    }

    /// Renames one of the owner's tokens.
    pub(crate) async fn rename(
        &self,
        owner: &Principal,
        id: ApiTokenId,
        name: &str,
    ) -> Result<AccessTokenRow> {
        let (owner, now) = (owner.user_id, self.clock.now());
        let mut tx = self.db.begin().await?;
        let before = access_tokens::find(&mut tx, owner, id).await?.ok_or_else(unknown)?;
        let row = access_tokens::rename(&mut tx, owner, id, name, now).await?.ok_or_else(unknown)?;
        let before = json!({"name": before.name});
        self.record(&mut tx, owner, "token.renamed", Some(before), &row).await?;
        tx.commit().await?;
        Ok(row)
    }

    /// Revokes one of the owner's tokens; it is refused from this moment on.
    pub(crate) async fn revoke(&self, owner: UserId, id: ApiTokenId) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let row = access_tokens::find(&mut tx, owner, id).await?.ok_or_else(unknown)?;
        let revoked = access_tokens::revoke(&mut tx, owner, id, self.clock.now()).await?;
        if row.is_active {
            self.record(&mut tx, owner, "token.revoked", None, &row).await?;
        }
        tx.commit().await?;
        revoked.ok_or_else(unknown)?;
        self.access.forget_user(owner).await;
        tracing::info!(target: "syfthub.api.auth", user_id = owner.0, token_id = id.0, "auth.token.revoked");
        Ok(())
    }

    /// Revokes every active token of a user; for tokens that a process makes anew at each start.
    pub(crate) async fn revoke_all(&self, owner: UserId) -> Result<()> {
        let rows = access_tokens::list(&self.db, owner, false, Page::new(0, 100)).await?;
        for row in rows {
            self.revoke(owner, row.id).await?;
        }
        Ok(())
    }
}

fn unknown() -> Error {
    Error::not_found("API token not found")
}
