//! Rotation of the signing key, as verifiers see it.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use syfthub_auth::satellite::Verifier;
use syfthub_backend::KeyInfo;
use syfthub_domain::Clock as _;
use syfthub_testing::wait;

use crate::actor::{Actor, TestApp};

const JWKS: &str = "/.well-known/jwks.json";
const HOUR: Duration = Duration::from_hours(1);
const ISSUER: &str = "http://localhost:8080";

async fn jwks(app: &TestApp) -> Value {
    app.anon().get(JWKS).await.expect(StatusCode::OK)
}

async fn token(actor: &Actor) -> String {
    let made = actor.get("/api/v1/token?aud=bob").await.expect(StatusCode::OK);
    made["target_token"].as_str().unwrap().to_owned()
}

/// The same user with a credential that does not end while the clock goes on.
async fn lasting(app: &TestApp, user: &Actor) -> Actor {
    let made =
        user.post("/api/v1/auth/tokens", &json!({"name": "lasting"})).await.expect(StatusCode::CREATED);
    app.with_token(made["token"].as_str().unwrap())
}

fn kid(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

fn kid_in_state(keys: &[KeyInfo], state: &str) -> String {
    keys.iter().find(|key| key.state == state).unwrap().kid.clone()
}

/// Verifies as our own nodes do, and as somebody does who has only `jsonwebtoken`.
fn accepted(app: &TestApp, document: &Value, token: &str) -> bool {
    let ours = Verifier::from_jwks(document).unwrap().verify(token, "bob", ISSUER, app.clock.now()).is_ok();
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_value(document.clone()).unwrap();
    let theirs = set.find(&kid(token)).is_some_and(|jwk| {
        let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
        rules.validate_exp = false; // the clock of the tests is not the machine's
        rules.set_audience(&["bob"]);
        rules.set_issuer(&[ISSUER]);
        let key = jsonwebtoken::DecodingKey::from_jwk(jwk).unwrap();
        jsonwebtoken::decode::<Value>(token, &key, &rules).is_ok()
    });
    assert_eq!(ours, theirs);
    ours
}

#[tokio::test]
async fn a_new_key_is_published_an_hour_before_it_signs() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let bob = lasting(&app, &bob).await;
    let before = jwks(&app).await;
    let old = kid(&token(&bob).await);
    let keys = app.app.rotate_key(false).await.unwrap();
    let new = kid_in_state(&keys, "next");
    assert_eq!(kid_in_state(&keys, "active"), old);
    assert_eq!(jwks(&app).await["keys"].as_array().unwrap().len(), 2);
    let waiting = app.app.rotate_key(false).await.unwrap_err();
    assert!(waiting.message.contains("--now"), "{}", waiting.message);

    app.clock.advance(Duration::from_secs(3599));
    let last = token(&bob).await;
    assert_eq!(kid(&last), old);
    assert!(accepted(&app, &before, &last), "whoever kept the keys for an hour knows the key");
    let kept = jwks(&app).await;
    app.clock.advance(Duration::from_secs(1));
    let first = token(&bob).await;
    assert_eq!(kid(&first), new);
    assert!(accepted(&app, &kept, &first) && accepted(&app, &jwks(&app).await, &last));

    app.clock.advance(HOUR);
    assert_eq!(jwks(&app).await["keys"].as_array().unwrap().len(), 2, "the old key is still published");
    app.clock.advance(Duration::from_mins(10));
    let left = jwks(&app).await;
    assert_eq!(left["keys"].as_array().unwrap().len(), 1);
    assert_eq!(left["keys"][0]["kid"], json!(new));
}

#[tokio::test]
async fn a_rotation_at_once_takes_the_waiting_key() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let old = token(&bob).await;
    let next = kid_in_state(&app.app.rotate_key(false).await.unwrap(), "next");
    app.app.rotate_key(true).await.unwrap();
    assert_eq!(kid(&token(&bob).await), next);
    let verified = bob.post("/api/v1/verify", &json!({"token": old})).await.expect(StatusCode::OK);
    assert_eq!(verified["valid"], true, "tokens of the old key are good to their end");
}

#[tokio::test]
async fn keys_in_use_are_not_retired_by_mistake() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let old = token(&bob).await;
    let active = app.app.retire_key(&kid(&old), true).await.unwrap_err();
    assert!(active.message.contains("rotate first"), "{}", active.message);
    let next = kid_in_state(&app.app.rotate_key(false).await.unwrap(), "next");
    assert!(app.app.retire_key(&next, true).await.is_err(), "the next key");
    app.app.rotate_key(true).await.unwrap();
    let early = app.app.retire_key(&kid(&old), false).await.unwrap_err();
    assert!(early.message.contains("--force"), "{}", early.message);
    assert_eq!(app.app.retire_key("unknown", false).await.unwrap_err().code.http_status(), 404);

    app.app.retire_key(&kid(&old)[..10], true).await.unwrap();
    assert!(!accepted(&app, &jwks(&app).await, &old));
    let refused = bob.post("/api/v1/verify", &json!({"token": old})).await.expect(StatusCode::OK);
    assert_eq!(refused["error"], "unknown_key");

    let second = token(&bob).await;
    app.app.rotate_key(true).await.unwrap();
    app.clock.advance(Duration::from_secs(61));
    app.app.retire_key(&kid(&second), false).await.unwrap();
    let admin = app.admin().await;
    let log = admin.get("/api/v1/admin/audit?target_kind=signing_key").await.expect(StatusCode::OK);
    let actions: Vec<&str> =
        log["entries"].as_array().unwrap().iter().map(|e| e["action"].as_str().unwrap()).collect();
    assert_eq!(actions.iter().filter(|action| **action == "key.rotated").count(), 3, "{actions:?}");
    assert_eq!(actions.iter().filter(|action| **action == "key.retired").count(), 2, "{actions:?}");
    assert!(!log.to_string().contains("PRIVATE"), "{log}");
}

#[tokio::test]
async fn verifiers_that_keep_the_keys_for_an_hour_never_refuse_a_token() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let bob = lasting(&app, &bob).await;
    let mut kept = jwks(&app).await;
    let mut fetched = app.clock.now();
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..60 {
        if round % 6 == 0 && app.app.list_keys().await.unwrap().iter().all(|key| key.state != "next") {
            app.app.rotate_key(false).await.unwrap();
        }
        let token = token(&bob).await;
        seen.insert(kid(&token));
        if app.clock.now().since(fetched) >= HOUR {
            kept = jwks(&app).await;
            fetched = app.clock.now();
        }
        assert!(accepted(&app, &kept, &token), "round {round}");
        app.clock.advance(Duration::from_mins(11));
    }
    assert!(seen.len() >= 5, "several keys signed: {}", seen.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_no_token_is_refused_while_keys_change_at_once() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (bob, stop) = (bob.clone(), std::sync::Arc::clone(&stop));
        tasks.spawn(async move {
            let mut checked = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let token = token(&bob).await;
                let answer =
                    bob.post("/api/v1/verify", &json!({"token": token})).await.expect(StatusCode::OK);
                assert_eq!(answer["valid"], true, "{answer}");
                checked += 1;
            }
            checked
        });
    }
    for _ in 0..10 {
        app.app.rotate_key(true).await.unwrap();
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let checked: usize = tasks.join_all().await.into_iter().sum();
    assert!(checked > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_a_hundred_rotations_under_load_no_kept_key_set_misses_a_token() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let bob = lasting(&app, &bob).await;
    let load = async || futures::future::join_all((0..4).map(|_| token(&bob))).await;
    let mut signers = std::collections::BTreeSet::new();
    let mut kept = jwks(&app).await;
    for round in 0..100 {
        let mut tokens = load().await;
        let (rotated, during) = tokio::join!(app.app.rotate_key(false), load());
        rotated.unwrap();
        tokens.extend(during);
        tokens.extend(load().await);
        assert!(
            tokens.iter().all(|token| accepted(&app, &kept, token)),
            "round {round}: the order changes nothing yet"
        );
        // Whoever fetches the keys now keeps them for an hour; the change comes at its end.
        let fetched = jwks(&app).await;
        app.clock.advance(HOUR.saturating_sub(Duration::from_secs(1)));
        let last = load().await;
        app.clock.advance(Duration::from_secs(1));
        let (first, again) = tokio::join!(load(), load());
        let by_kept = last.iter().chain(&first).chain(&again).all(|token| accepted(&app, &fetched, token));
        assert!(by_kept, "round {round}: kept keys");
        kept = jwks(&app).await;
        assert!(
            last.iter().all(|token| accepted(&app, &kept, token)),
            "round {round}: fresh keys, old tokens"
        );
        assert!(kept["keys"].as_array().unwrap().len() <= 4, "old keys go");
        signers.extend([&last, &first, &again].into_iter().flatten().map(|token| kid(token)));
    }
    assert_eq!(signers.len(), 101, "every key has signed");
}

#[tokio::test]
async fn no_more_keys_are_published_than_verifiers_read() {
    let app = TestApp::start().await;
    let mut refused = None;
    for _ in 0..20 {
        if let Err(error) = app.app.rotate_key(true).await {
            refused = Some(error);
            break;
        }
    }
    assert!(refused.unwrap().message.contains("published already"));
    assert_eq!(jwks(&app).await["keys"].as_array().unwrap().len(), 16);
}

#[tokio::test]
async fn a_rotation_here_is_in_force_there() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let other = app.replica().await;
    app.app.rotate_key(true).await.unwrap();
    let made_here = token(&bob).await;
    let there = other.with_token(bob.token.as_deref().unwrap());
    let verified = there.post("/api/v1/verify", &json!({"token": made_here})).await.expect(StatusCode::OK);
    assert_eq!(verified["valid"], true, "a key that is not known yet is looked up at once");
    let same = || async { kid(&token(&there).await) == kid(&made_here) };
    wait::until(same, "the other replica signs with the new key").await;
}

#[tokio::test]
async fn the_key_set_may_be_kept_for_an_hour_and_is_not_sent_twice() {
    let app = TestApp::start().await;
    let first = app.anon().get(JWKS).await;
    assert_eq!(first.header("cache-control"), "public, max-age=3600");
    let again = app.anon().get_with(JWKS, "if-none-match", first.header("etag")).await;
    assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(again.header("cache-control"), "public, max-age=3600");
    app.app.rotate_key(false).await.unwrap();
    let changed = app.anon().get_with(JWKS, "if-none-match", first.header("etag")).await;
    assert_eq!(changed.status, StatusCode::OK);
}

#[tokio::test]
async fn a_pinned_key_is_rotated_where_it_is_given() {
    let key = syfthub_auth::keys::SigningKey::generate().unwrap();
    let pem = key.to_pkcs8_pem().unwrap().to_string();
    let app = TestApp::start_with(|settings| settings.rsa.private_pem = Some(pem.into())).await;
    let refused = app.app.rotate_key(true).await.unwrap_err();
    assert!(
        refused.message.contains("RSA_PRIVATE_KEY_PEM") && refused.message.contains("restart"),
        "{}",
        refused.message
    );
    let keys = app.app.list_keys().await.unwrap();
    assert_eq!((keys.len(), keys[0].state.as_str(), keys[0].kid.as_str()), (1, "pinned", key.kid()));
}
