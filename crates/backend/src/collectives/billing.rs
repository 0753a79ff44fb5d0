//! What the members of a collective cost, read from their policies.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::wire::{Billing, BillingKind, Bundle, Price, Unit};
use crate::web_address;

/// Policies inside policies are followed so deep.
const MAX_DEPTH: usize = 16;
/// Bundles that are shown of one policy.
const MAX_BUNDLES: usize = 50;
/// Policy types that take payment in advance.
const PREPAID: [&str; 2] = ["xendit", "stripe"];

/// How an endpoint with these policies is paid: by the first usable prepaid policy, else by the first payment
/// per call, else not at all.
pub(super) fn classify(policies: &[Value]) -> Billing {
    let mut enabled = Vec::new();
    collect(policies, 0, &mut enabled);
    if let Some(prepaid) = enabled.iter().find_map(|policy| prepaid(policy)) {
        return prepaid;
    }
    enabled.iter().find(|policy| kind(policy) == "mpp").map_or_else(free, |policy| mpp(policy))
}

/// Enabled policies, wrappers before what they wrap. A wrapper that is switched off hides what is in it.
fn collect<'a>(policies: &'a [Value], depth: usize, into: &mut Vec<&'a Value>) {
    if depth >= MAX_DEPTH {
        return;
    }
    for policy in policies.iter().filter(|policy| policy.get("enabled") != Some(&Value::Bool(false))) {
        into.push(policy);
        if let Some(Value::Array(inner)) = policy.pointer("/config/policies") {
            collect(inner, depth + 1, into);
        }
    }
}

fn kind(policy: &Value) -> String {
    policy.get("type").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase()
}

/// Reads a policy's own settings under either spelling, because one of the SDKs rewrites keys.
struct Config<'a>(Option<&'a Map<String, Value>>);

impl<'a> Config<'a> {
    fn of(policy: &'a Value) -> Self {
        Self(policy.get("config").and_then(Value::as_object))
    }

    fn get(&self, snake: &str) -> Option<&'a Value> {
        let config = self.0?;
        config.get(snake).or_else(|| config.get(&camel(snake)))
    }

    fn text(&self, key: &str) -> Option<String> {
        self.get(key)?.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn address(&self, key: &str) -> Option<String> {
        self.text(key).filter(|text| web_address::is_web_address(text))
    }

    fn price(&self, keys: &[&str]) -> Option<f64> {
        keys.iter().find_map(|key| self.get(key)).and_then(amount)
    }

    fn unit(&self) -> Unit {
        match self.text("unit_type").as_deref() {
            Some("document") => Unit::Document,
            _ => Unit::Request,
        }
    }

    fn bundles(&self) -> Vec<Bundle> {
        let Some(Value::Array(bundles)) = self.get("bundles") else { return Vec::new() };
        let bundle = |item: &Value| {
            let name = item.get("name")?.as_str()?.to_owned();
            Some(Bundle { name, amount: amount(item.get("amount")?)? })
        };
        bundles.iter().filter_map(bundle).take(MAX_BUNDLES).collect()
    }
}

fn camel(snake: &str) -> String {
    let mut camel = String::with_capacity(snake.len());
    for (index, part) in snake.split('_').enumerate() {
        let mut letters = part.chars();
        match letters.next() {
            Some(first) if index > 0 => camel.extend(first.to_uppercase().chain(letters)),
            Some(first) => camel.extend(std::iter::once(first).chain(letters)),
            None => {}
        }
    }
    camel
}

/// A number, or a text that spells one; never negative, never infinite.
fn amount(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (number.is_finite() && number >= 0.0).then_some(number)
}

fn prepaid(policy: &Value) -> Option<Billing> {
    let provider = kind(policy);
    if !PREPAID.contains(&provider.as_str()) {
        return None;
    }
    let config = Config::of(policy);
    let (payment_url, credits_url) = (config.address("payment_url")?, config.address("credits_url")?);
    Some(Billing {
        kind: BillingKind::Prepaid,
        provider: Some(provider),
        currency: Some(config.text("currency").unwrap_or_else(|| "IDR".to_owned())),
        price_per_unit: config.price(&["price", "price_per_request"]),
        unit: config.unit(),
        payment_url: Some(payment_url),
        credits_url: Some(credits_url),
        invoices_url: config.address("invoices_url"),
        bundles: config.bundles(),
    })
}

fn mpp(policy: &Value) -> Billing {
    let config = Config::of(policy);
    Billing {
        kind: BillingKind::Mpp,
        provider: config.text("provider"),
        currency: Some(config.text("currency").unwrap_or_else(|| "USD".to_owned())),
        price_per_unit: config.price(&["price", "price_per_request", "price_per_call"]),
        unit: config.unit(),
        payment_url: None,
        credits_url: None,
        invoices_url: None,
        bundles: Vec::new(),
    }
}

fn free() -> Billing {
    Billing {
        kind: BillingKind::Free,
        provider: None,
        currency: None,
        price_per_unit: None,
        unit: Unit::Request,
        payment_url: None,
        credits_url: None,
        invoices_url: None,
        bundles: Vec::new(),
    }
}

/// What one question to all of them is likely to cost, per currency, without conversion.
pub(super) fn estimate<'a>(billings: impl Iterator<Item = &'a Billing>) -> Vec<Price> {
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    for billing in billings {
        if let (Some(currency), Some(price)) = (&billing.currency, billing.price_per_unit) {
            *sums.entry(currency).or_default() += price;
        }
    }
    let price = |(currency, sum): (&str, f64)| Price { currency: currency.to_owned(), amount: rounded(sum) };
    sums.into_iter().map(price).collect()
}

/// To millionths, which hides what binary fractions add; huge sums stay as they are and finite.
fn rounded(sum: f64) -> f64 {
    let millionths = (sum * 1e6).round() / 1e6;
    if millionths.is_finite() { millionths } else { f64::MAX }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "reads better at the call")]
    fn xendit(more: Value) -> Value {
        let mut config =
            json!({"payment_url": "https://p.example.org", "credits_url": "https://c.example.org"});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"type": "Xendit", "config": config})
    }

    #[test]
    fn prepaid_wins_over_payment_per_call_and_both_over_nothing() {
        let mpp = json!({"type": "mpp", "config": {"price_per_call": "0.25"}});
        let both = classify(&[mpp.clone(), xendit(json!({"price": 100}))]);
        assert_eq!((both.kind, both.provider.as_deref()), (BillingKind::Prepaid, Some("xendit")));
        assert_eq!((both.price_per_unit, both.currency.as_deref()), (Some(100.0), Some("IDR")));
        let called = classify(&[json!({"type": "rate_limit"}), mpp]);
        assert_eq!((called.kind, called.price_per_unit), (BillingKind::Mpp, Some(0.25)));
        assert_eq!((called.currency.as_deref(), called.unit), (Some("USD"), Unit::Request));
        assert_eq!(classify(&[json!({"type": "rate_limit"})]), free());
        assert_eq!(classify(&[]), free());
    }

    #[test]
    fn a_prepaid_policy_needs_both_addresses() {
        for broken in [
            json!({"payment_url": null}),
            json!({"credits_url": "javascript:alert(1)"}),
            json!({"payment_url": "not an address"}),
        ] {
            assert_eq!(classify(&[xendit(broken)]), free());
        }
        let stripe = json!({"type": "stripe", "config": {"paymentUrl": "http://p", "creditsUrl": "http://c",
            "invoicesUrl": "http://i", "pricePerRequest": 2.5, "unitType": "document", "currency": "EUR",
            "bundles": [{"name": "small", "amount": "10"}, {"name": 7}, {"name": "big", "amount": -1}]}});
        let read = classify(&[stripe]);
        assert_eq!(
            (read.price_per_unit, read.unit, read.currency.as_deref()),
            (Some(2.5), Unit::Document, Some("EUR"))
        );
        assert_eq!(read.invoices_url.as_deref(), Some("http://i"));
        assert_eq!(read.bundles, [Bundle { name: "small".to_owned(), amount: 10.0 }]);
    }

    #[test]
    fn wrappers_are_opened_unless_they_are_switched_off() {
        let wrapped = |enabled: bool| {
            json!({"type": "all_of", "enabled": enabled, "config": {"policies": [
                {"type": "any_of", "config": {"policies": [xendit(json!({}))]}}]}})
        };
        assert_eq!(classify(&[wrapped(true)]).kind, BillingKind::Prepaid);
        assert_eq!(classify(&[wrapped(false)]), free());
        let mut off = xendit(json!({}));
        off["enabled"] = json!(false);
        assert_eq!(classify(&[off]), free());
    }

    #[test]
    fn sums_are_kept_apart_by_currency() {
        let policies = [
            json!({"type": "mpp", "config": {"price": 0.1}}),
            json!({"type": "mpp", "config": {"price": 0.2}}),
            xendit(json!({"price": 500})),
            json!({"type": "free"}),
            json!({"type": "mpp"}),
        ];
        let billings: Vec<Billing> =
            policies.iter().map(|policy| classify(std::slice::from_ref(policy))).collect();
        let sums: Vec<(String, f64)> =
            estimate(billings.iter()).into_iter().map(|price| (price.currency, price.amount)).collect();
        assert_eq!(sums, [("IDR".to_owned(), 500.0), ("USD".to_owned(), 0.3)]);
    }

    fn any_policy() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<f64>().prop_map(|number| json!(number)),
            "[a-z:/.]{0,12}".prop_map(|text| json!({"type": text})),
            (prop_oneof!["xendit", "stripe", "mpp", "other"], any::<bool>(), any::<f64>())
                .prop_map(|(kind, enabled, price)| json!({"type": kind, "enabled": enabled,
                    "config": {"price": price, "payment_url": "https://p", "credits_url": "https://c"}})),
        ];
        leaf.prop_recursive(6, 64, 5, |inner| {
            (any::<bool>(), proptest::collection::vec(inner, 0..5)).prop_map(
                |(enabled, policies)| json!({"type": "all_of", "enabled": enabled, "config": {"policies": policies}}),
            )
        })
    }

    proptest! {
        #[test]
        fn whatever_the_policies_are_the_answer_is_sound(policies in proptest::collection::vec(any_policy(), 0..6)) {
            let billing = classify(&policies);
            prop_assert!(billing.price_per_unit.is_none_or(|price| price.is_finite() && price >= 0.0));
            prop_assert_eq!(billing.kind == BillingKind::Free, billing.currency.is_none());
            prop_assert_eq!(billing.kind == BillingKind::Prepaid, billing.credits_url.is_some());
            for price in estimate([&billing, &billing, &billing].into_iter()) {
                prop_assert!(price.amount.is_finite() && price.amount >= 0.0);
            }
            // Switching everything off makes it free.
            let wrapped = json!({"type": "all_of", "enabled": false, "config": {"policies": policies}});
            prop_assert_eq!(classify(&[wrapped]), free());
        }
    }
}
