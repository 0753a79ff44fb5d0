//! What grants are exchanged for, and how they end.

use std::time::Duration;

use serde_json::Value;
use syfthub_auth::Principal;
use syfthub_domain::{CredentialKind, Error, Result, Scope, Timestamp};
use syfthub_store::oauth::grants::{self, ACCESS_LIFE, GrantRow, NewGrant};
use syfthub_store::oauth::refresh_tokens::OpenToken;
use syfthub_store::oauth::{Exchange, Issued, clients, codes, refresh_tokens};
use syfthub_store::users::{self, UserRow};

use super::static_clients::OWN;
use super::{Asked, OAuth, SERVER, new_grant, record_revoked};
use crate::audit::Origin;
use crate::audit::activity::{Kind, Whose};

/// Longest life of a grant that a token was exchanged for: what ends the token may not end it at once.
const EXCHANGED_LIFE: Duration = Duration::from_mins(15);

/// Which grant is to end.
#[derive(Debug, Clone)]
pub(super) enum Which {
    Id(String),
    RefreshToken(String),
}

impl OAuth {
    /// Exchanges a code.
    pub(super) async fn redeem(&self, presented: &codes::Presented<'_>, now: Timestamp) -> Result<Exchange> {
        let mut tx = self.db.begin().await?;
        let exchange = codes::redeem(&mut tx, presented, now).await?;
        if let Exchange::Reused(grant) = &exchange
            && grant.revoked_at.is_none()
        {
            record_revoked(&mut tx, &Origin::system(SERVER), grant, "code_reused", now).await?;
        }
        tx.commit().await?;
        self.after(&exchange).await;
        Ok(exchange)
    }

    /// Exchanges a refresh token.
    pub(super) async fn rotate(
        &self,
        presented: &refresh_tokens::Presented<'_>,
        now: Timestamp,
    ) -> Result<Exchange> {
        let mut tx = self.db.begin().await?;
        let exchange = refresh_tokens::rotate(&mut tx, presented, now).await?;
        if let Exchange::Reused(grant) = &exchange {
            record_revoked(&mut tx, &Origin::system(SERVER), grant, "refresh_token_reused", now).await?;
        }
        tx.commit().await?;
        if let Exchange::Issued(issued) = &exchange {
            self.note(Kind::TokenRefreshed, &issued.grant);
        }
        self.after(&exchange).await;
        Ok(exchange)
    }

    /// Whatever was issued for a grant that has just ended is not believed any longer.
    async fn after(&self, exchange: &Exchange) {
        let Exchange::Reused(grant) = exchange else { return };
        tracing::warn!(target: "syfthub.api.auth", grant = grant.id, client_id = grant.client_id, "oauth.grant.reused");
        self.note(Kind::TokenReused, grant);
        if let Some(user) = grant.user_id {
            self.access.forget_user(user).await;
        }
    }

    fn note(&self, kind: Kind, grant: &GrantRow) {
        let whose = grant.user_id.map_or(Whose::Guest, Whose::User);
        let detail = format!("grant {} of {}", grant.id, grant.client_name);
        self.access.activity().note(kind, whose, None, Some(detail));
    }

    /// Begins a grant without a code: for the user of a hub credential, or for a client of the operator that acts as an
    /// account.
    pub(super) async fn begin(&self, asked: &Asked, credential: Option<&str>) -> Result<Exchange> {
        self.check_scopes(asked)?;
        let now = self.clock.now();
        let gone = || Error::unauthenticated("Could not validate credentials");
        let (user, parent, ends) = match credential {
            Some(credential) => {
                let principal = self.access.authenticate(credential, None).await?;
                if !covers(&principal, &asked.scopes) {
                    return Ok(Exchange::ScopeExceeded);
                }
                // Nobody keeps a right longer by exchanging it.
                let until = self.access.good_until(credential).await.ok_or_else(gone)?;
                let user = users::find_by_id(&self.db, principal.user_id).await?.ok_or_else(gone)?;
                let parent = principal.session.filter(|_| principal.kind == CredentialKind::OAuth);
                (user, parent, until.min(now.plus(EXCHANGED_LIFE)))
            }
            None => (self.account_of(&asked.client_id, now).await?, None, now.plus(ACCESS_LIFE)),
        };
        let new = NewGrant { auth_time: None, ..new_grant(asked, Some((&user, now)), ends) };
        let mut tx = self.db.begin().await?;
        let grant = grants::insert(&mut tx, &new, now).await?;
        match &parent {
            Some(parent) => grants::follow(&mut tx, &grant.id, parent).await?,
            None => clients::touch(&mut tx, &grant.client_id, now).await?,
        }
        tx.commit().await?;
        self.note(Kind::GrantBegun, &grant);
        let scopes = grant.scopes.clone();
        Ok(Exchange::Issued(Box::new(Issued { grant, user: Some(user), scopes, nonce: None })))
    }

    /// The account that a client acts as by its own credentials.
    async fn account_of(&self, client_id: &str, now: Timestamp) -> Result<UserRow> {
        let none = |text: &str| Error::forbidden(text);
        let client = clients::find(&self.db, client_id, now).await?;
        let may = |client: &clients::ClientRow| {
            let grants = client.metadata.get("grant_types").and_then(Value::as_array);
            client.kind == "static" && grants.is_some_and(|grants| grants.iter().any(|kind| kind == OWN))
        };
        let client = client.filter(may).ok_or_else(|| none("This client may not sign in by itself"))?;
        let account = client.user_id.ok_or_else(|| {
            none("The account that this client acted as is gone; its operator makes another client")
        })?;
        let user = users::find_by_id(&self.db, account).await?.filter(|user| user.is_active);
        user.ok_or_else(|| none("The account that this client acts as is switched off"))
    }

    /// A live grant and its user.
    pub(super) async fn grant(&self, id: &str) -> Result<(GrantRow, Option<UserRow>)> {
        let live = self.access.live_grant(id, self.clock.now()).await?;
        live.ok_or_else(|| Error::not_found("There is no such grant, or it has ended"))
    }

    /// A refresh token of this client that could be exchanged now, and its grant.
    pub(super) async fn refresh_token(
        &self,
        hash: &str,
        client_id: &str,
    ) -> Result<(OpenToken, GrantRow, Option<UserRow>)> {
        let unknown = || Error::not_found("There is no such refresh token, or it is over");
        let open = refresh_tokens::find_open(&self.db, hash, client_id, self.clock.now()).await?;
        let open = open.ok_or_else(unknown)?;
        let live = self.access.live_grant(&open.grant_id, self.clock.now()).await?;
        let (grant, user) = live.ok_or_else(unknown)?;
        Ok((open, grant, user))
    }

    /// Ends a grant, if it is one of the named client.
    pub(super) async fn revoke(&self, which: &Which, client_id: Option<&str>) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let grant = match which {
            Which::Id(id) => grants::hold(&mut tx, id).await?,
            Which::RefreshToken(hash) => refresh_tokens::hold_grant(&mut tx, hash).await?,
        };
        let grant = grant.filter(|grant| client_id.is_none_or(|client| client == grant.client_id));
        let Some(grant) = grant else { return Ok(()) };
        if let Some(ended) = grants::revoke(&mut tx, &grant.id, now).await? {
            record_revoked(&mut tx, &Origin::system(SERVER), &ended, "client", now).await?;
            tx.commit().await?;
            if let Some(user) = ended.user_id {
                self.access.forget_user(user).await;
            }
            tracing::info!(target: "syfthub.api.auth", grant = ended.id, client_id = ended.client_id, "oauth.grant.revoked");
        }
        Ok(())
    }
}

/// Whether a credential may do all that the scopes allow; those of OpenID Connect allow nothing at the hub.
fn covers(principal: &Principal, scopes: &[String]) -> bool {
    use syfthub_auth::Action;
    scopes.iter().filter_map(|scope| scope.parse().ok()).all(|scope: Scope| {
        principal.allows(match scope {
            Scope::Read => Action::Read,
            Scope::Write => Action::Write,
            Scope::Full => Action::Credential,
        })
    })
}
