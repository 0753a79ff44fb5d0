use syfthub_domain::{AggregatorId, UserId};
use syfthub_store::{Db, aggregators, users};

use crate::contract;
use crate::fixture::{add_user, at, execute};

async fn add(db: &Db, user: UserId, name: &str, when: u64) -> AggregatorId {
    let mut tx = db.begin().await.unwrap();
    let id = aggregators::insert(&mut tx, user, name, "https://a.example.org", at(when)).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn defaults(db: &Db, user: UserId) -> Vec<String> {
    let rows = aggregators::list(db, user).await.unwrap();
    rows.into_iter().filter(|row| row.is_default).map(|row| row.name).collect()
}

contract! {
    async fn aggregators_are_listed_newest_first_changed_and_removed(db: Db) {
        let (ada, bob) = (add_user(&db, "ada").await.id, add_user(&db, "bob").await.id);
        let first = add(&db, ada, "a", 1).await;
        add(&db, ada, "b", 2).await;
        add(&db, ada, "c", 2).await;
        add(&db, bob, "x", 3).await;
        let names: Vec<_> = aggregators::list(&db, ada).await.unwrap().into_iter().map(|row| row.name).collect();
        assert_eq!(names, ["c", "b", "a"]);
        assert_eq!(aggregators::count(&db, ada).await.unwrap(), 3);
        let mut tx = db.begin().await.unwrap();
        assert!(users::lock(&mut tx, ada).await.unwrap());
        assert!(!users::lock(&mut tx, UserId(999)).await.unwrap());
        aggregators::update(&mut tx, first, Some("new"), None, at(9)).await.unwrap();
        let row = aggregators::find(&mut tx, first).await.unwrap().unwrap();
        assert_eq!((row.name.as_str(), row.url.as_str(), row.updated_at), ("new", "https://a.example.org", at(9)));
        assert!(aggregators::delete(&mut tx, first).await.unwrap());
        assert!(!aggregators::delete(&mut tx, first).await.unwrap());
        assert!(aggregators::find(&mut tx, first).await.unwrap().is_none());
    }

    async fn an_account_has_one_default_at_most(db: Db) {
        let (ada, bob) = (add_user(&db, "ada").await.id, add_user(&db, "bob").await.id);
        let (a, b) = (add(&db, ada, "a", 1).await, add(&db, ada, "b", 2).await);
        let other = add(&db, bob, "x", 3).await;
        for (user, id) in [(ada, a), (bob, other), (ada, b), (ada, b), (ada, other)] {
            let mut tx = db.begin().await.unwrap();
            aggregators::set_default(&mut tx, user, id).await.unwrap();
            // The last one is not ada's: it takes her default away and touches nobody else's.
            if id != other || user == bob {
                tx.commit().await.unwrap();
            }
        }
        assert_eq!((defaults(&db, ada).await, defaults(&db, bob).await), (vec!["b".to_owned()], vec!["x".to_owned()]));
        let mut tx = db.begin().await.unwrap();
        aggregators::clear_default(&mut tx, ada).await.unwrap();
        tx.commit().await.unwrap();
        assert!(defaults(&db, ada).await.is_empty());
        let both = "UPDATE user_aggregators SET is_default = TRUE";
        let refused = match &db {
            Db::Postgres(pool) => sqlx::query(both).execute(pool).await.map(drop),
            Db::Sqlite { write, .. } => sqlx::query(both).execute(write).await.map(drop),
        };
        let error = syfthub_store::Error::from(refused.unwrap_err());
        assert!(error.is_unique("user_aggregators_user_id_key"), "{error}");
        execute(&db, "DELETE FROM users").await;
        assert!(aggregators::find(&db, a).await.unwrap().is_none());
    }
}
