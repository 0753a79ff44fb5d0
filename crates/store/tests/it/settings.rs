use syfthub_store::settings;

use crate::contract;
use crate::fixture::at;

contract! {
    async fn values_are_put_read_and_deleted(db: Db) {
        let mut tx = db.begin().await.unwrap();
        assert_eq!(settings::get(&mut tx, "k").await.unwrap(), None);
        settings::put(&mut tx, "k", "one", at(1)).await.unwrap();
        settings::put(&mut tx, "k", "two", at(2)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(settings::get(&db, "k").await.unwrap().as_deref(), Some("two"));
        let mut tx = db.begin().await.unwrap();
        assert!(settings::delete(&mut tx, "k").await.unwrap());
        assert!(!settings::delete(&mut tx, "k").await.unwrap());
    }

    async fn compare_and_put_writes_only_over_what_it_expects(db: Db) {
        let mut tx = db.begin().await.unwrap();
        assert!(!settings::compare_and_put(&mut tx, "k", Some("x"), "one", at(1)).await.unwrap());
        assert!(settings::compare_and_put(&mut tx, "k", None, "one", at(1)).await.unwrap());
        assert!(!settings::compare_and_put(&mut tx, "k", None, "two", at(1)).await.unwrap());
        assert!(!settings::compare_and_put(&mut tx, "k", Some("x"), "two", at(1)).await.unwrap());
        assert!(settings::compare_and_put(&mut tx, "k", Some("one"), "two", at(1)).await.unwrap());
        assert_eq!(settings::get(&mut tx, "k").await.unwrap().as_deref(), Some("two"));
    }

    async fn a_change_that_is_not_committed_never_was(db: Db) {
        let mut tx = db.begin().await.unwrap();
        settings::put(&mut tx, "dropped", "x", at(1)).await.unwrap();
        drop(tx);
        let mut tx = db.begin().await.unwrap();
        settings::put(&mut tx, "rolled", "x", at(1)).await.unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(settings::get(&db, "dropped").await.unwrap(), None);
        assert_eq!(settings::get(&db, "rolled").await.unwrap(), None);
    }
}
