use syfthub_domain::UserId;
use syfthub_store::activity::{self, Filter, NewActivity};
use syfthub_store::audit::Cursor;

use crate::contract;
use crate::fixture::{add_user, at};

fn fact(kind: &'static str, when: u64) -> NewActivity {
    NewActivity {
        at: at(when),
        user_id: None,
        claimed: None,
        kind,
        address: Some("192.0.2.1".to_owned()),
        correlation_id: Some("c-1".to_owned()),
        detail: None,
    }
}

contract! {
    async fn a_batch_is_stored_and_read_by_account_and_kind(db: Db) {
        let (alice, bob) = (add_user(&db, "alice").await.id, add_user(&db, "bob").await.id);
        let by_name = NewActivity { claimed: Some("alice".to_owned()), ..fact("login.failed", 2) };
        let by_mail = NewActivity { claimed: Some("bob@example.org".to_owned()), ..fact("login.failed", 3) };
        let nobody = NewActivity { claimed: Some("hunter2".to_owned()), ..fact("login.failed", 4) };
        let gone = NewActivity { user_id: Some(UserId(999)), ..fact("login.success", 5) };
        let own = NewActivity { user_id: Some(alice), detail: Some("a\0b".to_owned()), ..fact("token.refreshed", 1) };
        let mut tx = db.begin().await.unwrap();
        assert_eq!(activity::insert_batch(&mut tx, &[own, by_name, by_mail, nobody, gone]).await.unwrap(), 5);
        assert_eq!(activity::insert_batch(&mut tx, &[]).await.unwrap(), 0);
        tx.commit().await.unwrap();

        let of_alice = Filter { user_id: Some(alice), kind: None };
        let rows = activity::list(&db, &of_alice, None, 10).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.kind.as_str()).collect::<Vec<_>>(), ["login.failed", "token.refreshed"]);
        assert_eq!((rows[1].occurred_at, rows[1].detail.as_deref()), (at(1), Some("ab")));
        let logins = Filter { user_id: None, kind: Some("login.".to_owned()) };
        let rows = activity::list(&db, &logins, None, 10).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.user_id).collect::<Vec<_>>(), [None, None, Some(bob), Some(alice)]);
        let cursor = Cursor { occurred_at: rows[1].occurred_at, id: rows[1].id.clone() };
        assert_eq!(activity::list(&db, &logins, Some(&cursor), 1).await.unwrap(), rows[2..3]);
        let refreshes = Filter { user_id: Some(bob), kind: Some("token.refreshed".to_owned()) };
        assert!(activity::list(&db, &refreshes, None, 10).await.unwrap().is_empty());
    }

    async fn old_facts_are_removed(db: Db) {
        let mut tx = db.begin().await.unwrap();
        let facts: Vec<NewActivity> = (0..10).map(|when| fact("login.success", when)).collect();
        activity::insert_batch(&mut tx, &facts).await.unwrap();
        assert_eq!(activity::purge(&mut tx, at(7)).await.unwrap(), 7);
        let left = activity::list(&mut tx, &Filter::default(), None, 100).await.unwrap();
        assert_eq!(left.len(), 3);
    }
}
