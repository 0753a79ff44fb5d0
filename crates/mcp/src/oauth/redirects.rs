//! Where a browser may be sent back to.

pub(crate) use syfthub_web::redirect_uri::refusal;
use url::{Host, Url};

/// Whether a requested address is this registered one. On the own machine the port does not matter, since a program
/// takes the one that is free (RFC 8252, section 7.3); everything else has to be equal.
pub(crate) fn matches(registered: &str, requested: &str) -> bool {
    if refusal(requested).is_some() {
        return false;
    }
    if registered == requested {
        return true;
    }
    without_port(registered).is_some_and(|known| without_port(requested) == Some(known))
}

/// An address on the own machine without its port, otherwise as it is written: what means the same in another spelling
/// is another address.
fn without_port(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix("http://")?;
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let host = ["localhost", "127.0.0.1", "[::1]"].into_iter().find(|host| authority.starts_with(host))?;
    let port = authority.get(host.len()..)?;
    let plain = |port: &str| (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    (port.is_empty() || port.strip_prefix(':').is_some_and(plain)).then_some((host, path))
}

/// Whether it leads to a program on the machine of whoever looks.
pub(crate) fn is_local(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.scheme() != "https")
}

/// What of it a person should look at.
pub(crate) fn shown(text: &str) -> String {
    let Ok(url) = Url::parse(text) else { return String::new() };
    match url.scheme() {
        "http" | "https" => url.host_str().unwrap_or_default().to_owned(),
        scheme => format!("{scheme}:"),
    }
}

/// What a policy of content security must name so that a form may end there. Numbers of IPv6 are none of its words.
pub(crate) fn source(text: &str) -> String {
    let Ok(url) = Url::parse(text) else { return String::new() };
    match (url.scheme(), url.host()) {
        ("http" | "https", Some(Host::Domain(_) | Host::Ipv4(_))) => url.origin().ascii_serialization(),
        (scheme, _) => format!("{scheme}:"),
    }
}

/// The address with parameters added; what is there stays as it was written.
pub(crate) fn with(text: &str, parameters: &[(&str, &str)]) -> String {
    let joint = match text.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    let mut added = url::form_urlencoded::Serializer::new(String::new());
    added.extend_pairs(parameters);
    format!("{text}{joint}{}", added.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_registered() {
        for good in [
            "https://claude.ai/api/mcp/auth_callback",
            "https://client.example/cb?x=1",
            "http://localhost/callback",
            "http://127.0.0.1:6274/oauth/callback",
            "http://[::1]:9/cb",
            "com.example.app:/cb",
            "cursor://anysphere.cursor-retrieval/oauth/callback",
        ] {
            assert_eq!(refusal(good), None, "{good}");
        }
        for bad in [
            "",
            "/cb",
            "http://client.example/cb",
            "http://localhost.evil.example/cb",
            "http://127.0.0.2/cb",
            "https://client.example/cb#x",
            "https://client.example/cb#",
            "https://user:pw@client.example/cb",
            "http://localhost@evil.example/",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "custom:/cb",
            "https://client.example/ cb",
            "https://client.example\\@evil.example/",
            "https://client.example/\u{fc}",
            "https://client.example/\"><script>",
        ] {
            assert!(refusal(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn only_the_port_of_the_own_machine_is_free() {
        for (registered, requested) in [
            ("http://localhost/callback", "http://localhost:51234/callback"),
            ("http://127.0.0.1:1/callback", "http://127.0.0.1:51234/callback"),
            ("http://[::1]/cb", "http://[::1]:9/cb"),
            ("https://a.example/cb", "https://a.example/cb"),
        ] {
            assert!(matches(registered, requested), "{requested}");
        }
        for (registered, requested) in [
            ("https://a.example/cb", "https://a.example:444/cb"),
            ("https://a.example/cb", "https://a.example/cb/"),
            ("https://a.example/cb", "https://a.example/cb?x=1"),
            ("https://a.example/cb", "https://A.example/cb"),
            ("http://localhost/cb", "http://127.0.0.1:9/cb"),
            ("http://localhost/cb", "https://localhost/cb"),
            ("http://localhost/cb", "http://localhost:9/cb2"),
            ("http://localhost/cb", "http://localhost:9/cb?x"),
            ("http://localhost/cb", "http://localhost:9@evil.example/cb"),
            ("http://localhost/cb", "http://localhost.evil.example/cb"),
            ("http://localhost/cb", "http://localhost:9/x/../cb"),
            ("http://localhost/cb", "http://LOCALHOST:9/cb"),
            ("http://127.0.0.1/cb", "http://2130706433:9/cb"),
            ("http://127.0.0.1/cb", "http://127.0.0.1:/cb"),
        ] {
            assert!(!matches(registered, requested), "{requested}");
        }
    }

    #[test]
    fn parameters_are_added_to_what_is_there() {
        let more = [("code", "a b"), ("state", "\"><script>&=")];
        let added = "code=a+b&state=%22%3E%3Cscript%3E%26%3D";
        assert_eq!(with("https://a.example/cb", &more), format!("https://a.example/cb?{added}"));
        assert_eq!(with("https://a.example/cb?x=%20", &more), format!("https://a.example/cb?x=%20&{added}"));
        assert_eq!(with("com.example:/cb", &more), format!("com.example:/cb?{added}"));
    }

    #[test]
    fn sources_are_words_of_a_policy() {
        assert_eq!(source("https://a.example/cb?x;y"), "https://a.example");
        assert_eq!(source("http://127.0.0.1:99/cb"), "http://127.0.0.1:99");
        assert_eq!(source("http://[::1]:99/cb"), "http:");
        assert_eq!(source("cursor://x/y"), "cursor:");
        assert_eq!(
            (shown("https://a.example/cb").as_str(), shown("cursor://x").as_str()),
            ("a.example", "cursor:")
        );
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_a_check_panic_and_what_matches_could_be_registered(a in ".{0,40}", b in ".{0,40}") {
            if matches(&a, &b) {
                proptest::prop_assert_eq!(refusal(&b), None);
            }
        }

        #[test]
        fn a_local_address_matches_at_any_port(port in 1_u16.., path in "/[a-z]{0,8}") {
            let requested = format!("http://localhost:{port}{path}");
            let registered = format!("http://localhost{path}");
            proptest::prop_assert!(matches(&registered, &requested));
        }
    }
}
