use syfthub_store::keys::{self, SigningKeyRow};

use crate::contract;
use crate::fixture::at;

fn key(kid: &str, purpose: &str, when: u64) -> SigningKeyRow {
    SigningKeyRow {
        kid: kid.to_owned(),
        purpose: purpose.to_owned(),
        private_sealed: vec![0, 1, 255],
        public_pem: "PEM".to_owned(),
        created_at: at(when),
        activated_at: Some(at(when)),
        retired_at: None,
        expires_at: None,
    }
}

contract! {
    async fn signing_keys_are_kept_per_purpose_and_retire(db: Db) {
        let mut tx = db.begin().await.unwrap();
        for row in [key("one", "satellite", 1), key("two", "satellite", 2), key("other", "mcp", 1)] {
            keys::insert(&mut tx, &row).await.unwrap();
        }
        assert!(keys::retire(&mut tx, "one", at(3), at(10)).await.unwrap());
        assert!(!keys::retire(&mut tx, "one", at(3), at(10)).await.unwrap());
        assert!(keys::reseal(&mut tx, "two", &[7]).await.unwrap());
        tx.commit().await.unwrap();
        let rows = keys::list(&db, "satellite").await.unwrap();
        assert_eq!(rows[0], SigningKeyRow { private_sealed: vec![7], ..key("two", "satellite", 2) });
        let retired = SigningKeyRow { retired_at: Some(at(3)), expires_at: Some(at(10)), ..key("one", "satellite", 1) };
        assert_eq!(rows[1], retired);
        let mut tx = db.begin().await.unwrap();
        assert_eq!(keys::purge_expired(&mut tx, at(9)).await.unwrap(), 0);
        assert_eq!(keys::purge_expired(&mut tx, at(10)).await.unwrap(), 1);
    }

    async fn replicas_that_start_together_end_with_one_key(db: Db) {
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..4 {
            let db = db.clone();
            tasks.spawn(async move {
                let mut tx = db.begin().await.unwrap();
                let row = key(&format!("k{number}"), "satellite", number);
                let signing = keys::insert_first(&mut tx, &row).await.unwrap();
                let sealing = keys::insert_first_sealing(&mut tx, b"wrapped", at(number)).await.unwrap();
                tx.commit().await.unwrap();
                (signing, sealing)
            });
        }
        let done = tasks.join_all().await;
        assert_eq!(done.iter().filter(|(signing, _)| *signing).count(), 1);
        assert_eq!(done.iter().filter(|(_, sealing)| *sealing).count(), 1);
        assert_eq!(keys::list(&db, "satellite").await.unwrap().len(), 1);
        assert_eq!(keys::list_sealing(&db).await.unwrap().len(), 1);
    }

    async fn sealing_keys_count_up_and_retire_the_old_one(db: Db) {
        let mut tx = db.begin().await.unwrap();
        assert_eq!(keys::insert_sealing(&mut tx, b"a", at(1)).await.unwrap(), 1);
        assert_eq!(keys::insert_sealing(&mut tx, b"b", at(2)).await.unwrap(), 2);
        assert!(keys::rewrap_sealing(&mut tx, 1, b"c").await.unwrap());
        assert!(!keys::rewrap_sealing(&mut tx, 9, b"c").await.unwrap());
        let rows = keys::list_sealing(&mut tx).await.unwrap();
        assert_eq!((rows[0].version, rows[0].retired_at), (2, None));
        assert_eq!((rows[1].wrapped.as_slice(), rows[1].retired_at), (b"c".as_slice(), Some(at(2))));
    }
}
