//! What the database refuses is the client's fault or a conflict, not a fault of the hub.

use syfthub_domain::{ErrorCode, Scope, UserId};
use syfthub_store::access_tokens::{self, NewAccessToken};
use syfthub_store::endpoints::{self, PublicFilter};
use syfthub_store::users::{self, ProfileChange};
use syfthub_store::{Error, Page, Result, search, settings};

use crate::contract;
use crate::fixture::{add_user, at, new_endpoint, publish};

const NUL: &str = "a\0b";

/// PostgreSQL cannot keep U+0000 and says so, SQLite keeps it; neither may look like a fault.
fn no_fault<T>(result: Result<T>) {
    if let Err(error) = result {
        let told = syfthub_domain::Error::from(error);
        assert_eq!(told.code, ErrorCode::ValidationError, "{}", told.chain());
        assert!(told.message.contains("U+0000"), "{}", told.message);
    }
}

contract! {
    async fn a_nul_in_a_text_is_the_clients_fault(db: Db) {
        let user = add_user(&db, "alice").await;
        let words = vec![NUL.to_owned()];
        no_fault(settings::get(&db, NUL).await);
        no_fault(users::find_by_username(&db, NUL).await);
        no_fault(search::terms(&db, &words).await);
        no_fault(search::similar_terms(&db, NUL).await);
        no_fault(search::terms_beginning_with(&db, &[NUL], 5).await);
        let filter = PublicFilter { search: Some(NUL.to_owned()), ..PublicFilter::default() };
        no_fault(endpoints::list_public(&db, &filter, Page::default()).await);
        let change = ProfileChange { bio: Some(Some(NUL.to_owned())), ..ProfileChange::default() };
        let mut tx = db.begin().await.unwrap();
        no_fault(users::update_profile(&mut tx, user.id, &change, at(1)).await);
        drop(tx);
        let mut new = new_endpoint(user.id, "nul-one");
        new.description.push_str(NUL);
        let mut tx = db.begin().await.unwrap();
        no_fault(endpoints::insert(&mut tx, &new, at(1)).await);
    }

    async fn a_row_for_an_account_that_is_gone_is_a_conflict(db: Db) {
        let new = NewAccessToken {
            user_id: UserId(999),
            name: "ci".to_owned(),
            token_prefix: "syft_pat_ab".to_owned(),
            token_hash: "hash".to_owned(),
            scopes: vec![Scope::Read],
            expires_at: None,
        };
        let mut tx = db.begin().await.unwrap();
        let error = access_tokens::insert(&mut tx, &new, at(1)).await.unwrap_err();
        assert!(matches!(error, Error::Reference(_)), "{error:?}");
        assert_eq!(syfthub_domain::Error::from(error).code, ErrorCode::Conflict);
    }

    async fn a_value_that_a_check_refuses_is_the_clients_fault(db: Db) {
        let user = add_user(&db, "alice").await;
        let endpoint = publish(&db, &new_endpoint(user.id, "one"), 1).await;
        let mut tx = db.begin().await.unwrap();
        let error = endpoints::set_admin_flags(&mut tx, endpoint.endpoint.id, None, Some(-1)).await.unwrap_err();
        assert!(matches!(error, Error::Check(_)), "{error:?}");
        assert_eq!(syfthub_domain::Error::from(error).code, ErrorCode::ValidationError);
    }
}
