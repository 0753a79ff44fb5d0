//! Which addresses of OAuth clients a browser may be sent back to: one rule for clients that register themselves and
//! for those of the operator.

use url::{Host, Url};

/// Longest address to come back to.
pub const LONGEST: usize = 2048;

/// Programs on a person's own machine that registered a scheme without a dot before RFC 8252 asked for one.
const KNOWN_SCHEMES: &[&str] = &["cursor", "vscode", "vscode-insiders", "windsurf", "zed"];

/// Why an address cannot be registered; `None` when it can: TLS anywhere, plain HTTP on the own machine, or the
/// private scheme of a program (RFC 8252, section 7).
pub fn refusal(text: &str) -> Option<&'static str> {
    if text.len() > LONGEST {
        return Some("a redirect URI is longer than 2048 characters");
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'<' | b'>')) {
        return Some("a redirect URI has characters that URIs do not have");
    }
    if text.contains('#') {
        return Some("a redirect URI has a fragment");
    }
    let Ok(url) = Url::parse(text) else { return Some("a redirect URI is not an absolute URI") };
    if !url.username().is_empty() || url.password().is_some() {
        return Some("a redirect URI has a user or a password");
    }
    match url.scheme() {
        "https" if url.host_str().is_some_and(|host| !host.is_empty()) => None,
        "http" if is_loopback(&url) => None,
        "http" => Some("plain http is for localhost, 127.0.0.1 and [::1] only; use https"),
        scheme if scheme.contains('.') || KNOWN_SCHEMES.contains(&scheme) => None,
        _ => Some("use https, http on localhost, or a private scheme in reverse domain order"),
    }
}

/// Whether an address leads to the own machine of whoever follows it.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.octets() == [127, 0, 0, 1],
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
