use syfthub_domain::{EndpointId, MembershipStatus, Slug, Tag, UserId};
use syfthub_store::collectives::{
    self, CollectiveFilter, CollectiveRow, Membership, NewCollective, NewShared, Sight, UNIQUE_SHARED_SLUG,
    UNIQUE_SLUG,
};
use syfthub_store::{Db, Page, Tx, endpoints, users};

use crate::contract;
use crate::fixture::{add_user, at, execute, new_endpoint, publish};

fn new(owner: UserId, slug: &str) -> NewCollective {
    NewCollective {
        owner_id: owner,
        name: format!("Names of {slug}"),
        slug: Slug::parse_collective(slug).unwrap(),
        description: "Über alles".to_owned(),
        about: "# About".to_owned(),
        auto_approve: false,
        icon_url: Some("https://example.org/i.png".to_owned()),
        tags: vec![Tag::parse("zebra").unwrap(), Tag::parse("apple").unwrap()],
    }
}

async fn found(db: &Db, owner: UserId, slug: &str, when: u64) -> CollectiveRow {
    let mut tx = db.begin().await.unwrap();
    let id = collectives::insert(&mut tx, &new(owner, slug), at(when)).await.unwrap();
    tx.commit().await.unwrap();
    collectives::find_by_id(db, id).await.unwrap().unwrap()
}

async fn put(tx: &mut Tx, collective: &CollectiveRow, endpoint: EndpointId, status: MembershipStatus) {
    let membership = Membership {
        collective_id: collective.id,
        endpoint_id: endpoint,
        status,
        requested_at: at(5),
        responded_at: None,
        reviewed_by_user_id: Some(collective.owner_id),
    };
    collectives::put_member(tx, &membership).await.unwrap();
}

const ADMIN: Sight = Sight { viewer: None, is_admin: true };

fn of(viewer: UserId) -> Sight {
    Sight { viewer: Some(viewer), is_admin: false }
}

contract! {
    async fn a_collective_is_written_read_changed_and_removed(db: Db) {
        let ada = add_user(&db, "ada").await.id;
        let mut row = found(&db, ada, "readers", 1).await;
        assert_eq!(row.tags, new(ada, "readers").tags);
        assert_eq!((row.member_count, row.owner_count, row.verified), (0, 0, false));
        assert_eq!(collectives::find_by_slug(&db, "readers").await.unwrap().as_ref(), Some(&row));
        assert_eq!(collectives::count_by_owner(&db, ada).await.unwrap(), 1);

        let mut tx = db.begin().await.unwrap();
        let error = collectives::insert(&mut tx, &new(ada, "readers"), at(2)).await.unwrap_err();
        assert!(error.is_unique(UNIQUE_SLUG), "{error}");
        drop(tx);

        let mut tx = db.begin().await.unwrap();
        assert!(collectives::lock(&mut tx, row.id).await.unwrap());
        (row.name, row.icon_url, row.tags, row.auto_approve) = ("Other".to_owned(), None, vec![], true);
        collectives::save(&mut tx, &row, at(3)).await.unwrap();
        row.updated_at = at(3);
        assert_eq!(collectives::find_by_id(&mut tx, row.id).await.unwrap().as_ref(), Some(&row));
        assert!(collectives::delete(&mut tx, row.id).await.unwrap());
        assert!(!collectives::delete(&mut tx, row.id).await.unwrap());
        assert!(!collectives::lock(&mut tx, row.id).await.unwrap());
    }

    async fn lists_are_newest_first_and_found_by_owner_and_words(db: Db) {
        let (ada, bob) = (add_user(&db, "ada").await.id, add_user(&db, "bob").await.id);
        for (owner, slug, when) in [(ada, "one", 1), (bob, "two", 2), (ada, "three", 2), (ada, "four", 3)] {
            found(&db, owner, slug, when).await;
        }
        let slugs = async |filter: CollectiveFilter, page: Page| {
            let rows = collectives::list(&db, &filter, page).await.unwrap();
            rows.into_iter().map(|row| row.slug.into_string()).collect::<Vec<_>>()
        };
        assert_eq!(slugs(CollectiveFilter::default(), Page::default()).await, ["four", "three", "two", "one"]);
        assert_eq!(slugs(CollectiveFilter::default(), Page::new(1, 2)).await, ["three", "two"]);
        let of_ada = CollectiveFilter { owner: Some(ada), search: None };
        assert_eq!(slugs(of_ada.clone(), Page::new(0, 2)).await, ["four", "three"]);
        let words = |text: &str| CollectiveFilter { search: Some(text.to_owned()), ..CollectiveFilter::default() };
        assert_eq!(slugs(words("OF T"), Page::default()).await, ["three", "two"]);
        assert_eq!(slugs(words("uber"), Page::default()).await.len(), 4);
        assert_eq!(slugs(words("zebr"), Page::default()).await.len(), 4);
        assert!(slugs(words("%"), Page::default()).await.is_empty());
        let both = CollectiveFilter { search: Some("four".to_owned()), ..of_ada };
        assert_eq!(slugs(both, Page::default()).await, ["four"]);
    }

    async fn members_are_counted_and_seen_by_whom_they_concern(db: Db) {
        let ids = [add_user(&db, "ada").await.id, add_user(&db, "bob").await.id, add_user(&db, "eve").await.id];
        let [ada, bob, eve] = ids;
        let collective = found(&db, ada, "readers", 1).await;
        let open = publish(&db, &new_endpoint(bob, "open"), 1).await.endpoint.id;
        let mut private = new_endpoint(bob, "private");
        private.visibility = syfthub_domain::Visibility::Private;
        let private = publish(&db, &private, 1).await.endpoint.id;
        let of_eve = publish(&db, &new_endpoint(eve, "hers"), 1).await.endpoint.id;
        let mut tx = db.begin().await.unwrap();
        for id in [open, private] {
            put(&mut tx, &collective, id, MembershipStatus::Approved).await;
        }
        put(&mut tx, &collective, of_eve, MembershipStatus::Approved).await;
        put(&mut tx, &collective, of_eve, MembershipStatus::Pending).await;
        tx.commit().await.unwrap();

        let row = collectives::find_by_id(&db, collective.id).await.unwrap().unwrap();
        assert_eq!((row.member_count, row.owner_count), (2, 1));
        assert_eq!(collectives::count_members(&db, collective.id).await.unwrap(), 3);
        let seen = async |status, sight| {
            let rows = collectives::members(&db, collective.id, status, sight).await.unwrap();
            rows.into_iter().map(|row| row.endpoint_slug.into_string()).collect::<Vec<_>>()
        };
        let approved = Some(MembershipStatus::Approved);
        assert_eq!(seen(None, ADMIN).await, ["open", "private", "hers"]);
        assert_eq!(seen(None, of(ada)).await, ["open", "private", "hers"]);
        assert_eq!(seen(approved, of(bob)).await, ["open", "private"]);
        assert_eq!(seen(approved, of(eve)).await, ["open"]);
        assert_eq!(seen(approved, Sight::default()).await, ["open"]);
        assert_eq!(seen(Some(MembershipStatus::Pending), of(ada)).await, ["hers"]);

        let one = collectives::find_member(&db, collective.id, of_eve).await.unwrap().unwrap();
        assert_eq!((one.status, one.requested_at), (MembershipStatus::Pending, at(5)));
        assert_eq!((one.endpoint_owner_id, one.endpoint_owner_full_name.as_str()), (eve, "EVE"));
        let among = collectives::approved_among(&db, collective.id, &[of_eve, private, EndpointId(999)]).await.unwrap();
        assert_eq!(among, [private]);
        assert_eq!(collectives::of_endpoint(&db, open).await.unwrap()[0].id, collective.id);
        assert!(collectives::of_endpoint(&db, of_eve).await.unwrap().is_empty());
        let paths = async |sight| {
            let paths = collectives::paths(&db, collective.id, None, sight).await.unwrap();
            paths.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(paths(Sight::default()).await, ["bob/open"]);
        assert_eq!(paths(of(bob)).await, ["bob/open", "bob/private"]);
        let priced = collectives::approved(&db, collective.id, None, ADMIN).await.unwrap();
        assert_eq!((priced.len(), &priced[1].policies, priced[1].owner_id), (2, &serde_json::json!([]), bob));

        execute(&db, "UPDATE users SET is_active = FALSE WHERE username = 'bob'").await;
        assert!(paths(Sight::default()).await.is_empty());
        let mut tx = db.begin().await.unwrap();
        assert!(collectives::delete_member(&mut tx, collective.id, open).await.unwrap());
        assert!(!collectives::delete_member(&mut tx, collective.id, open).await.unwrap());
    }

    async fn shared_endpoints_hold_members_in_order(db: Db) {
        let (ada, bob) = (add_user(&db, "ada").await.id, add_user(&db, "bob").await.id);
        let (first, second) = (found(&db, ada, "readers", 1).await, found(&db, ada, "writers", 1).await);
        let mut ids = Vec::new();
        for slug in ["aaa", "bbb", "ccc"] {
            ids.push(publish(&db, &new_endpoint(bob, slug), 1).await.endpoint.id);
        }
        let mut tx = db.begin().await.unwrap();
        for id in &ids[..2] {
            put(&mut tx, &first, *id, MembershipStatus::Approved).await;
        }
        let new = |slug: &str, collective: &CollectiveRow| NewShared {
            collective_id: collective.id,
            name: slug.to_owned(),
            slug: Slug::parse_shared(slug).unwrap(),
            description: String::new(),
        };
        let x = collectives::insert_shared(&mut tx, &new("x", &first), at(1)).await.unwrap();
        collectives::insert_shared(&mut tx, &new("y", &first), at(2)).await.unwrap();
        collectives::insert_shared(&mut tx, &new("x", &second), at(3)).await.unwrap();
        collectives::set_shared_members(&mut tx, x, &[ids[2], ids[0]]).await.unwrap();
        tx.commit().await.unwrap();

        let rows = collectives::list_shared(&db, &[second.id, first.id, syfthub_domain::CollectiveId(99)]).await.unwrap();
        let named: Vec<_> = rows.iter().map(|row| (row.collective_slug.as_str(), row.slug.as_str())).collect();
        assert_eq!(named, [("readers", "y"), ("readers", "x"), ("writers", "x")]);
        let members = collectives::shared_members(&db, &[x], Sight::default()).await.unwrap();
        let shown: Vec<_> = members.iter().map(|m| (m.endpoint_slug.as_str(), m.is_active, m.is_visible)).collect();
        assert_eq!(shown, [("ccc", false, true), ("aaa", true, true)]);
        let paths = collectives::paths(&db, first.id, Some(x), Sight::default()).await.unwrap();
        assert_eq!(paths.iter().map(ToString::to_string).collect::<Vec<_>>(), ["bob/aaa"]);

        execute(&db, "UPDATE endpoints SET visibility = 'private'").await;
        let visible = async |sight| {
            collectives::shared_members(&db, &[x], sight).await.unwrap().iter().filter(|m| m.is_visible).count()
        };
        assert_eq!([visible(Sight::default()).await, visible(of(bob)).await, visible(of(ada)).await], [0, 2, 2]);

        let mut tx = db.begin().await.unwrap();
        let error = collectives::insert_shared(&mut tx, &new("x", &first), at(4)).await.unwrap_err();
        assert!(error.is_unique(UNIQUE_SHARED_SLUG), "{error}");
        drop(tx);
        let mut tx = db.begin().await.unwrap();
        let mut row = collectives::find_shared(&mut tx, first.id, "x").await.unwrap().unwrap();
        row.name = String::from("New");
        collectives::save_shared(&mut tx, &row, at(5)).await.unwrap();
        let row = collectives::find_shared(&mut tx, first.id, "x").await.unwrap().unwrap();
        assert_eq!((row.name.as_str(), row.updated_at), ("New", at(5)));
        assert_eq!(collectives::count_shared(&mut tx, first.id).await.unwrap(), 2);
        assert!(collectives::delete_shared(&mut tx, x).await.unwrap());
        assert!(!collectives::delete_shared(&mut tx, x).await.unwrap());
        assert!(collectives::shared_members(&mut tx, &[x], Sight::default()).await.unwrap().is_empty());
    }

    async fn what_belongs_to_somebody_goes_with_them(db: Db) {
        let (ada, bob) = (add_user(&db, "ada").await.id, add_user(&db, "bob").await.id);
        let (of_ada, of_bob) = (found(&db, ada, "readers", 1).await, found(&db, bob, "writers", 1).await);
        let endpoint = publish(&db, &new_endpoint(bob, "notes"), 1).await.endpoint.id;
        let mine = publish(&db, &new_endpoint(ada, "mine"), 1).await.endpoint.id;
        let mut tx = db.begin().await.unwrap();
        put(&mut tx, &of_ada, endpoint, MembershipStatus::Approved).await;
        put(&mut tx, &of_ada, mine, MembershipStatus::Approved).await;
        let membership = Membership {
            collective_id: of_ada.id,
            endpoint_id: mine,
            status: MembershipStatus::Approved,
            requested_at: at(1),
            responded_at: Some(at(2)),
            reviewed_by_user_id: Some(bob),
        };
        collectives::put_member(&mut tx, &membership).await.unwrap();
        assert!(endpoints::delete(&mut tx, endpoint).await.unwrap());
        assert_eq!(collectives::count_members(&mut tx, of_ada.id).await.unwrap(), 1);
        assert!(users::delete(&mut tx, bob).await.unwrap());
        let left = collectives::find_member(&mut tx, of_ada.id, mine).await.unwrap().unwrap();
        assert_eq!(left.reviewed_by_user_id, None);
        assert!(collectives::find_by_id(&mut tx, of_bob.id).await.unwrap().is_none());
    }
}
