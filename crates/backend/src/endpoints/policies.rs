//! Which of an endpoint's policies a viewer is shown, and the tag that follows from a policy.

use serde_json::Value;

/// For whom policies are picked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Audience<'a> {
    /// Nobody is signed in: only what applies to everybody.
    Anonymous,
    /// A signed-in user, known by mail address.
    Email(&'a str),
    /// The owner or an admin, who edits them and therefore needs all.
    Everything,
}

/// To whom one policy applies.
enum Target<'a> {
    Everybody,
    Addresses(Vec<&'a str>),
}

fn target(policy: &Value) -> Target<'_> {
    // The TypeScript SDK rewrites keys inside `config` as well, so both spellings are read.
    let applied_to = policy.pointer("/config/applied_to").or_else(|| policy.pointer("/config/appliedTo"));
    match applied_to {
        Some(Value::String(one)) if one == "*" => Target::Everybody,
        Some(Value::String(one)) => Target::Addresses(vec![one]),
        Some(Value::Array(entries)) if !entries.is_empty() => {
            let addresses: Vec<&str> = entries.iter().filter_map(Value::as_str).collect();
            if addresses.contains(&"*") { Target::Everybody } else { Target::Addresses(addresses) }
        }
        _ => Target::Everybody,
    }
}

/// The policies that `audience` is shown: those that name them, else those that apply to everybody.
pub(crate) fn personalize(policies: &[Value], audience: Audience<'_>) -> Vec<Value> {
    let email = match audience {
        Audience::Everything => return policies.to_vec(),
        Audience::Anonymous => None,
        Audience::Email(email) => Some(email.to_lowercase()),
    };
    let names_viewer = |policy: &&Value| match (target(policy), &email) {
        (Target::Addresses(addresses), Some(email)) => {
            addresses.iter().any(|address| address.trim().to_lowercase() == *email)
        }
        _ => false,
    };
    let named: Vec<Value> = policies.iter().filter(names_viewer).cloned().collect();
    if !named.is_empty() {
        return named;
    }
    policies.iter().filter(|policy| matches!(target(policy), Target::Everybody)).cloned().collect()
}

/// Most tags that an endpoint has.
pub(crate) const MAX_TAGS: usize = 10;

/// Adds the tag `prepaid` when a policy takes payment in advance. Removing the policy keeps the tag,
/// because the owner may have set it on purpose.
pub(crate) fn add_prepaid_tag(tags: &mut Vec<String>, policies: &[Value]) {
    let prepaid = policies
        .iter()
        .filter_map(|policy| policy.get("type").and_then(Value::as_str))
        .any(|kind| kind.eq_ignore_ascii_case("xendit"));
    if prepaid && tags.len() < MAX_TAGS && !tags.iter().any(|tag| tag == "prepaid") {
        tags.push("prepaid".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn policies() -> Vec<Value> {
        vec![
            json!({"type": "a", "config": {"applied_to": ["*"]}}),
            json!({"type": "b", "config": {"appliedTo": ["Bob@Example.com", 7]}}),
            json!({"type": "c", "config": {}}),
            json!({"type": "d", "config": {"applied_to": [7]}}),
        ]
    }

    fn shown(audience: Audience<'_>) -> String {
        personalize(&policies(), audience).iter().filter_map(|p| p["type"].as_str()).collect()
    }

    #[test]
    fn a_named_viewer_sees_what_names_them_others_what_applies_to_all() {
        assert_eq!(shown(Audience::Email("BOB@example.com")), "b");
        assert_eq!(shown(Audience::Email("eve@example.com")), "ac");
        assert_eq!(shown(Audience::Anonymous), "ac");
        assert_eq!(shown(Audience::Everything), "abcd");
    }

    #[test]
    fn prepaid_is_added_once_and_never_past_ten() {
        let paid = [json!({"type": "Xendit"})];
        let mut tags = vec![];
        add_prepaid_tag(&mut tags, &paid);
        add_prepaid_tag(&mut tags, &paid);
        assert_eq!(tags, ["prepaid"]);
        let mut full: Vec<String> = (0..10).map(|i| format!("t{i}")).collect();
        add_prepaid_tag(&mut full, &paid);
        assert_eq!(full.len(), 10);
        let mut none = vec![];
        add_prepaid_tag(&mut none, &[]);
        assert!(none.is_empty());
    }
}
