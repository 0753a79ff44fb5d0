use syfthub_config::Secret;
use syfthub_domain::{PaymentStatus, UserId};
use syfthub_store::Db;
use syfthub_store::wallets::{self, NewPayment};

use crate::contract;
use crate::fixture::{add_user, at};

fn payment(user: UserId, id: &str, challenge: &str, amount: i64) -> NewPayment {
    NewPayment {
        id: id.to_owned(),
        user_id: user,
        challenge_hash: challenge.to_owned(),
        endpoint_slug: "notes".to_owned(),
        recipient: "0xb".to_owned(),
        amount,
    }
}

async fn wallet(db: &Db, user: UserId) -> (Option<String>, Option<String>) {
    let row = wallets::find(db, user).await.unwrap().unwrap();
    (row.wallet_address, row.wallet_private_key.as_ref().map(|key| Secret::expose(key).to_owned()))
}

contract! {
    async fn a_wallet_is_given_once_and_replaced_on_purpose(db: Db) {
        let user = add_user(&db, "ada").await.id;
        assert_eq!(wallet(&db, user).await, (None, None));
        assert!(wallets::find(&db, UserId(999)).await.unwrap().is_none());
        let mut tx = db.begin().await.unwrap();
        assert!(wallets::insert(&mut tx, user, "0xa", "sealed").await.unwrap());
        assert!(!wallets::insert(&mut tx, user, "0xb", "other").await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(wallet(&db, user).await, (Some("0xa".to_owned()), Some("sealed".to_owned())));
        let mut tx = db.begin().await.unwrap();
        wallets::replace(&mut tx, user, "0xb", "other").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(wallet(&db, user).await, (Some("0xb".to_owned()), Some("other".to_owned())));
    }

    async fn a_payment_is_reserved_settled_and_counted(db: Db) {
        let (ada, bob) = (add_user(&db, "ada").await.id, add_user(&db, "bob").await.id);
        let mut tx = db.begin().await.unwrap();
        assert!(wallets::find_payment(&mut tx, ada, "c1").await.unwrap().is_none());
        assert_eq!(wallets::spent_since(&mut tx, ada, at(0)).await.unwrap(), 0);
        assert_eq!(wallets::reserve(&mut tx, &payment(ada, "p1", "c1", 5), at(1)).await.unwrap(), "p1");
        wallets::reserve(&mut tx, &payment(ada, "p2", "c2", 7), at(2)).await.unwrap();
        wallets::reserve(&mut tx, &payment(bob, "p3", "c1", 11), at(2)).await.unwrap();
        assert_eq!(wallets::spent_since(&mut tx, ada, at(0)).await.unwrap(), 12);
        wallets::settle(&mut tx, "p1", PaymentStatus::Failed, None, at(3)).await.unwrap();
        wallets::settle(&mut tx, "p2", PaymentStatus::Paid, Some(&[1, 2]), at(3)).await.unwrap();
        assert_eq!(wallets::spent_since(&mut tx, ada, at(0)).await.unwrap(), 7);
        assert_eq!(wallets::spent_since(&mut tx, ada, at(2)).await.unwrap(), 0);
        let paid = wallets::find_payment(&mut tx, ada, "c2").await.unwrap().unwrap();
        assert_eq!((paid.status, paid.credential_sealed.as_deref()), (PaymentStatus::Paid, Some(&[1_u8, 2][..])));
        // One that failed is tried again under its old id.
        assert_eq!(wallets::reserve(&mut tx, &payment(ada, "p9", "c1", 6), at(4)).await.unwrap(), "p1");
        let again = wallets::find_payment(&mut tx, ada, "c1").await.unwrap().unwrap();
        assert_eq!((again.status, again.amount, again.created_at), (PaymentStatus::Reserved, 6, at(4)));
    }
}
