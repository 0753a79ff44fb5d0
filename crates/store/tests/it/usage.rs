use std::collections::BTreeMap;

use syfthub_domain::{Timestamp, UserId};
use syfthub_store::usage::{self, Amount, Filter, GroupBy, Key, UsageLine, View};
use syfthub_store::{Db, Page, users};

use crate::contract;
use crate::fixture::{add_user, at};

const HOUR: i64 = 3600;

/// The beginning of the hour that is so many hours after a midnight.
fn hour(number: i64) -> Timestamp {
    Timestamp::from_secs(1_790_035_200 + number * HOUR)
}

fn key(hours: i64, owner: UserId, slug: &str, caller: Option<UserId>) -> Key {
    Key { hour: hour(hours), owner, slug: slug.to_owned(), caller, part: "model", outcome: "success" }
}

fn amount(requests: i64, longest_ms: i64) -> Amount {
    Amount {
        requests,
        prompt_tokens: 10 * requests,
        completion_tokens: requests,
        documents: 0,
        latency_ms: longest_ms,
        longest_ms,
    }
}

async fn add(db: &Db, amounts: &[(Key, Amount)]) {
    let mut tx = db.begin().await.unwrap();
    usage::add(&mut tx, &amounts.iter().cloned().collect::<BTreeMap<_, _>>()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn lines(db: &Db, view: View, group: GroupBy) -> Vec<UsageLine> {
    let filter = Filter { view, from: hour(0), until: hour(48), endpoint: None };
    usage::figures(db, &filter, group, Page::new(0, 100)).await.unwrap()
}

contract! {
    async fn amounts_of_one_hour_are_summed_up(db: Db) {
        let (ada, bob, eve) =
            (add_user(&db, "ada").await.id, add_user(&db, "bob").await.id, add_user(&db, "eve").await.id);
        add(&db, &[(key(1, ada, "notes", Some(bob)), amount(2, 30)), (key(1, ada, "notes", None), amount(1, 5))]).await;
        add(&db, &[(key(1, ada, "notes", Some(bob)), amount(3, 20)), (key(25, ada, "notes", Some(eve)), amount(1, 7))]).await;
        let failed = Key { outcome: "timeout", part: "source", ..key(2, ada, "docs", Some(eve)) };
        // Whoever is gone by now has no figures.
        add(&db, &[(failed, amount(4, 90)), (key(1, UserId(9999), "x", Some(bob)), amount(1, 1))]).await;
        let total = lines(&db, View::Owner(ada), GroupBy::Total).await;
        assert_eq!(total.len(), 1);
        let line = &total[0];
        assert_eq!((line.requests, line.failed, line.guest_requests, line.callers), (11, 4, 1, 2));
        assert_eq!((line.prompt_tokens, line.completion_tokens, line.longest_ms), (110, 11, 90));
        assert_eq!((line.latency_ms, line.path.as_deref()), (30 + 20 + 5 + 7 + 90, None));
        let by_endpoint = lines(&db, View::Owner(ada), GroupBy::Endpoint).await;
        let shown: Vec<_> = by_endpoint
            .iter()
            .map(|line| (line.path.as_deref().unwrap(), line.part.as_deref().unwrap(), line.requests, line.callers))
            .collect();
        assert_eq!(shown, [("ada/notes", "model", 7, 2), ("ada/docs", "source", 4, 1)]);
        let by_day = lines(&db, View::Owner(ada), GroupBy::Day).await;
        let shown: Vec<_> = by_day.iter().map(|line| (line.day.as_deref().unwrap(), line.requests)).collect();
        assert_eq!(shown, [("2026-09-23", 1), ("2026-09-22", 10)]);
        assert_eq!(lines(&db, View::Caller(bob), GroupBy::Total).await[0].requests, 5);
        assert_eq!(lines(&db, View::Caller(ada), GroupBy::Total).await[0].requests, 0);
        assert!(lines(&db, View::Caller(ada), GroupBy::Day).await.is_empty());
        let one = Filter {
            view: View::Caller(eve), from: hour(0), until: hour(25),
            endpoint: Some(("ada".to_owned(), "docs".to_owned())),
        };
        assert_eq!(usage::figures(&db, &one, GroupBy::Total, Page::new(0, 1)).await.unwrap()[0].requests, 4);
        let second = Filter { view: View::Owner(ada), endpoint: None, ..one };
        let page = usage::figures(&db, &second, GroupBy::Endpoint, Page::new(1, 1)).await.unwrap();
        assert_eq!((page.len(), page[0].path.as_deref()), (1, Some("ada/docs")));
    }

    async fn a_batch_counts_once_and_old_hours_go(db: Db) {
        let ada = add_user(&db, "ada").await.id;
        let mut tx = db.begin().await.unwrap();
        assert!(usage::remember_batch(&mut tx, "a", at(1)).await.unwrap());
        assert!(!usage::remember_batch(&mut tx, "a", at(2)).await.unwrap());
        tx.commit().await.unwrap();
        add(&db, &[(key(1, ada, "notes", None), amount(1, 1)), (key(9, ada, "notes", None), amount(1, 1))]).await;
        let mut tx = db.begin().await.unwrap();
        assert_eq!(usage::purge(&mut tx, hour(9)).await.unwrap(), 1);
        assert_eq!(usage::purge_batches(&mut tx, at(1)).await.unwrap(), 0);
        assert_eq!(usage::purge_batches(&mut tx, at(3)).await.unwrap(), 1);
        assert!(usage::remember_batch(&mut tx, "a", at(9)).await.unwrap());
        users::delete(&mut tx, ada).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(lines(&db, View::Owner(ada), GroupBy::Total).await[0].requests, 0);
    }

    async fn batches_at_the_same_time_do_not_stop_each_other(db: Db) {
        let ada = add_user(&db, "ada").await.id;
        let many = |first: i64| -> Vec<(Key, Amount)> {
            (0..50).map(|n| (key((n + first) % 48, ada, "notes", Some(ada)), amount(1, 1))).collect()
        };
        let rows = [many(0), many(7), many(20), many(33)];
        tokio::join!(add(&db, &rows[0]), add(&db, &rows[1]), add(&db, &rows[2]), add(&db, &rows[3]));
        // 50 entries over 48 hours: two of them fall on hours that are there already.
        assert_eq!(lines(&db, View::Caller(ada), GroupBy::Total).await[0].requests, 4 * 48);
    }
}
