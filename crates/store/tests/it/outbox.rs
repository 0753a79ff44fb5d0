//! Mail that waits.

use syfthub_store::outbox::{self, Claimed, NewMail};
use syfthub_store::{Db, Tx};

use crate::contract;
use crate::fixture::at;

fn mail(id: &str) -> NewMail {
    NewMail { id: id.to_owned(), sealed: id.as_bytes().to_vec(), expires_at: Some(at(600)) }
}

async fn keep(db: &Db, id: &str, when: u64) {
    let mut tx = db.begin().await.unwrap();
    outbox::insert(&mut tx, &mail(id), at(when)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn claim(db: &Db, until: u64, limit: u32, now: u64) -> Vec<Claimed> {
    let mut tx = db.begin().await.unwrap();
    let claimed = outbox::claim(&mut tx, at(until), limit, at(now)).await.unwrap();
    tx.commit().await.unwrap();
    claimed
}

fn ids(claimed: &[Claimed]) -> Vec<&str> {
    claimed.iter().map(|mail| mail.id.as_str()).collect()
}

async fn in_change<T>(db: &Db, change: impl AsyncFnOnce(&mut Tx) -> T) -> T {
    let mut tx = db.begin().await.unwrap();
    let done = change(&mut tx).await;
    tx.commit().await.unwrap();
    done
}

contract! {
    async fn a_mail_is_taken_once_and_comes_back_when_its_lease_ends(db: Db) {
        keep(&db, "a", 0).await;
        keep(&db, "b", 1).await;
        keep(&db, "later", 50).await;
        assert_eq!(outbox::next_due(&db, at(0)).await.unwrap(), Some(at(0)));
        let first = claim(&db, 60, 10, 5).await;
        assert_eq!(ids(&first), ["a", "b"]);
        assert_eq!((first[0].attempts, first[0].expires_at, first[0].sealed.as_slice()), (1, Some(at(600)), b"a".as_slice()));
        assert!(claim(&db, 61, 10, 6).await.is_empty());
        assert_eq!(outbox::next_due(&db, at(6)).await.unwrap(), Some(at(50)));
        // The process died.
        let again = claim(&db, 120, 2, 60).await;
        assert_eq!(ids(&again), ["a", "b"]);
        assert_eq!(again[0].attempts, 2);
        assert_eq!(ids(&claim(&db, 120, 10, 60).await), ["later"]);
    }

    async fn only_the_holder_of_the_lease_says_what_became_of_it(db: Db) {
        keep(&db, "a", 0).await;
        claim(&db, 60, 1, 0).await;
        claim(&db, 120, 1, 60).await;
        assert!(!in_change(&db, async |tx| outbox::finish(tx, "a", at(60)).await.unwrap()).await);
        assert!(!in_change(&db, async |tx| outbox::retry(tx, "a", at(60), at(1), "x").await.unwrap()).await);
        assert!(in_change(&db, async |tx| outbox::retry(tx, "a", at(120), at(90), "busy").await.unwrap()).await);
        let waiting = outbox::waiting(&db).await.unwrap();
        assert_eq!((waiting.mails, waiting.last_error.as_deref()), (1, Some("busy")));
        assert!(claim(&db, 200, 1, 89).await.is_empty());
        assert_eq!(claim(&db, 200, 1, 90).await[0].attempts, 3);
        assert!(in_change(&db, async |tx| outbox::finish(tx, "a", at(200)).await.unwrap()).await);
        assert_eq!(outbox::next_due(&db, at(90)).await.unwrap(), None);
        assert_eq!(outbox::waiting(&db).await.unwrap().mails, 0);
    }

    async fn two_replicas_at_once_take_different_mails(db: Db) {
        for id in ["a", "b", "c", "d"] {
            keep(&db, id, 0).await;
        }
        if let Db::Postgres(_) = db {
            // Two changes that are open at the same time: the second skips what the first holds.
            let (mut one, mut two) = (db.begin().await.unwrap(), db.begin().await.unwrap());
            let first = outbox::claim(&mut one, at(60), 2, at(1)).await.unwrap();
            let second = outbox::claim(&mut two, at(61), 10, at(1)).await.unwrap();
            one.commit().await.unwrap();
            two.commit().await.unwrap();
            assert_eq!((ids(&first), ids(&second)), (vec!["a", "b"], vec!["c", "d"]));
        } else {
            let (first, second) = tokio::join!(claim(&db, 60, 2, 1), claim(&db, 61, 2, 1));
            let mut all = [ids(&first), ids(&second)].concat();
            all.sort_unstable();
            assert_eq!(all, ["a", "b", "c", "d"]);
        }
    }
}
