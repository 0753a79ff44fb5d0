//! Access tokens of the OAuth authorization server: JWTs of RFC 9068, signed with RS256.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use syfthub_domain::{Error, Result, Timestamp};

use crate::jws::sign_access_rs256;
use crate::keys::{ACCESS_TYP, SigningKey};
use crate::satellite::{Verifier, VerifyError};
use crate::signer::SignerPool;

/// How far the clock of the service that signed may be from ours.
pub const LEEWAY: Duration = Duration::from_secs(5);

/// What an access token says. Times are seconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it: `OAUTH_ISSUER`.
    pub iss: String,
    /// For which resource it is, and other names of that resource.
    pub aud: Audience,
    /// Id of the user as decimal text; of the client when it acts for itself.
    pub sub: String,
    /// The client that holds it.
    pub client_id: String,
    /// What it may do, separated by spaces.
    pub scope: String,
    /// Time of minting.
    pub iat: i64,
    /// End of life.
    pub exp: i64,
    /// Its unique id.
    pub jti: String,
    /// The grant that it belongs to.
    pub sid: String,
    /// When the user signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// Mail address of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The key that a holder must prove to have (RFC 9449).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
}

impl Claims {
    /// The scopes one by one.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scope.split(' ').filter(|scope| !scope.is_empty())
    }
}

/// The key that a token is bound to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// RFC 7638 thumbprint.
    pub jkt: String,
}

/// The audiences of a token: one text, or a list of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audience(pub Vec<String>);

impl Audience {
    /// Whether it names this one, compared character by character.
    pub fn names(&self, audience: &str) -> bool {
        self.0.iter().any(|name| name == audience)
    }
}

impl Serialize for Audience {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => serializer.serialize_str(one),
            several => several.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum OneOrMore {
            One(String),
            More(Vec<String>),
        }
        Ok(match OneOrMore::deserialize(deserializer)? {
            OneOrMore::One(one) => Self(vec![one]),
            OneOrMore::More(several) => Self(several),
        })
    }
}

/// Signs claims here and now. Keeps a core busy: async code uses [`mint`].
pub fn mint_here(key: &SigningKey, claims: &Claims) -> Result<String> {
    sign_access_rs256(key, &serde_json::to_vec(claims).map_err(Error::internal)?)
}

/// Signs claims on the pool. 503 with `Retry-After` when its queue is full.
pub async fn mint(pool: &SignerPool, key: Arc<SigningKey>, claims: &Claims) -> Result<String> {
    pool.sign_access(key, serde_json::to_string(claims).map_err(Error::internal)?).await
}

/// Whether a credential says that it is an access token of this kind. Says nothing about whether it is a good one.
pub fn is_access_token(credential: &str) -> bool {
    credential.len() <= MAX_LENGTH
        && jsonwebtoken::decode_header(credential).is_ok_and(|header| is_access_type(header.typ.as_deref()))
}

/// Longest token that is looked at.
const MAX_LENGTH: usize = 8192;

/// RFC 9068, section 4: with or without the prefix of media types, in any case.
fn is_access_type(typ: Option<&str>) -> bool {
    typ.is_some_and(|typ| {
        let typ = typ.to_ascii_lowercase();
        typ.strip_prefix("application/").unwrap_or(&typ) == ACCESS_TYP
    })
}

/// Whose token is wanted, and for what.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// `OAUTH_ISSUER`.
    pub issuer: &'a str,
    /// The names of the resource; one of them must be an audience.
    pub audiences: &'a [&'a str],
}

/// Why an access token is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// Form, key, algorithm, signature, time, audience or issuer.
    #[error(transparent)]
    Token(#[from] VerifyError),
    /// Signed by us, but not as an access token, or with extensions that are not understood.
    #[error("the token is not an access token")]
    Type,
    /// It was made later than now.
    #[error("the token comes from the future")]
    Future,
}

impl From<AccessError> for Error {
    fn from(error: AccessError) -> Self {
        Self::unauthenticated("Could not validate credentials").with_source(error)
    }
}

/// Checks form, type, key, algorithm, signature, expiry, time of minting, issuer and audience, in this order. Whether
/// its grant is live is the caller's to check, and so is `cnf`.
pub fn verify(
    keys: &Verifier,
    token: &str,
    expected: Expected<'_>,
    now: Timestamp,
) -> Result<Claims, AccessError> {
    if token.len() > MAX_LENGTH {
        return Err(VerifyError::InvalidTokenFormat.into());
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| VerifyError::InvalidTokenFormat)?;
    if !is_access_type(header.typ.as_deref()) || header.crit.is_some() {
        return Err(AccessError::Type);
    }
    let claims: Claims = keys.signed(token)?;
    if claims.exp <= now.minus(LEEWAY).as_secs() {
        return Err(VerifyError::TokenExpired.into());
    }
    if claims.iat > now.plus(LEEWAY).as_secs() {
        return Err(AccessError::Future);
    }
    if claims.iss != expected.issuer {
        return Err(VerifyError::InvalidIssuer.into());
    }
    if !expected.audiences.iter().any(|audience| claims.aud.names(audience)) {
        return Err(VerifyError::AudienceMismatch.into());
    }
    if claims.sub.is_empty() {
        return Err(VerifyError::InvalidToken.into());
    }
    Ok(claims)
}
