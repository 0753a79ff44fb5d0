//! The closer look at a place where a secret may be. Every look is linear and stops at the first character
//! that does not belong; what it takes for a secret begins and ends at ASCII, so ranges are good for slicing.

use std::ops::Range;

/// Longest distance to the end of a block that has no end mark, and longest value.
const LONGEST: usize = 16 * 1024;
/// Shortest value that is masked in an assignment.
const SHORTEST_VALUE: usize = 8;

/// How a place is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Look {
    /// A private key in PEM armour.
    PemBlock,
    /// An AWS access key id.
    AwsKeyId,
    /// A prefix and at least so many characters of base64url.
    Token { kind: &'static str, prefix: &'static str, least: usize },
    /// The secret path of a Slack web hook.
    SlackHook,
    /// `sk-…` of several model providers.
    SkKey,
    /// A JSON web token.
    Jwt,
    /// The value of an authorization header.
    Bearer,
    /// `://user:password@`.
    UserInfo,
    /// `name = value`.
    Assignment { kind: &'static str },
}

type Found = Option<(&'static str, Range<usize>)>;

impl Look {
    pub(super) const fn token(kind: &'static str, prefix: &'static str, least: usize) -> Self {
        Self::Token { kind, prefix, least }
    }

    pub(super) const fn assignment(kind: &'static str) -> Self {
        Self::Assignment { kind }
    }

    /// Looks at the place `sign` of `text`, where the sign was found in any case.
    pub(super) fn closer(self, text: &str, sign: Range<usize>) -> Found {
        let bytes = text.as_bytes();
        match self {
            Self::PemBlock => pem_block(text, sign),
            Self::AwsKeyId => aws_key_id(bytes, sign),
            Self::Token { kind, prefix, least } => {
                if !stands_alone(bytes, sign.start) || &bytes[sign.clone()] != prefix.as_bytes() {
                    return None;
                }
                let end = run(bytes, sign.end, |byte| {
                    is_base64url(byte) || (byte == b'.' && prefix.ends_with('.'))
                });
                let body = &bytes[sign.end..end];
                (body.len() >= least && is_random(body)).then_some((kind, sign.start..end))
            }
            Self::SlackHook => {
                let end = run(bytes, sign.end, |byte| is_base64url(byte) || byte == b'/');
                (end - sign.end >= 20).then_some(("Slack hook", sign.end..end))
            }
            Self::SkKey => sk_key(bytes, sign),
            Self::Jwt => jwt(bytes, sign),
            Self::Bearer => {
                if !stands_alone(bytes, sign.start) {
                    return None;
                }
                let end = run(bytes, sign.end, is_token68);
                let body = &bytes[sign.end..end];
                (body.len() >= 20 && is_random(body)).then_some(("bearer token", sign.end..end))
            }
            Self::UserInfo => user_info(bytes, sign),
            Self::Assignment { kind } => assignment(bytes, sign.end).map(|value| (kind, value)),
        }
    }
}

/// End of the run of bytes from `start` that belong, at most [`LONGEST`] of them.
fn run(bytes: &[u8], start: usize, belongs: impl Fn(u8) -> bool) -> usize {
    let rest = &bytes[start..bytes.len().min(start + LONGEST)];
    start + rest.iter().position(|byte| !belongs(*byte)).unwrap_or(rest.len())
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

fn is_token68(byte: u8) -> bool {
    is_base64url(byte) || matches!(byte, b'.' | b'~' | b'+' | b'/' | b'=')
}

/// Whether nothing that belongs to a longer word is before `at`: `task-` holds `sk-`.
fn stands_alone(bytes: &[u8], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| bytes.get(before)).is_none_or(|byte| !byte.is_ascii_alphanumeric())
}

/// Letters and digits together, as words rarely have them and random texts nearly always.
fn is_random(bytes: &[u8]) -> bool {
    bytes.iter().any(u8::is_ascii_digit) && bytes.iter().any(u8::is_ascii_alphabetic)
}

fn pem_block(text: &str, sign: Range<usize>) -> Found {
    let bytes = text.as_bytes();
    let label_end =
        run(bytes, sign.end, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ');
    let label = &text[sign.end..label_end];
    let is_private = label.ends_with("PRIVATE KEY") || label == "PGP PRIVATE KEY BLOCK";
    if !is_private || !bytes[label_end..].starts_with(b"-----") {
        return None;
    }
    // Headers, base64, and line ends that were escaped on the way.
    let belongs = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'+' | b'/' | b'=' | b'\\' | b',' | b':' | b'-' | b' ' | b'\r' | b'\n' | b'\t')
    };
    let body = label_end + 5;
    let block = &bytes[body..run(bytes, body, belongs)];
    let end_mark = format!("-----END {label}-----");
    let end = match find_bytes(block, end_mark.as_bytes()) {
        Some(at) => body + at + end_mark.len(),
        // It was cut off: everything that looks like base64 goes.
        None => run(bytes, body, |byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\\' | b'\r' | b'\n')
        }),
    };
    Some(("private key", sign.start..end))
}

fn find_bytes(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn aws_key_id(bytes: &[u8], sign: Range<usize>) -> Found {
    let end = run(bytes, sign.start, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let ends_alone = bytes.get(end).is_none_or(|byte| !is_base64url(*byte) && *byte != b'/' && *byte != b'+');
    let fits = end - sign.start == 20 && ends_alone && stands_alone(bytes, sign.start);
    fits.then_some(("AWS access key", sign.start..end))
}

fn sk_key(bytes: &[u8], sign: Range<usize>) -> Found {
    if !stands_alone(bytes, sign.start) || &bytes[sign.clone()] != b"sk-" {
        return None;
    }
    let end = run(bytes, sign.end, is_base64url);
    let body = &bytes[sign.end..end];
    // A name in kebab case has no part as long as that.
    let has_long_part =
        body.split(|byte| matches!(byte, b'-' | b'_')).any(|part| part.len() >= 16 && is_random(part));
    (body.len() >= 20 && has_long_part).then_some(("API key", sign.start..end))
}

fn jwt(bytes: &[u8], sign: Range<usize>) -> Found {
    if !stands_alone(bytes, sign.start) || &bytes[sign.clone()] != b"eyJ" {
        return None;
    }
    let header = run(bytes, sign.start, is_base64url);
    let payload = bytes[header..].starts_with(b".eyJ").then(|| run(bytes, header + 1, is_base64url))?;
    let end = (bytes.get(payload) == Some(&b'.')).then(|| run(bytes, payload + 1, is_base64url))?;
    let is_long = header - sign.start >= 12 && payload - header >= 12;
    is_long.then_some(("JSON web token", sign.start..end))
}

fn user_info(bytes: &[u8], sign: Range<usize>) -> Found {
    let ends = |byte: u8| {
        byte.is_ascii_whitespace() || matches!(byte, b'/' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'?' | b'#')
    };
    let end = run(bytes, sign.end, |byte| !ends(byte));
    let authority = &bytes[sign.end..end];
    let at = authority.iter().rposition(|byte| *byte == b'@')?;
    let colon = authority[..at].iter().position(|byte| *byte == b':')?;
    let password = &authority[colon + 1..at];
    let is_placeholder = matches!(password.first(), Some(b'$' | b'{' | b'[' | b'*'))
        || password.eq_ignore_ascii_case(b"password");
    let is_plain = password.is_ascii() && password.len() >= 3;
    (is_plain && !is_placeholder).then_some(("password", sign.end + colon + 1..sign.end + at))
}

/// The value of `name = "value"`, `name: value` and the like, when it looks like one that was given and
/// not like a word, an expression or a placeholder.
fn assignment(bytes: &[u8], name_end: usize) -> Option<Range<usize>> {
    let quote = |at: usize| bytes.get(at).copied().filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    let skip_blanks =
        |at: usize| at + bytes[at..].iter().take(8).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let mut at = name_end;
    // A key of JSON, or one that was escaped on the way.
    at += usize::from(bytes.get(at) == Some(&b'\\'));
    at += usize::from(quote(at).is_some());
    at = skip_blanks(at);
    match bytes.get(at)? {
        b'=' => at += 1,
        b':' => at += 1 + usize::from(bytes.get(at + 1) == Some(&b'=')),
        _ => return None,
    }
    at += usize::from(bytes.get(at) == Some(&b'>'));
    at = skip_blanks(at);
    at += usize::from(bytes.get(at) == Some(&b'\\') && quote(at + 1).is_some());
    let quoted = quote(at).is_some();
    at += usize::from(quoted);
    for scheme in [&b"bearer "[..], b"basic ", b"token "] {
        let given = bytes.get(at..at + scheme.len());
        at += if given.is_some_and(|given| given.eq_ignore_ascii_case(scheme)) { scheme.len() } else { 0 };
    }
    let end = run(bytes, at, |byte| {
        is_token68(byte) || matches!(byte, b'!' | b'@' | b'#' | b'%' | b'^' | b'&' | b'*' | b'?' | b':')
    });
    // A full stop, a colon or a question mark at the end belongs to the sentence.
    let end = at
        + bytes[at..end]
            .iter()
            .rposition(|byte| !matches!(byte, b'.' | b':' | b'?' | b'!'))
            .map_or(0, |last| last + 1);
    let value = &bytes[at..end];
    let continues = bytes.get(end).is_some_and(|byte| matches!(byte, b'(' | b'[' | b'{' | b'$' | b'<'));
    (!continues && looks_given(value, quoted)).then_some(at..end)
}

fn looks_given(value: &[u8], quoted: bool) -> bool {
    let count = |class: fn(&u8) -> bool| usize::from(value.iter().any(class));
    let classes = count(u8::is_ascii_lowercase)
        + count(u8::is_ascii_uppercase)
        + count(u8::is_ascii_digit)
        + count(u8::is_ascii_punctuation);
    let has_digit = value.iter().any(u8::is_ascii_digit);
    let is_url = value.windows(3).any(|part| part == b"://");
    let least = if quoted { SHORTEST_VALUE } else { SHORTEST_VALUE + 2 };
    // `your-api-key-2` is a placeholder and 20260101 a date.
    let is_placeholder = [&b"your"[..], b"xxxx", b"****", b"<", b"example"]
        .iter()
        .any(|word| value.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word)));
    value.len() >= least && classes >= 2 && has_digit && is_random(value) && !is_url && !is_placeholder
}
