//! The way to GitHub and back: what the hub tells the browser to keep meanwhile, and what it believes on return.
//!
//! Everything is in one sealed cookie, so no replica has to remember it. The cookie binds the state to the browser
//! that began: a link with somebody else's state or code does nothing.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use syfthub_auth::sealing::Sealer;
use syfthub_config::Secret;
use syfthub_domain::{Error, Result, Timestamp, UserId};
use syfthub_web::browser::{BrowserCookie, cookie};
use url::Url;

use crate::sessions::browser::SetCookie;

/// How long somebody may take at the provider.
pub(super) const PATIENCE: Duration = Duration::from_mins(10);
/// Longest path to come back to.
pub(super) const LONGEST_PATH: usize = 1000;
/// What the sealed cookie is for, so that no other sealed value can stand in for it.
const PURPOSE: &[u8] = b"sign-in round trip";
/// Longest cookie that is looked at; browsers keep 4096 bytes.
const LONGEST_COOKIE: usize = 4096;

/// What a browser keeps while its user is at the provider. Not to be printed: it proves who began.
#[derive(Serialize, Deserialize)]
pub(super) struct RoundTrip {
    /// Comes back in the query.
    state: String,
    /// Proves to the provider that who began also finishes (RFC 7636).
    verifier: String,
    /// Where on the hub to go afterwards.
    pub(super) return_to: String,
    /// Who links, if this is not a sign-in.
    link: Option<i64>,
    /// An invitation, for a new account on a hub that asks for one.
    pub(super) invitation: Option<String>,
    expires_at: i64,
}

impl RoundTrip {
    /// Begins one.
    pub(super) fn begin(
        return_to: String,
        link: Option<UserId>,
        invitation: Option<String>,
        now: Timestamp,
    ) -> Self {
        let random = || URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let link = link.map(|user| user.0);
        let expires_at = now.plus(PATIENCE).as_secs();
        Self { state: random(), verifier: random(), return_to, link, invitation, expires_at }
    }

    pub(super) fn state(&self) -> &str {
        &self.state
    }

    pub(super) fn verifier(&self) -> Secret {
        Secret::new(self.verifier.as_str())
    }

    /// The account that links the provider's, if this is not a sign-in.
    pub(super) fn link(&self) -> Option<UserId> {
        self.link.map(UserId)
    }

    /// What of the verifier the provider is told at the beginning.
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()))
    }

    /// Under which name it is written down that this one is over.
    pub(super) fn used_key(&self) -> String {
        format!("sign-in:{}", hex::encode(Sha256::digest(self.state.as_bytes())))
    }

    /// Whether the browser came back with the state that it left with.
    pub(super) fn is_of(&self, state: &str) -> bool {
        self.state.as_bytes().ct_eq(state.as_bytes()).into()
    }

    /// As the cookie that the browser keeps.
    pub(super) fn seal(&self, sealer: &Sealer, hub: &BrowserCookie) -> Result<SetCookie> {
        let json = serde_json::to_vec(self).map_err(Error::internal)?;
        let sealed = URL_SAFE_NO_PAD.encode(sealer.seal(&json, PURPOSE)?);
        SetCookie::new(hub, cookie_name(hub), &sealed, "/", PATIENCE.as_secs())
    }

    /// What the browser kept, if it is from this hub and not too old.
    pub(super) fn open(
        headers: &HeaderMap,
        sealer: &Sealer,
        hub: &BrowserCookie,
        now: Timestamp,
    ) -> Option<Self> {
        let text = cookie(headers, cookie_name(hub)).filter(|text| text.len() <= LONGEST_COOKIE)?;
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let json = sealer.open(&sealed, PURPOSE).ok()?;
        let kept: Self = serde_json::from_slice(&json).ok()?;
        (kept.expires_at > now.as_secs()).then_some(kept)
    }
}

/// The cookie that takes it away.
pub(super) fn gone(hub: &BrowserCookie) -> Result<SetCookie> {
    SetCookie::new(hub, cookie_name(hub), "", "/", 0)
}

const fn cookie_name(hub: &BrowserCookie) -> &'static str {
    if hub.is_secure() { "__Host-syfthub_sign_in" } else { "syfthub_sign_in" }
}

/// Reads a path of the hub to come back to; the text says what it must be.
pub(super) fn own_path(text: &str) -> std::result::Result<String, String> {
    let wrong = || "must be a path of this hub such as /settings, in visible ASCII characters".to_owned();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if text.len() > LONGEST_PATH || !text.starts_with('/') || !is_plain {
        return Err(wrong());
    }
    // Browsers take dots out of a path; what is left must still be one, and not the name of a host.
    let here = Url::parse("http://hub.invalid").map_err(|_| wrong())?;
    let there = here.join(text).map_err(|_| wrong())?;
    let path = &there[url::Position::BeforePath..];
    if there.origin() != here.origin() || there.path().starts_with("//") {
        return Err(wrong());
    }
    Ok(path.to_owned())
}

/// The path with what went wrong in its query.
pub(super) fn with_error(return_to: &str, word: &str) -> String {
    let (front, fragment) = return_to.split_once('#').map_or((return_to, None), |(a, b)| (a, Some(b)));
    let mark = if front.contains('?') { '&' } else { '?' };
    let fragment = fragment.map(|text| format!("#{text}")).unwrap_or_default();
    format!("{front}{mark}sign_in_error={word}{fragment}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_the_hub_are_gone_back_to() {
        for (text, path) in [
            ("/", "/"),
            ("/settings/account?tab=2#links", "/settings/account?tab=2#links"),
            ("/a/../b", "/b"),
            ("/%5cevil.example", "/%5cevil.example"),
            ("/?next=https://evil.example", "/?next=https://evil.example"),
        ] {
            assert_eq!(own_path(text).as_deref(), Ok(path), "{text}");
        }
        let long = format!("/{}", "a".repeat(LONGEST_PATH));
        for bad in [
            "",
            "settings",
            "https://evil.example",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\/evil",
            "/.//evil.example",
            "/a/..//evil.example",
            "/%2e//evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            " /",
            "/é",
            "javascript:alert(1)",
            "@evil.example",
            &long,
        ] {
            assert!(own_path(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_error_is_told_in_the_query() {
        assert_eq!(with_error("/", "x"), "/?sign_in_error=x");
        assert_eq!(with_error("/a?b=1#c", "x"), "/a?b=1&sign_in_error=x#c");
    }

    #[test]
    fn the_challenge_is_that_of_rfc_7636() {
        let mut trip = RoundTrip::begin("/".to_owned(), None, None, Timestamp::from_secs(0));
        trip.verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned(); // appendix B
        assert_eq!(trip.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
