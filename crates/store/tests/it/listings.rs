use serde_json::json;
use syfthub_domain::{EndpointType, Visibility};
use syfthub_store::endpoints::{self, Names, OwnerFilter, PublicFilter, Sort};
use syfthub_store::users::{self, ProfileChange};
use syfthub_store::{Db, Page};

use crate::contract;
use crate::fixture::{add_user, at, new_endpoint, publish, slugs};

/// Two owners: alice with a model, a combined one and a private one; bob with an agent and a priced source.
async fn market(db: &Db) {
    let (alice, bob) = (add_user(db, "alice").await, add_user(db, "bob").await);
    let rows = [
        (alice.id, "a-model", EndpointType::Model, Visibility::Public, 1),
        (alice.id, "a-both", EndpointType::ModelDataSource, Visibility::Public, 3),
        (alice.id, "a-secret", EndpointType::Model, Visibility::Private, 9),
        (bob.id, "b-agent", EndpointType::Agent, Visibility::Public, 2),
        (bob.id, "b-source", EndpointType::DataSource, Visibility::Public, 2),
        (bob.id, "b-inner", EndpointType::DataSource, Visibility::Internal, 9),
    ];
    for (owner, slug, kind, visibility, when) in rows {
        let mut new = new_endpoint(owner, slug);
        new.kind = kind;
        new.visibility = visibility;
        if slug == "b-source" {
            new.policies = json!([{"type": "xendit"}]);
            "Prix du Café 100%".clone_into(&mut new.name);
        }
        publish(db, &new, when).await;
    }
}

async fn star(db: &Db, owner: &str, slug: &str, count: i64) {
    let id = endpoints::find_by_owner_and_slug(db, owner, slug).await.unwrap().unwrap().endpoint.id;
    let mut tx = db.begin().await.unwrap();
    endpoints::set_admin_flags(&mut tx, id, None, Some(count)).await.unwrap();
    tx.commit().await.unwrap();
}

async fn found(db: &Db, filter: PublicFilter) -> Vec<String> {
    let rows = endpoints::list_public(db, &filter, Page::default()).await.unwrap();
    let count = endpoints::count_public(db, &filter).await.unwrap();
    assert_eq!(count, i64::try_from(rows.len()).unwrap(), "the count agrees with the list");
    slugs(&rows).into_iter().map(str::to_owned).collect()
}

contract! {
    async fn a_filter_of_any_length_is_answered(db: Db) {
        market(&db).await;
        for sign in ["x", "%", "\u{fdfa}"] {
            let filter = PublicFilter { search: Some(sign.repeat(60_000)), ..PublicFilter::default() };
            assert_eq!(slugs(&endpoints::list_public(&db, &filter, Page::default()).await.unwrap()), [""; 0]);
        }
    }

    async fn the_public_listing_is_newest_first_with_the_id_as_tie_break(db: Db) {
        market(&db).await;
        assert_eq!(found(&db, PublicFilter::default()).await, ["a-both", "b-source", "b-agent", "a-model"]);
        let page = endpoints::list_public(&db, &PublicFilter::default(), Page::new(1, 2)).await.unwrap();
        assert_eq!(slugs(&page), ["b-source", "b-agent"]);
        assert_eq!(page[0].owner_username.as_str(), "bob");
    }

    async fn type_filters_include_the_combined_type(db: Db) {
        market(&db).await;
        for (kind, expected) in [
            (EndpointType::Model, vec!["a-both", "a-model"]),
            (EndpointType::DataSource, vec!["a-both", "b-source"]),
            (EndpointType::ModelDataSource, vec!["a-both"]),
            (EndpointType::Agent, vec!["b-agent"]),
        ] {
            assert_eq!(found(&db, PublicFilter { kind: Some(kind), ..PublicFilter::default() }).await, expected);
        }
    }

    async fn the_text_filter_ignores_case_and_accents_and_takes_signs_literally(db: Db) {
        market(&db).await;
        for (text, expected) in [
            ("CAFE", vec!["b-source"]),
            ("café 100%", vec!["b-source"]),
            ("0%%", vec![]),
            ("of a_model", vec![]),
            ("ZEBRA", vec!["a-both", "b-source", "b-agent", "a-model"]),
            ("bob", vec!["b-source", "b-agent"]),
            ("secret", vec![]),
            ("\\", vec![]),
        ] {
            let filter = PublicFilter { search: Some(text.to_owned()), ..PublicFilter::default() };
            assert_eq!(found(&db, filter).await, expected, "{text}");
        }
    }

    async fn guests_owners_and_stars_narrow_the_listing(db: Db) {
        market(&db).await;
        star(&db, "bob", "b-agent", 5).await;
        star(&db, "alice", "a-model", 2).await;
        let guest = endpoints::list_guest_accessible(&db, None, Page::default()).await.unwrap();
        assert_eq!(slugs(&guest), ["a-both", "b-agent", "a-model"]);
        let trending = endpoints::list_trending(&db, None, Some(1), Page::default()).await.unwrap();
        assert_eq!(slugs(&trending), ["b-agent", "a-model"]);
        let models = endpoints::list_trending(&db, Some(EndpointType::Model), None, Page::new(0, 1)).await.unwrap();
        assert_eq!(slugs(&models), ["a-model"]);
        let stars = PublicFilter { sort: Sort::Stars, ..PublicFilter::default() };
        assert_eq!(found(&db, stars).await, ["b-agent", "a-model", "a-both", "b-source"]);
        let bob = endpoints::list_public_by_owner(&db, "bob", Page::default()).await.unwrap();
        assert_eq!(slugs(&bob), ["b-source", "b-agent"]);
        assert!(endpoints::list_public_by_owner(&db, "nobody", Page::default()).await.unwrap().is_empty());
    }

    async fn names_are_completed_from_what_is_listed_and_from_ones_own(db: Db) {
        market(&db).await;
        let alice = users::find_by_username(&db, "alice").await.unwrap().unwrap().id;
        let names = async |names, prefix: &str, viewer, limit| {
            endpoints::complete(&db, names, prefix, viewer, limit).await.unwrap()
        };
        assert_eq!(names(Names::Owners, "", None, 9).await, ["alice", "bob"]);
        assert_eq!(names(Names::Owners, "b", None, 9).await, ["bob"]);
        assert!(names(Names::Owners, "_", None, 9).await.is_empty(), "a wildcard is a letter");
        assert_eq!(names(Names::Slugs(None), "a-", None, 9).await, ["a-both", "a-model"]);
        assert_eq!(names(Names::Slugs(None), "a-", None, 1).await, ["a-both"]);
        assert_eq!(names(Names::Slugs(Some("bob")), "", None, 9).await, ["b-agent", "b-source"]);
        let own = names(Names::Slugs(Some("alice")), "", Some(alice), 9).await;
        assert!(own.len() > 2 && own.is_sorted(), "{own:?}");
    }

    async fn endpoints_of_inactive_owners_and_disabled_ones_vanish(db: Db) {
        market(&db).await;
        let bob = users::find_by_username(&db, "bob").await.unwrap().unwrap().id;
        let model = endpoints::find_by_owner_and_slug(&db, "alice", "a-model").await.unwrap().unwrap().endpoint.id;
        let mut tx = db.begin().await.unwrap();
        let off = ProfileChange { is_active: Some(false), ..ProfileChange::default() };
        users::update_profile(&mut tx, bob, &off, at(20)).await.unwrap();
        endpoints::set_admin_flags(&mut tx, model, Some(false), None).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(found(&db, PublicFilter::default()).await, ["a-both"]);
        assert_eq!(endpoints::count_owners(&db).await.unwrap(), 1);
    }

    async fn an_owner_sees_everything_of_their_own(db: Db) {
        market(&db).await;
        let alice = users::find_by_username(&db, "alice").await.unwrap().unwrap().id;
        let list = async |filter: OwnerFilter| {
            let rows = endpoints::list_by_owner(&db, alice, &filter, Page::default()).await.unwrap();
            slugs(&rows).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(list(OwnerFilter::default()).await, ["a-secret", "a-both", "a-model"]);
        let private = OwnerFilter { visibility: Some(Visibility::Private), ..OwnerFilter::default() };
        assert_eq!(list(private).await, ["a-secret"]);
        let search = OwnerFilter { search: Some("NAME OF A-B".to_owned()), ..OwnerFilter::default() };
        assert_eq!(list(search).await, ["a-both"]);
        let id = endpoints::find_by_owner_and_slug(&db, "alice", "a-both").await.unwrap().unwrap().endpoint.id;
        let mut tx = db.begin().await.unwrap();
        endpoints::set_admin_flags(&mut tx, id, Some(false), None).await.unwrap();
        tx.commit().await.unwrap();
        let active = OwnerFilter { active_only: true, ..OwnerFilter::default() };
        assert_eq!(list(active).await, ["a-secret", "a-model"]);
    }

    async fn owners_are_summed_up_and_grouped(db: Db) {
        market(&db).await;
        let carol = add_user(&db, "carol").await;
        for (slug, when) in [("c-one", 1), ("c-two", 2), ("c-three", 3)] {
            publish(&db, &new_endpoint(carol.id, slug), when).await;
        }
        let owners = endpoints::list_owners(&db, Page::default()).await.unwrap();
        let summary: Vec<_> = owners
            .iter()
            .map(|o| (o.username.as_str(), o.endpoint_count, o.model_count, o.data_source_count))
            .collect();
        assert_eq!(summary, [("carol", 3, 0, 3), ("alice", 2, 1, 0), ("bob", 2, 0, 1)]);
        assert_eq!(endpoints::count_owners(&db).await.unwrap(), 3);
        assert_eq!(endpoints::list_owners(&db, Page::new(2, 5)).await.unwrap()[0].username.as_str(), "bob");
        let groups = endpoints::grouped(&db, 2).await.unwrap();
        let rows: Vec<_> = groups.iter().map(|g| (g.item.path(), g.owner_total)).collect();
        let expected = [
            ("carol/c-three", 3), ("carol/c-two", 3), ("alice/a-both", 2), ("alice/a-model", 2),
            ("bob/b-source", 2), ("bob/b-agent", 2),
        ];
        assert_eq!(rows, expected.map(|(path, total)| (path.to_owned(), total)));
    }

    async fn the_grouped_listing_has_a_size_and_leaves_out_what_is_long(db: Db) {
        let (alice, bob) = (add_user(&db, "alice").await, add_user(&db, "bob").await);
        let megabyte = json!([{"type": "p", "config": {"text": "x".repeat(1024 * 1024)}}]);
        for number in 0..17 {
            let mut new = new_endpoint(alice.id, &format!("huge-{number}"));
            new.policies = megabyte.clone();
            publish(&db, &new, number).await;
        }
        publish(&db, &new_endpoint(bob.id, "small"), 1).await;
        let rows = endpoints::grouped(&db, 50).await.unwrap();
        let bytes: usize = rows.iter().map(|row| row.item.endpoint.policies.to_string().len()).sum();
        assert!(i64::try_from(bytes).unwrap() <= endpoints::MAX_GROUPED_BYTES, "{bytes}");
        assert_eq!(rows.iter().filter(|row| row.owner_total == 17).count(), 15, "the count is that of all");
        assert_eq!(rows.last().unwrap().item.path(), "bob/small");
    }
}
