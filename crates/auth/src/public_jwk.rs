//! Public keys that somebody else made and sent to us as a JWK (RFC 7517): the key of a DPoP proof, the keys of a
//! client that signs assertions. Only what verifies asymmetric signatures is read; a secret is never a key here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::crypto::install_crypto;

/// The algorithms of signatures that are verified, by their names in RFC 7518 and RFC 8037.
pub const ALGORITHMS: [&str; 4] = ["ES256", "EdDSA", "PS256", "RS256"];

/// Longest JWT that is looked at, in bytes.
const LONGEST: usize = 8192;
/// Bytes of an RSA modulus: 2048 to 8192 bits.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1024;
/// Longest RSA exponent, in bytes.
const LONGEST_EXPONENT: usize = 8;
/// Bytes of a coordinate on P-256, and of an Ed25519 key.
const COORDINATE: usize = 32;
/// Members that only private and symmetric keys have (RFC 7518, section 6).
const SECRET_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Why a key is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// No JWK, or one with members that are missing, too long or malformed.
    #[error("the key is not a well-formed JWK")]
    Malformed,
    /// It has parts that must stay with its owner.
    #[error("the key has private parts; send the public half only, and make a new key")]
    Private,
    /// A kind, curve, size or use that is not verified here.
    #[error(
        "the key is of no kind that is supported: P-256, Ed25519, or RSA with 2048 to 8192 bits, to verify signatures"
    )]
    Unsupported,
}

/// A public key that verifies signatures.
#[derive(Clone)]
pub struct PublicJwk {
    key: DecodingKey,
    algorithms: Vec<Algorithm>,
    thumbprint: String,
    kid: Option<String>,
}

impl std::fmt::Debug for PublicJwk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PublicJwk").field("thumbprint", &self.thumbprint).finish_non_exhaustive()
    }
}

impl PublicJwk {
    /// Reads a JWK.
    pub fn read(jwk: &Value) -> Result<Self, KeyFault> {
        install_crypto();
        let jwk = jwk.as_object().ok_or(KeyFault::Malformed)?;
        if SECRET_MEMBERS.iter().any(|name| jwk.contains_key(*name)) {
            return Err(KeyFault::Private);
        }
        if !verifies(jwk) {
            return Err(KeyFault::Unsupported);
        }
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let (key, algorithms, canonical) = match text("kty").ok_or(KeyFault::Malformed)? {
            "EC" => elliptic(text)?,
            "OKP" => edwards(text)?,
            "RSA" => rsa(text)?,
            _ => return Err(KeyFault::Unsupported),
        };
        let algorithms = named(algorithms, text("alg"))?;
        let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(canonical.as_bytes()));
        let kid = text("kid").filter(|kid| !kid.is_empty()).map(str::to_owned);
        Ok(Self { key, algorithms, thumbprint, kid })
    }

    /// RFC 7638, with SHA-256 in base64url.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// The name that its owner gave it.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// What a JWT says that this key signed; nothing of it is checked. `None` when it did not, or with an algorithm
    /// that is not one of this key's.
    pub fn signed<T: DeserializeOwned>(&self, jwt: &str, algorithm: Algorithm) -> Option<T> {
        if !self.algorithms.contains(&algorithm) {
            return None;
        }
        let mut validation = Validation::new(algorithm);
        validation.required_spec_claims.clear();
        // Times are compared with the injected clock, audiences by who asked.
        validation.validate_exp = false;
        validation.validate_aud = false;
        jsonwebtoken::decode(jwt, &self.key, &validation).ok().map(|decoded| decoded.claims)
    }
}

/// The header of a JWT, read but not believed.
#[derive(Debug, Clone)]
pub(crate) struct RawHeader(Map<String, Value>);

impl RawHeader {
    /// `None` for what is no compact JWS, is too long, or has extensions that must be understood.
    pub(crate) fn read(jwt: &str) -> Option<Self> {
        if jwt.len() > LONGEST || jwt.split('.').count() != 3 {
            return None;
        }
        let header = URL_SAFE_NO_PAD.decode(jwt.split('.').next()?).ok()?;
        let Value::Object(header) = serde_json::from_slice(&header).ok()? else { return None };
        (!header.contains_key("crit")).then_some(Self(header))
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// One of [`ALGORITHMS`]: never `none`, never one with a shared secret.
    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        algorithm(self.text("alg")?)
    }
}

fn algorithm(name: &str) -> Option<Algorithm> {
    match name {
        "ES256" => Some(Algorithm::ES256),
        "EdDSA" => Some(Algorithm::EdDSA),
        "PS256" => Some(Algorithm::PS256),
        "RS256" => Some(Algorithm::RS256),
        _ => None,
    }
}

/// Whether a key says that it verifies, or does not say what it is for.
fn verifies(jwk: &Map<String, Value>) -> bool {
    let is_for_signatures = jwk.get("use").is_none_or(|usage| usage == "sig");
    let operations = jwk.get("key_ops").map(|list| list.as_array().map(Vec::as_slice).unwrap_or_default());
    is_for_signatures && operations.is_none_or(|list| list.iter().any(|operation| operation == "verify"))
}

/// The algorithms of a key, or the one that it names.
fn named(all: Vec<Algorithm>, name: Option<&str>) -> Result<Vec<Algorithm>, KeyFault> {
    let Some(name) = name else { return Ok(all) };
    let one = algorithm(name).filter(|one| all.contains(one)).ok_or(KeyFault::Unsupported)?;
    Ok(vec![one])
}

/// The key, what it verifies, and its members in the order of RFC 7638.
type Parts = (DecodingKey, Vec<Algorithm>, String);

fn elliptic<'j>(text: impl Fn(&str) -> Option<&'j str>) -> Result<Parts, KeyFault> {
    if text("crv") != Some("P-256") {
        return Err(KeyFault::Unsupported);
    }
    let (x, y) = (text("x").ok_or(KeyFault::Malformed)?, text("y").ok_or(KeyFault::Malformed)?);
    if bytes(x)? != COORDINATE || bytes(y)? != COORDINATE {
        return Err(KeyFault::Malformed);
    }
    let key = DecodingKey::from_ec_components(x, y).map_err(|_| KeyFault::Malformed)?;
    Ok((key, vec![Algorithm::ES256], format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)))
}

fn edwards<'j>(text: impl Fn(&str) -> Option<&'j str>) -> Result<Parts, KeyFault> {
    if text("crv") != Some("Ed25519") {
        return Err(KeyFault::Unsupported);
    }
    let x = text("x").ok_or(KeyFault::Malformed)?;
    if bytes(x)? != COORDINATE {
        return Err(KeyFault::Malformed);
    }
    let key = DecodingKey::from_ed_components(x).map_err(|_| KeyFault::Malformed)?;
    Ok((key, vec![Algorithm::EdDSA], format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)))
}

fn rsa<'j>(text: impl Fn(&str) -> Option<&'j str>) -> Result<Parts, KeyFault> {
    let (n, e) = (text("n").ok_or(KeyFault::Malformed)?, text("e").ok_or(KeyFault::Malformed)?);
    if !MODULUS.contains(&bytes(n)?) || !(1..=LONGEST_EXPONENT).contains(&bytes(e)?) {
        return Err(KeyFault::Unsupported);
    }
    let key = DecodingKey::from_rsa_components(n, e).map_err(|_| KeyFault::Malformed)?;
    let algorithms = vec![Algorithm::RS256, Algorithm::PS256];
    Ok((key, algorithms, format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)))
}

/// How many bytes a member has. What decodes has no character that JSON would escape, so that it can stand in the
/// canonical form as it is.
fn bytes(text: &str) -> Result<usize, KeyFault> {
    URL_SAFE_NO_PAD.decode(text).map(|bytes| bytes.len()).map_err(|_| KeyFault::Malformed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // RFC 7638, section 3.1; the key is public.
    const MODULUS_OF_THE_STANDARD: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

    fn point() -> Value {
        // RFC 7517, appendix A.1.
        json!({
            "kty": "EC", "crv": "P-256", "kid": "1",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        })
    }

    #[test]
    fn the_thumbprint_is_that_of_the_standard() {
        let jwk = json!({"kty": "RSA", "n": MODULUS_OF_THE_STANDARD, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"});
        let key = PublicJwk::read(&jwk).unwrap();
        assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert_eq!(key.kid(), Some("2011-04-29"));
        assert_eq!(key.algorithms, [Algorithm::RS256]);
        // RFC 8037, appendix A.3.
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        assert_eq!(
            PublicJwk::read(&jwk).unwrap().thumbprint(),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }

    #[test]
    fn only_public_keys_that_verify_are_read() {
        assert!(PublicJwk::read(&point()).is_ok());
        for (name, value, fault) in [
            ("d", json!("AQ"), KeyFault::Private),
            ("k", json!("AQ"), KeyFault::Private),
            ("kty", json!("oct"), KeyFault::Unsupported),
            ("kty", Value::Null, KeyFault::Malformed),
            ("crv", json!("P-384"), KeyFault::Unsupported),
            ("crv", json!("secp256k1"), KeyFault::Unsupported),
            ("x", json!("AQAB"), KeyFault::Malformed),
            ("y", json!("\"}"), KeyFault::Malformed),
            ("use", json!("enc"), KeyFault::Unsupported),
            ("key_ops", json!(["sign"]), KeyFault::Unsupported),
            ("alg", json!("RS256"), KeyFault::Unsupported),
            ("alg", json!("none"), KeyFault::Unsupported),
        ] {
            let mut jwk = point();
            jwk[name] = value;
            assert_eq!(PublicJwk::read(&jwk).unwrap_err(), fault, "{jwk}");
        }
        for small in ["AQAB", &"A".repeat(340), &"_".repeat(1400)] {
            let jwk = json!({"kty": "RSA", "n": small, "e": "AQAB"});
            assert_eq!(PublicJwk::read(&jwk).unwrap_err(), KeyFault::Unsupported);
        }
        assert!(PublicJwk::read(&json!([])).is_err());
    }

    #[test]
    fn headers_are_read_strictly() {
        let jwt = |header: Value| format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header.to_string()));
        let good = RawHeader::read(&jwt(json!({"alg": "ES256"}))).unwrap();
        assert_eq!(good.algorithm(), Some(Algorithm::ES256));
        for alg in ["none", "None", "HS256", "ES384", "es256", ""] {
            assert_eq!(RawHeader::read(&jwt(json!({"alg": alg}))).unwrap().algorithm(), None, "{alg}");
        }
        assert!(RawHeader::read(&jwt(json!({"alg": "ES256", "crit": ["b64"]}))).is_none());
        assert!(RawHeader::read("a.b").is_none());
        assert!(RawHeader::read(&format!("{}.", jwt(json!({})))).is_none());
    }
}
