//! Somebody agrees.

use std::time::Duration;

use syfthub_domain::{Error, ErrorCode, Result, UserId};
use syfthub_store::Tx;
use syfthub_store::oauth::codes::{self, NewCode};
use syfthub_store::oauth::{consents, grants};

use super::{Asked, OAuth, new_grant, record_created};

/// The code that answers an authorization request.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub(super) hash: String,
    pub(super) request_id: String,
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
    pub(super) nonce: Option<String>,
    pub(super) life: Duration,
}

impl OAuth {
    /// The scopes that a user agreed to before.
    pub(super) async fn find_consent(
        &self,
        user: UserId,
        client_id: &str,
        resource: &str,
    ) -> Result<Vec<String>> {
        Ok(consents::find(&self.db, user, client_id, resource).await?)
    }

    /// The user of a browser session agrees: a grant begins, and a code stands for it. Gives the grant's id.
    pub(super) async fn approve(
        &self,
        session: &str,
        asked: &Asked,
        code: Code,
        remember: bool,
    ) -> Result<String> {
        self.check_scopes(asked)?;
        let now = self.clock.now();
        let (session, user) = self.access.browser_session(session, None, now).await?;
        let expires_at = now.plus(code.life);
        let new = new_grant(asked, Some((&user, session.created_at)), expires_at);
        let mut tx = self.db.begin().await?;
        let grant = grants::insert(&mut tx, &new, now).await?;
        let code = NewCode {
            code_hash: code.hash,
            grant_id: grant.id.clone(),
            request_id: code.request_id,
            redirect_uri: code.redirect_uri,
            code_challenge: code.challenge,
            nonce: code.nonce,
            expires_at,
        };
        codes::insert(&mut tx, &code, now).await.map_err(|error| {
            if error.is_unique(codes::UNIQUE_REQUEST) {
                Error::new(ErrorCode::Conflict, "This authorization request was answered already")
            } else {
                error.into()
            }
        })?;
        if remember {
            self.remember(&mut tx, user.id, asked).await?;
        }
        record_created(&mut tx, &user, &grant, now).await?;
        tx.commit().await?;
        tracing::info!(target: "syfthub.api.auth", user_id = user.id.0, grant = grant.id, client_id = grant.client_id, "oauth.grant.created");
        Ok(grant.id)
    }

    /// What was agreed to before stays agreed to.
    async fn remember(&self, tx: &mut Tx, user: UserId, asked: &Asked) -> Result<()> {
        let mut scopes = consents::find(&mut *tx, user, &asked.client_id, &asked.resource).await?;
        for scope in &asked.scopes {
            if !scopes.contains(scope) {
                scopes.push(scope.clone());
            }
        }
        let now = self.clock.now();
        Ok(consents::store(tx, user, &asked.client_id, &asked.resource, &scopes, now).await?)
    }
}
