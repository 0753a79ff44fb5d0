//! Uptime buckets, and the batches of the health monitor.

use std::time::Duration;

use syfthub_domain::{EndpointId, HealthStatus, Slug};
use syfthub_store::Tx;
use syfthub_store::endpoints::{self, HealthChange, HealthReport};
use syfthub_store::uptime::{self, Sample};

use crate::contract;
use crate::fixture::{add_user, at, new_endpoint, publish};

async fn due(tx: &mut Tx, when: u64, limit: u32) -> Vec<String> {
    let found = endpoints::due_checks(tx, at(when), limit).await.unwrap();
    found.iter().map(|item| item.slug.as_str().to_owned()).collect()
}

fn sample(id: EndpointId, healthy: bool, weight: i64) -> Sample {
    Sample { endpoint: id, healthy, weight }
}

contract! {
    async fn samples_are_counted_in_their_bucket_and_purged(db: Db) {
        let ada = add_user(&db, "ada").await;
        let (a, b) = (publish(&db, &new_endpoint(ada.id, "one-a"), 1).await, publish(&db, &new_endpoint(ada.id, "two-b"), 1).await);
        let (a, b) = (a.endpoint.id, b.endpoint.id);
        let mut tx = db.begin().await.unwrap();
        uptime::add(&mut tx, at(0), &[sample(a, true, 1), sample(b, false, 4)]).await.unwrap();
        uptime::add(&mut tx, at(0), &[sample(a, false, 1)]).await.unwrap();
        uptime::add(&mut tx, at(1800), &[sample(a, true, 2), sample(EndpointId(4711), true, 1)]).await.unwrap();
        uptime::add(&mut tx, at(1800), &[]).await.unwrap();
        tx.commit().await.unwrap();
        let counts = async |id, since| -> Vec<(i64, i64)> {
            let found = uptime::list(&db, id, at(since)).await.unwrap();
            found.iter().map(|bucket| (bucket.total_checks, bucket.healthy_checks)).collect()
        };
        assert_eq!(counts(a, 0).await, [(2, 1), (2, 2)]);
        assert_eq!(counts(a, 1).await, [(2, 2)]);
        assert_eq!(counts(b, 0).await, [(4, 0)]);
        assert_eq!(uptime::list(&db, a, at(0)).await.unwrap()[1].bucket_start, at(1800));
        let mut tx = db.begin().await.unwrap();
        assert_eq!(uptime::purge(&mut tx, at(1800)).await.unwrap(), 2);
        endpoints::delete(&mut tx, b).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(counts(a, 0).await, [(2, 2)]);
    }

    async fn what_is_due_is_found_in_order_and_scheduled_anew(db: Db) {
        let ada = add_user(&db, "ada").await;
        let mut ids = Vec::new();
        for (slug, when) in [("late-one", 20), ("early-one", 1), ("gone-one", 2)] {
            ids.push(publish(&db, &new_endpoint(ada.id, slug), when).await.endpoint.id);
        }
        let mut tx = db.begin().await.unwrap();
        endpoints::delete(&mut tx, ids[2]).await.unwrap();
        tx.commit().await.unwrap();
        // A new endpoint has half a minute to come up.
        assert!(!endpoints::is_check_due(&db, at(30)).await.unwrap());
        assert!(endpoints::is_check_due(&db, at(31)).await.unwrap());
        let mut tx = db.begin().await.unwrap();
        assert_eq!(due(&mut tx, 49, 10).await, ["early-one"]);
        assert_eq!(due(&mut tx, 50, 10).await, ["early-one", "late-one"]);
        assert_eq!(due(&mut tx, 50, 1).await, ["early-one"]);
        endpoints::reschedule(&mut tx, &[(ids[1], at(100)), (EndpointId(4711), at(1))]).await.unwrap();
        endpoints::reschedule(&mut tx, &[]).await.unwrap();
        assert_eq!(due(&mut tx, 99, 10).await, ["late-one"]);
        assert_eq!(endpoints::check_owner_by(&mut tx, ada.id, at(60)).await.unwrap(), 1);
        assert_eq!(due(&mut tx, 60, 10).await, ["late-one", "early-one"]);
        let of = endpoints::checks_of(&mut tx, &[ids[1], ids[2]]).await.unwrap();
        assert_eq!((of.len(), of[0].id, of[0].path()), (1, ids[1], "ada/early-one".to_owned()));
        assert_eq!(of[0].connect, new_endpoint(ada.id, "early-one").connect);
    }

    async fn what_was_found_is_written_and_changes_no_order(db: Db) {
        let ada = add_user(&db, "ada").await;
        let id = publish(&db, &new_endpoint(ada.id, "notes"), 1).await.endpoint.id;
        let change = HealthChange { id, is_active: false, failures: 3, status: Some(HealthStatus::Unhealthy),
            checked_at: Some(at(9)), ttl_seconds: None };
        let mut tx = db.begin().await.unwrap();
        assert_eq!(endpoints::apply_health(&mut tx, &[change]).await.unwrap(), 1);
        assert_eq!(endpoints::apply_health(&mut tx, &[]).await.unwrap(), 0);
        let found = endpoints::find_by_id(&mut tx, id).await.unwrap().unwrap().endpoint;
        assert_eq!((found.is_active, found.consecutive_failure_count, found.health_status),
            (false, 3, Some(HealthStatus::Unhealthy)));
        assert_eq!((found.health_checked_at, found.health_ttl_seconds, found.updated_at), (Some(at(9)), None, at(1)));

        // An old report says nothing about now; a fresh one ends the inactivity.
        let report = |when| [HealthReport { slug: Slug::parse("notes").unwrap(), status: HealthStatus::Healthy, checked_at: at(when) }];
        for (when, active, failures) in [(30, false, 3), (41, true, 0)] {
            endpoints::apply_health_report(&mut tx, ada.id, &report(when), 60, at(100)).await.unwrap();
            let found = endpoints::find_by_id(&mut tx, id).await.unwrap().unwrap().endpoint;
            assert_eq!((found.is_active, found.consecutive_failure_count), (active, failures), "{when}");
            let seen = &endpoints::checks_of(&mut tx, &[id]).await.unwrap()[0];
            assert_eq!(seen.fresh_report(at(100)), active.then_some(HealthStatus::Healthy));
        }
        let before = endpoints::health_states(&mut tx, ada.id, &["notes", "unknown"]).await.unwrap();
        assert_eq!((before.len(), before[0].is_active, before[0].health_status), (1, true, Some(HealthStatus::Healthy)));
        endpoints::set_heartbeat(&mut tx, ada.id, at(200)).await.unwrap();
        let seen = &endpoints::checks_of(&mut tx, &[id]).await.unwrap()[0];
        assert_eq!(seen.heartbeat_expires_at, Some(at(200)));
    }

    async fn two_who_look_at_once_never_take_the_same(db: Db) {
        let ada = add_user(&db, "ada").await;
        for n in 0..6 {
            publish(&db, &new_endpoint(ada.id, &format!("notes-{n}")), 1).await;
        }
        let take = async |limit| {
            let mut tx = db.begin().await.unwrap();
            let taken = endpoints::due_checks(&mut tx, at(99), limit).await.unwrap();
            let next: Vec<_> = taken.iter().map(|item| (item.id, at(99).plus(Duration::from_secs(30)))).collect();
            endpoints::reschedule(&mut tx, &next).await.unwrap();
            tx.commit().await.unwrap();
            next.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
        };
        let (a, b, c) = tokio::join!(take(4), take(4), take(4));
        let mut all = [a, b, c].concat();
        let taken = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), taken, "nothing is taken twice");
        assert_eq!(take(9).await.len() + taken, 6, "and nothing is lost");
    }
}
