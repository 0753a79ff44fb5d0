use std::time::Duration;

use syfthub_domain::UserId;
use syfthub_store::Db;
use syfthub_store::refresh::{self, Exchange, GRACE, NewFamily, Rotation};

use crate::contract;
use crate::fixture::{add_user, at};

async fn family(db: &Db, user: UserId, id: &str) {
    let mut tx = db.begin().await.unwrap();
    let new = NewFamily {
        id: id.to_owned(),
        user_id: user,
        jti: format!("{id}-0"),
        created_at: at(0),
        expires_at: at(1000),
        device: None,
        address: None,
    };
    refresh::insert_family(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
}

async fn exchange(db: &Db, family: &str, jti: &str, next: &str, now: u64, grace: Duration) -> Rotation {
    let mut tx = db.begin().await.unwrap();
    let exchange = Exchange {
        family: family.to_owned(),
        jti: jti.to_owned(),
        next_jti: next.to_owned(),
        next_expires_at: at(now + 1000),
        address: None,
        now: at(now),
        grace,
    };
    let outcome = refresh::rotate(&mut tx, &exchange).await.unwrap();
    tx.commit().await.unwrap();
    outcome
}

contract! {
    async fn a_chain_of_refreshes_works_and_an_old_token_ends_the_family(db: Db) {
        let user = add_user(&db, "alice").await.id;
        family(&db, user, "f").await;
        assert_eq!(exchange(&db, "f", "f-0", "f-1", 1, GRACE).await, Rotation::Rotated(user));
        assert_eq!(exchange(&db, "f", "f-0", "f-2", 31, GRACE).await, Rotation::Grace(user));
        assert_eq!(exchange(&db, "f", "f-2", "f-3", 40, GRACE).await, Rotation::Rotated(user));
        assert!(refresh::is_live(&db, "f").await.unwrap());
        assert_eq!(exchange(&db, "f", "f-0", "f-4", 41, GRACE).await, Rotation::Reused(user));
        assert!(!refresh::is_live(&db, "f").await.unwrap());
        assert_eq!(exchange(&db, "f", "f-3", "f-5", 42, GRACE).await, Rotation::Unknown);
    }

    async fn without_enforcement_an_old_token_stays_good(db: Db) {
        let user = add_user(&db, "alice").await.id;
        family(&db, user, "f").await;
        exchange(&db, "f", "f-0", "f-1", 1, Duration::MAX).await;
        assert_eq!(exchange(&db, "f", "f-0", "f-2", 900, Duration::MAX).await, Rotation::Grace(user));
    }

    async fn unknown_expired_and_foreign_tokens_are_unknown(db: Db) {
        let user = add_user(&db, "alice").await.id;
        family(&db, user, "f").await;
        family(&db, user, "g").await;
        assert_eq!(exchange(&db, "f", "nothing", "x", 1, GRACE).await, Rotation::Unknown);
        assert_eq!(exchange(&db, "g", "f-0", "x", 1, GRACE).await, Rotation::Unknown);
        assert_eq!(exchange(&db, "f", "f-0", "x", 1000, GRACE).await, Rotation::Unknown);
    }

    async fn of_many_refreshes_at_once_exactly_one_rotates(db: Db) {
        let user = add_user(&db, "alice").await.id;
        family(&db, user, "f").await;
        let outcomes = six_at_once(&db).await;
        assert_eq!(outcomes.iter().filter(|o| **o == Rotation::Rotated(user)).count(), 1);
        assert_eq!(outcomes.iter().filter(|o| **o == Rotation::Grace(user)).count(), outcomes.len() - 1);
    }

    async fn families_are_revoked_alone_or_together(db: Db) {
        let (alice, bob) = (add_user(&db, "alice").await.id, add_user(&db, "bob").await.id);
        for (user, id) in [(alice, "a1"), (alice, "a2"), (alice, "a3"), (bob, "b1")] {
            family(&db, user, id).await;
        }
        let mut tx = db.begin().await.unwrap();
        assert!(refresh::revoke_family(&mut tx, "a1", at(1)).await.unwrap());
        assert!(!refresh::revoke_family(&mut tx, "a1", at(1)).await.unwrap());
        assert_eq!(refresh::revoke_user(&mut tx, alice, at(1)).await.unwrap(), 2);
        tx.commit().await.unwrap();
        assert!(refresh::is_live(&db, "b1").await.unwrap());
        assert_eq!(exchange(&db, "a2", "a2-0", "x", 2, GRACE).await, Rotation::Unknown);
    }

    async fn revoked_access_tokens_are_kept_until_they_end(db: Db) {
        let user = add_user(&db, "alice").await.id;
        family(&db, user, "f").await;
        let mut tx = db.begin().await.unwrap();
        for _ in 0..2 {
            refresh::revoke_access(&mut tx, "jti", at(100), at(1)).await.unwrap();
        }
        assert!(refresh::is_revoked(&mut tx, "jti").await.unwrap());
        assert!(!refresh::is_revoked(&mut tx, "other").await.unwrap());
        assert_eq!(refresh::purge_expired(&mut tx, at(99)).await.unwrap(), 0);
        assert_eq!(refresh::purge_expired(&mut tx, at(100)).await.unwrap(), 1);
        assert_eq!(refresh::purge_expired(&mut tx, at(1000)).await.unwrap(), 1, "the refresh token");
        tx.commit().await.unwrap();
    }

    async fn a_family_stays_as_long_as_an_access_token_of_it_may_live(db: Db) {
        const LONGEST_ACCESS: u64 = 7 * 24 * 3600;
        let user = add_user(&db, "alice").await.id;
        family(&db, user, "f").await;
        exchange(&db, "f", "f-0", "f-1", 500, GRACE).await;
        assert_eq!(refresh::purge(&db, at(1500 + LONGEST_ACCESS - 1)).await.unwrap(), 2, "both refresh tokens");
        assert!(refresh::is_live(&db, "f").await.unwrap());
        assert_eq!(refresh::purge(&db, at(1500 + LONGEST_ACCESS)).await.unwrap(), 1);
        assert!(!refresh::is_live(&db, "f").await.unwrap());
    }

    async fn shorter_lifetimes_do_not_shorten_a_family(db: Db) {
        let user = add_user(&db, "alice").await.id;
        family(&db, user, "f").await;
        let mut tx = db.begin().await.unwrap();
        let short = Exchange {
            family: "f".to_owned(),
            jti: "f-0".to_owned(),
            next_jti: "f-1".to_owned(),
            next_expires_at: at(20),
            address: None,
            now: at(10),
            grace: GRACE,
        };
        assert_eq!(refresh::rotate(&mut tx, &short).await.unwrap(), Rotation::Rotated(user));
        tx.commit().await.unwrap();
        let week = 7 * 24 * 3600;
        refresh::purge(&db, at(999 + week)).await.unwrap();
        assert!(refresh::is_live(&db, "f").await.unwrap());
    }

    async fn a_purge_goes_in_small_steps(db: Db) {
        let mut tx = db.begin().await.unwrap();
        for number in 0..=refresh::PURGE_BATCH {
            refresh::revoke_access(&mut tx, &number.to_string(), at(100), at(1)).await.unwrap();
        }
        tx.commit().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        let batch = u64::try_from(refresh::PURGE_BATCH).unwrap();
        assert_eq!(refresh::purge_expired(&mut tx, at(100)).await.unwrap(), batch);
        tx.rollback().await.unwrap();
        assert_eq!(refresh::purge(&db, at(100)).await.unwrap(), batch + 1);
        assert_eq!(refresh::purge(&db, at(100)).await.unwrap(), 0);
    }
}

async fn six_at_once(db: &Db) -> Vec<Rotation> {
    let mut tasks = tokio::task::JoinSet::new();
    for number in 1..=6 {
        let db = db.clone();
        tasks.spawn(async move { exchange(&db, "f", "f-0", &format!("next-{number}"), 1, GRACE).await });
    }
    tasks.join_all().await
}
