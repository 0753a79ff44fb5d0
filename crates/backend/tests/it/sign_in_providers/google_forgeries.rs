//! Tokens that are not Google's, not for this hub, or not of now; and keys that cannot be got.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Value, json};
use syfthub_auth::jws::sign_rs256;

use super::fake_google::{FakeGoogle, KEYS, PATH, bring, claims, good, token};
use crate::actor::TestApp;

#[track_caller]
fn refused(answer: &crate::actor::Answer, what: &str) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}: {}", answer.text);
    assert_eq!(answer.json()["detail"], "Invalid Google token", "{what}");
}

#[tokio::test]
async fn a_token_with_one_wrong_claim_is_refused() {
    let (app, _google) = FakeGoogle::hub().await;
    let now = claims(&app.clock, "107", "ada@example.com")["iat"].as_i64().unwrap();
    for change in [
        json!({"aud": "another.apps.googleusercontent.com"}),
        json!({"aud": ["1234-hub.apps.googleusercontent.com", "another"]}),
        json!({"iss": "https://accounts.google.com.evil.example"}),
        json!({"iss": "https://evil.example"}),
        json!({"exp": now - 3600}),
        json!({"exp": null}),
        json!({"iat": now + 3600}),
        json!({"email_verified": false}),
        json!({"email_verified": null}),
        json!({"email": "not an address"}),
        json!({"email": "a\u{0}da@example.com"}),
        json!({"email": null}),
        json!({"sub": ""}),
        json!({"sub": null}),
    ] {
        let answer = bring(&app.anon(), &token(claims(&app.clock, "107", "ada@example.com"), &change)).await;
        refused(&answer, &change.to_string());
    }
    app.clock.advance(Duration::from_secs(1));
    bring(&app.anon(), &good(&app, "107", "ada@example.com")).await.is(200);
}

/// A token with this header, its parts joined and signed by `sign`.
fn forged(header: &Value, claims: &Value, sign: impl FnOnce(&str) -> Vec<u8>) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(&signed));
    format!("{signed}.{signature}")
}

#[tokio::test]
async fn a_token_that_google_did_not_sign_is_refused() {
    let (app, _google) = FakeGoogle::hub().await;
    let claims = claims(&app.clock, "107", "ada@example.com");
    let kid = KEYS[0].kid();
    let good = token(claims.clone(), &json!({}));
    for alg in ["none", "None", "NONE", ""] {
        let header = json!({"alg": alg, "typ": "JWT", "kid": kid});
        refused(&bring(&app.anon(), &forged(&header, &claims, |_| Vec::new())).await, alg);
    }
    // The public key is public: as the secret of an HMAC it proves nothing.
    let pem = KEYS[0].public().to_pem().unwrap();
    let hmac = |text: &str| {
        use hmac::{Hmac, KeyInit as _, Mac as _};
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(pem.as_bytes()).unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().to_vec()
    };
    for alg in ["HS256", "RS256"] {
        let header = json!({"alg": alg, "typ": "JWT", "kid": kid});
        refused(&bring(&app.anon(), &forged(&header, &claims, hmac)).await, alg);
    }
    // Another key under the name of Google's.
    let other = sign_rs256(&KEYS[1], claims.to_string().as_bytes()).unwrap();
    let signature = other.rsplit_once('.').unwrap().1;
    let header = good.split('.').next().unwrap();
    let body = good.split('.').nth(1).unwrap();
    refused(&bring(&app.anon(), &format!("{header}.{body}.{signature}")).await, "another key");
    // Another account under Google's signature.
    let mut eve = claims.clone();
    eve["sub"] = json!("666");
    let signature = good.rsplit_once('.').unwrap().1;
    let body = URL_SAFE_NO_PAD.encode(eve.to_string());
    refused(&bring(&app.anon(), &format!("{header}.{body}.{signature}")).await, "another body");
    for junk in ["x", "..", "a.b.c", &format!("{good}.x"), &good[..good.len() - 1], &"a".repeat(8192)] {
        refused(&bring(&app.anon(), junk).await, junk);
    }
    bring(&app.anon(), &good).await.is(200);
}

#[tokio::test]
async fn what_was_refused_is_not_repeated() {
    let (app, _google) = FakeGoogle::hub().await;
    let long = "eyJhbGciOiJub25lIn0".repeat(500);
    let answer = bring(&app.anon(), &long).await;
    assert_eq!(answer.refused_fields(), ["credential"]);
    assert!(!answer.text.contains("eyJhbGci"));
    assert_eq!(
        app.anon().post(PATH, &json!({"credential": "", "invitation_code": 7})).await.refused_fields().len(),
        2
    );
}

fn of_second_key(app: &TestApp) -> String {
    let claims = claims(&app.clock, "107", "ada@example.com");
    sign_rs256(&KEYS[1], claims.to_string().as_bytes()).unwrap()
}

#[tokio::test]
async fn a_new_key_is_looked_for_at_most_once_a_minute() {
    let (app, google) = FakeGoogle::hub().await;
    let anon = app.anon();
    refused(&bring(&anon, &of_second_key(&app)).await, "unknown key");
    assert_eq!(google.asked(), 1);
    google.publish(&KEYS[..]);
    refused(&bring(&anon, &of_second_key(&app)).await, "unknown key, asked a moment ago");
    assert_eq!(google.asked(), 1, "anybody can make up keys");
    app.clock.advance(Duration::from_mins(1));
    bring(&anon, &of_second_key(&app)).await.is(200);
    bring(&anon, &good(&app, "107", "ada@example.com")).await.is(200);
    assert_eq!(google.asked(), 2);
    // A key that is withdrawn is believed until the set is too old, and no longer.
    google.publish(&KEYS[1..]);
    app.clock.advance(Duration::from_mins(59));
    bring(&anon, &good(&app, "107", "ada@example.com")).await.is(200);
    app.clock.advance(Duration::from_mins(1));
    refused(&bring(&anon, &good(&app, "107", "ada@example.com")).await, "a key that was withdrawn");
    assert_eq!(google.asked(), 3);
}

#[tokio::test]
async fn keys_that_cannot_be_got_are_the_hubs_trouble_and_not_the_users() {
    let (app, google) = FakeGoogle::hub().await;
    let anon = app.anon();
    google.break_down(true);
    for _ in 0..3 {
        let answer = bring(&anon, &good(&app, "107", "ada@example.com")).await;
        assert!(answer.refused(503).as_str().unwrap().contains("Google"));
        assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
    }
    assert_eq!(google.asked(), 1, "it is not asked again at once");
    google.break_down(false);
    for nonsense in
        [json!("nonsense"), json!({"keys": []}), json!({"keys": [{"kty": "oct", "kid": "x", "k": "AA"}]})]
    {
        google.publish_raw(nonsense.clone());
        app.clock.advance(Duration::from_secs(10));
        bring(&anon, &good(&app, "107", "ada@example.com")).await.refused(503);
    }
    google.publish_raw(json!({"keys": [], "filling": "x".repeat(70_000)}));
    app.clock.advance(Duration::from_secs(10));
    bring(&anon, &good(&app, "107", "ada@example.com")).await.refused(503);
    google.publish(&KEYS[..1]);
    app.clock.advance(Duration::from_secs(10));
    bring(&anon, &good(&app, "107", "ada@example.com")).await.is(200);
    // While the set is good a breakdown is not felt, not even by those who look for a key that is not there.
    google.break_down(true);
    app.clock.advance(Duration::from_mins(2));
    bring(&anon, &of_second_key(&app)).await.refused(503);
    bring(&anon, &good(&app, "107", "ada@example.com")).await.is(200);
}
