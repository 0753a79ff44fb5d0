//! The few pages that backend renders itself: escaped text in one plain frame, no script at all.

use std::fmt::Write as _;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// Nothing is loaded and nothing runs; forms go back to where the page came from.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const STYLE: &str = ":root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;background:#fff;color:#1c1c28}\
a{color:#0b57d0}label{display:block;margin:.8rem 0}input{display:block;width:100%;padding:.5rem;font:inherit;box-sizing:border-box}\
button{padding:.6rem 1.2rem;font:inherit}pre{white-space:pre-wrap;background:#f4f4f8;padding:1rem;border-radius:.3rem}\
.error{color:#a00}.badge{font-size:.8rem;border:1px solid #888;border-radius:.3rem;padding:.1rem .4rem}\
@media(prefers-color-scheme:dark){body{background:#16161d;color:#e6e6ee}a{color:#8ab4f8}pre{background:#22222c}.error{color:#ff8a80}}";

/// Whether a person is looking: a program does not ask for HTML.
pub(crate) fn wants_html(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains("text/html")
}

/// Text made safe between tags and inside quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// A labelled input. `value` is escaped here; a password's value is never sent back.
pub(crate) fn input(label: &str, name: &str, kind: &str, value: &str, autocomplete: &str) -> String {
    let mut out = String::new();
    let value = if kind == "password" { String::new() } else { escape(value) };
    let _ = write!(
        out,
        "<label>{}<input name=\"{name}\" type=\"{kind}\" value=\"{value}\" autocomplete=\"{autocomplete}\" required></label>",
        escape(label)
    );
    out
}

/// A whole page. `body` is HTML whose variable parts were escaped by the caller.
pub(crate) fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let title = escape(title);
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><style>{STYLE}</style></head>\
<body>{body}</body></html>\n"
    );
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer")),
    ];
    (status, headers, html).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_cannot_leave_its_place() {
        assert_eq!(escape("<script>\"'&"), "&lt;script&gt;&quot;&#39;&amp;");
        let field = input("Name", "name", "text", "\"><script>", "off");
        assert!(!field.contains("<script>"));
    }

    #[test]
    fn a_password_is_never_sent_back() {
        assert!(!input("Password", "password", "password", "hunter2", "new-password").contains("hunter2"));
    }
}
