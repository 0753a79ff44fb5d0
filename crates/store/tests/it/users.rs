use syfthub_config::Secret;
use syfthub_domain::{EndpointId, Role, UserId, Username};
use syfthub_store::users::{self, ProfileChange};
use syfthub_store::{Db, Page, endpoints};

use crate::contract;
use crate::fixture::{add_user, at, new_endpoint, new_user, publish, somebody_waits};

contract! {
    async fn a_public_key_is_kept_as_it_was_set(db: Db) {
        let id = add_user(&db, "keyed").await.id;
        let mut tx = db.begin().await.unwrap();
        assert!(users::set_encryption_key(&mut tx, id, "AAAA=", at(3)).await.unwrap());
        assert!(!users::set_encryption_key(&mut tx, UserId(999), "AAAA=", at(3)).await.unwrap());
        tx.commit().await.unwrap();
        let row = users::find_by_id(&db, id).await.unwrap().unwrap();
        assert_eq!((row.encryption_public_key.as_deref(), row.updated_at), (Some("AAAA="), at(3)));
    }

    async fn a_new_user_is_found_by_id_name_and_address(db: Db) {
        let user = add_user(&db, "alice").await;
        assert_eq!(user.created_at, at(0));
        assert!(user.is_active);
        for found in [
            users::find_by_id(&db, user.id).await.unwrap(),
            users::find_by_username(&db, "alice").await.unwrap(),
            users::find_by_email(&db, "alice@example.org").await.unwrap(),
        ] {
            assert_eq!(found.unwrap().id, user.id);
        }
        assert!(users::find_by_id(&db, UserId(user.id.0 + 1)).await.unwrap().is_none());
        assert_eq!(user.password_hash.unwrap().expose(), "$argon2id$x");
    }

    async fn names_and_addresses_are_unique_and_the_constraint_is_named(db: Db) {
        add_user(&db, "alice").await;
        let mut same_name = new_user("alice");
        same_name.email = new_user("other").email;
        let mut same_email = new_user("bob");
        same_email.email = new_user("alice").email;
        for (new, constraint) in [(same_name, users::UNIQUE_USERNAME), (same_email, users::UNIQUE_EMAIL)] {
            let mut tx = db.begin().await.unwrap();
            let error = users::insert(&mut tx, &new, at(1)).await.unwrap_err();
            assert!(error.is_unique(constraint), "{error:?}");
        }
    }

    async fn google_accounts_are_unique(db: Db) {
        for (name, good) in [("alice", true), ("bob", false)] {
            let mut tx = db.begin().await.unwrap();
            let mut new = new_user(name);
            new.google_id = Some("g-1".to_owned());
            match users::insert(&mut tx, &new, at(0)).await {
                Ok(_) => assert!(good),
                Err(error) => assert!(!good && error.is_unique(users::UNIQUE_GOOGLE_ID), "{error:?}"),
            }
            if good {
                tx.commit().await.unwrap();
            }
        }
    }

    async fn batches_give_known_names_only(db: Db) {
        let (alice, bob) = (add_user(&db, "alice").await, add_user(&db, "bob").await);
        let found = users::find_by_usernames(&db, &["bob", "nobody", "alice"]).await.unwrap();
        assert_eq!(found.iter().map(|user| user.id).collect::<Vec<_>>(), [alice.id, bob.id]);
        assert!(users::find_by_usernames(&db, &[]).await.unwrap().is_empty());
        let ids = [bob.id, UserId(999), alice.id];
        assert_eq!(users::active_ids(&db, &ids).await.unwrap(), [alice.id, bob.id]);
    }

    async fn lists_and_counts(db: Db) {
        assert!(!users::any_admin(&db).await.unwrap());
        for name in ["carol", "alice", "bob"] {
            add_user(&db, name).await;
        }
        let mut tx = db.begin().await.unwrap();
        let mut admin = new_user("root-1");
        admin.role = Role::Admin;
        let admin = users::insert(&mut tx, &admin, at(0)).await.unwrap();
        assert_eq!(users::count_admins(&mut tx).await.unwrap(), 1);
        tx.commit().await.unwrap();
        assert!(users::any_admin(&db).await.unwrap());
        assert_eq!(users::counts(&db).await.unwrap(), users::UserCounts { all_users: 4, admins: 1 });
        let page = users::list(&db, Page::new(1, 2)).await.unwrap();
        assert_eq!(page.iter().map(|u| u.username.as_str()).collect::<Vec<_>>(), ["alice", "bob"]);
        let off = ProfileChange { is_active: Some(false), ..ProfileChange::default() };
        let mut tx = db.begin().await.unwrap();
        users::update_profile(&mut tx, admin.id, &off, at(1)).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        assert_eq!(users::count_admins(&db).await.unwrap(), 0, "an admin who is switched off is none");
        let names = users::active_usernames(&db).await.unwrap();
        assert_eq!(names.iter().map(Username::as_str).collect::<Vec<_>>(), ["alice", "bob", "carol"]);
    }

    async fn small_changes_touch_what_they_name(db: Db) {
        let user = add_user(&db, "alice").await;
        let mut tx = db.begin().await.unwrap();
        assert!(users::set_last_login(&mut tx, user.id, at(5)).await.unwrap());
        assert_eq!(users::bump_token_epoch(&mut tx, user.id).await.unwrap(), Some(1));
        assert_eq!(users::bump_token_epoch(&mut tx, UserId(999)).await.unwrap(), None);
        let seen = users::find_by_id(&mut tx, user.id).await.unwrap().unwrap();
        assert_eq!((seen.last_login_at, seen.token_epoch, seen.updated_at), (Some(at(5)), 1, at(0)));
        assert!(users::set_domain(&mut tx, user.id, Some("https://a.example"), at(6)).await.unwrap());
        assert!(!users::set_domain(&mut tx, user.id, Some("https://a.example"), at(9)).await.unwrap());
        assert!(users::set_password(&mut tx, user.id, &Secret::new("new"), at(7)).await.unwrap());
        tx.commit().await.unwrap();
        let seen = users::find_by_id(&db, user.id).await.unwrap().unwrap();
        assert_eq!(seen.domain.as_deref(), Some("https://a.example"));
        assert_eq!(seen.password_hash.unwrap().expose(), "new");
        assert_eq!(seen.updated_at, at(7));
        let mut tx = db.begin().await.unwrap();
        assert!(users::set_domain(&mut tx, user.id, None, at(8)).await.unwrap());
        assert!(!users::set_domain(&mut tx, user.id, None, at(9)).await.unwrap());
        assert_eq!(users::find_by_id(&mut tx, user.id).await.unwrap().unwrap().updated_at, at(8));
    }

    async fn a_profile_change_keeps_sets_and_clears(db: Db) {
        let user = add_user(&db, "alice").await;
        let mut tx = db.begin().await.unwrap();
        let change = ProfileChange {
            full_name: Some("Alice A".to_owned()),
            bio: Some(Some("hello".to_owned())),
            domain: Some(Some("https://a.example".to_owned())),
            is_email_public: Some(true),
            role: Some(Role::Admin),
            ..ProfileChange::default()
        };
        let row = users::update_profile(&mut tx, user.id, &change, at(1)).await.unwrap().unwrap();
        assert_eq!((row.full_name.as_str(), row.bio.as_deref(), row.role), ("Alice A", Some("hello"), Role::Admin));
        assert!(row.is_email_public && row.is_active && row.is_email_verified);
        let clear = ProfileChange { bio: Some(None), ..ProfileChange::default() };
        let row = users::update_profile(&mut tx, user.id, &clear, at(2)).await.unwrap().unwrap();
        assert_eq!((row.bio, row.domain.as_deref()), (None, Some("https://a.example")));
        assert!(users::update_profile(&mut tx, UserId(999), &clear, at(2)).await.unwrap().is_none());
    }

    async fn deleting_a_user_takes_everything_along_but_others_counters(db: Db) {
        let (alice, bob) = (add_user(&db, "alice").await, add_user(&db, "bob").await);
        let kept = publish(&db, &new_endpoint(bob.id, "kept-one"), 1).await;
        publish(&db, &new_endpoint(alice.id, "gone-one"), 1).await;
        let mut tx = db.begin().await.unwrap();
        assert!(endpoints::star(&mut tx, alice.id, kept.endpoint.id, at(2)).await.unwrap());
        assert!(users::delete(&mut tx, alice.id).await.unwrap());
        assert!(!users::delete(&mut tx, alice.id).await.unwrap());
        tx.commit().await.unwrap();
        let kept = endpoints::find_by_id(&db, kept.endpoint.id).await.unwrap().unwrap();
        assert_eq!(kept.endpoint.stars_count, 0);
        assert!(endpoints::find_by_owner_and_slug(&db, "alice", "gone-one").await.unwrap().is_none());
        let left = syfthub_store::search::terms(&db, &["gone".to_owned(), "kept".to_owned()]).await.unwrap();
        assert_eq!(left.into_values().map(|term| (term.term, term.documents)).collect::<Vec<_>>(), [("kept".to_owned(), 1)]);
    }

    async fn a_star_given_while_its_giver_is_deleted_is_not_counted(db: Db) {
        let (alice, bob) = (add_user(&db, "alice").await, add_user(&db, "bob").await);
        let kept = publish(&db, &new_endpoint(bob.id, "kept-one"), 1).await.endpoint.id;
        let mut giving = db.begin().await.unwrap();
        assert!(endpoints::star(&mut giving, alice.id, kept, at(2)).await.unwrap());
        let (gone, ()) = tokio::join!(delete(&db, alice.id), async {
            somebody_waits(&db).await;
            giving.commit().await.unwrap();
        });
        assert!(gone);
        assert_eq!(stars(&db, kept).await, 0);
    }

    async fn a_star_taken_back_while_its_giver_is_deleted_is_counted_once(db: Db) {
        let (alice, bob) = (add_user(&db, "alice").await, add_user(&db, "bob").await);
        let kept = publish(&db, &new_endpoint(bob.id, "kept-one"), 1).await.endpoint.id;
        let mut tx = db.begin().await.unwrap();
        for user in [alice.id, bob.id] {
            endpoints::star(&mut tx, user, kept, at(2)).await.unwrap();
        }
        tx.commit().await.unwrap();
        let mut taking = db.begin().await.unwrap();
        assert!(endpoints::unstar(&mut taking, alice.id, kept).await.unwrap());
        let (gone, ()) = tokio::join!(delete(&db, alice.id), async {
            somebody_waits(&db).await;
            taking.commit().await.unwrap();
        });
        assert!(gone);
        assert_eq!(stars(&db, kept).await, 1);
    }
}

async fn delete(db: &Db, user: UserId) -> bool {
    let mut tx = db.begin().await.unwrap();
    let gone = users::delete(&mut tx, user).await.unwrap();
    tx.commit().await.unwrap();
    gone
}

async fn stars(db: &Db, endpoint: EndpointId) -> i64 {
    endpoints::find_by_id(db, endpoint).await.unwrap().unwrap().endpoint.stars_count
}
