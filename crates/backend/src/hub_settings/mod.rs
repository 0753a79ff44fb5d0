//! What an administrator decides at run time: who may register, guest access, the hub's name.
//!
//! The environment gives the defaults; what was decided otherwise is one row of `settings`. Every process keeps the
//! result at hand, reads it again when another one says that it changed, and now and then in case that was lost.

mod change;
mod invitations;
pub(crate) mod routes;
pub(crate) mod wire;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::StreamExt as _;
use syfthub_cache::Cache;
use syfthub_config::Hub;
use syfthub_domain::{Email, Error, ErrorCode, Result, SharedClock};
use syfthub_store::{Db, Tx, settings};

use crate::audit::{self, Origin};
use crate::mail::Mail;
use crate::parts::Parts;

pub(crate) use change::{Change, Overrides};

/// Where the decisions are kept.
const KEY: &str = "hub.settings";
/// Where replicas tell one another that something was decided.
const CHANNEL: &str = "hub.settings.changed";
/// How old the settings may be when a message was lost.
const REREAD: Duration = Duration::from_secs(10);
/// Tries of a change while others change the same.
const TRIES: usize = 5;

/// Who may register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RegistrationMode {
    /// Everybody.
    Open,
    /// Whoever has an invitation.
    Invitation,
    /// Mail addresses of these domains, and whoever has an invitation.
    Domains(Vec<String>),
    /// Nobody.
    Closed,
}

/// The settings in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Current {
    /// Who may register.
    pub(crate) registration: RegistrationMode,
    /// Whether people without an account may browse and ask.
    pub(crate) guest_access: bool,
    /// What the hub calls itself.
    pub(crate) instance_name: String,
}

#[derive(Debug)]
struct Known {
    overrides: Overrides,
    current: Arc<Current>,
}

/// The rules of the feature.
#[derive(Debug)]
pub(crate) struct HubSettings {
    db: Db,
    cache: Cache,
    clock: SharedClock,
    mail: Arc<Mail>,
    defaults: Hub,
    /// Public address of the web app without a trailing slash.
    frontend: String,
    known: RwLock<Known>,
    /// Held from reading or storing until it is remembered, so that the last one to be stored is the last one
    /// remembered.
    changing: tokio::sync::Mutex<()>,
}

impl HubSettings {
    /// Builds the feature with the defaults; [`HubSettings::reload`] reads what was decided.
    pub(crate) fn build(parts: &Parts) -> Self {
        let defaults = parts.settings.hub.clone();
        let overrides = Overrides::default();
        let current = Arc::new(overrides.over(&defaults).into());
        Self {
            db: parts.db.clone(),
            cache: parts.cache.clone(),
            clock: parts.clock.clone(),
            mail: Arc::clone(&parts.mail),
            defaults,
            frontend: parts.settings.public.frontend.trim_end_matches('/').to_owned(),
            known: RwLock::new(Known { overrides, current }),
            changing: tokio::sync::Mutex::new(()),
        }
    }

    /// The settings in force.
    pub(crate) fn current(&self) -> Arc<Current> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner).current)
    }

    /// The settings in force as they are spelled, and what was decided against the defaults.
    pub(crate) fn effective(&self) -> (Hub, Overrides) {
        let overrides = self.known.read().unwrap_or_else(PoisonError::into_inner).overrides.clone();
        (overrides.over(&self.defaults), overrides)
    }

    /// The settings in force as the command line shows them: name, value, whether it was changed.
    pub(crate) fn as_text(&self) -> Vec<(String, String, bool)> {
        let (hub, overrides) = self.effective();
        let values = [
            hub.registration.as_str().to_owned(),
            hub.allowed_domains.join(","),
            hub.guest_access.to_string(),
            hub.instance_name,
        ];
        let changed = overrides.names();
        let row = |(name, value): (&str, String)| (name.to_owned(), value, changed.contains(&name));
        change::NAMES.into_iter().zip(values).map(row).collect()
    }

    /// Reads what was decided.
    pub(crate) async fn reload(&self) -> Result<()> {
        let _turn = self.changing.lock().await;
        let stored = settings::get(&self.db, KEY).await?;
        self.set(Overrides::read(stored.as_deref())?);
        Ok(())
    }

    /// Reads again whenever another replica says so, until the process ends.
    pub(crate) async fn follow_changes(&self) {
        let mut messages = self.cache.subscribe(CHANNEL).await;
        loop {
            tokio::select! {
                message = messages.next() => if message.is_none() { return },
                () = tokio::time::sleep(REREAD) => {}
            }
            if let Err(error) = self.reload().await {
                tracing::warn!(%error, "hub.settings.not_read");
            }
        }
    }

    /// Changes settings; a field that is `null` falls back to its default. Every replica learns of it at once.
    pub(crate) async fn change(&self, origin: &Origin, change: &Change) -> Result<()> {
        let _turn = self.changing.lock().await;
        for _ in 0..TRIES {
            let now = self.clock.now();
            let mut tx = self.db.begin().await?;
            let stored = settings::get(&mut tx, KEY).await?;
            let before = Overrides::read(stored.as_deref())?;
            let after = before.clone().with(change);
            let was = before.over(&self.defaults);
            let is = after.over(&self.defaults);
            change::check(&is)?;
            let text = after.to_text()?;
            if !settings::compare_and_put(&mut tx, KEY, stored.as_deref(), &text, now).await? {
                continue; // somebody else was faster; look at what they decided
            }
            let mut entry = origin.entry(now, "settings.changed", "settings", "hub");
            entry.before = Some(wire::HubSettingsView::of(&was, &before).into_value());
            entry.after = Some(wire::HubSettingsView::of(&is, &after).into_value());
            audit::record(&mut tx, &entry).await?;
            tx.commit().await?;
            self.set(after);
            if let Err(error) = self.cache.publish(CHANNEL, "*").await {
                tracing::warn!(%error, "hub.settings.change_not_sent");
            }
            tracing::info!(target: "syfthub.api.settings", registration = is.registration.as_str(), guest_access = is.guest_access, "settings.changed");
            return Ok(());
        }
        Err(Error::new(ErrorCode::Conflict, "The settings are being changed by others; try again"))
    }

    /// Whether an account may be made for this address, by somebody who brings this invitation code or none. Every
    /// way to an account asks here, in the change that makes it: an invitation is used up by it.
    pub(crate) async fn may_register(
        &self,
        tx: &mut Tx,
        email: &Email,
        invitation: Option<&str>,
    ) -> Result<()> {
        let current = self.current();
        let invitation = invitation.map(str::trim).filter(|code| !code.is_empty());
        match (&current.registration, invitation) {
            (RegistrationMode::Open, _) => Ok(()),
            (RegistrationMode::Closed, _) => Err(refused(
                "registration_closed",
                "Registration is closed on this hub; ask its administrator for an account",
            )),
            (RegistrationMode::Domains(domains), _) if is_of(email, domains) => Ok(()),
            (_, Some(code)) => self.redeem(tx, email, code).await,
            (RegistrationMode::Domains(domains), None) => Err(refused(
                "domain_not_allowed",
                &format!(
                    "This hub takes registrations from {} only; use such a mail address, or ask an administrator \
                     for an invitation and send its code as invitation_code",
                    domains.join(", ")
                ),
            )),
            (RegistrationMode::Invitation, None) => Err(refused(
                "invitation_required",
                "This hub takes registrations by invitation only; ask an administrator for one and send its code \
                 as invitation_code",
            )),
        }
    }

    /// Refuses what guests ask for when the hub is not open to guests.
    pub(crate) fn admit_guest(&self) -> Result<()> {
        if self.current().guest_access {
            return Ok(());
        }
        Err(Error::forbidden("This hub is not open to guests; sign in and use your own token"))
    }

    /// Like [`HubSettings::admit_guest`] for what signing in would open: 401.
    pub(crate) fn admit_anonymous(&self) -> Result<()> {
        if self.current().guest_access {
            return Ok(());
        }
        Err(Error::unauthenticated("This hub is not open to guests; sign in"))
    }

    fn set(&self, overrides: Overrides) {
        let current = Arc::new(Current::from(overrides.over(&self.defaults)));
        self.mail.call_the_hub(&current.instance_name);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known { overrides, current };
    }
}

impl From<Hub> for Current {
    fn from(hub: Hub) -> Self {
        let registration = match hub.registration {
            syfthub_config::RegistrationMode::Open => RegistrationMode::Open,
            syfthub_config::RegistrationMode::Invitation => RegistrationMode::Invitation,
            syfthub_config::RegistrationMode::Domains => RegistrationMode::Domains(hub.allowed_domains),
            syfthub_config::RegistrationMode::Closed => RegistrationMode::Closed,
        };
        Self { registration, guest_access: hub.guest_access, instance_name: hub.instance_name }
    }
}

/// Whether an address belongs to one of these domains itself; subdomains are others.
fn is_of(email: &Email, domains: &[String]) -> bool {
    let domain = email.as_str().rsplit_once('@').map(|(_, domain)| domain);
    domain.is_some_and(|domain| domains.iter().any(|allowed| allowed == domain))
}

/// 403 with the reason as a word for programs and as a text for people.
fn refused(reason: &str, text: &str) -> Error {
    Error::forbidden(text).with_extra("reason", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_domain_itself_is_allowed() {
        let allowed = ["example.com".to_owned()];
        let of = |email: &str| is_of(&Email::parse(email).unwrap(), &allowed);
        assert!(of("bob@example.com") && of("BOB@EXAMPLE.COM"));
        for other in ["bob@evil.com", "bob@sub.example.com", "bob@notexample.com", "example.com@evil.com"] {
            assert!(!of(other), "{other}");
        }
    }
}
