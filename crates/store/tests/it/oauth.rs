//! The state of the authorization server.

mod devices;
mod exchanges;
mod service_clients;

use serde_json::json;
use syfthub_domain::{Timestamp, UserId};
use syfthub_store::oauth::clients::{self, NewClient};
use syfthub_store::oauth::codes::{self, NewCode};
use syfthub_store::oauth::grants::{self, NewGrant};
use syfthub_store::oauth::{Exchange, NewRefreshToken, consents};
use syfthub_store::{Db, Page, refresh, users};

use crate::contract;
use crate::fixture::{add_user, at};

const RESOURCE: &str = "https://hub.example/mcp";
const DAY: u64 = 24 * 3600;

fn new_grant(id: &str, user: Option<UserId>, epoch: i64) -> NewGrant {
    NewGrant {
        id: id.to_owned(),
        user_id: user,
        client_id: "client".to_owned(),
        client_name: "A client".to_owned(),
        resource: RESOURCE.to_owned(),
        scopes: ["openid", "read"].map(str::to_owned).to_vec(),
        token_epoch: epoch,
        dpop_jkt: None,
        auth_time: user.map(|_| at(0)),
        expires_at: at(60),
    }
}

/// A user who agreed: a grant of this id, and its code `{id}-code`.
async fn agreed(db: &Db, id: &str, user: UserId) {
    let mut tx = db.begin().await.unwrap();
    let epoch = users::find_by_id(&mut tx, user).await.unwrap().unwrap().token_epoch;
    grants::insert(&mut tx, &new_grant(id, Some(user), epoch), at(0)).await.unwrap();
    codes::insert(&mut tx, &code_of(id), at(0)).await.unwrap();
    tx.commit().await.unwrap();
}

fn code_of(id: &str) -> NewCode {
    NewCode {
        code_hash: format!("{id}-code"),
        grant_id: id.to_owned(),
        request_id: format!("{id}-request"),
        redirect_uri: "http://127.0.0.1/callback".to_owned(),
        code_challenge: "challenge".to_owned(),
        nonce: Some("nonce".to_owned()),
        expires_at: at(60),
    }
}

fn presented<'a>(code: &'a str, refresh: Option<&'a str>, now: Timestamp) -> codes::Presented<'a> {
    codes::Presented {
        code_hash: code,
        client_id: "client",
        redirect_uri: "http://127.0.0.1/callback",
        code_challenge: "challenge",
        resource: None,
        dpop_jkt: None,
        any_key_later: false,
        refresh: refresh.map(|hash| token(hash, now)),
    }
}

fn token(hash: &str, now: Timestamp) -> NewRefreshToken<'_> {
    NewRefreshToken { hash, expires_at: now.plus(std::time::Duration::from_secs(30 * DAY)) }
}

async fn redeem(db: &Db, presented: codes::Presented<'_>, now: Timestamp) -> Exchange {
    let mut tx = db.begin().await.unwrap();
    let exchange = codes::redeem(&mut tx, &presented, now).await.unwrap();
    tx.commit().await.unwrap();
    exchange
}

fn client(id: &str, is_static: bool) -> NewClient {
    NewClient {
        client_id: id.to_owned(),
        is_static,
        metadata: json!({"client_name": "A client"}),
        secret_hash: None,
        registration_token_hash: Some("registration".to_owned()),
        user_id: None,
    }
}

async fn add_client(db: &Db, new: &NewClient, when: u64) {
    let mut tx = db.begin().await.unwrap();
    clients::insert(&mut tx, new, at(when)).await.unwrap();
    tx.commit().await.unwrap();
}

contract! {
    async fn clients_are_stored_changed_and_listed(db: Db) {
        for (number, id) in ["first", "second", "third"].into_iter().enumerate() {
            add_client(&db, &client(id, id == "third"), number as u64).await;
        }
        let found = clients::find(&db, "first", at(1)).await.unwrap().unwrap();
        assert_eq!((found.kind.as_str(), found.expires_at), ("registered", Some(at(90 * DAY))));
        assert_eq!(found.metadata, json!({"client_name": "A client"}));
        let fixed = clients::find(&db, "third", at(9000 * DAY)).await.unwrap().unwrap();
        assert_eq!((fixed.kind.as_str(), fixed.expires_at), ("static", None));
        let mut tx = db.begin().await.unwrap();
        let taken = clients::insert(&mut tx, &client("first", false), at(5)).await.unwrap_err();
        assert!(taken.is_unique(clients::UNIQUE), "{taken}");
        drop(tx);

        let ids = async |after| {
            let rows = clients::list(&db, None, after, 2, at(9)).await.unwrap();
            rows.into_iter().map(|row| row.client_id).collect::<Vec<_>>()
        };
        assert_eq!(ids(None).await, ["third", "second"]);
        assert_eq!(ids(Some("second")).await, ["first"]);

        let mut tx = db.begin().await.unwrap();
        let changed = json!({"client_name": "Another"});
        let after = clients::update(&mut tx, "first", &changed, None, at(DAY)).await.unwrap().unwrap();
        assert_eq!((after.metadata, after.expires_at), (changed.clone(), Some(at(91 * DAY))));
        let after = clients::update(&mut tx, "first", &changed, Some("secret"), at(DAY)).await.unwrap().unwrap();
        assert_eq!(after.secret_hash.as_deref(), Some("secret"));
        assert!(clients::update(&mut tx, "nobody", &changed, None, at(DAY)).await.unwrap().is_none());
        tx.commit().await.unwrap();
    }

    async fn a_registered_client_that_nobody_uses_ends(db: Db) {
        add_client(&db, &client("used", false), 0).await;
        add_client(&db, &client("unused", false), 0).await;
        add_client(&db, &client("fixed", true), 0).await;
        let mut tx = db.begin().await.unwrap();
        clients::touch(&mut tx, "used", at(DAY - 1)).await.unwrap();
        assert_eq!(clients::find(&mut tx, "used", at(1)).await.unwrap().unwrap().last_used_at, at(0), "once a day");
        clients::touch(&mut tx, "used", at(80 * DAY)).await.unwrap();
        clients::touch(&mut tx, "https://client.example/metadata", at(80 * DAY)).await.unwrap();
        tx.commit().await.unwrap();
        assert!(clients::find(&db, "unused", at(90 * DAY - 1)).await.unwrap().is_some());
        assert!(clients::find(&db, "unused", at(90 * DAY)).await.unwrap().is_none());
        assert_eq!(refresh::purge(&db, at(90 * DAY)).await.unwrap(), 1);
        assert!(clients::find(&db, "used", at(170 * DAY - 1)).await.unwrap().is_some());
        assert_eq!(refresh::purge(&db, at(9000 * DAY)).await.unwrap(), 1);
        assert!(clients::find(&db, "fixed", at(9000 * DAY)).await.unwrap().is_some());
    }

    async fn a_client_goes_with_its_grants_and_consents(db: Db) {
        let alice = add_user(&db, "alice").await.id;
        add_client(&db, &client("client", false), 0).await;
        agreed(&db, "g", alice).await;
        let mut tx = db.begin().await.unwrap();
        consents::store(&mut tx, alice, "client", RESOURCE, &["read".to_owned()], at(0)).await.unwrap();
        assert!(clients::delete(&mut tx, "client", at(1)).await.unwrap());
        assert!(!clients::delete(&mut tx, "client", at(1)).await.unwrap());
        tx.commit().await.unwrap();
        assert!(grants::find_live(&db, "g", at(1)).await.unwrap().is_none());
        assert!(consents::find(&db, alice, "client", RESOURCE).await.unwrap().is_empty());
        assert!(matches!(redeem(&db, presented("g-code", None, at(1)), at(1)).await, Exchange::Revoked));
    }

    async fn consents_are_remembered_per_client_and_resource_for_a_year(db: Db) {
        let (alice, bob) = (add_user(&db, "alice").await.id, add_user(&db, "bob").await.id);
        let both = ["openid", "read"].map(str::to_owned);
        let mut tx = db.begin().await.unwrap();
        consents::store(&mut tx, alice, "client", RESOURCE, &both[..1], at(0)).await.unwrap();
        consents::store(&mut tx, alice, "client", RESOURCE, &both, at(1)).await.unwrap();
        consents::store(&mut tx, alice, "another", RESOURCE, &both, at(2)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(consents::find(&db, alice, "client", RESOURCE).await.unwrap(), both);
        assert!(consents::find(&db, alice, "client", "https://hub.example/api").await.unwrap().is_empty());
        assert!(consents::find(&db, bob, "client", RESOURCE).await.unwrap().is_empty());
        assert_eq!(refresh::purge(&db, at(1 + 365 * DAY)).await.unwrap(), 1);
        assert!(consents::find(&db, alice, "client", RESOURCE).await.unwrap().is_empty());
        let mut tx = db.begin().await.unwrap();
        consents::forget(&mut tx, alice, "another").await.unwrap();
        assert!(consents::find(&mut tx, alice, "another", RESOURCE).await.unwrap().is_empty());
    }

    async fn a_grant_is_live_until_somebody_or_something_ends_it(db: Db) {
        let alice = add_user(&db, "alice").await.id;
        for id in ["ended", "kept"] {
            agreed(&db, id, alice).await;
        }
        let mut tx = db.begin().await.unwrap();
        grants::insert(&mut tx, &new_grant("machine", None, 0), at(0)).await.unwrap();
        grants::touch(&mut tx, "kept", at(5)).await.unwrap();
        tx.commit().await.unwrap();
        let live = async |id| grants::find_live(&db, id, at(10)).await.unwrap().is_some();
        let listed = async || {
            let rows = grants::list(&db, alice, at(10), Page::default()).await.unwrap();
            rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
        };
        assert_eq!(listed().await, ["kept", "ended"]);
        assert!(live("machine").await);
        assert!(grants::find_live(&db, "kept", at(60)).await.unwrap().is_none(), "its code was never exchanged");

        let mut tx = db.begin().await.unwrap();
        assert_eq!(grants::revoke(&mut tx, "ended", at(10)).await.unwrap().unwrap().user_id, Some(alice));
        assert!(grants::revoke(&mut tx, "ended", at(10)).await.unwrap().is_none());
        tx.commit().await.unwrap();
        assert_eq!((live("ended").await, listed().await), (false, vec!["kept".to_owned()]));

        let mut tx = db.begin().await.unwrap();
        let off = users::ProfileChange { is_active: Some(false), ..users::ProfileChange::default() };
        users::update_profile(&mut tx, alice, &off, at(10)).await.unwrap();
        tx.commit().await.unwrap();
        assert!(!live("kept").await);
        let mut tx = db.begin().await.unwrap();
        let on = users::ProfileChange { is_active: Some(true), ..users::ProfileChange::default() };
        users::update_profile(&mut tx, alice, &on, at(10)).await.unwrap();
        users::bump_token_epoch(&mut tx, alice).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!((live("kept").await, listed().await), (false, vec![]), "an earlier epoch");

        agreed(&db, "new", alice).await;
        let mut tx = db.begin().await.unwrap();
        assert_eq!(grants::revoke_user(&mut tx, alice, at(10)).await.unwrap(), 2);
        users::delete(&mut tx, alice).await.unwrap();
        assert!(grants::hold(&mut tx, "kept").await.unwrap().is_none(), "gone with its user");
        tx.commit().await.unwrap();
        assert!(live("machine").await);
    }

    async fn what_has_expired_is_deleted(db: Db) {
        let alice = add_user(&db, "alice").await.id;
        agreed(&db, "g", alice).await;
        let _ = redeem(&db, presented("g-code", Some("r0"), at(1)), at(1)).await;
        assert_eq!(refresh::purge(&db, at(60 + DAY - 1)).await.unwrap(), 0, "a second use is still recognised");
        assert_eq!(refresh::purge(&db, at(60 + DAY)).await.unwrap(), 1, "the code");
        assert_eq!(refresh::purge(&db, at(30 * DAY)).await.unwrap(), 0);
        assert_eq!(refresh::purge(&db, at(1 + 30 * DAY)).await.unwrap(), 1, "the refresh token");
        assert_eq!(refresh::purge(&db, at(1 + 31 * DAY)).await.unwrap(), 1, "the grant");
    }
}
