//! Grants of the authorization server as credentials: its access tokens at the public edges of the hub, and the tickets
//! by which the MCP service stands for a grant's user between our own services.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use syfthub_auth::at_jwt::{self, Expected};
use syfthub_auth::grant_ticket::{self, TicketKey};
use syfthub_auth::keys::PublicKey;
use syfthub_auth::satellite::{Verifier, key_id};
use syfthub_auth::{MasterKey, Principal};
use syfthub_config::PublicUrls;
use syfthub_domain::{CredentialKind, Error, Result, Scope, Timestamp};
use syfthub_store::oauth::grants::{self, GrantRow};
use syfthub_store::users::UserRow;
use syfthub_store::{keys, users};
use uuid::Uuid;

use super::{Access, NOT_GOOD, TOUCH_EVERY, Verified, principal};

/// What the authorization server signs with.
pub(crate) const KEYS: &str = "mcp";
/// How long the published keys are believed.
const KEYS_KNOWN: Duration = Duration::from_secs(10);
/// Shortest time between two looks that strangers can cause by naming unknown keys.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What grants are verified with.
#[derive(Debug)]
pub(crate) struct GrantCredentials {
    tickets: TicketKey,
    /// `iss` of access tokens.
    issuer: String,
    /// The public origin of the hub.
    origin: String,
    /// The resource that the hub, the aggregator and `/v1` are.
    api: String,
    published: RwLock<Option<Published>>,
}

#[derive(Debug, Clone)]
struct Published {
    keys: Arc<Verifier>,
    at: Timestamp,
}

impl GrantCredentials {
    pub(crate) fn new(master: &MasterKey, public: &PublicUrls) -> Self {
        Self {
            tickets: TicketKey::new(master),
            issuer: public.oauth_issuer.clone(),
            origin: public.origin().to_owned(),
            api: format!("{}/api", public.origin()),
            published: RwLock::new(None),
        }
    }

    /// The public origin of the hub.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// What stands between our own services for somebody who showed a token of a grant, with the scopes of the token.
    pub(super) fn ticket(&self, grant: Uuid, scopes: &[Scope], now: Timestamp) -> Result<String> {
        let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        grant_ticket::mint_narrowed(&self.tickets, grant, &scopes.join(" "), now)
    }

    /// Looks at the published keys again, because one was added or taken away.
    pub(crate) fn forget_keys(&self) {
        *self.published.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The name of the hub's own API as a resource.
    pub(crate) fn api(&self) -> &str {
        &self.api
    }

    /// What the holder of a grant may do at the hub. Full rights are for the API only.
    pub(crate) fn hub_scopes(&self, grant: &GrantRow) -> Vec<Scope> {
        let scopes = grant.scopes.iter().filter_map(|scope| scope.parse().ok());
        scopes.filter(|scope| *scope != Scope::Full || grant.resource == self.api).collect()
    }

    /// The account behind a grant, as a caller.
    pub(crate) fn principal(&self, grant: &GrantRow, user: UserRow) -> Principal {
        principal(user, self.hub_scopes(grant), CredentialKind::OAuth, Some(grant.id.clone()))
    }
}

fn refused(why: &'static str) -> Error {
    Error::unauthenticated(NOT_GOOD).with_source(why)
}

impl Access {
    /// The rules of grants.
    pub(crate) fn grants(&self) -> &GrantCredentials {
        &self.grants
    }

    /// A grant that is live, and its user. The use is recorded, at most once a minute.
    pub(crate) async fn live_grant(
        &self,
        id: &str,
        now: Timestamp,
    ) -> Result<Option<(GrantRow, Option<UserRow>)>> {
        let Some(grant) = grants::find_live(&self.db, id, now).await? else { return Ok(None) };
        let user = match grant.user_id {
            Some(user) => Some(users::find_by_id(&self.db, user).await?.ok_or_else(|| refused("no user"))?),
            None => None,
        };
        if now.since(grant.last_used_at) >= TOUCH_EVERY {
            self.record("grant", async |tx| grants::touch(tx, &grant.id, now).await).await;
        }
        Ok(Some((grant, user)))
    }

    /// The user behind a ticket of the MCP service.
    pub(super) async fn authenticate_ticket(&self, ticket: &str) -> Result<Principal> {
        let now = self.clock.now();
        // Under another key than the same text at a public edge, where it is nothing.
        let key = Sha256::new().chain_update(b"ticket:").chain_update(ticket).finalize().into();
        let look_up = async {
            let ticket = grant_ticket::verify(&self.grants.tickets, ticket, now)?;
            let live = self.live_grant(&ticket.grant.to_string(), now).await?;
            let (grant, user) = live.ok_or_else(|| refused("the grant has ended"))?;
            let user = user.ok_or_else(|| refused("the client acts for itself"))?;
            let mut principal = self.grants.principal(&grant, user);
            if let Some(allowed) = &ticket.scope {
                principal.scopes.retain(|scope| allowed.split(' ').any(|name| name == scope.as_str()));
            }
            Ok(Verified { principal, expires_at: ticket.expires_at, key: None })
        };
        Ok(self.remembering(key, now, look_up).await?.principal)
    }

    /// The user behind an access token for the hub's API, and the key that its holder has to prove.
    pub(super) async fn by_oauth_token(
        &self,
        token: &str,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Verified> {
        let keys = self.published(token, now).await?;
        let expected = Expected { issuer: &self.grants.issuer, audiences: &[&self.grants.api] };
        let claims = at_jwt::verify(&keys, token, expected, now)?;
        let live = self.live_grant(&claims.sid, now).await?;
        let (grant, user) = live.ok_or_else(|| refused("the grant has ended"))?;
        let user = user.ok_or_else(|| refused("the client acts for itself"))?;
        let key = claims.cnf.as_ref().map(|bound| bound.jkt.as_str());
        let is_of_grant = grant.resource == self.grants.api
            && grant.client_id == claims.client_id
            && (grant.dpop_jkt.is_none() || grant.dpop_jkt.as_deref() == key)
            && claims.sub == user.id.to_string();
        if !is_of_grant {
            return Err(refused("the token is not what its grant allows"));
        }
        let mut principal = self.grants.principal(&grant, user);
        principal.scopes.retain(|scope| claims.scopes().any(|name| name == scope.as_str()));
        tracing::debug!(target: "syfthub.api.auth", user_id = principal.user_id.0, ?from, "auth.oauth_token.used");
        Ok(Verified { principal, expires_at: Timestamp::from_secs(claims.exp), key: key.map(Arc::from) })
    }

    /// The keys that the authorization server publishes; looked up again when a token names one that is not known.
    async fn published(&self, token: &str, now: Timestamp) -> Result<Arc<Verifier>> {
        let known = self.grants.published.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(Published { keys, at }) = known {
            let age = now.since(at);
            let is_known = key_id(token).is_ok_and(|kid| keys.knows(&kid));
            if (is_known && age < KEYS_KNOWN) || (!is_known && age < LOOK_AGAIN) {
                return Ok(keys);
            }
        }
        let rows = keys::list(&self.db, KEYS).await?;
        let current = rows.iter().filter(|row| row.expires_at.is_none_or(|end| end > now));
        let public: Vec<PublicKey> =
            current.map(|row| PublicKey::from_pem(&row.public_pem)).collect::<Result<_, _>>()?;
        let keys = Arc::new(Verifier::from_keys(&public));
        let published = Published { keys: Arc::clone(&keys), at: now };
        *self.grants.published.write().unwrap_or_else(PoisonError::into_inner) = Some(published);
        Ok(keys)
    }
}
