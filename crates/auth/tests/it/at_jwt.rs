//! Access tokens of RFC 9068.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use syfthub_auth::at_jwt::{
    AccessError, Audience, Claims, Confirmation, Expected, is_access_token, mint, verify,
};
use syfthub_auth::jws::{sign_access_rs256, sign_rs256};
use syfthub_auth::keys::SigningKey;
use syfthub_auth::satellite::{Verifier, VerifyError};
use syfthub_auth::signer::SignerPool;
use syfthub_domain::Timestamp;

use crate::key;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const API: &str = "https://hub.example/api";
const EXPECTED: Expected<'_> = Expected { issuer: "https://hub.example", audiences: &[API] };

fn claims() -> Claims {
    Claims {
        iss: "https://hub.example".to_owned(),
        aud: Audience(vec![API.to_owned()]),
        sub: "42".to_owned(),
        client_id: "https://client.example/metadata".to_owned(),
        scope: "openid read".to_owned(),
        iat: NOW.as_secs(),
        exp: NOW.as_secs() + 3600,
        jti: "j".to_owned(),
        sid: "01980a3e-5d0c-7c52-b7a1-5f6f3f0f9f10".to_owned(),
        auth_time: Some(NOW.as_secs()),
        email: None,
        cnf: Some(Confirmation { jkt: "thumb".to_owned() }),
    }
}

fn keys() -> Verifier {
    Verifier::from_keys(&[key().public().clone()])
}

fn check(token: &str) -> Result<Claims, AccessError> {
    verify(&keys(), token, EXPECTED, NOW)
}

fn with(change: &Value) -> Result<Claims, AccessError> {
    let mut claims = serde_json::to_value(claims()).unwrap();
    claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    check(&sign_access_rs256(&key(), claims.to_string().as_bytes()).unwrap())
}

#[tokio::test]
async fn a_minted_token_is_verified_by_the_published_keys() {
    let token = mint(&SignerPool::new(1, 8).unwrap(), key(), &claims()).await.unwrap();
    assert_eq!(check(&token), Ok(claims()));
    assert_eq!(claims().scopes().collect::<Vec<_>>(), ["openid", "read"]);
    let header = jsonwebtoken::decode_header(&token).unwrap();
    assert_eq!((header.typ.as_deref(), header.kid.as_deref()), (Some("at+jwt"), Some(key().kid())));
    assert!(is_access_token(&token));
}

#[test]
fn one_audience_is_a_text_and_several_are_a_list() {
    assert_eq!(serde_json::to_value(claims()).unwrap()["aud"], json!(API));
    let two = Claims { aud: Audience(vec![API.to_owned(), "syfthub".to_owned()]), ..claims() };
    assert_eq!(serde_json::to_value(two).unwrap()["aud"], json!([API, "syfthub"]));
    assert!(with(&json!({"aud": ["other", API]})).is_ok());
}

// Covers: RFC9068-4-exp, RFC9068-4-iss, RFC9068-4-aud
#[test]
fn each_claim_is_checked() {
    let token = AccessError::Token;
    for (change, why) in [
        (json!({"aud": "https://hub.example/mcp"}), token(VerifyError::AudienceMismatch)),
        (json!({"aud": []}), token(VerifyError::AudienceMismatch)),
        (json!({"aud": null}), token(VerifyError::DecodeError)),
        (json!({"iss": "https://hub.example/"}), token(VerifyError::InvalidIssuer)),
        (json!({"exp": NOW.as_secs() - 5}), token(VerifyError::TokenExpired)),
        (json!({"exp": null}), token(VerifyError::DecodeError)),
        (json!({"iat": NOW.as_secs() + 6}), AccessError::Future),
        (json!({"sub": ""}), token(VerifyError::InvalidToken)),
        (json!({"sid": null}), token(VerifyError::DecodeError)),
    ] {
        assert_eq!(with(&change), Err(why), "{change}");
    }
    assert!(with(&json!({"exp": NOW.minus(Duration::from_secs(4)).as_secs()})).is_ok());
}

#[test]
fn a_token_of_another_type_or_key_is_refused() {
    let json = serde_json::to_vec(&claims()).unwrap();
    let plain = sign_rs256(&key(), &json).unwrap();
    assert_eq!(check(&plain), Err(AccessError::Type));
    assert!(!is_access_token(&plain));
    let other = Arc::new(SigningKey::generate().unwrap());
    let foreign = sign_access_rs256(&other, &json).unwrap();
    assert_eq!(check(&foreign), Err(VerifyError::UnknownKey.into()));
    // The name of our key, the signature of another.
    let ours = sign_access_rs256(&key(), &json).unwrap();
    let forged = format!("{}.{}", ours.rsplit_once('.').unwrap().0, foreign.rsplit_once('.').unwrap().1);
    assert_eq!(check(&forged), Err(VerifyError::InvalidSignature.into()));
}

#[test]
fn the_algorithm_is_ours_to_choose() {
    let payload = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims()).unwrap());
    let headed = |header: Value| format!("{}.{payload}", BASE64_URL_SAFE_NO_PAD.encode(header.to_string()));
    let none = headed(json!({"alg": "none", "typ": "at+jwt", "kid": key().kid()}));
    assert!(check(&format!("{none}.")).is_err());
    // The public key as the secret of an HMAC.
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    (header.typ, header.kid) = (Some("at+jwt".to_owned()), Some(key().kid().to_owned()));
    let pem = key().public().to_pem().unwrap();
    let secret = jsonwebtoken::EncodingKey::from_secret(pem.as_bytes());
    let hmac = jsonwebtoken::encode(&header, &claims(), &secret).unwrap();
    assert_eq!(check(&hmac), Err(VerifyError::VerificationError.into()));
    let crit = headed(json!({"alg": "RS256", "typ": "at+jwt", "kid": key().kid(), "crit": ["exp"]}));
    assert!(check(&format!("{crit}.AAAA")).is_err());
}
