//! Signing in, staying signed in, signing out.

pub(crate) mod browser;
mod list;
pub(crate) mod own_routes;
mod password;
mod requests;
pub(crate) mod routes;
pub mod wire;

use std::sync::Arc;

use syfthub_auth::Principal;
use syfthub_auth::hub_tokens::{RefreshClaims, Subject};
use syfthub_auth::passwords::Passwords;
use syfthub_config::{RefreshRotation, Secret};
use syfthub_domain::{CredentialKind, Error, ErrorCode, Result, SharedClock, Timestamp};
use syfthub_store::refresh::{self, Exchange, NewFamily, Rotation};
use syfthub_store::users::UserRow;
use syfthub_store::{Db, Tx, sessions, users};
use syfthub_web::limit_bucket;
use uuid::Uuid;

use crate::access::Access;
use crate::audit::activity::{Kind, Whose};
use crate::audit::origin::{client_address, client_agent};
use crate::audit::{self, Origin};
use crate::limits::Limits;
use crate::users::end_sessions;

/// The one text for every refresh token that is not good.
const NOT_GOOD: &str = "Could not validate credentials";

/// An access token and the refresh token that follows it.
#[derive(Debug)]
pub struct Pair {
    /// For the `Authorization` header.
    pub access: Secret,
    /// For one refresh.
    pub refresh: Secret,
}

/// The rules of sessions.
#[derive(Debug)]
pub struct Sessions {
    db: Db,
    clock: SharedClock,
    passwords: Arc<Passwords>,
    access: Arc<Access>,
    rotation: RefreshRotation,
    limits: Arc<Limits>,
    /// Whether a mail address must be confirmed before its account signs in.
    verifying: bool,
}

impl Sessions {
    pub(crate) fn new(
        db: Db,
        clock: SharedClock,
        passwords: Arc<Passwords>,
        access: Arc<Access>,
        rotation: RefreshRotation,
        limits: Arc<Limits>,
    ) -> Self {
        Self { db, clock, passwords, access, rotation, limits, verifying: false }
    }

    /// Whether only accounts with a confirmed mail address may sign in. Without a way to confirm one, all may.
    #[must_use]
    pub(crate) fn verifying(mut self, verifying: bool) -> Self {
        self.verifying = verifying;
        self
    }

    /// Starts a session: a new family of refresh tokens. `stamp` records the sign-in.
    pub(crate) async fn start(&self, user: &UserRow, stamp: bool) -> Result<Pair> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let pair = self.open(&mut tx, user, now).await?;
        self.signed_in(&mut tx, user, stamp, now).await?;
        tx.commit().await?;
        Ok(pair)
    }

    /// What every new session leaves behind: the network it came from, and the time if that is to be recorded.
    async fn signed_in(&self, tx: &mut Tx, user: &UserRow, stamp: bool, now: Timestamp) -> Result<()> {
        if let Some(address) = client_address() {
            sessions::remember_address(tx, user.id, &limit_bucket(address), now).await?;
        }
        if stamp {
            users::set_last_login(tx, user.id, now).await?;
        }
        Ok(())
    }

    fn note(&self, kind: Kind, whose: Whose<'_>, detail: Option<&str>) {
        self.access.activity().note(kind, whose, client_address(), detail.map(str::to_owned));
    }

    async fn open(&self, tx: &mut Tx, user: &UserRow, now: Timestamp) -> Result<Pair> {
        let family = Uuid::now_v7().to_string();
        let subject = subject(user);
        let access = self.access.tokens().mint_access(&subject, &family, now)?;
        let refresh = self.access.tokens().mint_refresh(&subject, &family, now)?;
        let new = NewFamily {
            id: family,
            user_id: user.id,
            jti: refresh.jti,
            created_at: now,
            expires_at: refresh.expires_at,
            device: client_agent(),
            address: client_address().map(|address| address.to_string()),
        };
        refresh::insert_family(tx, &new).await?;
        Ok(Pair { access: access.token, refresh: refresh.token })
    }

    /// Exchanges a refresh token for a fresh pair. It is refused for every reason for which an access token
    /// of the same user would be, because a client repeats the two in turns.
    pub(crate) async fn refresh(&self, token: &str) -> Result<Pair> {
        let now = self.clock.now();
        let claims = self.access.tokens().verify_refresh(token, now)?;
        let user = users::find_by_id(&self.db, claims.user_id()).await?;
        let user =
            user.filter(|user| user.is_active && user.token_epoch == claims.epoch).ok_or_else(|| {
                Error::unauthenticated(NOT_GOOD).with_source("the user is gone, inactive or of a later epoch")
            })?;
        let subject = subject(&user);
        let access = self.access.tokens().mint_access(&subject, &claims.fam, now)?;
        let next = self.access.tokens().mint_refresh(&subject, &claims.fam, now)?;
        let exchange = Exchange {
            family: claims.fam.clone(),
            jti: claims.jti.clone(),
            next_jti: next.jti,
            next_expires_at: next.expires_at,
            address: client_address().map(|address| address.to_string()),
            now,
            grace: match self.rotation {
                RefreshRotation::Strict => refresh::GRACE,
                RefreshRotation::Off => std::time::Duration::MAX,
            },
        };
        let mut tx = self.db.begin().await?;
        let outcome = refresh::rotate(&mut tx, &exchange).await?;
        tx.commit().await?;
        match outcome {
            Rotation::Rotated(_) | Rotation::Grace(_) => {
                tracing::info!(target: "syfthub.api.auth", user_id = user.id.0, "auth.token.refresh");
                self.note(Kind::TokenRefreshed, Whose::User(user.id), None);
                Ok(Pair { access: access.token, refresh: next.token })
            }
            Rotation::Reused(_) => Err(self.reused(&user, &claims).await),
            Rotation::Unknown => Err(Error::unauthenticated(NOT_GOOD)
                .with_source("the refresh token is unknown or its session has ended")),
        }
    }

    /// Two parties hold the same refresh token, so the session has ended for both.
    async fn reused(&self, user: &UserRow, claims: &RefreshClaims) -> Error {
        tracing::warn!(target: "syfthub.api.auth", user_id = user.id.0, family = claims.fam, "auth.token.reused");
        self.note(Kind::TokenReused, Whose::User(user.id), None);
        self.access.forget_user(user.id).await;
        Error::unauthenticated(NOT_GOOD)
            .with_source("the refresh token was used twice; its session has ended")
    }

    /// Ends the session that a credential belongs to. A personal access token belongs to none and stays as it is.
    ///
    /// Like signing in this is activity: it takes nothing from anybody but the one who asks. Ending one's other
    /// sessions is in the audit log.
    pub(crate) async fn logout(&self, principal: &Principal, credential: &Secret) -> Result<()> {
        match principal.kind {
            CredentialKind::BrowserSession => return self.end_browser(principal).await,
            CredentialKind::OAuth => return self.end_grant(principal).await,
            CredentialKind::AccessToken => return Ok(()),
            CredentialKind::HubToken => {}
        }
        let now = self.clock.now();
        let claims = self.access.tokens().verify_access(credential.expose(), now)?;
        let mut tx = self.db.begin().await?;
        let ends = Timestamp::from_secs(claims.exp);
        refresh::revoke_access(&mut tx, &claims.jti, ends, now).await?;
        refresh::revoke_family(&mut tx, &claims.fam, now).await?;
        tx.commit().await?;
        self.access.forget_user(principal.user_id).await;
        tracing::info!(target: "syfthub.api.auth", user_id = principal.user_id.0, "auth.logout");
        self.note(Kind::Logout, Whose::User(principal.user_id), None);
        Ok(())
    }

    /// Replaces the caller's password and ends all their sessions.
    pub(crate) async fn change_password(
        &self,
        principal: &Principal,
        current: &Secret,
        new: &Secret,
    ) -> Result<()> {
        let user = users::find_by_id(&self.db, principal.user_id).await?;
        let user = user.ok_or_else(|| Error::unauthenticated(NOT_GOOD))?;
        // Not 401: clients would refresh and repeat the request for ever.
        let refused = |text| Error::new(ErrorCode::BadRequest, text);
        let Some(hash) = &user.password_hash else {
            return Err(refused(
                "This account has no password to change; a password reset by mail gives it one",
            ));
        };
        if !self.passwords.verify(current.expose().to_owned(), hash.expose()).await? {
            return Err(refused("Current password is incorrect"));
        }
        let hash = Secret::new(self.passwords.hash(new.expose().to_owned()).await?);
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        users::set_password(&mut tx, user.id, &hash, now).await?;
        let ended = end_sessions(&mut tx, user.id, now).await?;
        let entry = Origin::of(principal).entry(now, "user.password_changed", "user", user.id);
        audit::record(&mut tx, &entry).await?;
        tx.commit().await?;
        ended.announce(&self.access).await;
        tracing::info!(target: "syfthub.api.users", user_id = user.id.0, field = "password", "user.updated");
        Ok(())
    }
}

fn subject(user: &UserRow) -> Subject<'_> {
    Subject { user_id: user.id, username: user.username.as_str(), role: user.role, epoch: user.token_epoch }
}
