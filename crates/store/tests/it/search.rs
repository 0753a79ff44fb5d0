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

/// Slugs of the listed endpoints that hold any of the words, in alphabetical order.
async fn found(db: &Db, query: &str, kind: Option<EndpointType>) -> Vec<String> {
    let terms: Vec<(i64, u32)> =
        search::terms(db, &search::words(query)).await.unwrap().values().map(|t| (t.id, 300)).collect();
    let of = search::ReadOf::Listed(kind);
    let ids: Vec<_> = search::postings(db, &terms, of).await.unwrap().iter().map(|p| p.endpoint_id).collect();
    let rows = endpoints::find_by_ids(db, &ids).await.unwrap();
    let mut slugs: Vec<String> = rows.into_iter().map(|row| row.endpoint.slug.into_string()).collect();
    slugs.sort();
    slugs
}

async fn counts(db: &Db, words: &[&str]) -> Vec<(String, i64)> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    search::terms(db, &words).await.unwrap().into_iter().map(|(word, term)| (word, term.documents)).collect()
}

async fn beginning(db: &Db, word: &str) -> Vec<String> {
    search::terms_beginning_with(db, &[word], 5)
        .await
        .unwrap()
        .into_iter()
        .map(|(_, term)| term.term)
        .collect()
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
        assert_eq!(found(&db, "datab", None).await, Vec::<String>::new(), "a beginning is another question");
        assert_eq!(beginning(&db, "datab").await, ["database"]);
        assert_eq!(beginning(&db, "op").await, ["operation", "ops"], "most frequent first, then by letters");
        assert_eq!(found(&db, "' | \" & ! *:%_", None).await, Vec::<String>::new());
        assert_eq!(found(&db, "zebra", Some(EndpointType::Model)).await, ["law-texts", "paris-food"]);
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

    async fn slips_are_found_wherever_they_are(db: Db) {
        library(&db).await;
        for slip in ["peration", "opreation", "operaiton", "operatino", "operatio", "ooperation", "xperation"] {
            assert_eq!(similar(&db, slip).await.first().map(String::as_str), Some("operation"), "{slip}");
        }
    }

    async fn postings_come_heaviest_first_and_listed_ones_only_if_asked(db: Db) {
        library(&db).await;
        let zebra = search::terms(&db, &["zebra".to_owned()]).await.unwrap()["zebra"].id;
        let all = search::postings(&db, &[(zebra, 10)], search::ReadOf::Indexed).await.unwrap();
        assert!(all.len() == 3 && all.is_sorted_by_key(|p| (-p.weight, p.endpoint_id)), "{all:?}");
        let two = search::postings(&db, &[(zebra, 2), (zebra + 10_000, 2)], search::ReadOf::Indexed).await.unwrap();
        assert_eq!(two, all[..2]);
        let off = all[0].endpoint_id;
        let mut tx = db.begin().await.unwrap();
        endpoints::set_admin_flags(&mut tx, off, Some(false), None).await.unwrap();
        tx.commit().await.unwrap();
        let listed = search::postings(&db, &[(zebra, 10)], search::ReadOf::Listed(None)).await.unwrap();
        assert_eq!(listed, all[1..]);
        let ids: Vec<_> = all.iter().map(|p| p.endpoint_id).collect();
        assert_eq!(search::facts(&db, &ids, None).await.unwrap().len(), 2);
        assert_eq!(search::weights(&db, &[(zebra, ids[0]), (zebra + 10_000, ids[0])]).await.unwrap(), all[..1]);
    }

    async fn frequencies_follow_every_change(db: Db) {
        library(&db).await;
        let counts = async || counts(&db, &["zebra", "backup", "tape", "nothing"]).await;
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

    async fn a_word_that_nobody_uses_any_more_is_not_shown_and_dropped_later(db: Db) {
        library(&db).await;
        let guide = endpoints::find_by_owner_and_slug(&db, "library", "ops-guide").await.unwrap().unwrap();
        assert_eq!((similar(&db, "bakcup").await, beginning(&db, "back").await), (vec!["backup".to_owned()], vec!["backup".to_owned()]));
        let mut tx = db.begin().await.unwrap();
        endpoints::delete(&mut tx, guide.endpoint.id).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!((similar(&db, "bakcup").await, beginning(&db, "back").await), (vec![], vec![]));
        let prune = async || {
            let mut tx = db.begin().await.unwrap();
            let dropped = search::prune(&mut tx).await.unwrap();
            tx.commit().await.unwrap();
            dropped
        };
        assert!(prune().await > 0);
        assert_eq!(prune().await, 0);
        assert_eq!(counts(&db, &["zebra", "backup"]).await, [("zebra".to_owned(), 2)]);
    }

    async fn a_rebuild_gives_the_same_index(db: Db) {
        library(&db).await;
        let words = search::words("operations backup law zebra cafe");
        let before = search::terms(&db, &words).await.unwrap().into_values().map(|t| (t.term, t.documents)).collect::<Vec<_>>();
        let mut tx = db.begin().await.unwrap();
        assert_eq!(search::rebuild(&mut tx).await.unwrap(), 4);
        tx.commit().await.unwrap();
        assert_eq!(search::terms(&db, &words).await.unwrap().into_values().map(|t| (t.term, t.documents)).collect::<Vec<_>>(), before);
        assert_eq!(found(&db, "backup", None).await, ["ops-guide"]);
    }

    async fn a_missing_index_is_built_once(db: Db) {
        library(&db).await;
        let mut tx = db.begin().await.unwrap();
        assert_eq!(search::build_if_missing(&mut tx).await.unwrap(), None, "publishing made it");
        tx.commit().await.unwrap();
        crate::fixture::execute(&db, "DELETE FROM search_terms").await;
        assert!(!search::is_built(&db).await.unwrap());
        let mut tx = db.begin().await.unwrap();
        assert_eq!(search::build_if_missing(&mut tx).await.unwrap(), Some(4));
        tx.commit().await.unwrap();
        assert_eq!(found(&db, "backup", None).await, ["ops-guide"]);
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
        assert_eq!(counts(&db, &["zebra", ""]).await, [(String::new(), 12), ("zebra".to_owned(), 12)]);
    }
}
