//! Devices without a browser.

use syfthub_domain::Timestamp;
use syfthub_store::oauth::devices::{self, NewDevice, Poll};
use syfthub_store::oauth::{grants, refresh_tokens};
use syfthub_store::{Db, refresh};
use tokio::task::JoinSet;

use super::{RESOURCE, new_grant, token};
use crate::contract;
use crate::fixture::{add_user, at};

async fn begin(db: &Db, code: &str, user_code: &str) {
    let mut tx = db.begin().await.unwrap();
    devices::insert(&mut tx, &device(code, user_code), at(0)).await.unwrap();
    tx.commit().await.unwrap();
}

fn device(code: &str, user_code: &str) -> NewDevice {
    NewDevice {
        device_code_hash: code.to_owned(),
        user_code: user_code.to_owned(),
        client_id: "client".to_owned(),
        client_name: "A television".to_owned(),
        resource: RESOURCE.to_owned(),
        scopes: vec!["read".to_owned()],
        dpop_jkt: None,
        interval_seconds: 5,
        expires_at: at(600),
    }
}

async fn poll(db: &Db, code: &str, client: &str, now: Timestamp) -> Poll {
    let mut tx = db.begin().await.unwrap();
    let token = token("r0", now);
    let answer = devices::poll(&mut tx, code, client, None, Some(&token), now).await.unwrap();
    tx.commit().await.unwrap();
    answer
}

async fn approve(db: &Db, user_code: &str) {
    let alice = add_user(db, "alice").await.id;
    let mut tx = db.begin().await.unwrap();
    let grant = grants::NewGrant { expires_at: at(600), ..new_grant("g", Some(alice), 0) };
    grants::insert(&mut tx, &grant, at(1)).await.unwrap();
    assert!(devices::decide(&mut tx, user_code, Some("g"), at(1)).await.unwrap());
    tx.commit().await.unwrap();
}

contract! {
    async fn a_device_waits_until_its_user_agrees(db: Db) {
        begin(&db, "d", "ABCD").await;
        let mut tx = db.begin().await.unwrap();
        let taken = devices::insert(&mut tx, &device("e", "ABCD"), at(1)).await.unwrap_err();
        assert!(taken.is_unique(devices::UNIQUE_USER_CODE), "{taken}");
        drop(tx);
        let found = devices::find_pending(&db, "ABCD", at(1)).await.unwrap().unwrap();
        assert_eq!((found.client_name.as_str(), found.scopes), ("A television", vec!["read".to_owned()]));
        assert!(devices::find_pending(&db, "ABCD", at(600)).await.unwrap().is_none());
        assert!(devices::find_pending(&db, "WXYZ", at(1)).await.unwrap().is_none());

        assert!(matches!(poll(&db, "d", "client", at(1)).await, Poll::Pending));
        assert!(matches!(poll(&db, "d", "client", at(3)).await, Poll::SlowDown));
        assert!(matches!(poll(&db, "d", "client", at(12)).await, Poll::SlowDown), "ten seconds from now on");
        assert!(matches!(poll(&db, "d", "client", at(27)).await, Poll::Pending));
        assert!(matches!(poll(&db, "d", "other", at(60)).await, Poll::Unknown));
        assert!(matches!(poll(&db, "x", "client", at(60)).await, Poll::Unknown));

        approve(&db, "ABCD").await;
        assert!(devices::find_pending(&db, "ABCD", at(61)).await.unwrap().is_none());
        let Poll::Approved(issued) = poll(&db, "d", "client", at(61)).await else { panic!("it was approved") };
        assert_eq!((issued.grant.id.as_str(), issued.user.unwrap().username.as_str()), ("g", "alice"));
        assert_eq!(issued.grant.expires_at, token("r0", at(61)).expires_at);
        assert!(matches!(poll(&db, "d", "client", at(62)).await, Poll::Unknown), "once");
        let mut tx = db.begin().await.unwrap();
        assert!(refresh_tokens::hold_grant(&mut tx, "r0").await.unwrap().is_some());
    }

    async fn a_device_is_told_once_that_its_user_agreed(db: Db) {
        begin(&db, "d", "ABCD").await;
        approve(&db, "ABCD").await;
        let mut tasks = JoinSet::new();
        for _ in 0..10 {
            let db = db.clone();
            tasks.spawn(async move { poll(&db, "d", "client", at(2)).await });
        }
        let told = tasks.join_all().await.iter().filter(|answer| matches!(answer, Poll::Approved(_))).count();
        assert_eq!(told, 1);
        let user = grants::find_live(&db, "g", at(3)).await.unwrap().unwrap().user_id.unwrap();
        assert_eq!(devices::grants_of(&db, user).await.unwrap(), ["g"]);
        refresh::purge(&db, at(601)).await.unwrap();
        assert_eq!(devices::grants_of(&db, user).await.unwrap(), ["g"], "known as long as the grant");
        let open = refresh_tokens::find_open(&db, "r0", "client", at(2)).await.unwrap().unwrap();
        assert_eq!(open.grant_id, "g");
        assert!(refresh_tokens::find_open(&db, "r0", "other", at(2)).await.unwrap().is_none());
        assert!(refresh_tokens::find_open(&db, "r0", "client", open.expires_at).await.unwrap().is_none());
    }

    async fn a_refusal_and_the_end_are_final(db: Db) {
        begin(&db, "d", "ABCD").await;
        begin(&db, "late", "LATE").await;
        let mut tx = db.begin().await.unwrap();
        assert!(devices::decide(&mut tx, "ABCD", None, at(1)).await.unwrap());
        assert!(!devices::decide(&mut tx, "ABCD", None, at(1)).await.unwrap());
        assert!(!devices::decide(&mut tx, "LATE", None, at(600)).await.unwrap());
        tx.commit().await.unwrap();
        assert!(matches!(poll(&db, "d", "client", at(2)).await, Poll::Denied));
        assert!(matches!(poll(&db, "late", "client", at(600)).await, Poll::Expired));
        assert_eq!(refresh::purge(&db, at(600)).await.unwrap(), 2);
        assert!(matches!(poll(&db, "d", "client", at(601)).await, Poll::Unknown));
    }

    async fn a_grant_that_was_ended_meanwhile_is_a_refusal(db: Db) {
        begin(&db, "d", "ABCD").await;
        approve(&db, "ABCD").await;
        let mut tx = db.begin().await.unwrap();
        grants::revoke(&mut tx, "g", at(2)).await.unwrap();
        tx.commit().await.unwrap();
        assert!(matches!(poll(&db, "d", "client", at(3)).await, Poll::Denied));
    }
}
