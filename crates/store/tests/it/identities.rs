use syfthub_domain::{SignInProvider, UserId};
use syfthub_store::Db;
use syfthub_store::identities::{self, NewIdentity, UNIQUE_PROVIDER, UNIQUE_SUBJECT};

use crate::contract;
use crate::fixture::{add_user, at};

fn link(user: UserId, provider: SignInProvider, subject: &str) -> NewIdentity {
    NewIdentity {
        id: format!("{user}-{provider}-{subject}"),
        user_id: user,
        provider,
        subject: subject.to_owned(),
        label: "ada".to_owned(),
    }
}

async fn insert(db: &Db, new: NewIdentity) -> syfthub_store::Result<()> {
    let mut tx = db.begin().await.unwrap();
    identities::insert(&mut tx, &new, at(1)).await?;
    tx.commit().await
}

contract! {
    async fn an_identity_belongs_to_one_account(db: Db) {
        let (alice, bob) = (add_user(&db, "alice").await.id, add_user(&db, "bob").await.id);
        insert(&db, link(alice, SignInProvider::Github, "7")).await.unwrap();
        insert(&db, link(alice, SignInProvider::Google, "7")).await.unwrap();
        let taken = insert(&db, link(bob, SignInProvider::Github, "7")).await.unwrap_err();
        assert!(taken.is_unique(UNIQUE_SUBJECT), "{taken:?}");
        let second = insert(&db, link(alice, SignInProvider::Github, "8")).await.unwrap_err();
        assert!(second.is_unique(UNIQUE_PROVIDER), "{second:?}");

        let mut tx = db.begin().await.unwrap();
        identities::touch(&mut tx, SignInProvider::Github, "7", "lovelace", at(5)).await.unwrap();
        tx.commit().await.unwrap();
        let found = identities::find(&db, SignInProvider::Github, "7").await.unwrap().unwrap();
        assert_eq!((found.user_id, found.label.as_str(), found.last_used_at), (alice, "lovelace", Some(at(5))));
        assert!(identities::find(&db, SignInProvider::Github, "9").await.unwrap().is_none());
        let all = identities::list(&db, alice).await.unwrap();
        assert_eq!(all.iter().map(|row| row.provider).collect::<Vec<_>>(), [SignInProvider::Github, SignInProvider::Google]);

        let mut tx = db.begin().await.unwrap();
        assert!(identities::delete(&mut tx, alice, SignInProvider::Google).await.unwrap());
        assert!(!identities::delete(&mut tx, alice, SignInProvider::Google).await.unwrap());
        assert_eq!(identities::list_locked(&mut tx, alice).await.unwrap().len(), 1);
        tx.commit().await.unwrap();
    }
}
