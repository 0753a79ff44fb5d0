use syfthub_domain::SubscriptionId;
use syfthub_store::Tx;
use syfthub_store::subscriptions::{self, SubscriptionRow, Told};

use crate::contract;
use crate::fixture::{add_user, at};

fn told(owner: &str, url: &str, balance: Option<i64>) -> Told {
    Told {
        credits_url: url.to_owned(),
        payment_url: "https://pay.example.org".to_owned(),
        currency: "IDR".to_owned(),
        endpoint_owner: owner.to_owned(),
        endpoint_slug: None,
        last_known_balance: balance,
    }
}

fn owners(rows: &[SubscriptionRow]) -> Vec<&str> {
    rows.iter().map(|row| row.endpoint_owner.as_str()).collect()
}

contract! {
    async fn what_is_told_again_is_the_same_subscription(db: Db) {
        let user = add_user(&db, "ada").await.id;
        let mut tx = db.begin().await.unwrap();
        assert!(!subscriptions::is_known(&mut tx, user, "https://c.example.org/1").await.unwrap());
        let tell = async |tx: &mut Tx, told: &Told, when| subscriptions::upsert(tx, user, told, at(when)).await.unwrap();
        let url = "https://c.example.org/1";
        let first = tell(&mut tx, &told("bob", url, Some(0)), 1).await;
        assert_eq!((first.first_funded_at, first.last_checked_at, first.created_at), (None, Some(at(1)), at(1)));
        let slug = Told { endpoint_slug: Some("notes".to_owned()), ..told("bob", url, Some(15_000)) };
        let second = tell(&mut tx, &slug, 2).await;
        assert_eq!((second.id, second.first_funded_at, second.created_at), (first.id, Some(at(2)), at(1)));
        let third = tell(&mut tx, &Told { currency: "USD".to_owned(), ..told("bob", url, None) }, 3).await;
        assert_eq!((third.endpoint_slug.as_deref(), third.last_known_balance), (Some("notes"), Some(15_000)));
        assert_eq!((third.first_funded_at, third.last_checked_at), (Some(at(2)), Some(at(3))));
        assert_eq!((third.currency.as_str(), third.updated_at), ("USD", at(3)));
        assert_eq!(subscriptions::count(&mut tx, user).await.unwrap(), 1);
        assert!(subscriptions::is_known(&mut tx, user, url).await.unwrap());
    }

    async fn one_of_each_owner_is_listed_and_others_are_out_of_reach(db: Db) {
        let (ada, eve) = (add_user(&db, "ada").await.id, add_user(&db, "eve").await.id);
        let mut tx = db.begin().await.unwrap();
        let mut ids = Vec::new();
        for (owner, url, when) in [("bob", "u1", 1), ("bob", "u2", 3), ("carl", "u3", 2), ("dan", "u4", 2)] {
            ids.push(subscriptions::upsert(&mut tx, ada, &told(owner, url, None), at(when)).await.unwrap().id);
        }
        subscriptions::upsert(&mut tx, eve, &told("bob", "u1", None), at(9)).await.unwrap();
        let rows = subscriptions::newest_by_owner(&mut tx, ada).await.unwrap();
        assert_eq!(owners(&rows), ["bob", "dan", "carl"]);
        assert_eq!(rows[0].credits_url, "u2");
        assert!(!subscriptions::delete(&mut tx, eve, ids[0]).await.unwrap());
        assert!(!subscriptions::delete(&mut tx, ada, SubscriptionId(999)).await.unwrap());
        assert!(subscriptions::delete(&mut tx, ada, ids[3]).await.unwrap());
        assert_eq!(subscriptions::delete_by_owner(&mut tx, ada, "bob").await.unwrap(), 2);
        assert_eq!(subscriptions::delete_by_owner(&mut tx, ada, "bob").await.unwrap(), 0);
        assert_eq!(owners(&subscriptions::newest_by_owner(&mut tx, ada).await.unwrap()), ["carl"]);
        assert_eq!(subscriptions::count(&mut tx, eve).await.unwrap(), 1);
    }
}
