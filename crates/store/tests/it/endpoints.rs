use serde_json::json;
use syfthub_domain::{EndpointId, EndpointPath, HealthStatus, Slug, Tag, Version, Visibility};
use syfthub_store::endpoints::{self, EndpointChange, HealthReport, OwnerFilter};
use syfthub_store::{Page, users};

use crate::contract;
use crate::fixture::{add_user, at, new_endpoint, publish, slugs, somebody_waits};

contract! {
    async fn an_endpoint_reads_back_as_it_was_published(db: Db) {
        let (alice, bob) = (add_user(&db, "alice").await, add_user(&db, "bob").await);
        let mut new = new_endpoint(alice.id, "my-docs");
        new.contributors = vec![bob.id, alice.id];
        let row = publish(&db, &new, 1).await;
        assert_eq!(row.path(), "alice/my-docs");
        assert!(row.is_listed());
        let endpoint = &row.endpoint;
        assert_eq!(endpoint.tags, new.tags, "in the order given");
        assert_eq!(endpoint.contributors, [bob.id, alice.id]);
        assert_eq!(endpoint.connect.to_string(), new.connect.to_string(), "keys keep their order");
        assert_eq!((endpoint.created_at, endpoint.updated_at), (at(1), at(1)));
        for found in [
            endpoints::find_by_id(&db, endpoint.id).await.unwrap(),
            endpoints::find_by_owner_and_slug(&db, "alice", "my-docs").await.unwrap(),
        ] {
            assert_eq!(found.unwrap(), row);
        }
        assert!(endpoints::find_by_id(&db, EndpointId(endpoint.id.0 + 1)).await.unwrap().is_none());
        assert!(endpoints::find_by_owner_and_slug(&db, "bob", "my-docs").await.unwrap().is_none());
    }

    async fn a_slug_is_taken_once_per_owner_and_free_after_deletion(db: Db) {
        let (alice, bob) = (add_user(&db, "alice").await, add_user(&db, "bob").await);
        let row = publish(&db, &new_endpoint(alice.id, "my-docs"), 1).await;
        publish(&db, &new_endpoint(bob.id, "my-docs"), 1).await;
        assert!(endpoints::slug_taken(&db, alice.id, "my-docs").await.unwrap());
        assert!(!endpoints::slug_taken(&db, alice.id, "other").await.unwrap());
        assert_eq!(endpoints::taken_slugs(&db, alice.id).await.unwrap(), ["my-docs"]);
        assert_eq!(endpoints::count_by_owner(&db, alice.id).await.unwrap(), 1);
        let mut tx = db.begin().await.unwrap();
        let error = endpoints::insert(&mut tx, &new_endpoint(alice.id, "my-docs"), at(2)).await.unwrap_err();
        assert!(endpoints::is_slug_conflict(&error), "{error:?}");
        drop(tx);
        let mut tx = db.begin().await.unwrap();
        assert!(endpoints::delete(&mut tx, row.endpoint.id).await.unwrap());
        assert!(!endpoints::delete(&mut tx, row.endpoint.id).await.unwrap());
        let again = endpoints::insert(&mut tx, &new_endpoint(alice.id, "my-docs"), at(2)).await.unwrap();
        assert!(again.endpoint.id > row.endpoint.id, "ids are never reused");
    }

    async fn an_update_changes_what_it_names(db: Db) {
        let (alice, bob) = (add_user(&db, "alice").await, add_user(&db, "bob").await);
        let before = publish(&db, &new_endpoint(alice.id, "my-docs"), 1).await;
        let change = EndpointChange {
            name: Some("New".to_owned()),
            visibility: Some(Visibility::Private),
            archived: Some(true),
            version: Some(Version::parse("2.0.0").unwrap()),
            readme: Some("text".to_owned()),
            tags: Some(vec![Tag::parse("law").unwrap()]),
            contributors: Some(vec![alice.id, bob.id]),
            policies: Some(json!([{"type": "x"}])),
            ..EndpointChange::default()
        };
        let mut tx = db.begin().await.unwrap();
        let after = endpoints::update(&mut tx, before.endpoint.id, &change, at(5)).await.unwrap().unwrap();
        assert_eq!(after.endpoint.name, "New");
        assert_eq!(after.endpoint.description, before.endpoint.description);
        assert_eq!(after.endpoint.connect, before.endpoint.connect);
        assert_eq!(after.endpoint.tags, [Tag::parse("law").unwrap()]);
        assert_eq!(after.endpoint.contributors, [alice.id, bob.id]);
        assert_eq!((after.endpoint.created_at, after.endpoint.updated_at), (at(1), at(5)));
        assert!(after.endpoint.archived && !after.is_listed());
        let none = endpoints::update(&mut tx, EndpointId(999), &change, at(5)).await.unwrap();
        assert!(none.is_none());
    }

    async fn a_lock_keeps_other_changes_waiting(db: Db) {
        let alice = add_user(&db, "alice").await;
        let mut tx = db.begin().await.unwrap();
        endpoints::lock(&mut tx).await.unwrap();
        let other = tokio::task::JoinSet::from_iter([{
            let db = db.clone();
            async move {
                let mut tx = db.begin().await.unwrap();
                endpoints::lock(&mut tx).await.unwrap();
                endpoints::taken_slugs(&mut tx, alice.id).await.unwrap()
            }
        }]);
        somebody_waits(&db).await;
        endpoints::insert(&mut tx, &new_endpoint(alice.id, "my-docs"), at(1)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(other.join_all().await, [["my-docs"]], "who waited sees what was written");
    }

    async fn all_endpoints_of_an_owner_can_go_at_once(db: Db) {
        let (alice, bob) = (add_user(&db, "alice").await, add_user(&db, "bob").await);
        for slug in ["one-a", "two-b"] {
            publish(&db, &new_endpoint(alice.id, slug), 1).await;
        }
        publish(&db, &new_endpoint(bob.id, "one-a"), 1).await;
        let mut tx = db.begin().await.unwrap();
        assert_eq!(endpoints::delete_by_owner(&mut tx, alice.id).await.unwrap(), 2);
        assert!(endpoints::taken_slugs(&mut tx, alice.id).await.unwrap().is_empty());
        tx.commit().await.unwrap();
        let left = endpoints::list_by_owner(&db, bob.id, &OwnerFilter::default(), Page::default()).await.unwrap();
        assert_eq!(slugs(&left), ["one-a"]);
    }

    async fn paths_and_ids_resolve_in_one_go(db: Db) {
        let (alice, bob) = (add_user(&db, "alice").await, add_user(&db, "bob").await);
        let first = publish(&db, &new_endpoint(alice.id, "one-a"), 1).await;
        let second = publish(&db, &new_endpoint(bob.id, "two-b"), 1).await;
        let paths: Vec<EndpointPath> = ["bob/two-b", "alice/two-b", "Alice/one-a", "nobody/x"]
            .iter().map(|path| EndpointPath::parse(path).unwrap()).collect();
        let found = endpoints::resolve_many(&db, &paths).await.unwrap();
        assert_eq!(found.iter().map(endpoints::EndpointWithOwner::path).collect::<Vec<_>>(), ["alice/one-a", "bob/two-b"]);
        assert!(endpoints::resolve_many(&db, &[]).await.unwrap().is_empty());
        let ids = [second.endpoint.id, EndpointId(999), first.endpoint.id];
        assert_eq!(endpoints::find_by_ids(&db, &ids).await.unwrap(), [first, second]);
    }

    async fn stars_are_counted_once_per_user(db: Db) {
        let (alice, bob) = (add_user(&db, "alice").await, add_user(&db, "bob").await);
        let id = publish(&db, &new_endpoint(alice.id, "my-docs"), 1).await.endpoint.id;
        let mut tx = db.begin().await.unwrap();
        assert!(endpoints::star(&mut tx, alice.id, id, at(2)).await.unwrap());
        assert!(!endpoints::star(&mut tx, alice.id, id, at(2)).await.unwrap());
        assert!(endpoints::star(&mut tx, bob.id, id, at(2)).await.unwrap());
        assert!(!endpoints::star(&mut tx, bob.id, EndpointId(999), at(2)).await.unwrap());
        assert!(endpoints::is_starred(&mut tx, bob.id, id).await.unwrap());
        assert!(endpoints::unstar(&mut tx, bob.id, id).await.unwrap());
        assert!(!endpoints::unstar(&mut tx, bob.id, id).await.unwrap());
        assert!(!endpoints::is_starred(&mut tx, bob.id, id).await.unwrap());
        let row = endpoints::find_by_id(&mut tx, id).await.unwrap().unwrap();
        assert_eq!((row.endpoint.stars_count, row.endpoint.updated_at), (1, at(1)));
    }

    async fn stars_given_at_once_are_all_counted(db: Db) {
        let owner = add_user(&db, "owner").await;
        let id = publish(&db, &new_endpoint(owner.id, "my-docs"), 1).await.endpoint.id;
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..6 {
            let user = add_user(&db, &format!("user{number}")).await.id;
            let db = db.clone();
            tasks.spawn(async move {
                let mut tx = db.begin().await.unwrap();
                endpoints::star(&mut tx, user, id, at(2)).await.unwrap();
                tx.commit().await.unwrap();
            });
        }
        tasks.join_all().await;
        let row = endpoints::find_by_id(&db, id).await.unwrap().unwrap();
        assert_eq!(row.endpoint.stars_count, 6);
    }

    async fn a_health_report_touches_the_owners_endpoints_only(db: Db) {
        let (alice, bob) = (add_user(&db, "alice").await, add_user(&db, "bob").await);
        for (owner, slug) in [(alice.id, "one-a"), (alice.id, "two-b"), (bob.id, "one-a")] {
            publish(&db, &new_endpoint(owner, slug), 1).await;
        }
        let report = |slug: &str, status, when| HealthReport {
            slug: Slug::parse(slug).unwrap(), status, checked_at: at(when),
        };
        let batch = [
            report("one-a", HealthStatus::Unhealthy, 7),
            report("two-b", HealthStatus::Unhealthy, 8),
            report("unknown", HealthStatus::Healthy, 8),
            report("one-a", HealthStatus::Healthy, 9),
        ];
        let mut tx = db.begin().await.unwrap();
        assert_eq!(endpoints::apply_health_report(&mut tx, alice.id, &batch, 300, at(10)).await.unwrap(), 2);
        assert_eq!(endpoints::apply_health_report(&mut tx, alice.id, &[], 300, at(10)).await.unwrap(), 0);
        tx.commit().await.unwrap();
        let one = endpoints::find_by_owner_and_slug(&db, "alice", "one-a").await.unwrap().unwrap().endpoint;
        assert_eq!((one.health_status, one.health_checked_at), (Some(HealthStatus::Healthy), Some(at(9))));
        assert_eq!((one.health_ttl_seconds, one.updated_at), (Some(300), at(1)));
        let two = endpoints::find_by_owner_and_slug(&db, "alice", "two-b").await.unwrap().unwrap().endpoint;
        assert_eq!((two.health_status, two.health_checked_at), (Some(HealthStatus::Unhealthy), Some(at(8))));
        let other = endpoints::find_by_owner_and_slug(&db, "bob", "one-a").await.unwrap().unwrap().endpoint;
        assert_eq!((other.health_status, other.health_checked_at), (None, None));
    }

    async fn an_admin_switches_an_endpoint_off_and_on(db: Db) {
        let alice = add_user(&db, "alice").await;
        let id = publish(&db, &new_endpoint(alice.id, "my-docs"), 1).await.endpoint.id;
        let mut tx = db.begin().await.unwrap();
        let off = endpoints::set_admin_flags(&mut tx, id, Some(false), None).await.unwrap().unwrap();
        assert!(off.endpoint.admin_disabled && off.endpoint.is_active && !off.is_listed());
        let starred = endpoints::set_admin_flags(&mut tx, id, None, Some(42)).await.unwrap().unwrap();
        assert!(starred.endpoint.admin_disabled);
        assert_eq!(starred.endpoint.stars_count, 42);
        let on = endpoints::set_admin_flags(&mut tx, id, Some(true), None).await.unwrap().unwrap();
        assert!(on.is_listed());
        assert_eq!((on.endpoint.stars_count, on.endpoint.updated_at), (42, at(1)));
        assert!(endpoints::set_admin_flags(&mut tx, EndpointId(999), None, None).await.unwrap().is_none());
    }

    async fn a_renamed_owner_takes_the_addresses_along(db: Db) {
        let alice = add_user(&db, "alice").await;
        publish(&db, &new_endpoint(alice.id, "my-docs"), 1).await;
        let change = users::ProfileChange {
            username: Some(syfthub_domain::Username::parse("eve").unwrap()),
            ..users::ProfileChange::default()
        };
        let mut tx = db.begin().await.unwrap();
        users::update_profile(&mut tx, alice.id, &change, at(2)).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        assert!(endpoints::find_by_owner_and_slug(&db, "eve", "my-docs").await.unwrap().is_some());
        let words = ["alice", "eve"].map(str::to_owned);
        let found = syfthub_store::search::terms(&db, &words).await.unwrap();
        assert_eq!(found.into_keys().collect::<Vec<_>>(), ["eve"]);
    }
}
