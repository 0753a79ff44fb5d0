//! A map whose entries end, bounded in number and weight.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use syfthub_domain::Timestamp;

struct Entry<V> {
    value: V,
    weight: usize,
    ends: Timestamp,
}

/// Entries by key, and their keys in the order in which they end. What ends first is evicted first.
pub(crate) struct Shelf<V> {
    entries: HashMap<Arc<str>, Entry<V>>,
    order: BTreeSet<(Timestamp, Arc<str>)>,
    weight: usize,
    max_entries: usize,
    max_weight: usize,
}

impl<V> Shelf<V> {
    pub(crate) fn new(max_entries: usize, max_weight: usize) -> Self {
        Self { entries: HashMap::new(), order: BTreeSet::new(), weight: 0, max_entries, max_weight }
    }

    pub(crate) fn get(&self, key: &str, now: Timestamp) -> Option<&V> {
        self.entries.get(key).filter(|entry| entry.ends > now).map(|entry| &entry.value)
    }

    /// When the entry ends.
    pub(crate) fn ends(&self, key: &str, now: Timestamp) -> Option<Timestamp> {
        self.entries.get(key).map(|entry| entry.ends).filter(|ends| *ends > now)
    }

    /// Stores or replaces. An entry that has ended already is only removed.
    pub(crate) fn put(&mut self, key: &str, value: V, weight: usize, ends: Timestamp, now: Timestamp) {
        self.remove(key);
        self.drop_ended(now);
        if ends <= now {
            return;
        }
        let key: Arc<str> = key.into();
        self.weight += weight;
        self.order.insert((ends, Arc::clone(&key)));
        self.entries.insert(key, Entry { value, weight, ends });
        while self.entries.len() > self.max_entries || self.weight > self.max_weight {
            let Some((_, first)) = self.order.first().cloned() else { break };
            self.remove(&first);
        }
    }

    /// Removes; returns the value even if it has ended, so the caller asks [`Self::get`] first.
    pub(crate) fn remove(&mut self, key: &str) -> Option<V> {
        let (key, entry) = self.entries.remove_entry(key)?;
        self.order.remove(&(entry.ends, key));
        self.weight -= entry.weight;
        Some(entry.value)
    }

    fn drop_ended(&mut self, now: Timestamp) {
        while let Some((ends, key)) = self.order.first().cloned() {
            if ends > now {
                return;
            }
            self.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn what_ends_first_is_evicted_first() {
        let mut shelf = Shelf::new(2, 100);
        for (key, ends) in [("a", 30), ("b", 10), ("c", 20)] {
            shelf.put(key, key, 1, at(ends), at(0));
        }
        assert_eq!((shelf.get("a", at(0)), shelf.get("b", at(0))), (Some(&"a"), None));
        assert_eq!(shelf.get("c", at(0)), Some(&"c"));
    }

    #[test]
    fn ended_entries_are_dropped_before_living_ones() {
        let mut shelf = Shelf::new(2, 100);
        shelf.put("old", 1, 1, at(5), at(0));
        shelf.put("young", 2, 1, at(50), at(0));
        shelf.put("new", 3, 1, at(20), at(6));
        assert_eq!(shelf.entries.len(), 2);
        assert_eq!(shelf.get("young", at(6)), Some(&2));
    }

    #[test]
    fn weight_is_bounded_and_kept_in_step() {
        let mut shelf = Shelf::new(100, 10);
        shelf.put("a", (), 6, at(10), at(0));
        shelf.put("a", (), 4, at(10), at(0));
        shelf.put("b", (), 6, at(20), at(0));
        assert_eq!(shelf.weight, 10);
        shelf.put("c", (), 1, at(30), at(0));
        assert_eq!((shelf.weight, shelf.get("a", at(0))), (7, None));
        shelf.put("huge", (), 11, at(40), at(0));
        assert_eq!((shelf.weight, shelf.order.len()), (0, 0));
    }
}
