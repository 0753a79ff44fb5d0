//! Satellite tokens: short RS256 proofs of who is asking, for the service behind an endpoint
//! (spec backend 2.4). The hub mints them; nodes verify them offline by the hub's JWKS.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use syfthub_config::Secret;
use syfthub_domain::{Error, Result, Role, Timestamp, UserId};

use crate::crypto::install_crypto;
use crate::jws;
use crate::keys::{KeyRing, PublicKey, SigningKey};
use crate::signer::SignerPool;

/// Subject and role of a guest token.
pub const GUEST: &str = "guest";

/// Longest token that is looked at. Ours have about 700 characters, 1,700 with an 8192-bit key.
const MAX_LENGTH: usize = 8192;

/// Most keys that are read from one JWKS document.
const MAX_KEYS: usize = 32;

/// What a satellite token says. Times are seconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// User id as decimal text, or `guest`.
    pub sub: String,
    /// The hub that vouches: its `ISSUER_URL`.
    pub iss: String,
    /// Username of the owner of the endpoint, lower-case.
    pub aud: String,
    /// Time of minting.
    pub iat: i64,
    /// End of life.
    pub exp: i64,
    /// Role of the user, or `guest`.
    pub role: Role,
}

impl Claims {
    /// Whether the token speaks for somebody without an account.
    pub fn is_guest(&self) -> bool {
        self.sub == GUEST
    }

    /// The user; `None` for a guest or a subject that is no number.
    pub fn user_id(&self) -> Option<UserId> {
        self.sub.parse().ok().map(UserId)
    }
}

/// A token that was just made.
#[derive(Debug, Clone)]
pub struct Minted {
    /// The compact JWT.
    pub token: Secret,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Its whole life, in seconds.
    pub expires_in: Duration,
}

/// Signs claims here and now. Keeps a core busy: async code uses a [`Minter`].
pub fn mint(key: &SigningKey, claims: &Claims) -> Result<String> {
    jws::sign_rs256(key, &serde_json::to_vec(claims).map_err(Error::internal)?)
}

/// Mints for one hub. That the audience exists and is active is the caller's to check.
#[derive(Debug, Clone)]
pub struct Minter {
    ring: Arc<KeyRing>,
    pool: SignerPool,
    issuer: Arc<str>,
    ttl: Duration,
}

impl Minter {
    /// `issuer` is `ISSUER_URL`, `ttl` is `SATELLITE_TOKEN_EXPIRE_SECONDS`.
    pub fn new(ring: Arc<KeyRing>, pool: SignerPool, issuer: &str, ttl: Duration) -> Self {
        Self { ring, pool, issuer: issuer.into(), ttl }
    }

    /// A token for a user.
    pub async fn mint(&self, user: UserId, role: Role, audience: &str, now: Timestamp) -> Result<Minted> {
        self.sign(user.to_string(), role, audience, now).await
    }

    /// A token for somebody without an account.
    pub async fn mint_guest(&self, audience: &str, now: Timestamp) -> Result<Minted> {
        self.sign(GUEST.to_owned(), Role::Guest, audience, now).await
    }

    /// The keys that sign.
    pub fn ring(&self) -> &Arc<KeyRing> {
        &self.ring
    }

    /// The issuer put into every token.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    async fn sign(&self, sub: String, role: Role, audience: &str, now: Timestamp) -> Result<Minted> {
        let expires_at = Timestamp::from_secs(now.plus(self.ttl).as_secs());
        let claims = Claims {
            sub,
            iss: self.issuer.as_ref().to_owned(),
            aud: normal_audience(audience),
            iat: now.as_secs(),
            exp: expires_at.as_secs(),
            role,
        };
        let json = serde_json::to_string(&claims).map_err(Error::internal)?;
        let token = self.pool.sign(self.ring.active(), json).await?;
        Ok(Minted { token: Secret::new(token), expires_at, expires_in: self.ttl })
    }
}

/// The form in which audiences are compared: trimmed and lower-case.
pub fn normal_audience(audience: &str) -> String {
    audience.trim().to_lowercase()
}

/// Why a satellite token is not good, with the names that clients see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// No JWT at all.
    #[error("The token is not a well-formed JWT")]
    InvalidTokenFormat,
    /// The header names no key.
    #[error("The token header has no key id")]
    MissingKid,
    /// The header names a key that is not published.
    #[error("The token was signed with an unknown key")]
    UnknownKey,
    /// Its life is over.
    #[error("The token has expired")]
    TokenExpired,
    /// It is for somebody else.
    #[error("The token is for another audience")]
    AudienceMismatch,
    /// Another hub made it.
    #[error("The token comes from another issuer")]
    InvalidIssuer,
    /// It was changed, or signed with another key.
    #[error("The token signature is not valid")]
    InvalidSignature,
    /// The signature is good, the contents are not.
    #[error("The token payload cannot be read")]
    DecodeError,
    /// The algorithm is not RS256, or something else is wrong.
    #[error("The token cannot be verified")]
    VerificationError,
    /// It names no subject.
    #[error("The token names no subject")]
    InvalidToken,
    /// Its subject is neither a user id nor a guest.
    #[error("The token subject is not a user id")]
    InvalidUserId,
}

impl VerifyError {
    /// The `error` of the answer of `POST /verify`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidTokenFormat => "invalid_token_format",
            Self::MissingKid => "missing_kid",
            Self::UnknownKey => "unknown_key",
            Self::TokenExpired => "token_expired",
            Self::AudienceMismatch => "audience_mismatch",
            Self::InvalidIssuer => "invalid_issuer",
            Self::InvalidSignature => "invalid_signature",
            Self::DecodeError => "decode_error",
            Self::VerificationError => "verification_error",
            Self::InvalidToken => "invalid_token",
            Self::InvalidUserId => "invalid_user_id",
        }
    }
}

/// Claims before they are trusted: what is missing gets its own name in the answer.
#[derive(Deserialize)]
struct RawClaims {
    sub: Option<String>,
    iss: Option<String>,
    aud: Option<Value>,
    iat: Option<i64>,
    exp: Option<i64>,
    role: Option<Role>,
}

/// Public keys by name, ready to verify with.
#[derive(Clone)]
pub struct Verifier {
    keys: HashMap<String, DecodingKey>,
}

impl Verifier {
    /// Uses the keys of a ring in the same process.
    pub fn from_ring(ring: &KeyRing) -> Self {
        Self::from_keys(&ring.public_keys())
    }

    /// Uses these keys.
    pub fn from_keys(keys: &[PublicKey]) -> Self {
        install_crypto();
        Self { keys: keys.iter().map(|key| (key.kid().to_owned(), key.decoding_key())).collect() }
    }

    /// Reads a JWKS document that was fetched from a hub. Keys that are not RSA signing keys with a
    /// name are left out; a document without any usable key is an error.
    pub fn from_jwks(document: &Value) -> Result<Self> {
        install_crypto();
        let items = document.get("keys").and_then(Value::as_array);
        let items = items.ok_or_else(|| Error::internal("the JWKS document has no `keys` array"))?;
        let keys: HashMap<_, _> = items.iter().take(MAX_KEYS).filter_map(decoding_key).collect();
        if keys.is_empty() {
            return Err(Error::internal("the JWKS document has no usable RSA key"));
        }
        Ok(Self { keys })
    }

    /// Whether a key of this name is known. An unknown one is the reason to fetch the JWKS again.
    pub fn knows(&self, kid: &str) -> bool {
        self.keys.contains_key(kid)
    }

    /// Checks form, key, algorithm, signature, expiry, audience and issuer, in this order. That the
    /// user exists and is active is the hub's to check.
    pub fn verify(
        &self,
        token: &str,
        audience: &str,
        issuer: &str,
        now: Timestamp,
    ) -> Result<Claims, VerifyError> {
        let raw: RawClaims = self.signed(token)?;
        let exp = raw.exp.ok_or(VerifyError::DecodeError)?;
        if exp <= now.as_secs() {
            return Err(VerifyError::TokenExpired);
        }
        let aud = raw.aud.as_ref().and_then(Value::as_str).ok_or(VerifyError::AudienceMismatch)?;
        if aud != normal_audience(audience) {
            return Err(VerifyError::AudienceMismatch);
        }
        let iss = raw.iss.filter(|iss| iss == issuer).ok_or(VerifyError::InvalidIssuer)?;
        let sub = raw.sub.filter(|sub| !sub.is_empty()).ok_or(VerifyError::InvalidToken)?;
        let claims = Claims {
            sub,
            iss,
            aud: aud.to_owned(),
            iat: raw.iat.ok_or(VerifyError::DecodeError)?,
            exp,
            role: raw.role.ok_or(VerifyError::DecodeError)?,
        };
        if claims.is_guest() != (claims.role == Role::Guest)
            || !(claims.is_guest() || claims.user_id().is_some())
        {
            return Err(VerifyError::InvalidUserId);
        }
        Ok(claims)
    }
}

impl Verifier {
    /// What a token says that one of the keys signed with RS256. Nothing that it says is checked.
    pub(crate) fn signed<T: DeserializeOwned>(&self, token: &str) -> Result<T, VerifyError> {
        let kid = key_id(token)?;
        let key = self.keys.get(&kid).ok_or(VerifyError::UnknownKey)?;
        jsonwebtoken::decode::<T>(token, key, &signature_only())
            .map(|token| token.claims)
            .map_err(|error| decode_failure(error.kind()))
    }
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("kids", &self.keys.keys().collect::<Vec<_>>()).finish()
    }
}

/// Reads the name of the key from a token that is not trusted yet.
pub fn key_id(token: &str) -> Result<String, VerifyError> {
    if token.len() > MAX_LENGTH || token.split('.').count() != 3 {
        return Err(VerifyError::InvalidTokenFormat);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| VerifyError::InvalidTokenFormat)?;
    header.kid.filter(|kid| !kid.is_empty()).ok_or(VerifyError::MissingKid)
}

fn decoding_key(item: &Value) -> Option<(String, DecodingKey)> {
    let text = |name: &str| item.get(name).and_then(Value::as_str);
    let fits = text("kty") == Some("RSA")
        && text("use").is_none_or(|usage| usage == "sig")
        && text("alg").is_none_or(|alg| alg == "RS256");
    let key = DecodingKey::from_rsa_components(text("n")?, text("e")?).ok()?;
    fits.then(|| (text("kid").unwrap_or_default().to_owned(), key)).filter(|(kid, _)| !kid.is_empty())
}

fn decode_failure(kind: &ErrorKind) -> VerifyError {
    match kind {
        ErrorKind::InvalidToken | ErrorKind::Base64(_) => VerifyError::InvalidTokenFormat,
        ErrorKind::InvalidSignature => VerifyError::InvalidSignature,
        ErrorKind::Json(_) | ErrorKind::Utf8(_) => VerifyError::DecodeError,
        _ => VerifyError::VerificationError,
    }
}

/// The library would compare times with the machine's clock; ours is injected.
fn signature_only() -> Validation {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}
