use syfthub_domain::{ApiTokenId, Scope, UserId};
use syfthub_store::Page;
use syfthub_store::access_tokens::{self, NewAccessToken};

use crate::contract;
use crate::fixture::{add_user, at};

fn token(user: UserId, name: &str) -> NewAccessToken {
    NewAccessToken {
        user_id: user,
        name: name.to_owned(),
        token_prefix: "syft_pat_abcdefg".to_owned(),
        token_hash: format!("hash-{name}"),
        scopes: vec![Scope::Read, Scope::Write],
        expires_at: Some(at(100)),
    }
}

contract! {
    async fn a_token_lives_from_creation_to_revocation(db: Db) {
        let user = add_user(&db, "alice").await.id;
        let mut tx = db.begin().await.unwrap();
        let row = access_tokens::insert(&mut tx, &token(user, "ci"), at(1)).await.unwrap();
        assert_eq!((row.scopes.as_slice(), row.expires_at), ([Scope::Read, Scope::Write].as_slice(), Some(at(100))));
        assert_eq!(access_tokens::count_active(&mut tx, user).await.unwrap(), 1);
        tx.commit().await.unwrap();

        assert_eq!(access_tokens::find_by_hash(&db, "hash-ci").await.unwrap().unwrap(), row);
        assert!(access_tokens::find_by_hash(&db, "hash-x").await.unwrap().is_none());

        let mut tx = db.begin().await.unwrap();
        access_tokens::touch(&mut tx, row.id, Some("::1"), at(2)).await.unwrap();
        access_tokens::touch(&mut tx, row.id, None, at(3)).await.unwrap();
        let renamed = access_tokens::rename(&mut tx, user, row.id, "cd", at(4)).await.unwrap().unwrap();
        assert_eq!((renamed.name.as_str(), renamed.updated_at), ("cd", at(4)));
        assert_eq!((renamed.last_used_at, renamed.last_used_ip.as_deref()), (Some(at(3)), Some("::1")));
        assert_eq!(access_tokens::revoke(&mut tx, user, row.id, at(5)).await.unwrap().as_deref(), Some("hash-ci"));
        assert_eq!(access_tokens::count_active(&mut tx, user).await.unwrap(), 0);
        tx.commit().await.unwrap();
        assert!(!access_tokens::find(&db, user, row.id).await.unwrap().unwrap().is_active);
    }

    async fn tokens_of_others_are_out_of_reach(db: Db) {
        let (alice, bob) = (add_user(&db, "alice").await.id, add_user(&db, "bob").await.id);
        let mut tx = db.begin().await.unwrap();
        let id = access_tokens::insert(&mut tx, &token(alice, "ci"), at(1)).await.unwrap().id;
        assert!(access_tokens::find(&mut tx, bob, id).await.unwrap().is_none());
        assert!(access_tokens::rename(&mut tx, bob, id, "x", at(2)).await.unwrap().is_none());
        assert!(access_tokens::revoke(&mut tx, bob, id, at(2)).await.unwrap().is_none());
        assert!(access_tokens::find(&mut tx, alice, ApiTokenId(id.0 + 1)).await.unwrap().is_none());
    }

    async fn lists_are_newest_first_and_hide_revoked_tokens(db: Db) {
        let user = add_user(&db, "alice").await.id;
        let mut tx = db.begin().await.unwrap();
        for (name, when) in [("a", 1), ("b", 2), ("c", 2), ("d", 3)] {
            access_tokens::insert(&mut tx, &token(user, name), at(when)).await.unwrap();
        }
        let rows = access_tokens::list(&mut tx, user, false, Page::default()).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["d", "c", "b", "a"]);
        access_tokens::revoke(&mut tx, user, rows[0].id, at(9)).await.unwrap();
        let page = access_tokens::list(&mut tx, user, false, Page::new(1, 1)).await.unwrap();
        assert_eq!(page[0].name, "b");
        assert_eq!(access_tokens::count(&mut tx, user, false).await.unwrap(), 3);
        assert_eq!(access_tokens::count(&mut tx, user, true).await.unwrap(), 4);
        assert_eq!(access_tokens::list(&mut tx, user, true, Page::default()).await.unwrap().len(), 4);
    }
}
