//! Signing in with a password, and what keeps guessers out without locking the owner out.

use std::net::{IpAddr, Ipv4Addr};

use syfthub_config::Secret;
use syfthub_domain::{Error, ErrorCode, Result, UserId};
use syfthub_store::users::UserRow;
use syfthub_store::{identities, sessions, users};
use syfthub_web::{ApiResult, limit_bucket};

use super::{Pair, Sessions};
use crate::audit::activity::{Kind, Whose};
use crate::audit::origin::client_address;
use crate::limits::Scope;

/// The one text for a wrong name and for a wrong password.
const WRONG: &str = "Incorrect username or password";

impl Sessions {
    /// Signs in by username or mail address.
    pub(crate) async fn login(&self, identifier: &str, password: &Secret) -> ApiResult<(UserRow, Pair)> {
        let user = self.verify_password(identifier, password).await?;
        let pair = self.start(&user, true).await?;
        Ok((user, pair))
    }

    /// The account with this username or mail address, if this is its password. The attempt is counted and noted.
    pub(crate) async fn verify_password(&self, identifier: &str, password: &Secret) -> ApiResult<UserRow> {
        let identifier = identifier.trim().to_lowercase();
        let checked = self.check(&identifier, password).await;
        match &checked {
            Ok(user) => self.let_in(user, None),
            Err(error) => self.turned_away(&identifier, error.error()),
        }
        checked
    }

    /// Notes a sign-in: by password, or by the provider of this name.
    pub(crate) fn let_in(&self, user: &UserRow, provider: Option<&str>) {
        let (user_id, username) = (user.id.0, user.username.as_str());
        tracing::info!(target: "syfthub.api.auth", user_id, username, provider, "user.login.success");
        self.note(Kind::LoginSuccess, Whose::User(user.id), provider);
    }

    /// Notes a sign-in that failed, to whoever this name or mail address belongs.
    pub(crate) fn turned_away(&self, identifier: &str, error: &Error) {
        if error.code.http_status() < 500 {
            self.note(Kind::LoginFailed, Whose::Claimed(identifier), Some(&error.message));
        }
        if matches!(error.code, ErrorCode::Unauthenticated | ErrorCode::RateLimited) {
            tracing::warn!(target: "syfthub.api.auth", username = shown(identifier), reason = error.message, "user.login.failed");
        }
    }

    /// Whether the account may be used at all, however it is opened.
    pub(crate) fn may_sign_in(&self, user: &UserRow) -> Result<()> {
        if !user.is_active {
            return Err(Error::unauthenticated("Account is deactivated"));
        }
        if self.verifying && !user.is_email_verified {
            let text = "The mail address is not confirmed yet; enter the code that was sent to it, or ask for a new one";
            return Err(Error::coded(ErrorCode::EmailNotVerified, text));
        }
        Ok(())
    }

    /// Exists, has a password, it is the right one, is active, is confirmed: in this order, so that only somebody who
    /// knows the password learns that an account is switched off. An unknown name costs as much time as a known one.
    async fn check(&self, identifier: &str, password: &Secret) -> ApiResult<UserRow> {
        let found = if identifier.contains('@') {
            users::find_by_email(&self.db, identifier).await.map_err(Error::from)?
        } else {
            users::find_by_username(&self.db, identifier).await.map_err(Error::from)?
        };
        self.admit(found.as_ref().map(|user| user.id), identifier).await?;
        let hash = found.as_ref().and_then(|user| user.password_hash.clone());
        let (Some(user), Some(hash)) = (&found, hash) else {
            self.passwords.dummy_verify(password.expose().to_owned()).await?;
            return Err(self.no_password(found.as_ref()).await?.into());
        };
        if !self.passwords.verify(password.expose().to_owned(), hash.expose()).await? {
            return Err(Error::unauthenticated(WRONG).into());
        }
        self.may_sign_in(user)?;
        Ok(user.clone())
    }

    /// Counts an attempt. Every network has its own allowance for each account; those that the account was never
    /// signed in to from share another one. So guesses from many places run out, and the owner at a known place does
    /// not feel them. An account that does not exist is counted in the same way, or the limits would tell.
    async fn admit(&self, found: Option<UserId>, identifier: &str) -> ApiResult<()> {
        let address = limit_bucket(client_address().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        let account = found.map_or_else(|| format!("?{identifier}"), |id| id.to_string());
        let now = self.clock.now();
        let known = sessions::knows_address(&self.db, found.unwrap_or(UserId(0)), &address, now)
            .await
            .map_err(Error::from)?;
        self.limits.check_key(Scope::LoginFromAddress, &format!("{account}:{address}")).await?;
        if !known {
            self.limits.check_key(Scope::LoginFromStrangers, &account).await?;
        }
        Ok(())
    }

    /// What somebody is told whose account is opened by another provider's, or does not exist.
    async fn no_password(&self, user: Option<&UserRow>) -> Result<Error> {
        // The hub's own sample account has no password at all, and nobody is to sign in to it.
        let Some(user) = user else { return Ok(Error::unauthenticated(WRONG)) };
        let linked = identities::list(&self.db, user.id).await?;
        Ok(match linked.first() {
            Some(identity) => {
                let title = identity.provider.title();
                Error::unauthenticated(format!("Please use {title} Sign-In for this account"))
            }
            None => Error::unauthenticated(WRONG),
        })
    }
}

/// What was typed as a name, short enough for a log line. People type passwords into the wrong field, so
/// only the beginning is kept.
fn shown(identifier: &str) -> String {
    identifier.chars().take(50).collect()
}
