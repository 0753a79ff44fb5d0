//! What the hub asks of a provider, and what it learns from it.

use async_trait::async_trait;
use syfthub_config::Secret;
use syfthub_domain::{Email, Error, ErrorCode, Result, SignInProvider};
use url::Url;

/// Longest name of a person that is kept, in characters.
const LONGEST_NAME: usize = 100;
/// Longest address of a picture.
const LONGEST_PICTURE: usize = 500;

/// Somebody for whom a provider vouches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Profile {
    /// Who vouches.
    pub(crate) provider: SignInProvider,
    /// Their id there, which never changes.
    pub(crate) subject: String,
    /// What they are called there, for themselves to recognise.
    pub(crate) label: String,
    /// Their mail address, verified by the provider.
    pub(crate) email: Email,
    /// Their name, or what stands for it.
    pub(crate) full_name: String,
    /// Their picture.
    pub(crate) avatar_url: Option<String>,
}

/// A provider that gives people tokens which prove who they are.
#[async_trait]
pub(super) trait IdTokens: std::fmt::Debug + Send + Sync {
    /// For whom its tokens must be; `None` while it is off.
    fn client_id(&self) -> Option<&str>;

    /// Who holds this token, or 401.
    async fn verify(&self, credential: &str) -> Result<Profile>;
}

/// A provider that sends people back with a code (RFC 6749, section 4.1, with RFC 7636).
#[async_trait]
pub(super) trait CodeFlow: std::fmt::Debug + Send + Sync {
    /// Whether it is on; the error says how to switch it on.
    fn enabled(&self) -> Result<()>;

    /// Where to send the browser.
    fn authorize_url(&self, state: &str, challenge: &str) -> Result<Url>;

    /// Who came back with this code.
    async fn exchange(&self, code: &Secret, verifier: &Secret) -> Result<Profile>;
}

/// The provider that is off.
#[derive(Debug, Clone, Copy)]
pub(super) struct NotConfigured;

#[async_trait]
impl IdTokens for NotConfigured {
    fn client_id(&self) -> Option<&str> {
        None
    }

    async fn verify(&self, _credential: &str) -> Result<Profile> {
        // Published clients know this text.
        Err(Error::new(ErrorCode::NotConfigured, "Google OAuth is not configured")
            .with_source("GOOGLE_CLIENT_ID is not set"))
    }
}

#[async_trait]
impl CodeFlow for NotConfigured {
    fn enabled(&self) -> Result<()> {
        let text = "GitHub sign-in is not configured on this hub; its operator sets GITHUB_CLIENT_ID and \
            GITHUB_CLIENT_SECRET";
        Err(Error::new(ErrorCode::NotConfigured, text))
    }

    fn authorize_url(&self, _state: &str, _challenge: &str) -> Result<Url> {
        self.enabled().and_then(|()| Err(Error::internal("a provider that is off has no address")))
    }

    async fn exchange(&self, _code: &Secret, _verifier: &Secret) -> Result<Profile> {
        self.enabled().and_then(|()| Err(Error::internal("a provider that is off knows nobody")))
    }
}

/// A name as it may be stored: no control characters, not too long; `None` if nothing is left.
pub(super) fn name(text: &str) -> Option<String> {
    let kept: String = text.chars().filter(|c| !c.is_control()).collect();
    let kept: String = kept.trim().chars().take(LONGEST_NAME).collect();
    Some(kept.trim_end().to_owned()).filter(|name| !name.is_empty())
}

/// A picture that browsers load without fear: HTTPS, and not too long.
pub(super) fn picture(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|url| url.scheme() == "https" && url.has_host())?;
    Some(url.to_string()).filter(|url| url.len() <= LONGEST_PICTURE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_pictures_are_made_fit_to_store() {
        assert_eq!(name(" A\u{0}da\n Lovelace ").as_deref(), Some("Ada Lovelace"));
        assert_eq!(name(&"é".repeat(101)).unwrap().chars().count(), 100);
        assert_eq!(name("\u{0} \n"), None);
        assert_eq!(
            picture("https://pictures.example/a.png").as_deref(),
            Some("https://pictures.example/a.png")
        );
        let long = format!("https://pictures.example/{}", "a".repeat(500));
        for bad in [
            "http://pictures.example/a.png",
            "javascript:alert(1)",
            "data:image/png;base64,AA",
            "a.png",
            &long,
        ] {
            assert_eq!(picture(bad), None, "{bad}");
        }
    }
}
