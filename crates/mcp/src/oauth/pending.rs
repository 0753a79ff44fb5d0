//! A request that waits for its person. It is sealed into the page, bound to the browser that began, and forgotten
//! after ten minutes; no table holds it.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use syfthub_auth::SealedBox;
use syfthub_config::Secret;
use syfthub_domain::{Error, Result, SharedClock};
use syfthub_web::browser::{BrowserCookie, cookie};

/// Label of the key that seals.
pub(crate) const LABEL: &str = "oauth pending requests";
/// How long a person may take.
const LIFE: Duration = Duration::from_mins(10);
/// What the sealed text is, so that no other can stand in for it.
const PURPOSE: &[u8] = b"oauth pending request";
/// The same of one that a client pushed before it sent a browser.
const PUSHED: &[u8] = b"oauth pushed request";
/// How long a pushed request may wait for its browser, in seconds.
pub(crate) const PUSHED_SECONDS: i64 = 90;
/// Longest sealed text: it has to fit into an address.
const LONGEST: usize = 6000;
/// How long a browser keeps its mark, in seconds.
const MARK_SECONDS: u64 = 3600;
/// Characters of a mark: 32 random bytes.
const MARK_LENGTH: usize = 43;

/// What was asked for, checked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// Of the request itself: it is answered once.
    pub(crate) id: String,
    pub(crate) client_id: String,
    pub(crate) client_name: String,
    pub(crate) vouched_by: Option<String>,
    pub(crate) redirect_uri: String,
    pub(crate) resource: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) state: Option<String>,
    pub(crate) challenge: String,
    pub(crate) nonce: Option<String>,
    /// Thumbprint of the key that its code is bound to (RFC 9449, section 10); empty without one.
    #[serde(default)]
    pub(crate) key: String,
    /// The person has to sign in anew.
    pub(crate) sign_in_again: bool,
    /// Hash of the session that the browser had when it began, if that one will not do.
    #[serde(default)]
    pub(crate) session: String,
    /// The person has to be asked, whatever was agreed to before.
    pub(crate) ask_again: bool,
    /// Nobody may be shown a page.
    pub(crate) silent: bool,
    /// Oldest sign-in that will do, in seconds.
    pub(crate) max_age: Option<i64>,
    pub(crate) begun_at: i64,
    /// Hash of the browser's mark; see [`Pendings::bound`].
    pub(crate) browser: String,
    /// The code of a device that waits for this person (RFC 8628), or nothing as long as it was not entered; then
    /// there is no program behind the browser to send it back to.
    #[serde(default)]
    pub(crate) device: Option<String>,
}

impl Pending {
    /// Where the browser is sent in the end, if it is sent anywhere.
    pub(crate) fn leads_to(&self) -> Option<&str> {
        Some(self.redirect_uri.as_str()).filter(|uri| !uri.is_empty())
    }
}

/// Seals and opens.
#[derive(Debug)]
pub(crate) struct Pendings {
    sealed: SealedBox,
    clock: SharedClock,
}

/// The mark of a browser, by which a request is bound to it.
#[derive(Debug, Clone)]
pub(crate) struct Mark(String);

impl Mark {
    /// The one that a browser has already, or a new one.
    pub(crate) fn of(headers: &HeaderMap, hub: &BrowserCookie) -> Self {
        Self::read(headers, hub).unwrap_or_else(|| Self(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())))
    }

    fn read(headers: &HeaderMap, hub: &BrowserCookie) -> Option<Self> {
        let mark = cookie(headers, name(hub))?;
        let plain = mark.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        (mark.len() == MARK_LENGTH && plain).then(|| Self(mark.to_owned()))
    }

    pub(crate) fn hash(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.0.as_bytes()))
    }

    /// The cookie that keeps it.
    pub(crate) fn to_cookie(&self, hub: &BrowserCookie) -> Result<HeaderValue> {
        set_cookie(hub, name(hub), &self.0, MARK_SECONDS)
    }
}

/// A cookie of these pages: for no script, and not sent along with what other sites send.
pub(crate) fn set_cookie(hub: &BrowserCookie, name: &str, value: &str, seconds: u64) -> Result<HeaderValue> {
    let secure = if hub.is_secure() { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&text).map_err(Error::internal)
}

fn hashed(session: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(session.expose().as_bytes()))
}

impl Pending {
    /// Whether this is the session that the browser had when it began, and that will not do.
    pub(crate) fn was_begun_with(&self, session: &Secret) -> bool {
        self.sign_in_again && self.session == hashed(session)
    }
}

const fn name(hub: &BrowserCookie) -> &'static str {
    if hub.is_secure() { "__Host-syfthub_oauth" } else { "syfthub_oauth" }
}

impl Pendings {
    pub(crate) fn new(sealed: SealedBox, clock: SharedClock) -> Self {
        Self { sealed, clock }
    }

    /// Binds a request to a browser.
    pub(crate) fn bound(mut pending: Pending, mark: &Mark) -> Pending {
        pending.browser = mark.hash();
        pending
    }

    /// Remembers the session that a browser has, when its person has to sign in anew: seconds are too coarse to tell
    /// a session that began before the request from one that began after it.
    pub(crate) fn begun_with(pending: Pending, session: Option<&Secret>) -> Pending {
        match session.filter(|_| pending.sign_in_again) {
            Some(session) => Pending { session: hashed(session), ..pending },
            None => pending,
        }
    }

    /// As a text for a form or an address; `None` when it is too long for one.
    pub(crate) fn seal(&self, pending: &Pending) -> Result<Option<String>> {
        let json = serde_json::to_vec(pending).map_err(Error::internal)?;
        let sealed = URL_SAFE_NO_PAD.encode(self.sealed.seal(&json, PURPOSE)?);
        Ok((sealed.len() <= LONGEST).then_some(sealed))
    }

    /// As a text for the client that pushed it (RFC 9126); `None` when it is too long for an address.
    pub(crate) fn push(&self, pending: &Pending) -> Result<Option<String>> {
        let json = serde_json::to_vec(pending).map_err(Error::internal)?;
        let sealed = URL_SAFE_NO_PAD.encode(self.sealed.seal(&json, PUSHED)?);
        Ok((sealed.len() <= LONGEST).then_some(sealed))
    }

    /// The request that this client pushed a moment ago, as one that begins now.
    pub(crate) fn pushed(&self, text: &str, client_id: &str) -> Option<Pending> {
        let sealed = URL_SAFE_NO_PAD.decode(Some(text).filter(|text| text.len() <= LONGEST)?).ok()?;
        let pending: Pending = serde_json::from_slice(&self.sealed.open(&sealed, PUSHED).ok()?).ok()?;
        let now = self.clock.now().as_secs();
        let fresh = (0..PUSHED_SECONDS).contains(&now.saturating_sub(pending.begun_at));
        (fresh && pending.client_id == client_id).then_some(Pending { begun_at: now, ..pending })
    }

    /// The request in a text, if this browser began it less than ten minutes ago.
    pub(crate) fn open(&self, text: &str, headers: &HeaderMap, hub: &BrowserCookie) -> Option<Pending> {
        let text = Some(text).filter(|text| text.len() <= LONGEST)?;
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let pending: Pending = serde_json::from_slice(&self.sealed.open(&sealed, PURPOSE).ok()?).ok()?;
        let age = self.clock.now().as_secs().saturating_sub(pending.begun_at);
        let fresh = u64::try_from(age.max(0)).is_ok_and(|age| age < LIFE.as_secs());
        let mark = Mark::read(headers, hub)?;
        let same = bool::from(mark.hash().as_bytes().ct_eq(pending.browser.as_bytes()));
        (fresh && same).then_some(pending)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header;
    use syfthub_auth::MasterKey;
    use syfthub_domain::{FixedClock, Timestamp};

    use super::*;

    fn pending() -> Pending {
        Pending { id: "1".to_owned(), state: Some("s".to_owned()), begun_at: 1000, ..Pending::default() }
    }

    fn with(mark: &Mark) -> HeaderMap {
        let value = format!("a=b; syfthub_oauth={}", mark.0).parse().unwrap();
        HeaderMap::from_iter([(header::COOKIE, value)])
    }

    #[test]
    fn only_the_browser_that_began_can_go_on_and_not_for_long() {
        let hub = BrowserCookie::new(&"http://localhost:8080".parse().unwrap());
        let master = MasterKey::new(&Secret::new("k".to_owned()));
        let at = |secs| {
            let clock = FixedClock::new(Timestamp::from_secs(secs));
            Pendings::new(SealedBox::new(&master, None, LABEL), clock)
        };
        let (mark, other) = (Mark::of(&HeaderMap::new(), &hub), Mark::of(&HeaderMap::new(), &hub));
        let begun = Pendings::bound(pending(), &mark);
        let text = at(1000).seal(&begun).unwrap().unwrap();
        assert_eq!(at(1599).open(&text, &with(&mark), &hub), Some(begun));
        assert_eq!(at(1600).open(&text, &with(&mark), &hub), None);
        assert_eq!(at(1000).open(&text, &with(&other), &hub), None);
        assert_eq!(at(1000).open(&text, &HeaderMap::new(), &hub), None);
        assert_eq!(at(1000).open("", &with(&mark), &hub), None);
        assert_eq!(Mark::of(&with(&mark), &hub).0, mark.0);
        let long = Pending { state: Some("x".repeat(6000)), ..pending() };
        assert_eq!(at(1000).seal(&long).unwrap(), None);
    }

    // Covers: RFC9126-2.2-expires, RFC9126-2.2-bound
    #[test]
    fn a_pushed_request_waits_for_its_own_browser_and_not_for_long() {
        let master = MasterKey::new(&Secret::new("k".to_owned()));
        let at = |secs| {
            let clock = FixedClock::new(Timestamp::from_secs(secs));
            Pendings::new(SealedBox::new(&master, None, LABEL), clock)
        };
        let pushed = Pending { client_id: "client".to_owned(), ..pending() };
        let text = at(1000).push(&pushed).unwrap().unwrap();
        assert_eq!(at(1089).pushed(&text, "client").map(|pending| pending.begun_at), Some(1089));
        assert!(at(1000 + PUSHED_SECONDS).pushed(&text, "client").is_none());
        assert!(at(1000).pushed(&text, "other").is_none());
        let own = at(1000).seal(&pushed).unwrap().unwrap();
        assert!(at(1000).pushed(&own, "client").is_none(), "a request of a page is none that was pushed");
    }

    #[test]
    fn the_mark_is_for_no_script() {
        let hub = BrowserCookie::new(&"https://hub.example".parse().unwrap());
        let cookie = Mark::of(&HeaderMap::new(), &hub).to_cookie(&hub).unwrap();
        let text = cookie.to_str().unwrap();
        assert!(text.starts_with("__Host-syfthub_oauth=") && text.ends_with("; Secure"), "{text}");
        assert!(text.contains("; Path=/; HttpOnly; SameSite=Lax;"), "{text}");
    }
}
