//! Removes secrets from what is logged.

use serde_json::Value;

/// What stands in place of a secret.
pub const REDACTED: &str = "[REDACTED]";

/// Texts longer than this many characters are cut.
const LONGEST_TEXT: usize = 1000;
/// Lists longer than this are cut.
const LONGEST_LIST: usize = 100;
/// Values nested deeper than this are replaced as a whole.
const DEEPEST: usize = 10;

/// A key that contains one of these names a secret.
const SENSITIVE_PARTS: &[&str] = &[
    "password",
    "passwd",
    "secret",
    "token",
    "key",
    "credential",
    "auth",
    "cookie",
    "session",
    "card",
    "ssn",
];

/// Key names that contain a sensitive word but carry no secret; without them usage figures, names of
/// token types and counters would be unreadable in the logs.
const HARMLESS: &[&str] = &[
    "author",
    "authors",
    "auth_provider",
    "token_type",
    "total_tokens",
    "prompt_tokens",
    "completion_tokens",
    "max_tokens",
    "max_completion_tokens",
    "tokens",
    "tokens_per_second",
    "first_token_ms",
    "keyword",
    "keywords",
];

/// Tells whether a field of this name may carry a secret. Case is ignored.
pub fn is_sensitive_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    if HARMLESS.contains(&key.as_str()) {
        return false;
    }
    SENSITIVE_PARTS.iter().any(|part| key.contains(part))
}

/// Words that name a one-time secret in what a client sends. In answers and in our own lines `code` names
/// an error and must stay readable.
const SENSITIVE_INPUT_WORDS: &[&str] = &["code", "otp", "totp", "pin", "assertion"];

/// Tells whether a field that a client sends may carry a secret: as [`is_sensitive_key`], and one-time
/// codes, PINs and assertions.
pub fn is_sensitive_input(key: &str) -> bool {
    is_sensitive_key(key) || words(key).any(|word| SENSITIVE_INPUT_WORDS.contains(&word.as_str()))
}

/// The words of `snake_case`, `kebab-case` and `camelCase`, in lower case.
fn words(key: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut lower_before = false;
    for c in key.chars() {
        if (c.is_ascii_uppercase() && lower_before) || !c.is_alphanumeric() {
            words.push(String::new());
        }
        lower_before = c.is_ascii_lowercase();
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.push(c.to_ascii_lowercase());
        }
    }
    words.into_iter()
}

/// As [`redact_json`], for what a client sent: see [`is_sensitive_input`].
pub fn redact_input(value: &mut Value) {
    redact_level(value, 0, is_sensitive_input);
}

/// Replaces secrets in a JSON value, cuts long texts (1000 characters), long lists (100 items) and deep
/// nesting (10 levels).
pub fn redact_json(value: &mut Value) {
    redact_level(value, 0, is_sensitive_key);
}

fn redact_level(value: &mut Value, depth: usize, is_sensitive: fn(&str) -> bool) {
    match value {
        Value::Object(_) | Value::Array(_) if depth >= DEEPEST => *value = Value::from(REDACTED),
        Value::Object(fields) => {
            for (key, field) in fields.iter_mut() {
                if is_sensitive(key) {
                    *field = Value::from(REDACTED);
                } else {
                    redact_level(field, depth + 1, is_sensitive);
                }
            }
        }
        Value::Array(items) => {
            items.truncate(LONGEST_LIST);
            for item in items {
                redact_level(item, depth + 1, is_sensitive);
            }
        }
        Value::String(text) => cut(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Cuts a text at 1000 characters.
fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(LONGEST_TEXT) {
        text.truncate(end);
        text.push('…');
    }
}

/// Replaces the values of sensitive parameters in a URL query.
pub fn redact_query(query: &str) -> String {
    query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            // The name is decoded first: `to%6ben` is `token` to every server.
            Some((name, value)) if !value.is_empty() && is_sensitive_query_name(name) => {
                format!("{name}={REDACTED}")
            }
            _ => pair.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("&")
}

fn is_sensitive_query_name(name: &str) -> bool {
    let decoded = url::form_urlencoded::parse(name.as_bytes()).next();
    let decoded = decoded.map_or_else(|| name.to_owned(), |(name, _)| name.into_owned());
    // An OAuth authorization code is a credential, and `state` ties it to a browser.
    is_sensitive_key(&decoded) || decoded == "code" || decoded == "state"
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{is_sensitive_input, is_sensitive_key, redact_input, redact_json, redact_query};

    #[test]
    fn knows_the_names_of_secrets() {
        for key in [
            "password",
            "newPassword",
            "SECRET_KEY",
            "access_token",
            "Authorization",
            "api_key",
            "apiKey",
            "x-api-key",
            "key",
            "set-cookie",
            "session_id",
            "card_number",
            "credentials",
        ] {
            assert!(is_sensitive_key(key), "{key}");
        }
        for key in ["username", "author", "total_tokens", "path", "keywords"] {
            assert!(!is_sensitive_key(key), "{key}");
        }
    }

    #[test]
    fn one_time_secrets_are_hidden_in_what_clients_send_and_codes_of_errors_stay() {
        for key in ["code", "otp", "pin", "assertion", "client_assertion", "otpCode", "TOTP", "backup-code"] {
            assert!(is_sensitive_input(key), "{key}");
        }
        for key in ["pinned", "encode", "codec", "option", "opinion", "username", "decode"] {
            assert!(!is_sensitive_input(key), "{key}");
        }
        let sent = json!({"code": "123456", "inner": [{"pin": 1}], "name": "ann"});
        let mut body = sent.clone();
        redact_input(&mut body);
        assert_eq!(body, json!({"code": "[REDACTED]", "inner": [{"pin": "[REDACTED]"}], "name": "ann"}));
        let mut answer = sent.clone();
        redact_json(&mut answer);
        assert_eq!(answer, sent);
    }

    #[test]
    fn redacts_nested_json_and_cuts() {
        let mut value = json!({
            "user": {"name": "ann", "password": "x"},
            "list": vec![1; 200],
            "long": "é".repeat(1500),
            "token": {"inner": 1},
        });
        redact_json(&mut value);
        assert_eq!(value["user"], json!({"name": "ann", "password": "[REDACTED]"}));
        assert_eq!(value["list"].as_array().map(Vec::len), Some(100));
        assert_eq!(value["long"].as_str().map(|text| text.chars().count()), Some(1001));
        assert_eq!(value["token"], json!("[REDACTED]"));
    }

    #[test]
    fn replaces_what_is_nested_too_deeply() {
        let mut value = json!("leaf");
        for _ in 0..20 {
            value = json!({ "in": value });
        }
        redact_json(&mut value);
        let mut level: &Value = &value;
        let mut depth = 0;
        while level.is_object() {
            level = &level["in"];
            depth += 1;
        }
        assert_eq!((depth, level), (10, &json!("[REDACTED]")));
    }

    #[test]
    fn redacts_queries() {
        assert_eq!(
            redact_query("q=a%20b&token=abc&to%6ben=x&code=1&page=2&flag"),
            "q=a%20b&token=[REDACTED]&to%6ben=[REDACTED]&code=[REDACTED]&page=2&flag"
        );
        assert_eq!(redact_query(""), "");
    }
}
