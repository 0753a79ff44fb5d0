//! Clients of the operator that act as an account, and grants that follow from others.

use syfthub_store::oauth::clients;
use syfthub_store::oauth::grants::{self, NewGrant};

use super::{add_client, agreed, client, new_grant};
use crate::contract;
use crate::fixture::{add_user, at};

contract! {
    async fn a_client_acts_as_an_account_and_outlives_it(db: Db) {
        let robot = add_user(&db, "robot").await.id;
        let service = clients::NewClient { user_id: Some(robot), ..client("service", true) };
        add_client(&db, &service, 0).await;
        add_client(&db, &client("registered", false), 1).await;
        let found = clients::find(&db, "service", at(1)).await.unwrap().unwrap();
        assert_eq!((found.user_id, found.acts_as.as_deref()), (Some(robot), Some("robot")));
        let ids = async |kind| {
            let rows = clients::list(&db, kind, None, 9, at(9)).await.unwrap();
            rows.into_iter().map(|row| row.client_id).collect::<Vec<_>>()
        };
        assert_eq!(ids(None).await, ["registered", "service"]);
        assert_eq!(ids(Some("static")).await, ["service"]);
        assert_eq!(ids(Some("registered")).await, ["registered"]);

        let mut tx = db.begin().await.unwrap();
        let changed = clients::set_secret(&mut tx, "service", "new", at(2)).await.unwrap().unwrap();
        assert_eq!((changed.secret_hash.as_deref(), changed.acts_as.as_deref()), (Some("new"), Some("robot")));
        assert!(clients::set_secret(&mut tx, "registered", "new", at(2)).await.unwrap().is_none());
        tx.commit().await.unwrap();
    }

    async fn what_a_client_began_by_itself_ends_apart_from_what_users_agreed_to(db: Db) {
        let alice = add_user(&db, "alice").await.id;
        agreed(&db, "agreed", alice).await;
        let mut tx = db.begin().await.unwrap();
        let own = NewGrant { auth_time: None, ..new_grant("own", Some(alice), 0) };
        grants::insert(&mut tx, &own, at(0)).await.unwrap();
        assert_eq!(grants::revoke_own(&mut tx, "client", at(1)).await.unwrap(), 1);
        tx.commit().await.unwrap();
        assert!(grants::find_live(&db, "own", at(1)).await.unwrap().is_none());
        assert!(grants::find_live(&db, "agreed", at(1)).await.unwrap().is_some());
    }

    async fn a_grant_ends_with_the_one_that_it_follows_from(db: Db) {
        let alice = add_user(&db, "alice").await.id;
        agreed(&db, "first", alice).await;
        let mut tx = db.begin().await.unwrap();
        for (id, parent) in [("second", "first"), ("third", "second")] {
            grants::insert(&mut tx, &new_grant(id, Some(alice), 0), at(0)).await.unwrap();
            grants::follow(&mut tx, id, parent).await.unwrap();
        }
        tx.commit().await.unwrap();
        let live = async |id| grants::find_live(&db, id, at(1)).await.unwrap().is_some();
        assert!(live("second").await && live("third").await);
        let mut tx = db.begin().await.unwrap();
        grants::revoke(&mut tx, "first", at(1)).await.unwrap();
        tx.commit().await.unwrap();
        assert!(!live("second").await && !live("third").await, "also through several exchanges");
    }
}
