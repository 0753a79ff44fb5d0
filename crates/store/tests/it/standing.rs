//! How endpoints have done lately.

use std::collections::BTreeMap;

use syfthub_domain::{EndpointId, Timestamp, UserId};
use syfthub_store::standing::{self, Breaker, BreakerLine, LookLine};
use syfthub_store::uptime::{self, Sample};
use syfthub_store::usage::{self, Amount, Key};
use syfthub_store::{Db, endpoints};

use crate::contract;
use crate::fixture::{add_user, at, new_endpoint, publish};

async fn says(db: &Db, reporter: &str, breakers: &[(EndpointId, bool, i64)], now: u64) {
    let breakers: BTreeMap<_, _> = breakers
        .iter()
        .map(|(id, is_open, failures)| (*id, Breaker { is_open: *is_open, failures: *failures }))
        .collect();
    let mut tx = db.begin().await.unwrap();
    standing::replace_breakers(&mut tx, reporter, &breakers, at(now), at(now + 90)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn lines(db: &Db, ids: &[EndpointId], now: u64) -> Vec<(EndpointId, i64, i64, i64)> {
    let lines = standing::breakers(db, ids, at(now)).await.unwrap();
    lines
        .into_iter()
        .map(|BreakerLine { endpoint_id, open, reporters, failures }| {
            (endpoint_id, open, reporters, failures)
        })
        .collect()
}

contract! {
    async fn each_reporter_speaks_for_itself_and_for_a_while(db: Db) {
        let ada = add_user(&db, "ada").await.id;
        let a = publish(&db, &new_endpoint(ada, "one-a"), 1).await.endpoint.id;
        let b = publish(&db, &new_endpoint(ada, "two-b"), 1).await.endpoint.id;
        let all = [a, b, EndpointId(4711)];
        says(&db, "x", &[(a, true, 5), (b, false, 7), (EndpointId(4711), true, 1)], 0).await;
        says(&db, "y", &[(a, false, 9)], 60).await;
        assert_eq!(lines(&db, &all, 89).await, [(a, 1, 2, 9), (b, 0, 1, 7)]);
        assert_eq!(lines(&db, &[b], 89).await, [(b, 0, 1, 7)]);
        assert_eq!(lines(&db, &all, 90).await, [(a, 0, 1, 9)], "who says nothing any more is forgotten");
        says(&db, "y", &[], 70).await;
        assert_eq!(lines(&db, &all, 89).await, [(a, 1, 1, 5), (b, 0, 1, 7)]);
        let mut tx = db.begin().await.unwrap();
        endpoints::delete(&mut tx, a).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(lines(&db, &all, 0).await, [(b, 0, 1, 7)]);
        assert_eq!(lines(&db, &[], 0).await, []);
    }

    async fn looks_are_summed_up(db: Db) {
        let ada = add_user(&db, "ada").await.id;
        let a = publish(&db, &new_endpoint(ada, "one-a"), 1).await.endpoint.id;
        let mut tx = db.begin().await.unwrap();
        for (when, healthy) in [(0, false), (1800, true), (3600, true), (3601, false)] {
            uptime::add(&mut tx, at(when), &[Sample { endpoint: a, healthy, weight: 2 }]).await.unwrap();
        }
        tx.commit().await.unwrap();
        let found = standing::looks(&db, &[a, EndpointId(4711)], at(1)).await.unwrap();
        assert_eq!(found, [LookLine { endpoint_id: a, checks: 6, healthy: 4 }]);
    }

    async fn a_caller_has_one_vote_an_hour_and_the_owner_none(db: Db) {
        let (ada, bob) = (add_user(&db, "ada").await.id, add_user(&db, "bob").await.id);
        let a = publish(&db, &new_endpoint(ada, "one-a"), 1).await.endpoint.id;
        let hour = |number: i64| Timestamp::from_secs(1_790_035_200 + number * 3600);
        let mut amounts = BTreeMap::new();
        let mut add = |number, caller: Option<UserId>, outcome, requests| {
            let key = Key { hour: hour(number), owner: ada, slug: "one-a".to_owned(), caller, part: "source", outcome };
            amounts.insert(key, Amount { requests, ..Amount::default() });
        };
        add(0, Some(bob), "success", 9);
        add(1, Some(bob), "success", 3);
        add(1, Some(bob), "timeout", 1);
        add(1, Some(bob), "rate_limited", 1000);
        add(1, None, "error", 1_000_000);
        add(2, Some(bob), "access_denied", 5);
        add(2, Some(ada), "success", 5);
        let mut tx = db.begin().await.unwrap();
        usage::add(&mut tx, &amounts).await.unwrap();
        tx.commit().await.unwrap();
        let found = standing::calls(&db, &[a], hour(0)).await.unwrap();
        assert_eq!((found.len(), found[0].endpoint_id, found[0].votes), (1, a, 3));
        assert!((found[0].good - 1.75).abs() < 1e-9, "{found:?}");
        let found = standing::calls(&db, &[a, EndpointId(4711)], hour(1)).await.unwrap();
        assert_eq!((found.len(), found[0].votes), (1, 2));
        assert_eq!(standing::calls(&db, &[a], hour(2)).await.unwrap(), []);
    }
}
