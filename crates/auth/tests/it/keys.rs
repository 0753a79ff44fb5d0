//! Reading, writing and naming keys.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs1::{EncodeRsaPrivateKey, EncodeRsaPublicKey};
use rsa::pkcs8::{DecodePrivateKey, LineEnding};
use syfthub_auth::keys::{KeyBits, KeyError, KeyRing, PublicKey, SigningKey};

use crate::key;

#[test]
fn every_form_of_a_private_key_gives_the_same_key() {
    let key = key();
    let pkcs8 = key.to_pkcs8_pem().unwrap();
    let pkcs1 = rsa::RsaPrivateKey::from_pkcs8_pem(&pkcs8).unwrap().to_pkcs1_pem(LineEnding::LF).unwrap();
    let forms = [
        pkcs8.to_string(),
        pkcs1.to_string(),
        STANDARD.encode(pkcs8.as_bytes()),
        STANDARD.encode(pkcs1.as_bytes()),
        pkcs8.replace('\n', "\r\n"),
        pkcs8.replace('\n', "\\n"),
        format!("  \n{}\n ", pkcs8.as_str()),
    ];
    for form in &forms {
        assert_eq!(SigningKey::from_pem(form, None).unwrap().kid(), key.kid());
    }
    let again = SigningKey::from_pkcs8_der(&key.to_pkcs8_der().unwrap()).unwrap();
    assert_eq!(again.public(), key.public());
}

#[test]
fn every_form_of_a_public_key_gives_the_same_key() {
    let key = key();
    let spki = key.public().to_pem().unwrap();
    assert!(spki.starts_with("-----BEGIN PUBLIC KEY-----"));
    let private = rsa::RsaPrivateKey::from_pkcs8_pem(&key.to_pkcs8_pem().unwrap()).unwrap();
    let pkcs1 = private.to_public_key().to_pkcs1_pem(LineEnding::LF).unwrap();
    for form in [spki.clone(), pkcs1, STANDARD.encode(&spki)] {
        assert_eq!(&PublicKey::from_pem(&form).unwrap(), key.public());
    }
}

#[test]
fn halves_that_do_not_belong_together_are_refused() {
    let key = key();
    let other = SigningKey::generate().unwrap();
    let private = key.to_pkcs8_pem().unwrap();
    let own = key.public().to_pem().unwrap();
    let foreign = other.public().to_pem().unwrap();
    assert!(SigningKey::from_pem(&private, Some(&own)).is_ok());
    assert_eq!(SigningKey::from_pem(&private, Some(&foreign)).unwrap_err(), KeyError::Mismatch);
}

#[test]
fn what_is_no_key_is_refused_without_repeating_it() {
    let own = key().public().to_pem().unwrap();
    let garbage = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----";
    for text in ["", "hello", "c2VjcmV0", garbage, own.as_str(), &"x".repeat(40_000)] {
        let refused = SigningKey::from_pem(text, None).unwrap_err();
        assert!(matches!(refused, KeyError::Unreadable(_)), "{refused}");
        assert!(!refused.to_string().contains("c2VjcmV0"));
    }
    assert!(PublicKey::from_pem("hello").is_err());
}

#[test]
fn a_short_key_is_refused() {
    let short = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 1024).unwrap();
    let pem = short.to_pkcs1_pem(LineEnding::LF).unwrap();
    assert_eq!(SigningKey::from_pem(&pem, None).unwrap_err(), KeyError::Rejected);
    assert_eq!(KeyBits::from_bits(1024), None);
    assert_eq!(KeyBits::from_bits(2048), Some(KeyBits::Rsa2048));
}

#[test]
fn the_name_is_the_thumbprint_of_rfc_7638() {
    let key = key();
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(key.public().jwk()).unwrap();
    let thumbprint = jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap();
    assert_eq!(key.kid(), thumbprint);
    let item = key.public().jwk();
    for (name, value) in [("kty", "RSA"), ("use", "sig"), ("alg", "RS256"), ("e", "AQAB")] {
        assert_eq!(item[name], value);
    }
    assert!(!item["n"].as_str().unwrap().contains('='));
}

#[test]
fn a_ring_publishes_the_active_key_first_and_each_key_once() {
    let (first, second) = (key(), Arc::new(SigningKey::generate().unwrap()));
    let ring = KeyRing::new(Arc::clone(&first), vec![]);
    assert_eq!(ring.jwks()["keys"].as_array().unwrap().len(), 1);
    ring.replace(Arc::clone(&second), vec![first.public().clone(), second.public().clone()]);
    let jwks = ring.jwks();
    let kids: Vec<_> =
        jwks["keys"].as_array().unwrap().iter().map(|item| item["kid"].as_str().unwrap()).collect();
    assert_eq!(kids, [second.kid(), first.kid()]);
    assert_eq!(ring.active().kid(), second.kid());
}

#[test]
fn debug_output_shows_names_only() {
    let text = format!("{:?}", key());
    assert!(text.contains(key().kid()) && text.len() < 120, "{text}");
}
