use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
const TOKEN: &str = "an.access.token";
const ADDRESS: &str = "https://hub.example/api/v1/auth/me";

/// A key pair of Ed25519, made anew.
struct Key {
    signs: EncodingKey,
    jwk: Value,
}

fn key() -> Key {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    crate::install_crypto();
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&aws_lc_rs::rand::SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    Key {
        signs: EncodingKey::from_ed_der(pkcs8.as_ref()),
        jwk: json!({"kty": "OKP", "crv": "Ed25519", "x": x}),
    }
}

fn claims() -> Value {
    json!({"jti": "1", "htm": "GET", "htu": ADDRESS, "iat": NOW.as_secs(), "ath": hash(TOKEN)})
}

impl Key {
    /// A proof with this header and these claims, whatever they are.
    fn signs(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &self.signs, Algorithm::EdDSA).unwrap();
        format!("{message}.{signature}")
    }

    fn header(&self) -> Value {
        json!({"typ": TYP, "alg": "EdDSA", "jwk": self.jwk})
    }

    fn proof(&self, claims: &Value) -> String {
        self.signs(&self.header(), claims)
    }
}

fn check(proof: &str) -> Result<Proof, ProofError> {
    check_at(proof, NOW)
}

fn check_at(proof: &str, now: Timestamp) -> Result<Proof, ProofError> {
    let addresses = [ADDRESS.to_owned()];
    verify(proof, Expected { method: "GET", addresses: &addresses, access_token: Some(TOKEN) }, now)
}

// Covers: RFC9449-4.3-claims, RFC9449-6-thumbprint
#[test]
fn a_good_proof_tells_its_key() {
    let key = key();
    let proof = check(&key.proof(&claims())).unwrap();
    assert_eq!(proof.thumbprint, PublicJwk::read(&key.jwk).unwrap().thumbprint());
    assert_eq!(proof.id.len(), 43);
    assert_eq!(proof.ends_at, NOW.plus(Duration::from_secs(61)));
    let mut other = claims();
    other["jti"] = json!("2");
    assert_ne!(check(&key.proof(&other)).unwrap().id, proof.id);
}

#[test]
fn the_example_of_the_standard_is_good() {
    // RFC 9449, section 4.1; made for the token endpoint, so without a token.
    let proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    let addresses = ["https://server.example.com/token".to_owned()];
    let expected = Expected { method: "POST", addresses: &addresses, access_token: None };
    let good = verify(proof, expected, Timestamp::from_secs(1_562_262_616)).unwrap();
    // RFC 9449, section 6.1, names this key.
    assert_eq!(good.thumbprint, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
}

// Covers: RFC9449-4.3-typ, RFC9449-4.3-alg, RFC9449-4.3-signature, RFC9449-4.3-private, RFC9449-4.3-jwt
#[test]
fn type_algorithm_key_and_signature_are_checked() {
    let key = key();
    let with = |name: &str, value: Value| {
        let mut header = key.header();
        header[name] = value;
        check(&key.signs(&header, &claims()))
    };
    for typ in [json!("JWT"), json!("at+jwt"), json!("DPOP+JWT"), Value::Null] {
        assert_eq!(with("typ", typ), Err(ProofError::Type));
    }
    for alg in ["none", "HS256", "RS512", "ES384", "eddsa"] {
        assert_eq!(with("alg", json!(alg)), Err(ProofError::Algorithm), "{alg}");
    }
    for alg in ["RS256", "ES256", "PS256"] {
        assert_eq!(with("alg", json!(alg)), Err(ProofError::Signature), "{alg}: the key is of another kind");
    }
    assert_eq!(with("crit", json!(["jwk"])), Err(ProofError::Malformed));
    assert_eq!(with("jwk", Value::Null), Err(ProofError::Key(KeyFault::Malformed)));
    let mut private = key.jwk.clone();
    private["d"] = json!("AQAB");
    assert_eq!(with("jwk", private), Err(ProofError::Key(KeyFault::Private)));
    let secret = json!({"kty": "oct", "k": "AQAB"});
    assert_eq!(with("jwk", secret), Err(ProofError::Key(KeyFault::Private)));
    assert_eq!(with("jwk", self::key().jwk), Err(ProofError::Signature), "signed with another key");
    let good = key.proof(&claims());
    let (message, _) = good.rsplit_once('.').unwrap();
    assert_eq!(check(&format!("{message}.")), Err(ProofError::Signature));
    for text in ["", "a.b.c", "....", message, &"a".repeat(10_000), &format!("{good}, {good}")] {
        assert_eq!(check(text), Err(ProofError::Malformed), "{text}");
    }
}

// Covers: RFC9449-4.3-claims, RFC9449-4.3-htm, RFC9449-4.3-htu, RFC9449-4.3-iat, RFC9449-4.3-ath, RFC9449-11.1-jti-size
#[test]
fn claims_are_those_of_the_request() {
    let key = key();
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        check(&key.proof(&claims))
    };
    for name in ["jti", "htm", "htu", "iat"] {
        assert_eq!(with(name, Value::Null), Err(ProofError::Claims), "{name}");
    }
    assert_eq!(with("jti", json!("")), Err(ProofError::Claims));
    assert_eq!(with("jti", json!("x".repeat(257))), Err(ProofError::Claims));
    assert_eq!(with("jti", json!(1)), Err(ProofError::Claims));
    assert!(with("jti", json!("x".repeat(256))).is_ok());
    for method in ["POST", "get", "GET "] {
        assert_eq!(with("htm", json!(method)), Err(ProofError::Method), "{method}");
    }
    for ath in [Value::Null, json!(""), json!(hash("another")), json!(TOKEN)] {
        assert_eq!(with("ath", ath), Err(ProofError::Token));
    }
    let at = |offset: i64| with("iat", json!(NOW.as_secs() + offset)).map(|proof| proof.thumbprint.len());
    assert_eq!((at(-60), at(60)), (Ok(43), Ok(43)));
    for far in [-61, 61, -1_700_000_001, i64::MAX / 2 - NOW.as_secs()] {
        assert_eq!(at(far), Err(ProofError::Time), "{far}");
    }
    assert_eq!(with("iat", json!("now")), Err(ProofError::Claims));
}

// Covers: RFC9449-4.3-htu, RFC9449-4.3-htu-normal
#[test]
fn addresses_are_compared_in_their_normal_form() {
    let key = key();
    let at = |htu: &str| {
        let mut claims = claims();
        claims["htu"] = json!(htu);
        check(&key.proof(&claims)).map(|_| ())
    };
    for same in [
        ADDRESS,
        "HTTPS://Hub.Example:443/api/v1/auth/me",
        "https://hub.example/api/v1/./auth/me",
        "https://hub.example/api/v1/%61uth/m%65",
        "https://hub.example/api/v1/auth/me?x=1",
        "https://hub.example/api/v1/auth/me#x",
    ] {
        assert_eq!(at(same), Ok(()), "{same}");
    }
    for other in [
        "http://hub.example/api/v1/auth/me",
        "https://hub.example:8443/api/v1/auth/me",
        "https://evil.example/api/v1/auth/me",
        "https://user@hub.example/api/v1/auth/me",
        "https://hub.example/api/v1/auth/me/",
        "https://hub.example/api/v1/auth/ME",
        "https://hub.example/api/v1/auth%2Fme",
        "https://hub.example",
        "/api/v1/auth/me",
        "",
    ] {
        assert_eq!(at(other), Err(ProofError::Address), "{other}");
    }
    assert_eq!(normal("/a%2fb%7E%zz%"), "/a%2Fb~%zz%");
}

#[test]
fn texts_begin_with_a_capital_and_say_what_to_do() {
    let error = Error::from(ProofError::Replayed);
    assert_eq!(error.code, ErrorCode::InvalidDpopProof);
    assert!(error.message.starts_with("This DPoP proof was used before; make a new proof"));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_verification_panic(text in ".*") {
        proptest::prop_assert!(check(&text).is_err());
    }

    #[test]
    fn no_header_or_claims_make_verification_panic(header in "\\PC*", claims in "\\PC*") {
        let text = format!("{}.{}.AA", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        proptest::prop_assert!(check(&text).is_err());
    }

    #[test]
    fn a_change_of_any_character_makes_a_proof_bad(at in 0_usize..400, letter in "[A-Za-z0-9_.-]") {
        let key = key();
        let mut proof = key.proof(&claims());
        let at = at % proof.len();
        let same = proof[at..=at] == letter;
        proof.replace_range(at..=at, &letter);
        proptest::prop_assert_eq!(check(&proof).is_ok(), same);
    }

    #[test]
    fn a_proof_is_taken_within_a_minute_of_its_making_and_remembered_longer(offset in -200_i64..200) {
        let key = key();
        let now = Timestamp::from_secs(NOW.as_secs() + offset);
        let checked = check_at(&key.proof(&claims()), now);
        proptest::prop_assert_eq!(checked.is_ok(), offset.abs() <= 60);
        if let Ok(proof) = checked {
            proptest::prop_assert!(proof.ends_at > now);
            proptest::prop_assert_eq!(check_at(&key.proof(&claims()), proof.ends_at), Err(ProofError::Time));
        }
    }
}
