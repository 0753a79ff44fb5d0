//! The challenge of a service that wants to be paid: a `WWW-Authenticate` header of the scheme `Payment`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use syfthub_domain::{Error, ErrorCode, Result, Timestamp};

/// Longest challenge, in characters.
pub(super) const LONGEST: usize = 10_000;
/// Longest name of who is paid.
const LONGEST_RECIPIENT: usize = 200;

/// What is to be paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// Names the challenge at the service that made it.
    pub id: String,
    /// Whose resource is paid for.
    pub realm: String,
    /// How it may be paid.
    pub method: String,
    /// The request as it was sent, base64 of JSON; the credential repeats it.
    pub request: String,
    /// Who is paid.
    pub recipient: String,
    /// Millionths of a dollar.
    pub amount: i64,
}

impl Challenge {
    /// Reads a challenge that is good at `now`.
    pub(super) fn parse(header: &str, now: Timestamp) -> Result<Self> {
        let header = header.trim();
        let (scheme, rest) = header.split_once(char::is_whitespace).unwrap_or((header, ""));
        if !scheme.eq_ignore_ascii_case("payment") {
            return Err(invalid("it must be of the scheme Payment"));
        }
        let params = params(rest).ok_or_else(|| invalid("its parameters cannot be read"))?;
        let param = |name: &str| params.get(name).cloned().filter(|value| !value.is_empty());
        let required = |name: &str| param(name).ok_or_else(|| invalid(&format!("it lacks `{name}`")));
        let (id, method, request) = (required("id")?, required("method")?, required("request")?);
        if required("intent")? != "charge" {
            return Err(invalid("only the intent `charge` is paid"));
        }
        if let Some(end) = param("expires") {
            let end = Timestamp::parse(&end).ok_or_else(|| invalid("`expires` is not a time"))?;
            if end <= now {
                return Err(invalid("it has expired; ask the service again"));
            }
        }
        let (recipient, amount) = charge(&request)?;
        Ok(Self { id, realm: param("realm").unwrap_or_default(), method, request, recipient, amount })
    }
}

/// Who is to be paid how much.
fn charge(request: &str) -> Result<(String, i64)> {
    let bytes = URL_SAFE_NO_PAD.decode(request.trim_end_matches('='));
    let json = bytes.ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let json = json.ok_or_else(|| invalid("`request` is not base64url of JSON"))?;
    let recipient = json.get("recipient").and_then(Value::as_str).unwrap_or_default();
    if recipient.is_empty() || recipient.len() > LONGEST_RECIPIENT || recipient.contains('\0') {
        return Err(invalid("`request` names no recipient"));
    }
    let amount = match json.get("amount") {
        Some(Value::String(digits)) => digits.parse().ok(),
        Some(Value::Number(number)) => number.as_i64(),
        _ => None,
    };
    match amount {
        Some(amount) if amount > 0 => Ok((recipient.to_owned(), amount)),
        _ => Err(invalid("`request` names no amount in whole millionths")),
    }
}

/// Reads `name="value", name=value`; a repeated name makes it unreadable.
fn params(text: &str) -> Option<BTreeMap<String, String>> {
    let mut params = BTreeMap::new();
    let mut rest = text.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim().to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        {
            return None;
        }
        let after = after.trim_start();
        let (value, after) = if let Some(quoted) = after.strip_prefix('"') {
            quoted_value(quoted)?
        } else {
            let (value, after) = after.split_at(after.find([' ', '\t', ',']).unwrap_or(after.len()));
            (value.to_owned(), after)
        };
        if params.insert(name, value).is_some() {
            return None;
        }
        rest = after.trim_start_matches([' ', '\t', ',']);
    }
    Some(params)
}

/// The value up to the closing quote, and what follows it.
fn quoted_value(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(letters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

fn invalid(why: &str) -> Error {
    Error::coded(ErrorCode::InvalidChallenge, format!("The payment challenge cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn header(json: &str) -> String {
        let request = URL_SAFE_NO_PAD.encode(json);
        format!(r#"Payment id="a\"b", realm="node", method="mock",intent=charge, request="{request}""#)
    }

    #[test]
    fn a_good_challenge_names_who_is_paid_how_much() {
        let read = Challenge::parse(&header(r#"{"amount":"1500000","recipient":"0xb"}"#), NOW).unwrap();
        assert_eq!((read.id.as_str(), read.realm.as_str(), read.method.as_str()), ("a\"b", "node", "mock"));
        assert_eq!((read.recipient.as_str(), read.amount), ("0xb", 1_500_000));
        let later =
            format!("{}, expires=\"2099-01-01T00:00:00Z\"", header(r#"{"amount":1,"recipient":"0xb"}"#));
        assert_eq!(Challenge::parse(&later, NOW).unwrap().amount, 1);
    }

    #[test]
    fn others_are_refused() {
        let good = header(r#"{"amount":"1","recipient":"0xb"}"#);
        for bad in [
            String::new(),
            "Bearer x".to_owned(),
            "Payment".to_owned(),
            "Payment id=\"open".to_owned(),
            good.replace("charge", "session"),
            good.replace("id=", "other="),
            good.replace("realm=", "id="),
            format!("{good}, expires=\"2020-01-01T00:00:00Z\""),
            format!("{good}, expires=soon"),
            header(r#"{"amount":"0","recipient":"0xb"}"#),
            header(r#"{"amount":"-1","recipient":"0xb"}"#),
            header(r#"{"amount":1.5,"recipient":"0xb"}"#),
            header(r#"{"amount":"99999999999999999999","recipient":"0xb"}"#),
            header(r#"{"amount":"1"}"#),
            header("no json"),
        ] {
            let refused = Challenge::parse(&bad, NOW).unwrap_err();
            assert_eq!(refused.code, ErrorCode::InvalidChallenge, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,300}", params in "(Payment )?([a-z]{1,3}=\"?[^\"]{0,5}\"?,? ?){0,8}") {
            let _ = Challenge::parse(&text, NOW);
            let _ = Challenge::parse(&params, NOW);
        }
    }
}
