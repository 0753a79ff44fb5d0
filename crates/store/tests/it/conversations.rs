use serde_json::json;
use syfthub_domain::UserId;
use syfthub_store::conversations::{self, After, NewMessage};
use syfthub_store::{Db, users};

use crate::contract;
use crate::fixture::{add_user, at};

async fn add(db: &Db, user: UserId, id: &str, title: &str, when: u64) {
    let mut tx = db.begin().await.unwrap();
    conversations::insert(&mut tx, id, user, title, at(when)).await.unwrap();
    tx.commit().await.unwrap();
}

fn message(id: &str, content: &str) -> NewMessage {
    NewMessage {
        id: id.to_owned(),
        role: "user",
        status: "complete",
        content: content.to_owned(),
        model: None,
        citations: json!({"1": {"slug": "ada/notes", "title": "T"}}),
    }
}

async fn say(db: &Db, user: UserId, to: &str, id: &str, content: &str, when: u64) {
    let mut tx = db.begin().await.unwrap();
    let row = conversations::lock(&mut tx, user, to).await.unwrap().unwrap();
    conversations::append(&mut tx, &row, &[message(id, content)], at(when)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn ids(db: &Db, user: UserId, search: Option<&str>) -> Vec<String> {
    let rows = conversations::list(db, user, search, None, 10).await.unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

contract! {
    async fn conversations_are_listed_searched_and_read(db: Db) {
        let (ada, bob) = (add_user(&db, "ada").await.id, add_user(&db, "bob").await.id);
        add(&db, ada, "a", "Über Wetter", 1).await;
        add(&db, ada, "b", "", 2).await;
        add(&db, bob, "c", "Wetter", 3).await;
        say(&db, ada, "a", "m1", "What is 100% rain?", 5).await;
        say(&db, ada, "a", "m2", "second", 5).await;
        assert_eq!(ids(&db, ada, None).await, ["a", "b"]);
        assert_eq!(ids(&db, ada, Some("uber")).await, ["a"]);
        assert_eq!(ids(&db, ada, Some("100% R")).await, ["a"]);
        assert!(ids(&db, ada, Some("1_0%")).await.is_empty());
        let after = After { updated_at: at(5), id: "a".to_owned() };
        let rest = conversations::list(&db, ada, None, Some(&after), 10).await.unwrap();
        assert_eq!(rest.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["b"]);
        assert_eq!(conversations::holdings(&db, ada).await.unwrap(), (2, 24));
        let row = conversations::find(&db, ada, "a").await.unwrap().unwrap();
        assert_eq!((row.message_count, row.size, row.updated_at), (2, 24, at(5)));
        assert!(conversations::find(&db, bob, "a").await.unwrap().is_none());
        let first = conversations::messages(&db, "a", 0, 1).await.unwrap();
        assert_eq!((first.len(), first[0].position, first[0].content.as_str()), (1, 1, "What is 100% rain?"));
        assert_eq!(first[0].citations["1"]["slug"], "ada/notes");
        assert_eq!(conversations::messages(&db, "a", 1, 9).await.unwrap()[0].id, "m2");
        assert!(conversations::has_message(&db, "m1").await.unwrap());
        assert!(!conversations::has_message(&db, "m9").await.unwrap());
    }

    async fn a_link_is_set_and_taken_away_and_everything_goes_with_the_account(db: Db) {
        let ada = add_user(&db, "ada").await.id;
        add(&db, ada, "a", "One", 1).await;
        add(&db, ada, "b", "Two", 1).await;
        say(&db, ada, "a", "m1", "x", 2).await;
        let mut tx = db.begin().await.unwrap();
        conversations::set_share(&mut tx, "a", Some("hash"), at(3)).await.unwrap();
        conversations::rename(&mut tx, "a", "New", at(4)).await.unwrap();
        tx.commit().await.unwrap();
        let row = conversations::find_shared(&db, "hash").await.unwrap().unwrap();
        assert_eq!((row.title.as_str(), row.shared_at, row.updated_at), ("New", Some(at(3)), at(4)));
        let mut tx = db.begin().await.unwrap();
        conversations::set_share(&mut tx, "a", None, at(5)).await.unwrap();
        assert!(conversations::find_shared(&mut tx, "hash").await.unwrap().is_none());
        assert!(conversations::delete(&mut tx, "b").await.unwrap());
        assert!(!conversations::delete(&mut tx, "b").await.unwrap());
        assert!(conversations::lock(&mut tx, ada, "b").await.unwrap().is_none());
        users::delete(&mut tx, ada).await.unwrap();
        assert!(!conversations::has_message(&mut tx, "m1").await.unwrap());
        tx.commit().await.unwrap();
    }
}
