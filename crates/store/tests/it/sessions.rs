use syfthub_domain::{Timestamp, UserId};
use syfthub_store::refresh::{self, NewFamily};
use syfthub_store::sessions::{self, NewSession};
use syfthub_store::{Db, Page};

use crate::contract;
use crate::fixture::{add_user, at};

async fn browser(db: &Db, user: UserId, id: &str, when: u64) {
    let mut tx = db.begin().await.unwrap();
    let new = NewSession {
        id: id.to_owned(),
        user_id: user,
        token_hash: format!("hash-{id}"),
        token_epoch: 3,
        device: Some("Browser".to_owned()),
        address: None,
        created_at: at(when),
        expires_at: at(when + 100),
    };
    sessions::insert(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
}

async fn tokens(db: &Db, user: UserId, id: &str, when: u64) {
    let mut tx = db.begin().await.unwrap();
    let new = NewFamily {
        id: id.to_owned(),
        user_id: user,
        jti: format!("{id}-0"),
        created_at: at(when),
        expires_at: at(when + 100),
        device: Some("Program".to_owned()),
        address: Some("::1".to_owned()),
    };
    refresh::insert_family(&mut tx, &new).await.unwrap();
    tx.commit().await.unwrap();
}

async fn listed(db: &Db, user: UserId, now: Timestamp) -> Vec<String> {
    let rows = sessions::list(db, user, now, Page::default()).await.unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

contract! {
    async fn a_browser_session_lives_until_it_ends(db: Db) {
        let user = add_user(&db, "alice").await.id;
        browser(&db, user, "s", 0).await;
        let row = sessions::find_live(&db, "hash-s", at(1)).await.unwrap().unwrap();
        assert_eq!((row.user_id, row.token_epoch, row.expires_at), (user, 3, at(100)));
        assert!(sessions::find_live(&db, "hash-x", at(1)).await.unwrap().is_none());
        assert!(sessions::find_live(&db, "hash-s", at(100)).await.unwrap().is_none());

        let mut tx = db.begin().await.unwrap();
        sessions::touch(&mut tx, "s", Some("10.0.0.1"), at(50), at(150)).await.unwrap();
        sessions::touch(&mut tx, "s", None, at(40), at(140)).await.unwrap();
        tx.commit().await.unwrap();
        let row = sessions::find_live(&db, "hash-s", at(120)).await.unwrap().unwrap();
        assert_eq!((row.last_used_at, row.expires_at), (at(50), at(150)), "an older use does not count");

        let mut tx = db.begin().await.unwrap();
        assert!(sessions::end(&mut tx, user, "s", at(121)).await.unwrap());
        assert!(!sessions::end(&mut tx, user, "s", at(121)).await.unwrap());
        assert!(sessions::find_live(&mut tx, "hash-s", at(121)).await.unwrap().is_none());
        tx.commit().await.unwrap();
    }

    async fn both_kinds_are_one_list(db: Db) {
        let (alice, bob) = (add_user(&db, "alice").await.id, add_user(&db, "bob").await.id);
        tokens(&db, alice, "t1", 1).await;
        browser(&db, alice, "b1", 2).await;
        tokens(&db, alice, "t2", 3).await;
        browser(&db, alice, "b2", 3).await;
        browser(&db, bob, "other", 4).await;
        assert_eq!(listed(&db, alice, at(5)).await, ["t2", "b2", "b1", "t1"]);
        assert_eq!(listed(&db, alice, at(102)).await, ["t2", "b2"], "the others have expired");
        let mut tx = db.begin().await.unwrap();
        refresh::touch_family(&mut tx, "t1", Some("10.0.0.9"), at(9)).await.unwrap();
        tx.commit().await.unwrap();
        let rows = sessions::list(&db, alice, at(10), Page::new(0, 2)).await.unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].id.as_str(), rows[0].kind.as_str(), rows[0].last_used_at), ("t1", "token", at(9)));
        assert_eq!((rows[0].device.as_deref(), rows[0].address.as_deref()), (Some("Program"), Some("10.0.0.9")));

        let mut tx = db.begin().await.unwrap();
        assert!(!sessions::end(&mut tx, bob, "t1", at(10)).await.unwrap(), "of somebody else");
        assert_eq!(sessions::end_all(&mut tx, alice, Some("b1"), at(10)).await.unwrap(), 3);
        tx.commit().await.unwrap();
        assert_eq!(listed(&db, alice, at(10)).await, ["b1"]);
        assert_eq!(listed(&db, bob, at(10)).await, ["other"]);
        let mut tx = db.begin().await.unwrap();
        assert_eq!(sessions::end_all(&mut tx, alice, None, at(10)).await.unwrap(), 1);
        tx.commit().await.unwrap();
    }

    async fn expired_browser_sessions_are_deleted(db: Db) {
        let user = add_user(&db, "alice").await.id;
        for (id, when) in [("a", 0), ("b", 50)] {
            browser(&db, user, id, when).await;
        }
        assert_eq!(refresh::purge(&db, at(100)).await.unwrap(), 1);
        assert_eq!(listed(&db, user, at(100)).await, ["b"]);
    }

    async fn the_networks_of_an_account_are_remembered_for_a_while(db: Db) {
        let (alice, bob) = (add_user(&db, "alice").await.id, add_user(&db, "bob").await.id);
        let mut tx = db.begin().await.unwrap();
        for number in 0..=50 {
            sessions::remember_address(&mut tx, alice, &format!("10.0.0.{number}"), at(number)).await.unwrap();
        }
        tx.commit().await.unwrap();
        let knows = async |user, address: &str, now| sessions::knows_address(&db, user, address, now).await.unwrap();
        assert!(!knows(alice, "10.0.0.0", at(60)).await, "fifty are enough");
        assert!(knows(alice, "10.0.0.1", at(60)).await);
        assert!(!knows(bob, "10.0.0.1", at(60)).await);
        assert!(!knows(alice, "10.0.0.1", at(181 * 24 * 3600)).await);
    }
}
