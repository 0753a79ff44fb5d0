//! Addresses that clients give for other clients to open. The hub itself does not call them, so only the form is
//! checked; the API document states the same form as a pattern.

/// Checks `http(s)://host`, optionally with port, path, query and fragment, in printable ASCII.
pub(crate) fn check(text: &str) -> Result<(), String> {
    if is_web_address(text) {
        return Ok(());
    }
    Err("must be an address with a host that starts with http:// or https://".to_owned())
}

/// Whether a text has the form of a web address.
pub(crate) fn is_web_address(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")) else {
        return false;
    };
    let (authority, tail) = rest.find(['/', '?', '#']).map_or((rest, ""), |at| rest.split_at(at));
    has_host(authority) && tail.bytes().all(|byte| (b'!'..=b'~').contains(&byte))
}

fn has_host(authority: &str) -> bool {
    if let Some(rest) = authority.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        let good = |c: char| c.is_ascii_hexdigit() || c == ':' || c == '.';
        return !address.is_empty() && address.chars().all(good) && is_port(port);
    }
    let (host, port) = authority.find(':').map_or((authority, ""), |at| authority.split_at(at));
    host.starts_with(|c: char| c.is_ascii_alphanumeric())
        && host.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-')
        && is_port(port)
}

/// Nothing, or a colon and up to five digits.
fn is_port(text: &str) -> bool {
    let Some(digits) = text.strip_prefix(':') else { return text.is_empty() };
    (1..=5).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_and_a_host() {
        for good in [
            "http://a",
            "https://example.org",
            "http://127.0.0.1:8001/x?y=1#z",
            "http://[::1]:8001/",
            "https://a-b.example.org?q",
        ] {
            assert!(is_web_address(good), "{good}");
        }
        for bad in [
            "",
            "example.org",
            "ftp://example.org",
            "http://",
            "http:///path",
            "http://:80",
            "http://a b",
            "http://a/b c",
            "http://user@example.org",
            "http://a:b",
            "http://a:123456",
            "http://[::1",
            "http://[]",
            "http://-a",
            "javascript:alert(1)//http://a",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_passes_is_what_other_programs_can_read(host in "[a-z0-9][a-z0-9-]{0,20}[a-z]", tail in "(/[!-~]{0,20})?") {
            let text = format!("https://{host}{tail}");
            proptest::prop_assert!(is_web_address(&text));
            proptest::prop_assert!(url::Url::parse(&text).is_ok() || host.starts_with("xn--"), "{}", text);
        }
    }
}
