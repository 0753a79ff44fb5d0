//! The session cookie of a browser: its name, how it is read, and the rule that keeps other sites from using it.

use http::{HeaderMap, Method, header};
use syfthub_config::Secret;
use syfthub_domain::{Error, Result};
use url::Url;

/// How every value begins, so that one is told apart from tokens wherever credentials are passed on.
pub const PREFIX: &str = "syft_ses_";
/// Longest value that is looked at, in bytes.
const MAX_VALUE: usize = 128;
/// Scripts of the same origin can send it; forms and links of any origin cannot.
const REQUESTED_WITH: &str = "x-requested-with";
const FETCH_SITE: &str = "sec-fetch-site";

/// Reads session cookies of one hub.
#[derive(Debug, Clone)]
pub struct BrowserCookie {
    /// Scheme, host and port, as a browser writes them into `Origin`.
    origin: String,
    secure: bool,
}

impl BrowserCookie {
    /// For the hub at this public address.
    pub fn new(public: &Url) -> Self {
        Self { origin: public.origin().ascii_serialization(), secure: public.scheme() == "https" }
    }

    /// Its name. On TLS the prefix makes browsers insist on `Secure`, `Path=/` and no `Domain`, so that no other
    /// host below the same domain can set it.
    pub const fn name(&self) -> &'static str {
        if self.secure { "__Host-syfthub_session" } else { "syfthub_session" }
    }

    /// Whether the hub is reached by TLS.
    pub const fn is_secure(&self) -> bool {
        self.secure
    }

    /// The value of the cookie. A request with an `Authorization` header says itself who asks: its cookie is
    /// not looked at.
    pub fn read(&self, headers: &HeaderMap) -> Option<Secret> {
        if headers.contains_key(header::AUTHORIZATION) {
            return None;
        }
        let value = cookie(headers, self.name())?;
        (value.starts_with(PREFIX) && value.len() <= MAX_VALUE).then(|| Secret::new(value))
    }

    /// Refuses a request that changes something on behalf of a cookie, unless a script of the hub's own pages
    /// sent it: browsers add cookies to whatever any site makes them send.
    pub fn require_own_script(&self, method: &Method, headers: &HeaderMap) -> Result<()> {
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        self.require_same_origin(headers)?;
        if headers.contains_key(REQUESTED_WITH) {
            return Ok(());
        }
        Err(Error::forbidden(
            "A request with a session cookie needs the header X-Requested-With; send it, or use a token in Authorization",
        ))
    }

    /// Refuses what a browser did not send from a page of the hub.
    pub fn require_same_origin(&self, headers: &HeaderMap) -> Result<()> {
        let told = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let same = match (told(FETCH_SITE), told(header::ORIGIN.as_str())) {
            (Some(site), _) => site == "same-origin",
            // Browsers leave Sec-Fetch-Site out on plain HTTP.
            (None, Some(origin)) => origin == self.origin,
            (None, None) => false,
        };
        if same {
            return Ok(());
        }
        let text = format!(
            "Session cookies work on the hub's own pages only ({}): a browser there sends Sec-Fetch-Site or Origin; \
             other clients use a token in Authorization",
            self.origin
        );
        Err(Error::forbidden(text))
    }

    /// Refuses an address that was not opened from a page of the hub, where opening it does something: a link on
    /// another site or in a mail is not enough. On plain HTTP browsers do not say where they come from.
    pub fn require_own_navigation(&self, headers: &HeaderMap) -> Result<()> {
        let site = headers.get(FETCH_SITE).map(|value| value.to_str().unwrap_or_default());
        match site {
            Some("same-origin") => Ok(()),
            None if !self.secure => Ok(()),
            _ => Err(Error::forbidden(format!("Open this from a page of the hub itself ({})", self.origin))),
        }
    }
}

/// The value of the first cookie with this name.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.trim(), value.trim())).find(|(key, _)| *key == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    fn hub(public: &str) -> BrowserCookie {
        BrowserCookie::new(&public.parse().unwrap())
    }

    #[test]
    fn the_name_depends_on_the_scheme() {
        assert_eq!(hub("https://hub.example.com").name(), "__Host-syfthub_session");
        assert_eq!(hub("http://localhost:8080").name(), "syfthub_session");
    }

    #[test]
    fn the_cookie_is_found_among_others_and_only_without_authorization() {
        let hub = hub("http://localhost:8080");
        let read = |pairs| hub.read(&headers(pairs)).map(|value| value.expose().to_owned());
        let value = Some("syft_ses_abc".to_owned());
        assert_eq!(read(&[("cookie", "a=b; syfthub_session=syft_ses_abc;c=d")]), value);
        assert_eq!(read(&[("cookie", "a=b"), ("cookie", "syfthub_session=syft_ses_abc")]), value);
        assert_eq!(read(&[("cookie", "xsyfthub_session=syft_ses_abc")]), None);
        assert_eq!(read(&[("cookie", "syfthub_session=something")]), None);
        assert_eq!(read(&[("cookie", "__Host-syfthub_session=syft_ses_abc")]), None);
        let both = &[("cookie", "syfthub_session=syft_ses_abc"), ("authorization", "Bearer x")];
        assert_eq!(read(both), None);
    }

    #[test]
    fn changes_need_a_script_of_the_same_origin() {
        let hub = hub("https://hub.example.com/");
        let with = ("x-requested-with", "fetch");
        let check = |method: Method, pairs: &[(&'static str, &'static str)]| {
            hub.require_own_script(&method, &headers(pairs)).is_ok()
        };
        assert!(check(Method::GET, &[]));
        assert!(check(Method::POST, &[("sec-fetch-site", "same-origin"), with]));
        assert!(check(Method::POST, &[("origin", "https://hub.example.com"), with]));
        assert!(!check(Method::POST, &[("sec-fetch-site", "same-origin")]));
        assert!(!check(Method::POST, &[with]));
        for site in ["same-site", "cross-site", "none", ""] {
            let pairs = [("sec-fetch-site", site), ("origin", "https://hub.example.com"), with];
            assert!(!check(Method::DELETE, &pairs), "{site}");
        }
        for origin in
            ["https://evil.example.com", "http://hub.example.com", "null", "https://hub.example.com:444"]
        {
            assert!(!check(Method::POST, &[("origin", origin), with]), "{origin}");
        }
    }

    #[test]
    fn pages_that_do_something_are_opened_from_the_hub() {
        let check = |hub: &BrowserCookie, pairs: &[(&'static str, &'static str)]| {
            hub.require_own_navigation(&headers(pairs)).is_ok()
        };
        for hub in [hub("https://hub.example.com"), hub("http://localhost:8080")] {
            assert!(check(&hub, &[("sec-fetch-site", "same-origin")]));
            for other in ["cross-site", "same-site", "none", ""] {
                assert!(!check(&hub, &[("sec-fetch-site", other)]), "{other}");
            }
        }
        assert!(check(&hub("http://localhost:8080"), &[]) && !check(&hub("https://hub.example.com"), &[]));
    }
}
