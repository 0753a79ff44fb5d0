//! The credential of a command: named on the command line, in the environment, or left by `syfthub login`.

use anyhow::{Context as _, bail};
use syfthub_config::{Input, Secret};
use syfthub_domain::{Clock as _, SystemClock};
use url::Url;

use super::address;
use super::kept::Kept;
use super::server;

/// The variable that every SDK reads its token from.
const VARIABLE: &str = "SYFTHUB_API_TOKEN";
/// An access token that ends so soon is renewed first, in seconds.
const MARGIN: i64 = 60;

/// Where a command's tokens come from.
#[derive(Debug)]
pub(crate) enum Credential {
    /// A token that stays as it is, and where it stands.
    Given(Secret, &'static str),
    /// A sign-in that is renewed when needed.
    Login(SignIn),
}

/// A sign-in of this machine.
#[derive(Debug)]
pub(crate) struct SignIn {
    kept: Kept,
    hub: Url,
    scope: String,
}

/// Why there is no token.
#[derive(Debug)]
pub(crate) enum Missing {
    /// The hub cannot be reached; later it may.
    Away(anyhow::Error),
    /// The sign-in is over or cannot be read.
    Over(anyhow::Error),
}

impl Credential {
    /// The first there is: `named` on the command line, the environment, the sign-in at this hub.
    pub(crate) fn find(hub: &Url, named: Option<Secret>) -> anyhow::Result<Option<Self>> {
        if let Some(named) = named {
            return Ok(Some(Self::Given(named, "the command line")));
        }
        let input = Input::from_process()?;
        if let Some(token) = input.variable(VARIABLE) {
            return Ok(Some(Self::Given(Secret::new(token.trim()), VARIABLE)));
        }
        let Some(kept) = Kept::of_user(&input) else { return Ok(None) };
        let Some(login) = kept.find(hub)? else { return Ok(None) };
        Ok(Some(Self::Login(SignIn { kept, hub: hub.clone(), scope: login.scope })))
    }

    /// A token that is good now.
    pub(crate) async fn token(&self) -> anyhow::Result<Secret> {
        match self {
            Self::Given(token, _) => Ok(token.clone()),
            Self::Login(sign_in) => sign_in.token().await.map_err(|missing| match missing {
                Missing::Away(error) | Missing::Over(error) => error,
            }),
        }
    }

    /// Where it comes from, for the one whose it is.
    pub(crate) fn in_words(&self) -> String {
        match self {
            Self::Given(_, place) => format!("by the token in {place}"),
            Self::Login(sign_in) => format!("by `syfthub login`, with the scopes {}", sign_in.scope),
        }
    }
}

impl SignIn {
    /// A token that is good now. Of commands that run side by side one renews it, the others wait and take what came.
    pub(crate) async fn token(&self) -> Result<Secret, Missing> {
        let fresh = |ends: i64| ends.saturating_sub(SystemClock.now().as_secs()) > MARGIN;
        let login = self.kept.find(&self.hub).map_err(Missing::Over)?;
        if let Some(login) = login.filter(|login| fresh(login.expires_at)) {
            return Ok(login.access_token());
        }
        let mut locked = self.kept.lock().await.map_err(Missing::Over)?;
        let login = locked.find(&self.hub).map_err(Missing::Over)?.ok_or_else(|| self.over())?;
        if fresh(login.expires_at) {
            return Ok(login.access_token());
        }
        match server::refresh(login, &SystemClock).await {
            Ok(Some(login)) => {
                let token = login.access_token();
                locked.update(&self.hub, login).map_err(Missing::Over)?;
                Ok(token)
            }
            Ok(None) => {
                locked.remove(&self.hub).map_err(Missing::Over)?;
                Err(self.over())
            }
            Err(error) => {
                let text = format!("the sign-in at {} could not be renewed", address(&self.hub));
                Err(Missing::Away(error.context(text)))
            }
        }
    }

    fn over(&self) -> Missing {
        let hub = address(&self.hub);
        Missing::Over(anyhow::anyhow!("the sign-in at {hub} is over: run `syfthub login --hub {hub}`"))
    }
}

/// The token of a command that needs one.
pub(crate) async fn required(hub: &Url) -> anyhow::Result<Secret> {
    let Some(credential) = Credential::find(hub, None)? else {
        bail!("not signed in to {}: run `syfthub login`", address(hub));
    };
    credential.token().await.context("no token")
}
