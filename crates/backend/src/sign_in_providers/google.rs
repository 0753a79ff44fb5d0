//! Google: people bring an ID token that Google's own script gave them.

use async_trait::async_trait;
use syfthub_auth::id_token::{self, Expected};
use syfthub_auth::satellite::key_id;
use syfthub_config::GoogleSignIn;
use syfthub_domain::{Email, Error, Result, SharedClock, SignInProvider};

use super::google_keys::GoogleKeys;
use super::provider::{IdTokens, Profile, name, picture};

/// Google writes its name in two ways.
const ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];

#[derive(Debug)]
pub(super) struct Google {
    client_id: String,
    keys: GoogleKeys,
    clock: SharedClock,
}

impl Google {
    pub(super) fn new(settings: &GoogleSignIn, clock: SharedClock) -> Result<Self> {
        let keys = GoogleKeys::new(settings.jwks_url.clone(), clock.clone())?;
        Ok(Self { client_id: settings.client_id.clone(), keys, clock })
    }
}

#[async_trait]
impl IdTokens for Google {
    fn client_id(&self) -> Option<&str> {
        Some(&self.client_id)
    }

    async fn verify(&self, credential: &str) -> Result<Profile> {
        let kid = key_id(credential).map_err(invalid)?;
        let keys = self.keys.holding(&kid).await?.ok_or_else(|| invalid("Google has no such key"))?;
        let expected = Expected { audience: &self.client_id, issuers: &ISSUERS };
        let person = id_token::verify(&keys, credential, expected, self.clock.now()).map_err(invalid)?;
        let email = Email::parse(&person.email)
            .map_err(|_| invalid("the mail address is not one that can be kept"))?;
        let full_name = person.name.as_deref().and_then(name);
        Ok(Profile {
            provider: SignInProvider::Google,
            subject: person.subject,
            label: email.as_str().to_owned(),
            full_name: full_name.unwrap_or_else(|| email.local_part().to_owned()),
            avatar_url: person.picture.as_deref().and_then(picture),
            email,
        })
    }
}

/// The one answer for every token that is not good; the reason is for the log.
fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::unauthenticated("Invalid Google token").with_source(why)
}
