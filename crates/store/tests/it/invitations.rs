use syfthub_domain::{Email, UserId};
use syfthub_store::Page;
use syfthub_store::invitations::{self, NewInvitation};
use syfthub_store::users;

use crate::contract;
use crate::fixture::{add_user, at};

fn invitation(by: UserId, name: &str, email: Option<&str>, max_uses: i64) -> NewInvitation {
    NewInvitation {
        id: format!("id-{name}"),
        code_hash: format!("hash-{name}"),
        email: email.map(|email| Email::parse(email).unwrap()),
        max_uses,
        created_by: Some(by),
        expires_at: at(100),
    }
}

fn address(text: &str) -> Email {
    Email::parse(text).unwrap()
}

contract! {
    async fn an_invitation_is_good_as_often_as_it_says(db: Db) {
        let admin = add_user(&db, "admin-1").await.id;
        let bob = address("bob@example.org");
        let mut tx = db.begin().await.unwrap();
        let row = invitations::insert(&mut tx, &invitation(admin, "two", None, 2), at(1)).await.unwrap();
        assert_eq!((row.uses, row.created_by, row.revoked_at), (0, Some(admin), None));
        for good in [true, true, false] {
            assert_eq!(invitations::redeem(&mut tx, "hash-two", &bob, at(2)).await.unwrap(), good);
        }
        assert!(!invitations::redeem(&mut tx, "hash-x", &bob, at(2)).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(invitations::find_by_hash(&db, "hash-two").await.unwrap().unwrap().uses, 2);
    }

    async fn an_invitation_is_for_its_address_until_its_end(db: Db) {
        let admin = add_user(&db, "admin-1").await.id;
        let (bob, eve) = (address("bob@example.org"), address("eve@example.org"));
        let mut tx = db.begin().await.unwrap();
        invitations::insert(&mut tx, &invitation(admin, "bob", Some("bob@example.org"), 5), at(1)).await.unwrap();
        assert!(!invitations::redeem(&mut tx, "hash-bob", &eve, at(2)).await.unwrap());
        assert!(invitations::redeem(&mut tx, "hash-bob", &bob, at(2)).await.unwrap());
        assert!(!invitations::redeem(&mut tx, "hash-bob", &bob, at(100)).await.unwrap(), "it has ended");
        assert!(invitations::revoke(&mut tx, "id-bob", at(3)).await.unwrap());
        assert!(!invitations::redeem(&mut tx, "hash-bob", &bob, at(4)).await.unwrap(), "it was withdrawn");
        assert!(invitations::revoke(&mut tx, "id-bob", at(5)).await.unwrap());
        assert!(!invitations::revoke(&mut tx, "id-none", at(5)).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(invitations::find_by_hash(&db, "hash-bob").await.unwrap().unwrap().revoked_at, Some(at(3)));
    }

    async fn invitations_are_listed_newest_first_and_outlive_who_made_them(db: Db) {
        let admin = add_user(&db, "admin-1").await.id;
        let mut tx = db.begin().await.unwrap();
        for (name, when) in [("a", 1), ("c", 2), ("b", 2)] {
            invitations::insert(&mut tx, &invitation(admin, name, None, 1), at(when)).await.unwrap();
        }
        users::delete(&mut tx, admin).await.unwrap();
        tx.commit().await.unwrap();
        let ids = async |skip, limit| {
            let rows = invitations::list(&db, Page::new(skip, limit)).await.unwrap();
            assert!(rows.iter().all(|row| row.created_by.is_none()));
            rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(0, 10).await, ["id-c", "id-b", "id-a"]);
        assert_eq!(ids(1, 1).await, ["id-b"]);
    }

    async fn the_last_use_goes_to_one_of_two(db: Db) {
        let admin = add_user(&db, "admin-1").await.id;
        let mut tx = db.begin().await.unwrap();
        invitations::insert(&mut tx, &invitation(admin, "one", None, 1), at(1)).await.unwrap();
        tx.commit().await.unwrap();
        let use_it = async |name: &str| {
            let mut tx = db.begin().await.unwrap();
            let good = invitations::redeem(&mut tx, "hash-one", &address(name), at(2)).await.unwrap();
            tx.commit().await.unwrap();
            good
        };
        let (a, b) = tokio::join!(use_it("a@example.org"), use_it("b@example.org"));
        assert!(a != b, "{a} {b}");
    }
}
