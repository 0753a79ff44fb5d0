//! Signing in, staying signed in, signing out.

mod requests;
pub(crate) mod routes;
pub mod wire;

use std::sync::Arc;

use syfthub_auth::Principal;
use syfthub_auth::access_token;
use syfthub_auth::hub_tokens::{RefreshClaims, Subject};
use syfthub_auth::passwords::Passwords;
use syfthub_config::{RefreshRotation, Secret};
use syfthub_domain::{Error, ErrorCode, Result, SharedClock, Timestamp};
use syfthub_store::refresh::{self, Exchange, NewFamily, Rotation};
use syfthub_store::users::UserRow;
use syfthub_store::{Db, Tx, users};
use uuid::Uuid;

use crate::access::Access;
use crate::audit::activity::{Kind, Whose};
use crate::audit::origin::client_address;
use crate::audit::{self, Origin};
use crate::users::end_sessions;

/// The one text for a wrong name and for a wrong password.
const WRONG: &str = "Incorrect username or password";
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
    ) -> Self {
        Self { db, clock, passwords, access, rotation, verifying: false }
    }

    /// Whether only accounts with a confirmed mail address may sign in. Without a way to confirm one, all may.
    #[must_use]
    pub(crate) fn verifying(mut self, verifying: bool) -> Self {
        self.verifying = verifying;
        self
    }

    /// Signs in by username or mail address.
    pub(crate) async fn login(&self, identifier: &str, password: &Secret) -> Result<(UserRow, Pair)> {
        let identifier = identifier.trim().to_lowercase();
        match self.check(&identifier, password).await {
            Ok(user) => {
                let pair = self.start(&user, true).await?;
                tracing::info!(target: "syfthub.api.auth", user_id = user.id.0, username = user.username.as_str(), "user.login.success");
                self.note(Kind::LoginSuccess, Whose::User(user.id), None);
                Ok((user, pair))
            }
            Err(error) => {
                if error.code.http_status() < 500 {
                    self.note(Kind::LoginFailed, Whose::Claimed(&identifier), Some(&error.message));
                }
                if error.code == ErrorCode::Unauthenticated {
                    tracing::warn!(target: "syfthub.api.auth", username = shown(&identifier), reason = error.message, "user.login.failed");
                }
                Err(error)
            }
        }
    }

    fn note(&self, kind: Kind, whose: Whose<'_>, detail: Option<&str>) {
        self.access.activity().note(kind, whose, client_address(), detail.map(str::to_owned));
    }

    /// Exists, has a password, it is the right one, is active, is confirmed: in this order, so that only somebody who
    /// knows the password learns that an account is switched off.
    async fn check(&self, identifier: &str, password: &Secret) -> Result<UserRow> {
        let found = if identifier.contains('@') {
            users::find_by_email(&self.db, identifier).await?
        } else {
            users::find_by_username(&self.db, identifier).await?
        };
        let Some(user) = found else {
            self.passwords.dummy_verify(password.expose().to_owned()).await?;
            return Err(Error::unauthenticated(WRONG));
        };
        let Some(hash) = &user.password_hash else {
            return Err(no_password(&user));
        };
        if !self.passwords.verify(password.expose().to_owned(), hash.expose()).await? {
            return Err(Error::unauthenticated(WRONG));
        }
        if !user.is_active {
            return Err(Error::unauthenticated("Account is deactivated"));
        }
        if self.verifying && !user.is_email_verified {
            let text = "The mail address is not confirmed yet; enter the code that was sent to it, or ask for a new one";
            return Err(Error::coded(ErrorCode::EmailNotVerified, text));
        }
        Ok(user)
    }

    /// Starts a session: a new family of refresh tokens. `stamp` records the sign-in.
    pub(crate) async fn start(&self, user: &UserRow, stamp: bool) -> Result<Pair> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let pair = self.open(&mut tx, user, now).await?;
        if stamp {
            users::set_last_login(&mut tx, user.id, now).await?;
        }
        tx.commit().await?;
        Ok(pair)
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

    /// Ends the session that a credential belongs to. A personal access token stays as it is.
    pub(crate) async fn logout(&self, principal: &Principal, credential: &Secret) -> Result<()> {
        if !access_token::is_access_token_family(credential.expose()) {
            let now = self.clock.now();
            let claims = self.access.tokens().verify_access(credential.expose(), now)?;
            let mut tx = self.db.begin().await?;
            let ends = Timestamp::from_secs(claims.exp);
            refresh::revoke_access(&mut tx, &claims.jti, ends, now).await?;
            refresh::revoke_family(&mut tx, &claims.fam, now).await?;
            tx.commit().await?;
            self.access.forget_user(principal.user_id).await;
        }
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
            return Err(refused("This account has no password to change"));
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

fn no_password(user: &UserRow) -> Error {
    match user.auth_provider {
        syfthub_domain::AuthProvider::Google => {
            Error::unauthenticated("Please use Google Sign-In for this account")
        }
        // The hub's own sample account has no password at all, and nobody is to sign in to it.
        syfthub_domain::AuthProvider::Local => Error::unauthenticated(WRONG),
    }
}

/// What was typed as a name, short enough for a log line. People type passwords into the wrong field, so
/// only the beginning is kept.
fn shown(identifier: &str) -> String {
    identifier.chars().take(50).collect()
}
