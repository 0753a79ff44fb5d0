//! Clients that prove who they are with a key instead of a secret: `private_key_jwt` (RFC 7523, sections 2.2 and 3).
//!
//! This module says whether an assertion is one of a client for this server. That it is used once is for whoever has a
//! memory: [`Assertion::id`] is what to remember, until [`Assertion::ends_at`].

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use syfthub_domain::Timestamp;

use crate::at_jwt::Audience;
use crate::public_jwk::{PublicJwk, RawHeader};

/// Value of `client_assertion_type`.
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Longest life that is left when an assertion is shown. An hour is what widely used libraries give theirs; each one is
/// taken once all the same.
pub const LONGEST_LIFE: Duration = Duration::from_hours(1);
/// How far the clock of a client may be from ours.
const LEEWAY: Duration = Duration::from_secs(30);
/// Longest `jti`, in bytes.
const LONGEST_JTI: usize = 256;

/// An assertion that is good, if it was not shown before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// What to remember: the same for the same assertion, and of no length that a client chooses.
    pub id: String,
    /// From when it would not be taken any more.
    pub ends_at: Timestamp,
}

/// Why an assertion is not good. The texts are for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// No JWT, too long, or with extensions.
    #[error("The client_assertion is not a JWT that can be read")]
    Malformed,
    /// Not one that is supported, or not the one that the client registered.
    #[error(
        "The client_assertion must be signed with ES256, EdDSA, PS256 or RS256, and as the client registered"
    )]
    Algorithm,
    /// None of the client's keys signed it.
    #[error("The client_assertion is not signed with a key of this client's jwks or jwks_uri")]
    Signature,
    /// Something is missing or malformed.
    #[error("The client_assertion needs iss, sub, aud, exp and jti (at most 256 characters)")]
    Claims,
    /// `iss` or `sub` is somebody else.
    #[error("The iss and sub of the client_assertion must be the client_id")]
    Client,
    /// Made for another server.
    #[error("The aud of the client_assertion must be the issuer of this server")]
    Audience,
    /// Over, not yet good, or good for too long.
    #[error(
        "The client_assertion is over, not good yet, or good for more than an hour; make one for every request"
    )]
    Time,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    jti: String,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    iat: Option<i64>,
}

/// Who an assertion says that it is from; nothing is checked.
pub fn claimed(assertion: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        sub: String,
    }
    RawHeader::read(assertion)?;
    let payload = URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Named>(&payload).ok().map(|named| named.sub)
}

/// Name of the key that an assertion says it is signed with; nothing is checked.
pub fn named_key(assertion: &str) -> Option<String> {
    RawHeader::read(assertion)?.text("kid").map(str::to_owned)
}

/// What an assertion has to be.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The client that it is of.
    pub client_id: &'a str,
    /// The names of this server; one of them must be an audience.
    pub audiences: &'a [String],
    /// The algorithm that the client registered, if it did.
    pub algorithm: Option<&'a str>,
}

/// Checks form, algorithm, signature, client, audience and times.
pub fn verify(
    assertion: &str,
    keys: &[PublicJwk],
    expected: Expected<'_>,
    now: Timestamp,
) -> Result<Assertion, AssertionError> {
    let header = RawHeader::read(assertion).ok_or(AssertionError::Malformed)?;
    let algorithm = header.algorithm().ok_or(AssertionError::Algorithm)?;
    if expected.algorithm.is_some_and(|name| header.text("alg") != Some(name)) {
        return Err(AssertionError::Algorithm);
    }
    let kid = header.text("kid");
    // A key without a name may be meant by any name, and an assertion without one means any key.
    let mut meant = keys.iter().filter(|key| kid.is_none() || key.kid().is_none() || key.kid() == kid);
    let claims: serde_json::Value =
        meant.find_map(|key| key.signed(assertion, algorithm)).ok_or(AssertionError::Signature)?;
    let claims = Claims::deserialize(claims).map_err(|_| AssertionError::Claims)?;
    if claims.jti.is_empty() || claims.jti.len() > LONGEST_JTI {
        return Err(AssertionError::Claims);
    }
    if claims.iss != expected.client_id || claims.sub != expected.client_id {
        return Err(AssertionError::Client);
    }
    if !expected.audiences.iter().any(|audience| claims.aud.names(audience)) {
        return Err(AssertionError::Audience);
    }
    let (now, leeway) = (now.as_secs(), seconds(LEEWAY));
    let is_over = claims.exp <= now.saturating_sub(leeway);
    let is_long = claims.exp > now.saturating_add(seconds(LONGEST_LIFE)).saturating_add(leeway);
    let begins = claims.nbf.into_iter().chain(claims.iat).max().unwrap_or(now);
    if is_over || is_long || begins > now.saturating_add(leeway) {
        return Err(AssertionError::Time);
    }
    let id = Sha256::new().chain_update(expected.client_id).chain_update(b"\0").chain_update(&claims.jti);
    Ok(Assertion {
        id: URL_SAFE_NO_PAD.encode(id.finalize()),
        ends_at: Timestamp::from_secs(claims.exp).plus(LEEWAY),
    })
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use serde_json::{Value, json};

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
    const CLIENT: &str = "https://client.example/metadata";
    const ISSUER: &str = "https://hub.example/mcp";

    struct Key(Ed25519KeyPair);

    impl Key {
        fn new() -> Self {
            let pkcs8 = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new()).unwrap();
            Self(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
        }

        fn public(&self, kid: &str) -> PublicJwk {
            let x = URL_SAFE_NO_PAD.encode(self.0.public_key());
            let kid = if kid.is_empty() { Value::Null } else { json!(kid) };
            PublicJwk::read(&json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid})).unwrap()
        }

        fn sign(&self, header: &Value, claims: &Value) -> String {
            let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
            let message = format!("{}.{}", part(header), part(claims));
            let signature = self.0.sign(message.as_bytes());
            format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
        }
    }

    fn claims() -> Value {
        let exp = NOW.as_secs() + 60;
        json!({"iss": CLIENT, "sub": CLIENT, "aud": ISSUER, "exp": exp, "jti": "1", "iat": NOW.as_secs()})
    }

    fn check(assertion: &str, keys: &[PublicJwk]) -> Result<Assertion, AssertionError> {
        let audiences = [ISSUER.to_owned()];
        let expected = Expected { client_id: CLIENT, audiences: &audiences, algorithm: None };
        verify(assertion, keys, expected, NOW)
    }

    // Covers: RFC7523-3-iss, RFC7523-3-sub, RFC7523-3-aud, RFC7523-3-exp, RFC7523-3-nbf, RFC7523-3-jti
    #[test]
    fn claims_are_those_of_the_client_for_this_server() {
        let key = Key::new();
        let keys = [key.public("a")];
        let with = |name: &str, value: Value| {
            let mut claims = claims();
            claims[name] = value;
            check(&key.sign(&json!({"alg": "EdDSA", "kid": "a"}), &claims), &keys)
        };
        let good = with("x", json!("y")).unwrap();
        assert_eq!(good.ends_at, NOW.plus(Duration::from_secs(90)));
        assert_ne!(with("jti", json!("2")).unwrap().id, good.id);
        assert!(with("aud", json!(["https://other.example", ISSUER])).is_ok());
        for name in ["iss", "sub", "aud", "exp", "jti"] {
            assert_eq!(with(name, Value::Null), Err(AssertionError::Claims), "{name}");
        }
        assert_eq!(with("jti", json!("x".repeat(257))), Err(AssertionError::Claims));
        for name in ["iss", "sub"] {
            assert_eq!(with(name, json!("other")), Err(AssertionError::Client));
        }
        for aud in [json!("https://other.example"), json!([]), json!(format!("{ISSUER}/"))] {
            assert_eq!(with("aud", aud), Err(AssertionError::Audience));
        }
        let at = |name: &str, offset: i64| with(name, json!(NOW.as_secs() + offset)).map(|_| ());
        for (name, offset) in [("exp", -29), ("exp", 3630), ("nbf", 30), ("iat", 30)] {
            assert_eq!(at(name, offset), Ok(()), "{name} {offset}");
        }
        for (name, offset) in [("exp", -30), ("exp", 3631), ("nbf", 31), ("iat", 31)] {
            assert_eq!(at(name, offset), Err(AssertionError::Time), "{name} {offset}");
        }
    }

    // Covers: RFC7523-3-signature
    #[test]
    fn a_key_of_the_client_signed_it() {
        let (key, other) = (Key::new(), Key::new());
        let signed = |header: Value| key.sign(&header, &claims());
        let named = signed(json!({"alg": "EdDSA", "kid": "a"}));
        let unnamed = signed(json!({"alg": "EdDSA"}));
        let both = [other.public("b"), key.public("a")];
        assert!(check(&named, &both).is_ok() && check(&unnamed, &both).is_ok());
        assert!(check(&named, &[key.public("")]).is_ok());
        for keys in [vec![], vec![other.public("a")], vec![key.public("b")]] {
            assert_eq!(check(&named, &keys), Err(AssertionError::Signature));
        }
        for alg in ["none", "HS256", "RS512"] {
            assert_eq!(check(&signed(json!({"alg": alg})), &both), Err(AssertionError::Algorithm), "{alg}");
        }
        assert_eq!(check(&signed(json!({"alg": "RS256"})), &both), Err(AssertionError::Signature));
        let crit = signed(json!({"alg": "EdDSA", "crit": ["x"]}));
        assert_eq!(check(&crit, &both), Err(AssertionError::Malformed));
        let audiences = [ISSUER.to_owned()];
        let registered = Expected { client_id: CLIENT, audiences: &audiences, algorithm: Some("RS256") };
        assert_eq!(verify(&named, &both, registered, NOW), Err(AssertionError::Algorithm));
        assert_eq!((claimed(&named).as_deref(), named_key(&named).as_deref()), (Some(CLIENT), Some("a")));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_verification_panic(text in ".*") {
            proptest::prop_assert!(check(&text, &[]).is_err());
            proptest::prop_assert_eq!(claimed(&text), None);
        }
    }
}
