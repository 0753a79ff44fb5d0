//! Values, one-shot values, counters and locks.

use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use serde_json::json;
use syfthub_cache::{Error, MAX_KEY, MAX_VALUE};

use crate::Subject;

const LONG: Duration = Duration::from_mins(5);
/// Long enough for the calls before its end on a busy machine.
const SHORT: Duration = Duration::from_secs(1);
/// A little more than [`SHORT`].
const SHORT_IS_OVER: Duration = Duration::from_millis(1100);

crate::both!(
    a_value_is_kept_for_its_time,
    values_are_replaced_and_deleted,
    of_many_takers_exactly_one_gets_the_value,
    of_many_writers_of_a_new_value_exactly_one_wins,
    json_values_come_back_and_strangers_count_as_absent,
    counters_count_every_increment_and_start_again,
    a_lock_has_one_owner_until_it_is_released,
    a_lock_ends_by_itself_and_then_belongs_to_the_next,
    kinds_do_not_share_keys,
    what_is_too_large_is_refused,
);

async fn a_value_is_kept_for_its_time(subject: Subject) {
    let cache = &subject.cache;
    assert_eq!(cache.get("k").await.unwrap(), None);
    cache.put("k", vec![0, 159, 255], SHORT).await.unwrap();
    cache.put("other", "x", LONG).await.unwrap();
    assert_eq!(cache.get("k").await.unwrap(), Some(Bytes::from_static(&[0, 159, 255])));
    subject.pass(SHORT_IS_OVER).await;
    assert_eq!(cache.get("k").await.unwrap(), None);
    assert_eq!(cache.take("k").await.unwrap(), None);
    assert!(cache.get("other").await.unwrap().is_some());
}

async fn values_are_replaced_and_deleted(subject: Subject) {
    let cache = &subject.cache;
    cache.put("k", "old", SHORT).await.unwrap();
    cache.put("k", "new", LONG).await.unwrap();
    subject.pass(SHORT_IS_OVER).await;
    assert_eq!(cache.get("k").await.unwrap(), Some(Bytes::from("new")));
    cache.delete("k").await.unwrap();
    cache.delete("k").await.unwrap();
    assert_eq!(cache.get("k").await.unwrap(), None);
    cache.put("k", "x", LONG).await.unwrap();
    cache.put("k", "x", Duration::ZERO).await.unwrap();
    assert_eq!(cache.get("k").await.unwrap(), None);
}

async fn of_many_takers_exactly_one_gets_the_value(subject: Subject) {
    let cache = &subject.cache;
    cache.put("code", "secret", LONG).await.unwrap();
    let taken = join_all((0..20).map(|_| cache.take("code"))).await;
    assert_eq!(taken.into_iter().filter(|result| result.as_ref().unwrap().is_some()).count(), 1);
}

async fn of_many_writers_of_a_new_value_exactly_one_wins(subject: Subject) {
    let cache = &subject.cache;
    let won = join_all((0..20).map(|n: u8| cache.put_new("once", vec![n], SHORT))).await;
    let winners: Vec<u8> = (0..).zip(won).filter_map(|(n, won)| won.unwrap().then_some(n)).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(cache.get("once").await.unwrap().unwrap().as_ref(), winners);
    subject.pass(SHORT_IS_OVER).await;
    assert!(cache.put_new("once", "again", SHORT).await.unwrap());
}

async fn json_values_come_back_and_strangers_count_as_absent(subject: Subject) {
    let cache = &subject.cache;
    cache.put_json("k", &json!({"a": [1, "ü"]}), LONG).await.unwrap();
    assert_eq!(cache.get_json("k").await.unwrap(), Some(json!({"a": [1, "ü"]})));
    assert_eq!(cache.get_json::<Vec<u8>>("k").await.unwrap(), None);
    assert_eq!(cache.take_json("k").await.unwrap(), Some(json!({"a": [1, "ü"]})));
    assert_eq!(cache.take_json::<serde_json::Value>("k").await.unwrap(), None);
}

async fn counters_count_every_increment_and_start_again(subject: Subject) {
    let cache = &subject.cache;
    let mut counts: Vec<u64> =
        join_all((0..10).map(|_| cache.incr("n", SHORT))).await.into_iter().map(Result::unwrap).collect();
    counts.sort_unstable();
    assert_eq!(counts, (1..=10).collect::<Vec<_>>());
    subject.pass(SHORT_IS_OVER).await;
    assert_eq!(cache.incr("n", SHORT).await.unwrap(), 1);
}

async fn a_lock_has_one_owner_until_it_is_released(subject: Subject) {
    let cache = &subject.cache;
    let guards = join_all((0..10).map(|_| cache.lock("job", LONG))).await;
    let mut held: Vec<_> = guards.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(held.len(), 1);
    let guard = held.remove(0);
    assert!(guard.extend(LONG).await.unwrap());
    assert!(cache.lock("another job", LONG).await.unwrap().is_some());
    assert!(guard.release().await.unwrap());
    assert!(cache.lock("job", LONG).await.unwrap().is_some());
}

async fn a_lock_ends_by_itself_and_then_belongs_to_the_next(subject: Subject) {
    let cache = &subject.cache;
    let late = cache.lock("job", SHORT).await.unwrap().unwrap();
    subject.pass(SHORT_IS_OVER).await;
    let next = cache.lock("job", LONG).await.unwrap().unwrap();
    assert!(!late.extend(LONG).await.unwrap());
    assert!(!late.release().await.unwrap());
    assert!(cache.lock("job", LONG).await.unwrap().is_none());
    assert!(next.release().await.unwrap());
}

async fn kinds_do_not_share_keys(subject: Subject) {
    let cache = &subject.cache;
    cache.put("k", "text", LONG).await.unwrap();
    assert_eq!(cache.incr("k", LONG).await.unwrap(), 1);
    let guard = cache.lock("k", LONG).await.unwrap().unwrap();
    assert_eq!(cache.get("k").await.unwrap(), Some(Bytes::from("text")));
    assert!(guard.release().await.unwrap());
    assert_eq!(cache.incr("k", LONG).await.unwrap(), 2);
}

async fn what_is_too_large_is_refused(subject: Subject) {
    let cache = &subject.cache;
    assert_eq!(cache.get(&"k".repeat(MAX_KEY + 1)).await, Err(Error::Key));
    assert_eq!(cache.get("").await, Err(Error::Key));
    assert_eq!(cache.put("k", vec![0; MAX_VALUE + 1], LONG).await, Err(Error::TooLarge));
    cache.put(&"k".repeat(MAX_KEY), vec![0; MAX_VALUE], LONG).await.unwrap();
    cache.ping().await.unwrap();
}
