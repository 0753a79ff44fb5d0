//! The closer look at a place where a secret may be. Every look stops at the first character that does not
//! belong; what it takes for a secret begins and ends at ASCII, so ranges are good for slicing.
//!
//! A text may be made of nothing but places to look at, so a look that finds nothing must be short: what is
//! there is judged by its first [`GLANCE`] bytes, and only a secret is followed to its end.

use std::ops::Range;

/// Longest distance to the end of a block that has no end mark, and longest value.
const LONGEST: usize = 16 * 1024;
/// So much of a place tells whether it is a secret.
const GLANCE: usize = 200;
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

    /// Looks at the place `sign` of `text`, where the sign was found in any case. Before `dead` no JSON web
    /// token begins; a look that comes to know more says so there.
    pub(super) fn closer(self, text: &str, sign: Range<usize>, dead: &mut usize) -> Found {
        let bytes = text.as_bytes();
        match self {
            Self::PemBlock => pem_block(text, sign),
            Self::AwsKeyId => aws_key_id(bytes, sign),
            Self::Token { kind, prefix, least } => {
                if !stands_alone(bytes, sign.start) || &bytes[sign.clone()] != prefix.as_bytes() {
                    return None;
                }
                let belongs = |byte| is_base64url(byte) || (byte == b'.' && prefix.ends_with('.'));
                if !is_random(&bytes[sign.end..run_of(GLANCE, bytes, sign.end, belongs)]) {
                    return None;
                }
                let end = run(bytes, sign.end, belongs);
                let body = &bytes[sign.end..end];
                (body.len() >= least).then_some((kind, sign.start..end))
            }
            Self::SlackHook => {
                let end = run(bytes, sign.end, |byte| is_base64url(byte) || byte == b'/');
                (end - sign.end >= 20).then_some(("Slack hook", sign.end..end))
            }
            Self::SkKey => sk_key(bytes, sign),
            Self::Jwt => jwt(bytes, sign, dead),
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
    run_of(LONGEST, bytes, start, belongs)
}

/// The same, at most `longest` of them.
fn run_of(longest: usize, bytes: &[u8], start: usize, belongs: impl Fn(u8) -> bool) -> usize {
    let rest = &bytes[start..bytes.len().min(start + longest)];
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
    let rest = &bytes[body..bytes.len().min(body + LONGEST)];
    let end_mark = format!("-----END {label}-----");
    // Nothing in a block looks like a mark, so the first one is its end or it has none.
    let mark = find_bytes(rest, b"-----").filter(|at| rest[*at..].starts_with(end_mark.as_bytes()));
    let mark = mark.filter(|at| rest[..*at].iter().all(|byte| belongs(*byte)));
    let end = match mark {
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

/// Length of an access key id.
const AWS_KEY_ID: usize = 20;

fn aws_key_id(bytes: &[u8], sign: Range<usize>) -> Found {
    let end =
        run_of(AWS_KEY_ID + 1, bytes, sign.start, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let ends_alone = bytes.get(end).is_none_or(|byte| !is_base64url(*byte) && *byte != b'/' && *byte != b'+');
    let fits = end - sign.start == AWS_KEY_ID && ends_alone && stands_alone(bytes, sign.start);
    fits.then_some(("AWS access key", sign.start..end))
}

fn sk_key(bytes: &[u8], sign: Range<usize>) -> Found {
    if !stands_alone(bytes, sign.start) || &bytes[sign.clone()] != b"sk-" {
        return None;
    }
    let body = &bytes[sign.end..run_of(GLANCE, bytes, sign.end, is_base64url)];
    // A name in kebab case has no part as long as that.
    let has_long_part =
        body.split(|byte| matches!(byte, b'-' | b'_')).any(|part| part.len() >= 16 && is_random(part));
    if body.len() < 20 || !has_long_part {
        return None;
    }
    Some(("API key", sign.start..run(bytes, sign.end, is_base64url)))
}

fn jwt(bytes: &[u8], sign: Range<usize>, dead: &mut usize) -> Found {
    if sign.start < *dead || !stands_alone(bytes, sign.start) || &bytes[sign.clone()] != b"eyJ" {
        return None;
    }
    let header = run(bytes, sign.start, is_base64url);
    // Whatever begins in these characters ends where they end.
    *dead = header;
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
    let belongs = |byte: u8| {
        is_token68(byte) || matches!(byte, b'!' | b'@' | b'#' | b'%' | b'^' | b'&' | b'*' | b'?' | b':')
    };
    let glanced = run_of(GLANCE, bytes, at, belongs);
    if glanced - at == GLANCE {
        return looks_given(&bytes[at..glanced], quoted).then(|| at..run(bytes, at, belongs));
    }
    let end = glanced;
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
