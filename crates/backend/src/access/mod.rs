//! Who is calling: the one place where a bearer credential becomes a [`Principal`].
//!
//! A verified credential is remembered for a few seconds under its hash, never under itself. Whatever ends
//! a credential early calls [`Access::forget_user`], which drops it here at once and tells the other replicas.

pub(crate) mod browser;
mod extract;
pub(crate) mod grants;
mod proofs;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use moka::future::Cache as Remembered;
use sha2::{Digest as _, Sha256};
use syfthub_auth::hub_tokens::{AccessClaims, HubTokens};
use syfthub_auth::{Principal, access_token, at_jwt, grant_ticket};
use syfthub_cache::Cache;
use syfthub_domain::{CredentialKind, Error, Result, Role, Scope, SharedClock, Timestamp, UserId};
use syfthub_rpc::Caller;
use syfthub_store::users::UserRow;
use syfthub_store::{Db, Tx, access_tokens, refresh, users};
use syfthub_web::browser::{BrowserCookie, PREFIX};
use syfthub_web::dpop::Proofs;

use crate::audit::activity::{Activity, Kind, Whose};

use grants::GrantCredentials;

pub(crate) use extract::{Admin, Credential, User, Viewer, whoever};

/// How long a verified credential is believed without looking again. With the message bus down this is
/// also how long another replica may go on accepting one that was revoked here.
const REMEMBER: Duration = Duration::from_secs(10);
/// Credentials remembered at once; a few hundred bytes each.
const CAPACITY: u64 = 50_000;
/// A token's last use is written at most this often.
const TOUCH_EVERY: Duration = Duration::from_mins(1);
/// Where replicas tell one another whose credentials to look at again.
const CHANNEL: &str = "identity.changed";
/// What is said there when many users are meant.
const EVERYBODY: &str = "everybody";
/// The text for every hub token that is not good; the reason is for the log.
const NOT_GOOD: &str = "Could not validate credentials";

#[derive(Debug, Clone)]
struct Verified {
    principal: Principal,
    expires_at: Timestamp,
    /// Thumbprint of the key that whoever shows the credential has to prove.
    key: Option<Arc<str>>,
}

/// Verifies credentials.
#[derive(Debug)]
pub(crate) struct Access {
    db: Db,
    cache: Cache,
    clock: SharedClock,
    tokens: HubTokens,
    activity: Activity,
    cookie: BrowserCookie,
    grants: GrantCredentials,
    proofs: Proofs,
    remembered: Remembered<[u8; 32], Verified>,
    /// Raised by every [`Access::forget_user`], so that a look-up which began before it is not remembered.
    changes: AtomicU64,
}

impl Access {
    /// Verifies against `db`, with hub tokens under the key of `tokens`.
    pub(crate) fn new(
        db: Db,
        cache: Cache,
        clock: SharedClock,
        tokens: HubTokens,
        activity: Activity,
        cookie: BrowserCookie,
        grants: GrantCredentials,
    ) -> Self {
        let remembered = Remembered::builder()
            .max_capacity(CAPACITY)
            .time_to_live(REMEMBER)
            .support_invalidation_closures()
            .build();
        let proofs = Proofs::new(&cache, clock.clone());
        Self {
            db,
            cache,
            clock,
            tokens,
            activity,
            cookie,
            grants,
            proofs,
            remembered,
            changes: AtomicU64::new(0),
        }
    }

    /// Reads session cookies.
    pub(crate) fn cookie(&self) -> &BrowserCookie {
        &self.cookie
    }

    /// Takes facts about sign-ins.
    pub(crate) fn activity(&self) -> &Activity {
        &self.activity
    }

    /// Mints and reads hub tokens.
    pub(crate) fn tokens(&self) -> &HubTokens {
        &self.tokens
    }

    /// The user behind a token of a header, or 401 with the reason that a client may know.
    pub(crate) async fn authenticate(&self, credential: &str, from: Option<IpAddr>) -> Result<Principal> {
        let verified = self.verified(credential, from).await?;
        if verified.key.is_some() {
            let text = "The token is bound to a key; send it as Authorization: DPoP, with a DPoP header";
            return Err(Error::unauthenticated(text));
        }
        Ok(verified.principal)
    }

    async fn verified(&self, credential: &str, from: Option<IpAddr>) -> Result<Verified> {
        let key: [u8; 32] = Sha256::digest(credential.as_bytes()).into();
        let now = self.clock.now();
        let look_up = async {
            if access_token::is_access_token_family(credential) {
                self.by_access_token(credential, from, now).await
            } else if at_jwt::is_access_token(credential) {
                self.by_oauth_token(credential, from, now).await
            } else {
                self.by_hub_token(credential, from, now).await
            }
        };
        self.remembering(key, now, look_up).await
    }

    /// The user behind what one of our own services was shown. Session cookies are for the hub's own pages, which ask
    /// the hub itself and the aggregator: shown by any other service they are no credential. Tickets of grants are made
    /// by the MCP service, which asks the hub itself and the aggregator.
    pub(crate) async fn authenticate_for(&self, service: Caller, credential: &str) -> Result<Principal> {
        if matches!(service, Caller::Mcp | Caller::Aggregator) && grant_ticket::is_ticket(credential) {
            self.authenticate_ticket(credential).await
        } else if service == Caller::Aggregator && credential.starts_with(PREFIX) {
            self.authenticate_browser(credential, None).await
        } else {
            self.authenticate(credential, None).await
        }
    }

    /// Until when a credential that was authenticated just now is good.
    pub(crate) async fn good_until(&self, credential: &str) -> Option<Timestamp> {
        let key: [u8; 32] = Sha256::digest(credential.as_bytes()).into();
        self.remembered.get(&key).await.map(|known| known.expires_at)
    }

    async fn remembering(
        &self,
        key: [u8; 32],
        now: Timestamp,
        look_up: impl Future<Output = Result<Verified>> + Send,
    ) -> Result<Verified> {
        if let Some(known) = self.remembered.get(&key).await
            && known.expires_at > now
        {
            return Ok(known);
        }
        let before = self.changes.load(Ordering::SeqCst);
        let verified = look_up.await?;
        self.remembered.insert(key, verified.clone()).await;
        if self.changes.load(Ordering::SeqCst) != before {
            self.remembered.invalidate(&key).await;
        }
        Ok(verified)
    }

    /// Drops what is remembered about a user, here and on the other replicas.
    pub(crate) async fn forget_user(&self, user: UserId) {
        self.forget_here(user);
        if let Err(error) = self.cache.publish(CHANNEL, user.to_string()).await {
            tracing::warn!(%error, user_id = user.0, "identity.invalidation.not_sent");
        }
    }

    /// Drops everything that is remembered, here and on the other replicas, because many users may be meant.
    pub(crate) async fn forget_everybody(&self) {
        self.forget_all_here();
        if let Err(error) = self.cache.publish(CHANNEL, EVERYBODY).await {
            tracing::warn!(%error, "identity.invalidation.not_sent");
        }
    }

    /// Listens to the other replicas until the process ends.
    pub(crate) async fn follow_changes(&self) {
        let mut messages = self.cache.subscribe(CHANNEL).await;
        while let Some(message) = messages.next().await {
            let text = String::from_utf8_lossy(&message);
            match text.parse() {
                Ok(id) => self.forget_here(UserId(id)),
                Err(_) => self.forget_all_here(),
            }
        }
    }

    fn forget_all_here(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.remembered.invalidate_all();
    }

    fn forget_here(&self, user: UserId) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        let of_user = move |_: &[u8; 32], known: &Verified| known.principal.user_id == user;
        if self.remembered.invalidate_entries_if(of_user).is_err() {
            self.remembered.invalidate_all();
        }
    }

    async fn by_hub_token(&self, token: &str, from: Option<IpAddr>, now: Timestamp) -> Result<Verified> {
        let claims = self.tokens.verify_access(token, now)?;
        let user = self.user_of(&claims).await?;
        if refresh::is_revoked(&self.db, &claims.jti).await? {
            return Err(Error::unauthenticated(NOT_GOOD).with_source("the token was revoked"));
        }
        // A session may have several access tokens, one per refresh; what ends it ends all of them.
        let last_use = refresh::last_use(&self.db, &claims.fam).await?;
        let last_use = last_use
            .ok_or_else(|| Error::unauthenticated(NOT_GOOD).with_source("the token's session has ended"))?;
        if now.since(last_use) >= TOUCH_EVERY {
            let family = claims.fam.clone();
            self.record("session", async |tx| {
                refresh::touch_family(tx, &family, from.map(|ip| ip.to_string()).as_deref(), now).await
            })
            .await;
        }
        let expires_at = Timestamp::from_secs(claims.exp);
        let principal = principal(user, vec![Scope::Full], CredentialKind::HubToken, Some(claims.fam));
        Ok(Verified { principal, expires_at, key: None })
    }

    async fn user_of(&self, claims: &AccessClaims) -> Result<UserRow> {
        let refused = |why: &'static str| Error::unauthenticated(NOT_GOOD).with_source(why);
        let user = users::find_by_id(&self.db, claims.user_id()).await?;
        let user = user.ok_or_else(|| refused("the user does not exist"))?;
        if !user.is_active {
            return Err(refused("the user is not active"));
        }
        if user.token_epoch != claims.epoch {
            return Err(refused("the token is of an earlier epoch"));
        }
        Ok(user)
    }

    async fn by_access_token(&self, token: &str, from: Option<IpAddr>, now: Timestamp) -> Result<Verified> {
        if !access_token::looks_like(token) {
            return Err(Error::unauthenticated("Invalid API token"));
        }
        let row = access_tokens::find_by_hash(&self.db, &access_token::hash(token)).await?;
        let row = row.ok_or_else(|| Error::unauthenticated("Invalid API token"))?;
        if !row.is_active {
            return Err(Error::unauthenticated("API token has been revoked"));
        }
        if row.expires_at.is_some_and(|end| end <= now) {
            return Err(Error::unauthenticated("API token has expired"));
        }
        let user = users::find_by_id(&self.db, row.user_id).await?;
        let user = user.ok_or_else(|| Error::unauthenticated("User not found"))?;
        if !user.is_active {
            return Err(Error::unauthenticated("User account is inactive"));
        }
        if row.last_used_at.is_none_or(|last| now.since(last) >= TOUCH_EVERY) {
            self.record_use(&row, from, now).await;
        }
        let expires_at = row.expires_at.unwrap_or(Timestamp::from_micros(i64::MAX));
        Ok(Verified {
            principal: principal(user, row.scopes, CredentialKind::AccessToken, None),
            expires_at,
            key: None,
        })
    }

    async fn record_use(&self, row: &access_tokens::AccessTokenRow, from: Option<IpAddr>, now: Timestamp) {
        let detail = Some(format!("token {}", row.id.0));
        self.activity.note(Kind::AccessTokenUsed, Whose::User(row.user_id), from, detail);
        let ip = from.map(|ip| ip.to_string());
        self.record("token", async |tx| access_tokens::touch(tx, row.id, ip.as_deref(), now).await).await;
    }

    /// Writes that something was used. Best effort: a database that is busy must not refuse what is good.
    async fn record(
        &self,
        what: &'static str,
        write: impl AsyncFnOnce(&mut Tx) -> syfthub_store::Result<()>,
    ) {
        let written = async {
            let mut tx = self.db.begin().await?;
            write(&mut tx).await?;
            tx.commit().await
        };
        if let Err(error) = written.await {
            tracing::warn!(%error, what, "auth.use_not_recorded");
        }
    }
}

/// An account as a caller.
pub(crate) fn principal(
    user: UserRow,
    scopes: Vec<Scope>,
    kind: CredentialKind,
    session: Option<String>,
) -> Principal {
    // A guest has no account; a row that says so is treated as the least of users.
    let role = if user.role == Role::Guest { Role::User } else { user.role };
    Principal {
        user_id: user.id,
        username: user.username,
        email: user.email.into_string(),
        full_name: user.full_name,
        role,
        scopes,
        kind,
        session,
    }
}
