//! Minting and offline verification.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use syfthub_auth::keys::{KeyRing, SigningKey};
use syfthub_auth::satellite::{Claims, Minter, Verifier, VerifyError, key_id, mint};
use syfthub_auth::signer::SignerPool;
use syfthub_auth::{hub_tokens, jws};
use syfthub_config::Secret;
use syfthub_domain::{Role, Timestamp, UserId};

use crate::key;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const ISSUER: &str = "https://hub.example";

fn claims() -> Claims {
    Claims {
        sub: "42".to_owned(),
        iss: ISSUER.to_owned(),
        aud: "ada".to_owned(),
        iat: NOW.as_secs(),
        exp: NOW.as_secs() + 60,
        role: Role::User,
    }
}

fn verifier() -> Verifier {
    Verifier::from_jwks(&KeyRing::new(key(), vec![]).jwks()).unwrap()
}

fn verify(token: &str) -> Result<Claims, VerifyError> {
    verifier().verify(token, "ada", ISSUER, NOW)
}

fn minter() -> Minter {
    let ring = Arc::new(KeyRing::new(key(), vec![]));
    Minter::new(ring, SignerPool::new(1, 8).unwrap(), ISSUER, Duration::from_mins(1))
}

#[tokio::test]
async fn a_minted_token_is_verified_by_the_published_keys() {
    let minted = minter().mint(UserId(42), Role::User, " Ada ", NOW).await.unwrap();
    assert_eq!(verify(minted.token.expose()), Ok(claims()));
    assert_eq!(minted.expires_at, NOW.plus(Duration::from_mins(1)));
    let header = jsonwebtoken::decode_header(minted.token.expose()).unwrap();
    assert_eq!(header.kid.as_deref(), Some(key().kid()));
    assert_eq!(header.typ.as_deref(), Some("JWT"));
}

#[tokio::test]
async fn a_guest_token_says_so() {
    let minted = minter().mint_guest("ada", NOW).await.unwrap();
    let claims = verify(minted.token.expose()).unwrap();
    assert!(claims.is_guest());
    assert_eq!((claims.role, claims.user_id()), (Role::Guest, None));
}

#[test]
fn a_retired_key_still_verifies() {
    let token = mint(&key(), &claims()).unwrap();
    let new = Arc::new(SigningKey::generate().unwrap());
    let rotated = KeyRing::new(Arc::clone(&new), vec![key().public().clone()]);
    assert!(Verifier::from_ring(&rotated).verify(&token, "ada", ISSUER, NOW).is_ok());
    let forgotten = Verifier::from_ring(&KeyRing::new(new, vec![]));
    assert_eq!(forgotten.verify(&token, "ada", ISSUER, NOW), Err(VerifyError::UnknownKey));
    assert!(!forgotten.knows(key().kid()));
}

#[test]
fn each_failure_has_its_name() {
    let good = mint(&key(), &claims()).unwrap();
    let with = |change: &dyn Fn(&mut Claims)| {
        let mut changed = claims();
        change(&mut changed);
        verify(&mint(&key(), &changed).unwrap())
    };
    let sign =
        |value: serde_json::Value| verify(&jws::sign_rs256(&key(), value.to_string().as_bytes()).unwrap());
    let base = serde_json::to_value(claims()).unwrap();
    let without = |name: &str| {
        let mut value = base.clone();
        value.as_object_mut().unwrap().remove(name);
        sign(value)
    };
    let signature_of_another = {
        let other = mint(&key(), &Claims { sub: "43".to_owned(), ..claims() }).unwrap();
        let (head, _) = good.rsplit_once('.').unwrap();
        verify(&format!("{head}.{}", other.rsplit_once('.').unwrap().1))
    };
    let cases = [
        (verify("not a token"), "invalid_token_format"),
        (verify("a.b.c"), "invalid_token_format"),
        (verify(&"x".repeat(9000)), "invalid_token_format"),
        (with(&|c| c.exp = NOW.as_secs()), "token_expired"),
        (with(&|c| c.aud = "bob".to_owned()), "audience_mismatch"),
        (with(&|c| c.iss = "https://other.example".to_owned()), "invalid_issuer"),
        (with(&|c| c.sub = "root".to_owned()), "invalid_user_id"),
        (with(&|c| c.sub = "guest".to_owned()), "invalid_user_id"),
        (with(&|c| c.sub = String::new()), "invalid_token"),
        (without("sub"), "invalid_token"),
        (without("exp"), "decode_error"),
        (without("aud"), "audience_mismatch"),
        (sign(json!("text")), "decode_error"),
        (signature_of_another, "invalid_signature"),
    ];
    for (result, name) in cases {
        assert_eq!(result.map_err(VerifyError::name), Err(name));
    }
    assert!(verify(&good).is_ok());
}

#[test]
fn a_hub_token_is_told_apart_by_its_missing_key_id() {
    let key = Secret::new("k".to_owned());
    let tokens = hub_tokens::HubTokens::new(&key, Duration::from_mins(1), Duration::from_mins(1));
    let subject = hub_tokens::Subject { user_id: UserId(1), username: "ada", role: Role::User, epoch: 0 };
    let token = tokens.mint_access(&subject, "f", NOW).unwrap().token;
    assert_eq!(verify(token.expose()), Err(VerifyError::MissingKid));
    assert_eq!(key_id(token.expose()), Err(VerifyError::MissingKid));
}

#[test]
fn the_public_key_cannot_be_used_as_a_shared_secret() {
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    header.kid = Some(key().kid().to_owned());
    let pem = key().public().to_pem().unwrap();
    let secret = jsonwebtoken::EncodingKey::from_secret(pem.as_bytes());
    let forged = jsonwebtoken::encode(&header, &claims(), &secret).unwrap();
    assert_eq!(verify(&forged), Err(VerifyError::VerificationError));
}

#[test]
fn a_jwks_without_a_usable_key_is_an_error() {
    let mut encryption = key().public().jwk();
    encryption["use"] = json!("enc");
    for document in [json!({}), json!({"keys": []}), json!({"keys": [encryption, {"kty": "EC"}]})] {
        assert!(Verifier::from_jwks(&document).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn claims_survive_the_round_trip(id in 1_i64.., aud in "[a-z0-9_-]{3,50}", life in 1_i64..1000) {
        let claims = Claims { sub: id.to_string(), aud: aud.clone(), exp: NOW.as_secs() + life, ..claims() };
        let token = mint(&key(), &claims).unwrap();
        prop_assert_eq!(verifier().verify(&token, &aud.to_uppercase(), ISSUER, NOW), Ok(claims));
    }

    #[test]
    fn one_changed_character_voids_the_token(at in any::<prop::sample::Index>(), with in "[A-Za-z0-9_.-]") {
        let mut token = mint(&key(), &claims()).unwrap();
        let at = at.index(token.len() - 1); // the last character carries unused bits
        prop_assume!(token[at..=at] != with);
        token.replace_range(at..=at, &with);
        prop_assert!(verify(&token).is_err());
    }

    #[test]
    fn no_text_makes_verification_panic(text in ".*") {
        prop_assert!(verify(&text).is_err());
    }
}
