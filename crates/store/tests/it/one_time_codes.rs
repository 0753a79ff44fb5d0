//! One-time codes.

use syfthub_domain::Email;
use syfthub_store::one_time_codes::{self, Attempt, NewCode, Purpose};
use syfthub_store::{Db, Tx};

use crate::contract;
use crate::fixture::at;

fn email(name: &str) -> Email {
    Email::parse(&format!("{name}@example.org")).unwrap()
}

fn code(name: &str, purpose: Purpose, hash: &str, now: u64) -> NewCode {
    NewCode {
        email: email(name),
        purpose,
        code_hash: hash.to_owned(),
        expires_at: at(now + 600),
        requester_ip: "192.0.2.7".to_owned(),
    }
}

async fn in_change<T>(db: &Db, change: impl AsyncFnOnce(&mut Tx) -> T) -> T {
    let mut tx = db.begin().await.unwrap();
    let done = change(&mut tx).await;
    tx.commit().await.unwrap();
    done
}

async fn keep(db: &Db, name: &str, purpose: Purpose, hash: &str, now: u64) -> i64 {
    let new = code(name, purpose, hash, now);
    in_change(db, async |tx| {
        one_time_codes::lock_sends(tx, &new.email, purpose, &new.requester_ip).await.unwrap();
        one_time_codes::insert(tx, &new, at(now)).await.unwrap()
    })
    .await
}

async fn guess(db: &Db, name: &str, now: u64) -> Option<Attempt> {
    let who = email(name);
    in_change(db, async |tx| {
        one_time_codes::count_attempt(tx, &who, Purpose::Registration, 3, at(now)).await.unwrap()
    })
    .await
}

contract! {
    async fn a_new_code_ends_the_one_before_and_no_other(db: Db) {
        let first = keep(&db, "bob", Purpose::Registration, "one", 0).await;
        keep(&db, "bob", Purpose::PasswordReset, "reset", 0).await;
        keep(&db, "eve", Purpose::Registration, "eve", 0).await;
        let second = keep(&db, "bob", Purpose::Registration, "two", 1).await;
        let found = guess(&db, "bob", 2).await.unwrap();
        assert_eq!((found.id, found.code_hash.as_str(), found.attempts), (second, "two", 1));
        assert_eq!(guess(&db, "eve", 2).await.unwrap().code_hash, "eve");
        assert!(!in_change(&db, async |tx| one_time_codes::consume(tx, first, at(2)).await.unwrap()).await);
        assert!(in_change(&db, async |tx| one_time_codes::consume(tx, second, at(2)).await.unwrap()).await);
        assert!(!in_change(&db, async |tx| one_time_codes::consume(tx, second, at(2)).await.unwrap()).await);
        assert_eq!(guess(&db, "bob", 2).await, None);
        assert!(one_time_codes::is_pending(&db, &email("bob"), Purpose::PasswordReset, at(2)).await.unwrap());
        assert!(!one_time_codes::is_pending(&db, &email("bob"), Purpose::Registration, at(2)).await.unwrap());
    }

    async fn a_code_ends_with_its_time_and_with_its_last_guess(db: Db) {
        keep(&db, "bob", Purpose::Registration, "one", 0).await;
        for number in 1..=3 {
            assert_eq!(guess(&db, "bob", 599).await.unwrap().attempts, number);
        }
        assert_eq!(guess(&db, "bob", 599).await, None);
        assert!(one_time_codes::is_pending(&db, &email("bob"), Purpose::Registration, at(599)).await.unwrap());
        assert!(!one_time_codes::is_pending(&db, &email("bob"), Purpose::Registration, at(600)).await.unwrap());
        assert_eq!(guess(&db, "nobody", 0).await, None);
    }

    async fn guesses_at_once_are_not_more_than_allowed(db: Db) {
        keep(&db, "bob", Purpose::Registration, "one", 0).await;
        let one = async || guess(&db, "bob", 1).await;
        let all = tokio::join!(one(), one(), one(), one(), one());
        let all = <[Option<Attempt>; 5]>::from(all);
        let mut counts: Vec<i64> = all.into_iter().flatten().map(|attempt| attempt.attempts).collect();
        counts.sort_unstable();
        assert_eq!(counts, [1, 2, 3]);
    }

    async fn what_was_sent_is_counted_in_its_window(db: Db) {
        for second in [0, 10, 20] {
            keep(&db, "bob", Purpose::Registration, "x", second).await;
        }
        let last = keep(&db, "eve", Purpose::PasswordReset, "y", 30).await;
        let to = one_time_codes::sent_to(&db, &email("bob"), Purpose::Registration, at(5)).await.unwrap();
        assert_eq!((to.codes, to.first_at), (2, Some(at(10))));
        let from = one_time_codes::sent_for(&db, "192.0.2.7", at(5)).await.unwrap();
        assert_eq!((from.codes, from.first_at), (3, Some(at(10))));
        assert!(in_change(&db, async |tx| one_time_codes::delete(tx, last).await.unwrap()).await);
        assert_eq!(one_time_codes::sent_for(&db, "192.0.2.7", at(5)).await.unwrap().codes, 2);
        assert_eq!(one_time_codes::sent_for(&db, "192.0.2.8", at(5)).await.unwrap().codes, 0);
    }

    async fn the_clean_up_keeps_what_still_counts(db: Db) {
        keep(&db, "bob", Purpose::Registration, "used", 0).await;
        keep(&db, "bob", Purpose::Registration, "expired", 1).await;
        keep(&db, "eve", Purpose::Registration, "young", 5000).await;
        let gone = in_change(&db, async |tx| one_time_codes::purge(tx, at(3600), at(500)).await.unwrap()).await;
        assert_eq!(gone, Some(1));
        let gone = in_change(&db, async |tx| one_time_codes::purge(tx, at(3600), at(9000)).await.unwrap()).await;
        assert_eq!(gone, Some(1));
        assert_eq!(one_time_codes::sent_for(&db, "192.0.2.7", at(0)).await.unwrap().codes, 1);
        if let Db::Postgres(_) = db {
            let mut held = db.begin().await.unwrap();
            one_time_codes::purge(&mut held, at(0), at(0)).await.unwrap();
            let busy = in_change(&db, async |tx| one_time_codes::purge(tx, at(0), at(0)).await.unwrap()).await;
            assert_eq!(busy, None);
            held.rollback().await.unwrap();
        }
    }
}
