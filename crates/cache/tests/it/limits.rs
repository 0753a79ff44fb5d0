//! Rate limits: both backends decide alike.

use std::time::Duration;

use futures::future::join_all;
use proptest::prelude::*;
use syfthub_cache::{Cache, Decision};
use syfthub_config::Rule;
use syfthub_domain::{FixedClock, Timestamp};

use crate::Subject;

crate::both!(
    the_whole_allowance_is_there_at_once_and_then_no_more,
    the_allowance_comes_back_evenly,
    concurrent_requests_are_counted_exactly,
    each_key_has_its_own_allowance,
    a_rule_of_nothing_allows_nothing,
);

async fn ask(cache: &Cache, key: &str, rule: Rule) -> Decision {
    cache.limit(key, rule).await.unwrap()
}

async fn the_whole_allowance_is_there_at_once_and_then_no_more(subject: Subject) {
    let rule = Rule::per_seconds(3, 60);
    for expected in [2, 1, 0] {
        let decision = ask(&subject.cache, "ip", rule).await;
        assert!(decision.allowed);
        assert_eq!((decision.limit, decision.remaining, decision.retry_after), (3, expected, Duration::ZERO));
    }
    let refused = ask(&subject.cache, "ip", rule).await;
    assert!(!refused.allowed);
    assert_eq!(refused.remaining, 0);
    // One step is 20 s; Redis keeps its own time, so a little of it may be over.
    assert!(refused.retry_after <= Duration::from_secs(20) && refused.retry_after > Duration::from_secs(15));
    assert!(refused.reset_after <= Duration::from_mins(1) && refused.reset_after > Duration::from_secs(55));
    // A refused request counts nothing: the wait does not grow.
    assert!(ask(&subject.cache, "ip", rule).await.retry_after <= refused.retry_after);
}

async fn the_allowance_comes_back_evenly(subject: Subject) {
    let rule = Rule { max: 2, window: Duration::from_secs(3) };
    assert!(ask(&subject.cache, "ip", rule).await.allowed);
    assert!(ask(&subject.cache, "ip", rule).await.allowed);
    let refused = ask(&subject.cache, "ip", rule).await;
    assert!(!refused.allowed);
    subject.pass(refused.retry_after + Duration::from_millis(10)).await;
    assert!(ask(&subject.cache, "ip", rule).await.allowed);
    subject.pass(Duration::from_millis(3100)).await;
    assert_eq!(ask(&subject.cache, "ip", rule).await.remaining, 1);
}

async fn concurrent_requests_are_counted_exactly(subject: Subject) {
    let rule = Rule::per_seconds(10, 3600);
    let decisions = join_all((0..40).map(|_| ask(&subject.cache, "ip", rule))).await;
    assert_eq!(decisions.iter().filter(|decision| decision.allowed).count(), 10);
}

async fn each_key_has_its_own_allowance(subject: Subject) {
    let rule = Rule::per_seconds(1, 60);
    assert!(ask(&subject.cache, "a", rule).await.allowed);
    assert!(ask(&subject.cache, "b", rule).await.allowed);
    assert!(!ask(&subject.cache, "a", rule).await.allowed);
}

async fn a_rule_of_nothing_allows_nothing(subject: Subject) {
    let refused = ask(&subject.cache, "a", Rule { max: 0, window: Duration::from_secs(9) }).await;
    assert!(!refused.allowed);
    assert_eq!(refused.retry_after, Duration::from_secs(9));
}

proptest! {
    /// In any window no more than twice the allowance passes, and waiting as told is always enough.
    #[test]
    fn any_pattern_of_requests_keeps_to_the_rule(
        max in 1_u32..20,
        window_ms in 100_u64..5000,
        pauses in prop::collection::vec(0_u64..400, 1..100),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let clock = FixedClock::new(Timestamp::from_secs(1_800_000_000));
        let cache = Cache::memory(clock.clone());
        let rule = Rule { max, window: Duration::from_millis(window_ms) };
        let mut passed = Vec::new();
        let mut elapsed = 0;
        for pause in pauses {
            clock.advance(Duration::from_millis(pause));
            elapsed += pause;
            let decision = runtime.block_on(ask(&cache, "k", rule));
            prop_assert_eq!(decision.allowed, decision.retry_after.is_zero());
            if decision.allowed {
                passed.push(elapsed);
                let within = passed.iter().filter(|at| **at + window_ms > elapsed).count();
                prop_assert!(within <= 2 * usize::try_from(max).unwrap());
            }
        }
        let last = runtime.block_on(ask(&cache, "k", rule));
        clock.advance(last.retry_after);
        if !last.allowed {
            prop_assert!(runtime.block_on(ask(&cache, "k", rule)).allowed);
        }
    }
}
