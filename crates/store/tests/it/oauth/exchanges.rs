//! Codes and refresh tokens.

use syfthub_domain::Timestamp;
use syfthub_store::oauth::refresh_tokens::{self, Presented};
use syfthub_store::oauth::{Exchange, Issued, codes, grants};
use syfthub_store::{Db, users};
use tokio::task::JoinSet;

use super::{RESOURCE, agreed, code_of, new_grant, presented, redeem, token};
use crate::contract;
use crate::fixture::{add_user, at};

fn rotation<'a>(hash: &'a str, next: &'a str, now: Timestamp) -> Presented<'a> {
    Presented {
        token_hash: hash,
        next: token(next, now),
        client_id: "client",
        resource: None,
        scopes: &[],
        dpop_jkt: None,
    }
}

async fn rotate(db: &Db, presented: Presented<'_>, now: Timestamp) -> Exchange {
    let mut tx = db.begin().await.unwrap();
    let exchange = refresh_tokens::rotate(&mut tx, &presented, now).await.unwrap();
    tx.commit().await.unwrap();
    exchange
}

fn issued(exchange: Exchange) -> Issued {
    match exchange {
        Exchange::Issued(issued) => *issued,
        other => panic!("{other:?}"),
    }
}

async fn live(db: &Db, id: &str, now: Timestamp) -> bool {
    grants::find_live(db, id, now).await.unwrap().is_some()
}

/// A grant `g` of alice with the refresh token `r0`.
async fn with_refresh(db: &Db) -> syfthub_domain::UserId {
    let alice = add_user(db, "alice").await.id;
    agreed(db, "g", alice).await;
    issued(redeem(db, presented("g-code", Some("r0"), at(1)), at(1)).await);
    alice
}

contract! {
    async fn a_code_is_exchanged_once(db: Db) {
        let alice = add_user(&db, "alice").await.id;
        agreed(&db, "g", alice).await;
        let first = issued(redeem(&db, presented("g-code", None, at(5)), at(5)).await);
        assert_eq!((first.grant.id.as_str(), first.user.unwrap().id), ("g", alice));
        assert_eq!((first.scopes, first.nonce.as_deref()), (first.grant.scopes.clone(), Some("nonce")));
        assert_eq!((first.grant.last_used_at, first.grant.expires_at), (at(5), at(5 + 65 * 60)));
        assert!(live(&db, "g", at(100)).await);
        assert!(matches!(redeem(&db, presented("g-code", None, at(6)), at(6)).await, Exchange::Reused(_)));
        assert!(!live(&db, "g", at(6)).await, "what the first exchange began has ended");
        assert!(matches!(redeem(&db, presented("g-code", None, at(7)), at(7)).await, Exchange::Reused(_)));
        assert!(matches!(redeem(&db, presented("other", None, at(7)), at(7)).await, Exchange::Unknown));
    }

    async fn of_many_exchanges_of_one_code_one_is_issued(db: Db) {
        let alice = add_user(&db, "alice").await.id;
        agreed(&db, "g", alice).await;
        let mut tasks = JoinSet::new();
        for _ in 0..20 {
            let db = db.clone();
            tasks.spawn(async move { redeem(&db, presented("g-code", Some("r0"), at(1)), at(1)).await });
        }
        let all = tasks.join_all().await;
        let issued = all.iter().filter(|exchange| matches!(exchange, Exchange::Issued(_))).count();
        let reused = all.iter().filter(|exchange| matches!(exchange, Exchange::Reused(_))).count();
        assert_eq!((issued, reused), (1, 19));
        assert!(!live(&db, "g", at(1)).await);
    }

    // Covers: RFC6749-4.1.2-short
    async fn what_does_not_fit_leaves_a_code_as_it_is(db: Db) {
        let alice = add_user(&db, "alice").await.id;
        agreed(&db, "g", alice).await;
        let right = presented("g-code", None, at(1));
        for wrong in [
            codes::Presented { client_id: "other", ..right },
            codes::Presented { redirect_uri: "http://127.0.0.1/other", ..right },
            codes::Presented { code_challenge: "other", ..right },
            codes::Presented { resource: Some("https://hub.example/api"), ..right },
        ] {
            assert!(matches!(redeem(&db, wrong, at(1)).await, Exchange::Mismatch), "{wrong:?}");
        }
        let expired = redeem(&db, right, at(60)).await;
        assert!(matches!(expired, Exchange::Expired));
        issued(redeem(&db, codes::Presented { resource: Some(RESOURCE), ..right }, at(2)).await);
        let stranger = codes::Presented { client_id: "other", ..right };
        assert!(matches!(redeem(&db, stranger, at(3)).await, Exchange::Mismatch));
        assert!(live(&db, "g", at(3)).await, "another client cannot end it");
    }

    async fn a_request_has_one_code(db: Db) {
        let alice = add_user(&db, "alice").await.id;
        agreed(&db, "g", alice).await;
        let mut tx = db.begin().await.unwrap();
        let another = codes::NewCode { code_hash: "another".to_owned(), ..code_of("g") };
        let refused = codes::insert(&mut tx, &another, at(1)).await.unwrap_err();
        assert!(refused.is_unique(codes::UNIQUE_REQUEST), "{refused}");
    }

    async fn a_key_is_bound_at_consent_or_at_the_first_exchange(db: Db) {
        let alice = add_user(&db, "alice").await.id;
        let mut tx = db.begin().await.unwrap();
        let bound = grants::NewGrant { dpop_jkt: Some("key".to_owned()), ..new_grant("bound", Some(alice), 0) };
        grants::insert(&mut tx, &bound, at(0)).await.unwrap();
        codes::insert(&mut tx, &code_of("bound"), at(0)).await.unwrap();
        tx.commit().await.unwrap();
        let right = presented("bound-code", Some("r0"), at(1));
        for jkt in [None, Some("other")] {
            let wrong = codes::Presented { dpop_jkt: jkt, ..right };
            assert!(matches!(redeem(&db, wrong, at(1)).await, Exchange::Mismatch), "{jkt:?}");
        }
        issued(redeem(&db, codes::Presented { dpop_jkt: Some("key"), ..right }, at(1)).await);
        assert!(matches!(rotate(&db, rotation("r0", "r1", at(2)), at(2)).await, Exchange::Mismatch));
        issued(rotate(&db, Presented { dpop_jkt: Some("key"), ..rotation("r0", "r1", at(2)) }, at(2)).await);

        agreed(&db, "later", alice).await;
        let first = codes::Presented { dpop_jkt: Some("key"), ..presented("later-code", Some("l0"), at(1)) };
        assert_eq!(issued(redeem(&db, first, at(1)).await).grant.dpop_jkt.as_deref(), Some("key"));
        assert!(matches!(rotate(&db, rotation("l0", "l1", at(2)), at(2)).await, Exchange::Mismatch));
    }

    async fn a_client_that_proves_itself_may_change_its_key(db: Db) {
        let alice = add_user(&db, "alice").await.id;
        let mut tx = db.begin().await.unwrap();
        let bound = grants::NewGrant { dpop_jkt: Some("key".to_owned()), ..new_grant("bound", Some(alice), 0) };
        grants::insert(&mut tx, &bound, at(0)).await.unwrap();
        codes::insert(&mut tx, &code_of("bound"), at(0)).await.unwrap();
        tx.commit().await.unwrap();
        let right = codes::Presented { any_key_later: true, ..presented("bound-code", Some("r0"), at(1)) };
        assert!(matches!(redeem(&db, right, at(1)).await, Exchange::Mismatch), "the code is bound all the same");
        let right = codes::Presented { dpop_jkt: Some("key"), ..right };
        assert_eq!(issued(redeem(&db, right, at(1)).await).grant.dpop_jkt, None);
        issued(rotate(&db, Presented { dpop_jkt: Some("other"), ..rotation("r0", "r1", at(2)) }, at(2)).await);
    }

    async fn a_refresh_gives_a_successor(db: Db) {
        with_refresh(&db).await;
        let second = issued(rotate(&db, rotation("r0", "r1", at(100)), at(100)).await);
        assert_eq!(second.grant.last_used_at, at(100));
        assert_eq!(second.grant.expires_at, token("r1", at(100)).expires_at, "it slides");
        let read = ["read".to_owned()];
        let fewer = Presented { scopes: &read, ..rotation("r1", "r2", at(200)) };
        assert_eq!(issued(rotate(&db, fewer, at(200)).await).scopes, read);
        let all = issued(rotate(&db, rotation("r2", "r3", at(300)), at(300)).await);
        assert_eq!(all.scopes, all.grant.scopes, "fewer scopes were for one access token");
    }

    // Covers: RFC9700-4.14.2-unused
    async fn what_does_not_fit_leaves_a_refresh_token_as_it_is(db: Db) {
        with_refresh(&db).await;
        let right = rotation("r0", "r1", at(2));
        assert!(matches!(rotate(&db, Presented { client_id: "other", ..right }, at(2)).await, Exchange::Mismatch));
        let other = Presented { resource: Some("https://hub.example/api"), ..right };
        assert!(matches!(rotate(&db, other, at(2)).await, Exchange::Mismatch));
        let more = ["read".to_owned(), "write".to_owned()];
        assert!(matches!(rotate(&db, Presented { scopes: &more, ..right }, at(2)).await, Exchange::ScopeExceeded));
        assert!(matches!(rotate(&db, rotation("rx", "ry", at(2)), at(2)).await, Exchange::Unknown));
        let end = token("r0", at(1)).expires_at;
        assert!(matches!(rotate(&db, rotation("r0", "r1", end), end).await, Exchange::Expired));
        issued(rotate(&db, right, at(2)).await);
    }

    async fn a_consumed_token_is_good_for_a_moment_and_then_ends_the_grant(db: Db) {
        with_refresh(&db).await;
        for when in [100, 101, 130] {
            issued(rotate(&db, rotation("r0", "r1", at(when)), at(when)).await);
        }
        issued(rotate(&db, rotation("r1", "r2", at(131)), at(131)).await);
        let stranger = Presented { client_id: "other", ..rotation("r0", "r1", at(132)) };
        assert!(matches!(rotate(&db, stranger, at(132)).await, Exchange::Mismatch));
        assert!(live(&db, "g", at(132)).await);
        assert!(matches!(rotate(&db, rotation("r0", "r1", at(132)), at(132)).await, Exchange::Reused(_)));
        assert!(!live(&db, "g", at(132)).await);
        assert!(matches!(rotate(&db, rotation("r2", "r3", at(133)), at(133)).await, Exchange::Revoked));
    }

    async fn fifty_refreshes_at_once_end_with_one_successor(db: Db) {
        with_refresh(&db).await;
        let mut tasks = JoinSet::new();
        for _ in 0..50 {
            let db = db.clone();
            tasks.spawn(async move { rotate(&db, rotation("r0", "r1", at(2)), at(2)).await });
        }
        for exchange in tasks.join_all().await {
            issued(exchange);
        }
        assert!(live(&db, "g", at(2)).await);
        issued(rotate(&db, rotation("r1", "r2", at(40)), at(40)).await);
        assert!(matches!(rotate(&db, rotation("r0", "r1", at(60)), at(60)).await, Exchange::Reused(_)));
    }

    async fn a_revoked_grant_and_an_account_that_ended_its_sessions_get_nothing(db: Db) {
        let alice = with_refresh(&db).await;
        agreed(&db, "h", alice).await;
        let mut tx = db.begin().await.unwrap();
        let held = refresh_tokens::hold_grant(&mut tx, "r0").await.unwrap().unwrap();
        assert_eq!(held.id, "g");
        assert!(refresh_tokens::hold_grant(&mut tx, "rx").await.unwrap().is_none());
        grants::revoke(&mut tx, "g", at(2)).await.unwrap();
        tx.commit().await.unwrap();
        assert!(matches!(rotate(&db, rotation("r0", "r1", at(2)), at(2)).await, Exchange::Revoked));
        let mut tx = db.begin().await.unwrap();
        users::bump_token_epoch(&mut tx, alice).await.unwrap();
        tx.commit().await.unwrap();
        assert!(matches!(redeem(&db, presented("h-code", None, at(2)), at(2)).await, Exchange::Revoked));
    }
}
