//! Keeps secrets and floods out of the log, which cannot be mended afterwards.

use serde_json::{Value, json};

/// What stands in place of a secret.
const REDACTED: &str = "[REDACTED]";
/// Longest text inside a value, in characters.
const LONGEST_TEXT: usize = 1000;
/// Most members of a list.
const LONGEST_LIST: usize = 100;
/// Deepest nesting.
const DEEPEST: usize = 8;
/// Longest value as a whole, in bytes.
const LONGEST: usize = 16 * 1024;

/// A field whose name has one of these words holds a secret.
const SECRET_WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "credentials",
    "cookie",
    "authorization",
    "otp",
    "code",
    "pin",
    "assertion",
    "hash",
    "pem",
    "mnemonic",
    "seed",
];
/// So do these pairs of words.
const SECRET_PAIRS: &[(&str, &str)] =
    &[("private", "key"), ("api", "key"), ("secret", "key"), ("signing", "key"), ("session", "id")];
/// A field whose last word is one of these describes a secret and is none: `token_prefix`, `password_set`.
const HARMLESS_ENDS: &[&str] = &[
    "id", "name", "prefix", "type", "kind", "count", "at", "set", "changed", "enabled", "required", "scopes",
];

/// The value as the text that is kept: secrets taken out, and no longer than the log can bear.
pub(super) fn to_text(value: &Value) -> String {
    let mut value = value.clone();
    clean(&mut value, 0);
    let text = value.to_string();
    if text.len() <= LONGEST {
        return text;
    }
    json!({"shortened": true, "bytes": text.len()}).to_string()
}

fn clean(value: &mut Value, depth: usize) {
    match value {
        Value::Object(_) | Value::Array(_) if depth >= DEEPEST => *value = Value::from("…"),
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                if is_secret(name) && !matches!(field, Value::Null | Value::Bool(_)) {
                    *field = Value::from(REDACTED);
                } else {
                    clean(field, depth + 1);
                }
            }
        }
        Value::Array(items) => {
            items.truncate(LONGEST_LIST);
            for item in items {
                clean(item, depth + 1);
            }
        }
        Value::String(text) => {
            if let Some((end, _)) = text.char_indices().nth(LONGEST_TEXT) {
                text.truncate(end);
                text.push('…');
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_secret(name: &str) -> bool {
    let words = words(name);
    let pair = |(a, b): &(&str, &str)| words.windows(2).any(|two| two[0] == *a && two[1] == *b);
    if SECRET_PAIRS.iter().any(pair) {
        return true;
    }
    let harmless = words.len() > 1 && words.last().is_some_and(|last| HARMLESS_ENDS.contains(&last.as_str()));
    !harmless && words.iter().any(|word| SECRET_WORDS.contains(&word.as_str()))
}

/// The words of `snake_case`, `kebab-case` and `camelCase`, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower_before = false;
    for c in name.chars() {
        if (c.is_uppercase() && lower_before) || !c.is_alphanumeric() {
            words.push(String::new());
        }
        lower_before = c.is_lowercase();
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_and_descriptions_of_them_stay() {
        for name in [
            "password",
            "newPassword",
            "access_token",
            "api_key",
            "apiKey",
            "PRIVATE_KEY",
            "otp",
            "token_hash",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in
            ["username", "token_prefix", "token_id", "kid", "keywords", "author", "scopes", "codec", "id"]
        {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn secrets_go_and_facts_stay() {
        let text = to_text(&json!({
            "name": "ci", "token": "syft_pat_x", "inner": [{"smtp_password": "x"}], "has_password": true,
            "password": null,
        }));
        assert!(!text.contains("syft_pat_x") && !text.contains("\"x\""), "{text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["name"], "ci");
        assert_eq!(value["inner"][0]["smtp_password"], REDACTED);
        assert_eq!((&value["has_password"], &value["password"]), (&json!(true), &Value::Null));
    }

    #[test]
    fn a_flood_is_cut() {
        let many: Vec<String> = (0..5000).map(|n| format!("{n:0>900}")).collect();
        assert!(to_text(&json!({"many": many})).len() < LONGEST);
        let text = to_text(&json!({"long": "é".repeat(5000)}));
        assert_eq!(text.chars().filter(|c| *c == 'é').count(), LONGEST_TEXT);
    }

    proptest::proptest! {
        #[test]
        fn what_is_kept_is_always_json(text in ".*", name in ".*", n: i64) {
            let kept = to_text(&json!({name: text, "n": [n, {"deep": [[[[[[[[[[n]]]]]]]]]]}]}));
            proptest::prop_assert!(serde_json::from_str::<Value>(&kept).is_ok());
        }
    }
}
