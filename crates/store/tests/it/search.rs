use syfthub_domain::{EndpointType, Visibility};
use syfthub_store::endpoints::{self, EndpointChange};
use syfthub_store::{Db, search};

use crate::contract;
use crate::fixture::{add_user, at, new_endpoint, publish};

async fn library(db: &Db) {
    let owner = add_user(db, "library").await.id;
    for (slug, name, readme, kind, visibility) in [
        (
            "ops-guide",
            "Operations guide",
            "How to restore a backup of the database.",
            EndpointType::DataSource,
            Visibility::Public,
        ),
        (
            "law-texts",
            "Laws & statutes",
            "Contracts, policies.",
            EndpointType::ModelDataSource,
            Visibility::Public,
        ),
        ("paris-food", "Cafés de Paris", "", EndpointType::Model, Visibility::Public),
        ("diary", "Diary", "My secretword.", EndpointType::DataSource, Visibility::Private),
    ] {
        let mut new = new_endpoint(owner, slug);
        (new.name, new.readme, new.kind, new.visibility) =
            (name.to_owned(), readme.to_owned(), kind, visibility);
        new.description = String::new();
        publish(db, &new, 1).await;
    }
}

async fn found(db: &Db, query: &str, kind: Option<EndpointType>) -> Vec<String> {
    let rows = endpoints::search_candidates(db, &search::words(query), kind).await.unwrap();
    let mut slugs: Vec<String> = rows.into_iter().map(|row| row.slug.into_string()).collect();
    slugs.sort();
    slugs
}

async fn similar(db: &Db, word: &str) -> Vec<String> {
    search::similar_terms(db, word).await.unwrap().into_iter().map(|term| term.term).collect()
}

contract! {
    async fn candidates_hold_any_of_the_words_in_any_field(db: Db) {
        library(&db).await;
        assert_eq!(found(&db, "How do I restore BACKUPS?", None).await, ["ops-guide"]);
        assert_eq!(found(&db, "policy cafe", None).await, ["law-texts", "paris-food"]);
        assert_eq!(found(&db, "zebra", None).await.len(), 3, "tags are searched");
        assert_eq!(found(&db, "library", None).await.len(), 3, "owners are searched");
        assert_eq!(found(&db, "datab", None).await, ["ops-guide"], "a beginning is enough");
        assert_eq!(found(&db, "db", None).await, Vec::<String>::new(), "but not of two letters");
        assert_eq!(found(&db, "' | \" & ! *:", None).await, Vec::<String>::new());
        assert_eq!(found(&db, "zebra", Some(EndpointType::Model)).await, ["law-texts", "paris-food"]);
        let rows = endpoints::search_candidates(&db, &search::words("restore"), None).await.unwrap();
        assert_eq!(rows[0].readme, "How to restore a backup of the database.");
        assert_eq!((rows[0].owner_username.as_str(), rows[0].tags.len()), ("library", 2));
    }

    async fn what_is_not_public_is_not_in_the_index(db: Db) {
        library(&db).await;
        assert_eq!(found(&db, "secretword", None).await, Vec::<String>::new());
        assert!(similar(&db, "secretwort").await.is_empty(), "no correction reveals it");
        assert_eq!(search::document_count(&db).await.unwrap(), 3);
        let guide = endpoints::find_by_owner_and_slug(&db, "library", "ops-guide").await.unwrap().unwrap();
        let hide = EndpointChange { visibility: Some(Visibility::Private), ..EndpointChange::default() };
        let mut tx = db.begin().await.unwrap();
        endpoints::update(&mut tx, guide.endpoint.id, &hide, at(2)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(found(&db, "backup", None).await, Vec::<String>::new());
        assert!(similar(&db, "bakcup").await.is_empty());
        assert_eq!(search::document_count(&db).await.unwrap(), 2);
    }

    async fn mistyped_words_find_their_neighbours(db: Db) {
        library(&db).await;
        assert_eq!(similar(&db, "bakcup").await, ["backup"]);
        assert_eq!(similar(&db, "abckup").await, ["backup"]);
        assert_eq!(similar(&db, "databsae").await, ["database"]);
        assert_eq!(similar(&db, "backup").await, Vec::<String>::new(), "a right word has no correction");
        assert_eq!(similar(&db, "zz").await, Vec::<String>::new());
    }

    async fn of_a_long_query_only_the_first_words_are_corrected(db: Db) {
        library(&db).await;
        let words = ["bakcup", "zzzzz", "databsae", "restoer", "operatoin", "guied"].map(str::to_owned);
        let found = search::corrections(&db, &words).await.unwrap();
        assert_eq!(found.len(), search::MAX_CORRECTED);
        let best: Vec<_> = found.iter().map(|(_, terms)| terms.first().map_or("", |term| &term.term)).collect();
        assert_eq!(best, ["backup", "", "database", "restore"]);
    }

    async fn frequencies_follow_every_change(db: Db) {
        library(&db).await;
        let words = ["zebra", "backup", "tape", "nothing"].map(str::to_owned);
        let counts = async || search::term_frequencies(&db, &words).await.unwrap().into_iter().collect::<Vec<_>>();
        assert_eq!(counts().await, [("backup".to_owned(), 1), ("zebra".to_owned(), 3)]);
        let guide = endpoints::find_by_owner_and_slug(&db, "library", "ops-guide").await.unwrap().unwrap();
        let change = EndpointChange { readme: Some("Tapes, tapes.".to_owned()), ..EndpointChange::default() };
        let mut tx = db.begin().await.unwrap();
        endpoints::update(&mut tx, guide.endpoint.id, &change, at(2)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(counts().await, [("tape".to_owned(), 1), ("zebra".to_owned(), 3)]);
        assert_eq!(found(&db, "backup", None).await, Vec::<String>::new());
        let mut tx = db.begin().await.unwrap();
        endpoints::delete(&mut tx, guide.endpoint.id).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(counts().await, [("zebra".to_owned(), 2)]);
        assert_eq!(found(&db, "tape", None).await, Vec::<String>::new());
    }

    async fn a_rebuild_gives_the_same_index(db: Db) {
        library(&db).await;
        let words = search::words("operations backup law zebra cafe");
        let before = search::term_frequencies(&db, &words).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        assert_eq!(search::rebuild(&mut tx).await.unwrap(), 4);
        tx.commit().await.unwrap();
        assert_eq!(search::term_frequencies(&db, &words).await.unwrap(), before);
        assert_eq!(found(&db, "backup", None).await, ["ops-guide"]);
    }

    async fn a_search_gives_at_most_three_hundred_candidates(db: Db) {
        let owner = add_user(&db, "library").await.id;
        let mut tx = db.begin().await.unwrap();
        for number in 0..305 {
            endpoints::insert(&mut tx, &new_endpoint(owner, &format!("book-{number}")), at(number)).await.unwrap();
        }
        tx.commit().await.unwrap();
        assert_eq!(found(&db, "book", None).await.len(), 300);
    }

    async fn many_publishers_at_once_do_not_lock_each_other_out(db: Db) {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..4_u64 {
            let owner = add_user(&db, &format!("owner{number}")).await.id;
            let db = db.clone();
            tasks.spawn(async move {
                for slug in ["first", "second", "third"] {
                    publish(&db, &new_endpoint(owner, slug), number).await;
                }
            });
        }
        tasks.join_all().await;
        let counts = search::term_frequencies(&db, &["zebra".to_owned()]).await.unwrap();
        assert_eq!(counts["zebra"], 12);
    }
}
