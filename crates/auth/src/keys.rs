//! RSA signing keys and the ring of the active and the retired ones.

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use syfthub_domain::{Error, ErrorCode};
use zeroize::Zeroizing;

use crate::pem;

/// Why a key was refused. Never contains any part of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text or bytes are not a key.
    #[error("the RSA key cannot be read: {0}")]
    Unreadable(&'static str),
    /// It is an RSA key, but not one to sign with.
    #[error("the RSA key is refused: it must have 2048 to 8192 bits and be consistent")]
    Rejected,
    /// The two halves do not belong together.
    #[error("the RSA public key does not belong to the private key")]
    Mismatch,
    /// No key could be generated.
    #[error("no RSA key could be generated")]
    Generation,
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        Self::coded(ErrorCode::KeyLoadError, "The hub's RSA key cannot be read").with_source(error)
    }
}

/// Bits of a generated key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyBits {
    /// 2048, the default.
    #[default]
    Rsa2048,
    /// 3072.
    Rsa3072,
    /// 4096.
    Rsa4096,
}

impl KeyBits {
    /// Reads the setting `RSA_KEY_SIZE`; sizes in between are not offered.
    pub const fn from_bits(bits: u32) -> Option<Self> {
        match bits {
            2048 => Some(Self::Rsa2048),
            3072 => Some(Self::Rsa3072),
            4096 => Some(Self::Rsa4096),
            _ => None,
        }
    }
}

/// The public half of a key, as it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    kid: String,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl PublicKey {
    /// Reads SPKI or PKCS#1 PEM, raw or in base64.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        pem::public_from_pem(text).map(Self::from_numbers)
    }

    /// Reads SPKI or PKCS#1 DER.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        pem::public_from_der(der).map(Self::from_numbers)
    }

    fn from_numbers(numbers: pem::PublicNumbers) -> Self {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        // RFC 7638: the required members in lexicographic order, without white space.
        let canonical = format!(
            r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
            encode(&numbers.exponent),
            encode(&numbers.modulus)
        );
        let kid = encode(&Sha256::digest(canonical.as_bytes()));
        Self { kid, modulus: numbers.modulus, exponent: numbers.exponent }
    }

    /// RFC 7638 thumbprint: the name of the key, derived from it and thus never ambiguous.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The JWKS item: `{kty, kid, use, alg, n, e}`.
    pub fn jwk(&self) -> Value {
        json!({
            "kty": "RSA",
            "kid": self.kid,
            "use": "sig",
            "alg": "RS256",
            "n": URL_SAFE_NO_PAD.encode(&self.modulus),
            "e": URL_SAFE_NO_PAD.encode(&self.exponent),
        })
    }

    /// SPKI PEM.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        pem::public_to_pem(&self.modulus, &self.exponent)
    }

    pub(crate) fn decoding_key(&self) -> jsonwebtoken::DecodingKey {
        jsonwebtoken::DecodingKey::from_rsa_raw_components(&self.modulus, &self.exponent)
    }
}

/// A private key, parsed once and kept so.
pub struct SigningKey {
    pair: KeyPair,
    public: PublicKey,
    encoded_header: String,
    encoded_access_header: String,
}

/// `typ` of the access tokens of RFC 9068.
pub(crate) const ACCESS_TYP: &str = "at+jwt";

impl SigningKey {
    /// Generates a 2048-bit key. Takes from a tenth of a second to several: not for async threads.
    pub fn generate() -> Result<Self, KeyError> {
        Self::generate_with(KeyBits::Rsa2048)
    }

    /// Generates a key of the given size. Not for async threads.
    pub fn generate_with(bits: KeyBits) -> Result<Self, KeyError> {
        let size = match bits {
            KeyBits::Rsa2048 => KeySize::Rsa2048,
            KeyBits::Rsa3072 => KeySize::Rsa3072,
            KeyBits::Rsa4096 => KeySize::Rsa4096,
        };
        Self::from_pair(KeyPair::generate(size).map_err(|_| KeyError::Generation)?)
    }

    /// Reads PKCS#8 DER, which is how a key is stored (sealed).
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        Self::from_pair(KeyPair::from_pkcs8(der).map_err(|_| KeyError::Rejected)?)
    }

    /// Reads PKCS#1 or PKCS#8 PEM, raw or in base64; with `public`, also checks that the two halves
    /// belong together.
    pub fn from_pem(private: &str, public: Option<&str>) -> Result<Self, KeyError> {
        let key = Self::from_pkcs8_der(&pem::private_to_der(private)?)?;
        match public.map(PublicKey::from_pem).transpose()? {
            Some(given) if given != key.public => Err(KeyError::Mismatch),
            _ => Ok(key),
        }
    }

    fn from_pair(pair: KeyPair) -> Result<Self, KeyError> {
        let public = PublicKey::from_der(pair.public_key().as_ref())?;
        let header = |typ: &str| {
            let header = json!({"alg": "RS256", "typ": typ, "kid": public.kid}).to_string();
            URL_SAFE_NO_PAD.encode(header)
        };
        let (encoded_header, encoded_access_header) = (header("JWT"), header(ACCESS_TYP));
        Ok(Self { pair, public, encoded_header, encoded_access_header })
    }

    /// PKCS#8 DER; wiped from memory when dropped.
    pub fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let der: Pkcs8V1Der<'static> =
            self.pair.as_der().map_err(|_| KeyError::Unreadable("the key cannot be written as DER"))?;
        Ok(Zeroizing::new(der.as_ref().to_vec()))
    }

    /// PKCS#8 PEM; wiped from memory when dropped.
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        pem::private_to_pem(&self.to_pkcs8_der()?)
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        self.public.kid()
    }

    /// The parsed pair, for the benchmark that compares with the raw signing rate.
    pub fn pair(&self) -> &KeyPair {
        &self.pair
    }

    pub(crate) fn encoded_header(&self) -> &str {
        &self.encoded_header
    }

    pub(crate) fn encoded_access_header(&self) -> &str {
        &self.encoded_access_header
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.public.kid).finish_non_exhaustive()
    }
}

struct Ring {
    active: Arc<SigningKey>,
    retired: Vec<PublicKey>,
}

/// The key that signs and the public halves of those that signed before. Cheap to read from many
/// threads; a rotation replaces the whole.
pub struct KeyRing(RwLock<Arc<Ring>>);

impl KeyRing {
    /// A ring with an active key and the retired ones that must still be published.
    pub fn new(active: Arc<SigningKey>, retired: Vec<PublicKey>) -> Self {
        Self(RwLock::new(Arc::new(Ring { active, retired })))
    }

    /// Replaces all keys at once.
    pub fn replace(&self, active: Arc<SigningKey>, retired: Vec<PublicKey>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Ring { active, retired });
    }

    fn current(&self) -> Arc<Ring> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key that signs now.
    pub fn active(&self) -> Arc<SigningKey> {
        Arc::clone(&self.current().active)
    }

    /// Every public key, the active one first, each once.
    pub fn public_keys(&self) -> Vec<PublicKey> {
        let ring = self.current();
        let active = ring.active.public.clone();
        let retired = ring.retired.iter().filter(|key| key.kid != active.kid).cloned();
        std::iter::once(active.clone()).chain(retired).collect()
    }

    /// The body of `/.well-known/jwks.json`.
    pub fn jwks(&self) -> Value {
        json!({ "keys": self.public_keys().iter().map(PublicKey::jwk).collect::<Vec<_>>() })
    }
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ring = self.current();
        f.debug_struct("KeyRing")
            .field("active", &ring.active.public.kid)
            .field("retired", &ring.retired.len())
            .finish()
    }
}
