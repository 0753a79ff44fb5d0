//! Signing in with an account of somebody else: Google, GitHub. Each is off until it is configured.
//!
//! An account of a provider opens the account here that it is linked to. One that is linked to none gets a new account,
//! unless its mail address has one: linking is for somebody who is signed in, never by the mail address alone.

mod github;
pub(crate) mod github_routes;
mod google;
mod google_keys;
mod links;
pub(crate) mod own_routes;
mod provider;
mod round_trip;
pub(crate) mod routes;
mod wire;

use std::sync::Arc;

use syfthub_auth::sealing::Sealer;
use syfthub_cache::Cache;
use syfthub_config::Secret;
use syfthub_domain::{Error, ErrorCode, Result, SharedClock, SignInProvider, UserId};
use syfthub_store::users::UserRow;
use syfthub_store::{Db, identities, users};

pub(crate) use self::links::record_linked;
pub(crate) use self::provider::Profile;

use self::github::GitHub;
use self::google::Google;
use self::provider::{CodeFlow, IdTokens, NotConfigured};
use self::round_trip::{PATIENCE, RoundTrip};
use crate::parts::Parts;
use crate::sessions::Sessions;
use crate::users::Users;

/// The rules of the feature.
#[derive(Debug)]
pub(crate) struct SignInProviders {
    db: Db,
    cache: Cache,
    clock: SharedClock,
    sealer: Arc<Sealer>,
    users: Arc<Users>,
    sessions: Arc<Sessions>,
    google: Box<dyn IdTokens>,
    github: Box<dyn CodeFlow>,
}

impl SignInProviders {
    /// Builds the feature.
    pub(crate) fn build(parts: &Parts, users: Arc<Users>, sessions: Arc<Sessions>) -> Result<Self> {
        let settings = &parts.settings.sign_in;
        let google: Box<dyn IdTokens> = match &settings.google {
            Some(google) => Box::new(Google::new(google, parts.clock.clone())?),
            None => Box::new(NotConfigured),
        };
        let github: Box<dyn CodeFlow> = match &settings.github {
            Some(github) => Box::new(GitHub::new(github, parts.settings.public.origin())?),
            None => Box::new(NotConfigured),
        };
        Ok(Self {
            db: parts.db.clone(),
            cache: parts.cache.clone(),
            clock: parts.clock.clone(),
            sealer: Arc::clone(&parts.sealer),
            users,
            sessions,
            google,
            github,
        })
    }

    /// For whom Google's tokens must be, if people can sign in with Google.
    pub(crate) fn google_client_id(&self) -> Option<&str> {
        self.google.client_id()
    }

    /// Whether people can sign in with a provider.
    pub(crate) fn is_enabled(&self, provider: SignInProvider) -> bool {
        match provider {
            SignInProvider::Google => self.google.client_id().is_some(),
            SignInProvider::Github => self.github.enabled().is_ok(),
        }
    }

    /// The account of whoever holds this ID token of Google, made now if there is none.
    async fn sign_in_google(&self, credential: &str, invitation: Option<&str>) -> Result<UserRow> {
        let profile = self.google.verify(credential).await?;
        self.sign_in(&profile, invitation).await
    }

    /// The account behind one of a provider, made now if there is none. The sign-in is noted.
    async fn sign_in(&self, profile: &Profile, invitation: Option<&str>) -> Result<UserRow> {
        let opened = self.open(profile, invitation).await;
        match &opened {
            Ok(user) => self.sessions.let_in(user, Some(profile.provider.as_str())),
            Err(error) => self.sessions.turned_away(profile.email.as_str(), error),
        }
        opened
    }

    async fn open(&self, profile: &Profile, invitation: Option<&str>) -> Result<UserRow> {
        if let Some(user) = self.linked(profile).await? {
            return Ok(user);
        }
        match self.users.create_external(profile, invitation).await {
            Ok(user) => Ok(user),
            // Somebody who clicks twice comes twice at once; the account that the first one made is for both.
            Err(refused) => self.linked(profile).await?.ok_or(refused),
        }
    }

    /// The account that is linked to one of a provider, if it may be used.
    async fn linked(&self, profile: &Profile) -> Result<Option<UserRow>> {
        let found = identities::find(&self.db, profile.provider, &profile.subject).await?;
        let Some(identity) = found else { return Ok(None) };
        let Some(user) = users::find_by_id(&self.db, identity.user_id).await? else { return Ok(None) };
        self.sessions.may_sign_in(&user)?;
        let mut tx = self.db.begin().await?;
        let now = self.clock.now();
        identities::touch(&mut tx, profile.provider, &profile.subject, &profile.label, now).await?;
        tx.commit().await?;
        Ok(Some(user))
    }

    /// Begins the way to GitHub and back.
    fn leave_for_github(
        &self,
        return_to: String,
        link: Option<UserId>,
        invitation: Option<String>,
    ) -> Result<(url::Url, RoundTrip)> {
        let trip = RoundTrip::begin(return_to, link, invitation, self.clock.now());
        let url = self.github.authorize_url(trip.state(), &trip.challenge())?;
        Ok((url, trip))
    }

    /// Who came back from GitHub. A round trip ends here, whatever comes of it.
    async fn back_from_github(&self, trip: &RoundTrip, code: &Secret) -> Result<Profile> {
        match self.cache.put_new(&trip.used_key(), "1", PATIENCE).await {
            Ok(true) => {}
            Ok(false) => return Err(not_begun_here()),
            // GitHub takes a code once, too, and the cookie is taken away; so this is not the only guard.
            Err(error) => tracing::warn!(%error, "sign_in.use_not_recorded"),
        }
        self.github.exchange(code, &trip.verifier()).await
    }
}

/// What is said to a browser that comes back without having left, too late, or twice.
fn not_begun_here() -> Error {
    let text =
        "This sign-in was not begun in this browser, took longer than ten minutes, or is over; begin again";
    Error::coded(ErrorCode::BadRequest, text).with_extra("reason", "state_mismatch")
}
