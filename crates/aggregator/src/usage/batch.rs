//! Calls that are alike become one entry, so that a busy endpoint costs the hub one row.

use std::collections::BTreeMap;

use syfthub_proto::usage::Entry;

use super::Call;
use super::callers::Callers;

/// What calls of one entry have in common: the minute, path, address, part, outcome and caller.
type Alike = (i64, String, String, i32, i32, i64);

const MINUTE: i64 = 60_000_000;

/// The entries of a batch; `None` while the hub cannot say who called.
pub(super) async fn entries(calls: &[Call], callers: &Callers) -> Option<Vec<Entry>> {
    let mut entries: BTreeMap<Alike, Entry> = BTreeMap::new();
    for call in calls {
        let user_id = callers.of(call.credential.as_ref()).await?;
        add(&mut entries, call, user_id);
    }
    Some(entries.into_values().collect())
}

fn add(entries: &mut BTreeMap<Alike, Entry>, call: &Call, user_id: i64) {
    let at_us = call.at.as_micros().div_euclid(MINUTE) * MINUTE;
    let (part, outcome): (i32, i32) = (call.part.into(), call.outcome.into());
    let key = (at_us, call.path.clone(), call.url.clone(), part, outcome, user_id);
    let entry = entries.entry(key).or_insert_with(|| Entry {
        at_us,
        path: call.path.clone(),
        url: call.url.clone(),
        part,
        outcome,
        user_id,
        ..Entry::default()
    });
    let latency = u64::try_from(call.latency.as_millis()).unwrap_or(u64::MAX);
    entry.requests += 1;
    entry.prompt_tokens = entry.prompt_tokens.saturating_add(call.prompt_tokens);
    entry.completion_tokens = entry.completion_tokens.saturating_add(call.completion_tokens);
    entry.documents = entry.documents.saturating_add(call.documents);
    entry.latency_ms = entry.latency_ms.saturating_add(latency);
    entry.longest_ms = entry.longest_ms.max(latency);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use syfthub_domain::Timestamp;
    use syfthub_proto::usage::{Outcome, Part};

    use super::*;

    #[test]
    fn calls_that_are_alike_are_one_entry() {
        let call = |second: i64, outcome: Outcome, latency: u64| Call {
            at: Timestamp::from_secs(second),
            path: "ada/writer".to_owned(),
            url: "https://node.example".to_owned(),
            part: Part::Model,
            outcome,
            credential: None,
            prompt_tokens: 10,
            completion_tokens: 1,
            documents: 0,
            latency: Duration::from_millis(latency),
        };
        let mut entries = BTreeMap::new();
        add(&mut entries, &call(60, Outcome::Success, 5), 7);
        add(&mut entries, &call(119, Outcome::Success, 9), 7);
        add(&mut entries, &call(119, Outcome::Success, 1), 8);
        add(&mut entries, &call(119, Outcome::Error, 1), 7);
        add(&mut entries, &call(120, Outcome::Success, 1), 7);
        assert_eq!(entries.len(), 4);
        let first = entries.values().find(|entry| entry.requests == 2).unwrap();
        assert_eq!((first.prompt_tokens, first.latency_ms, first.longest_ms), (20, 14, 9));
        assert_eq!((first.at_us, first.user_id), (60_000_000, 7));
    }
}
