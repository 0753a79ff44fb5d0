//! What the owners of the endpoints charged, as their policies report it.
//!
//! The entries come from endpoints and are not trusted: the published SDKs refuse a whole answer when
//! one entry lacks a field, so each is rebuilt from the known keys, with their types, or dropped.

use serde_json::{Map, Value, json};

/// Most entries of one endpoint.
const MAX_ENTRIES: usize = 100;
/// Longest text in an entry, in code points.
const MAX_TEXT: usize = 500;
/// Largest `details` of an entry, in bytes of JSON.
const MAX_DETAILS: usize = 4_096;

/// All entries of one request, in the order in which they arrived.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Billing(Vec<Value>);

impl Billing {
    /// Adds the entries of an endpoint's `policy_metadata`; anything else is ignored.
    pub(crate) fn add(&mut self, path: &str, policy_metadata: Option<&Value>) {
        let entries = policy_metadata.and_then(|metadata| metadata.get("entries")).and_then(Value::as_array);
        self.0.extend(
            entries.into_iter().flatten().take(MAX_ENTRIES).filter_map(|entry| normalise(path, entry)),
        );
    }

    /// `{total_cost, currency, entries}`, or null when nobody reported anything.
    ///
    /// The total is the sum of the charged entries, and null when they are in several currencies or none, or
    /// beyond all numbers.
    pub(crate) fn to_json(&self) -> Value {
        if self.0.is_empty() {
            return Value::Null;
        }
        let charged = || self.0.iter().filter(|entry| entry["status"] == "charged");
        let currency =
            charged().next().map(|entry| &entry["currency"]).filter(|currency| currency.is_string());
        let currency = currency.filter(|currency| charged().all(|entry| entry["currency"] == **currency));
        let total = currency.map(|_| {
            let sum: f64 = charged().filter_map(|entry| entry["amount"].as_f64()).sum();
            // Amounts are decimal; without this 0.1 + 0.2 would be shown as 0.30000000000000004.
            (sum * 1e9).round() / 1e9
        });
        let total = total.filter(|total| total.is_finite());
        json!({"total_cost": total, "currency": total.and(currency), "entries": self.0})
    }
}

/// The entry with the keys that clients know, or `None` when it does not say what happened.
fn normalise(path: &str, entry: &Value) -> Option<Value> {
    let entry = entry.as_object()?;
    let status = text(entry, "status")?;
    let or_unknown = |key| text(entry, key).unwrap_or_else(|| "unknown".into());
    Some(json!({
        "source": path,
        "policy_type": or_unknown("policy_type"),
        "kind": or_unknown("kind"),
        "status": status,
        "amount": entry.get("amount").filter(|amount| amount.is_number()),
        "currency": text(entry, "currency"),
        "recipient": recipient(entry.get("recipient")),
        "transaction": transaction(entry.get("transaction")),
        "reason_code": text(entry, "reason_code"),
        "reason": text(entry, "reason"),
        "details": details(entry.get("details")),
    }))
}

fn text(object: &Map<String, Value>, key: &str) -> Option<Value> {
    let text = object.get(key)?.as_str()?;
    Some(text.chars().take(MAX_TEXT).collect::<String>().into())
}

fn recipient(value: Option<&Value>) -> Value {
    let Some(recipient) = value.and_then(Value::as_object) else { return Value::Null };
    json!({
        "username": text(recipient, "username"),
        "email": text(recipient, "email"),
        "wallet_address": text(recipient, "wallet_address"),
    })
}

/// A transaction without rail or id is none.
fn transaction(value: Option<&Value>) -> Option<Value> {
    let transaction = value?.as_object()?;
    let (rail, id) = (text(transaction, "rail")?, text(transaction, "id")?);
    Some(json!({"rail": rail, "id": id, "reference": text(transaction, "reference")}))
}

fn details(value: Option<&Value>) -> Value {
    value
        .filter(|details| details.is_object() && details.to_string().len() <= MAX_DETAILS)
        .cloned()
        .unwrap_or_else(|| json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "callers write literals")]
    fn billing(entries: Value) -> Value {
        let mut billing = Billing::default();
        billing.add("bob/docs", Some(&json!({"outcome": "success", "entries": entries})));
        billing.to_json()
    }

    fn charged(amount: f64, currency: &str) -> Value {
        json!({"policy_type": "mpp", "kind": "price", "status": "charged", "amount": amount, "currency": currency})
    }

    #[test]
    fn charges_in_one_currency_are_summed() {
        let billing =
            billing(json!([charged(0.1, "USD"), charged(0.2, "USD"), {"status": "free", "currency": "EUR"}]));
        assert_eq!(billing["total_cost"], 0.3);
        assert_eq!(billing["currency"], "USD");
        assert_eq!(billing["entries"][0]["source"], "bob/docs");
        assert_eq!(billing["entries"][2]["policy_type"], "unknown");
    }

    #[test]
    fn several_currencies_have_no_total() {
        let billing = billing(json!([charged(1.0, "USD"), charged(1.0, "EUR")]));
        assert_eq!(billing["total_cost"], Value::Null);
        assert_eq!(billing["currency"], Value::Null);
    }

    #[test]
    fn amounts_without_end_have_no_total() {
        let billing = billing(json!([charged(1e308, "USD"), charged(1e308, "USD")]));
        assert_eq!((&billing["total_cost"], &billing["currency"]), (&Value::Null, &Value::Null));
    }

    #[test]
    fn what_clients_cannot_read_is_dropped_or_defaulted() {
        let billing = billing(json!([
            "text",
            {"policy_type": "mpp", "kind": "price"},
            {"status": "charged", "amount": "12", "currency": "USD", "transaction": {"rail": "x"}, "details": [1]},
        ]));
        assert_eq!(billing["entries"].as_array().map(Vec::len), Some(1));
        let entry = &billing["entries"][0];
        assert_eq!((&entry["amount"], &entry["transaction"]), (&Value::Null, &Value::Null));
        assert_eq!(entry["details"], json!({}));
        assert_eq!(billing["total_cost"], 0.0);
    }

    #[test]
    fn nothing_reported_is_null() {
        assert_eq!(Billing::default().to_json(), Value::Null);
        assert_eq!(billing(json!({"not": "a list"})), Value::Null);
    }

    #[test]
    fn one_endpoint_cannot_flood_the_answer() {
        let entries: Vec<Value> = (0..10_000).map(|_| charged(1.0, &"x".repeat(10_000))).collect();
        let billing = billing(entries.into());
        assert_eq!(billing["entries"].as_array().map(Vec::len), Some(MAX_ENTRIES));
        assert_eq!(billing["currency"].as_str().map(str::len), Some(MAX_TEXT));
    }
}
