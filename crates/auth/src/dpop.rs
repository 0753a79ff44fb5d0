//! DPoP proofs (RFC 9449): a request is signed with a key, and tokens are bound to that key, so that a token that was
//! stolen is worth nothing without the key.
//!
//! This module says whether a proof is one for a request. Whether the same proof was shown before is for whoever has a
//! memory: [`Proof::id`] is what to remember, until [`Proof::ends_at`].

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use syfthub_domain::{Error, ErrorCode, Timestamp};
use url::Url;

use crate::public_jwk::{KeyFault, PublicJwk, RawHeader};

/// `typ` of every proof.
pub const TYP: &str = "dpop+jwt";
/// How far from now a proof may have been made, before or after.
pub const WINDOW: Duration = Duration::from_mins(1);
/// Longest `jti`, in bytes.
const LONGEST_JTI: usize = 256;

/// The request that a proof has to be of.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Its method.
    pub method: &'a str,
    /// The addresses by which the outside reaches what was asked; one of them must be meant.
    pub addresses: &'a [String],
    /// The access token that came with it; `None` where there is none yet.
    pub access_token: Option<&'a str>,
}

/// A proof that is good, if it was not shown before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// RFC 7638 thumbprint of the key, to which tokens are bound.
    pub thumbprint: String,
    /// What to remember: the same for the same proof, and of no length that a client chooses.
    pub id: String,
    /// From when it would not be taken any more.
    pub ends_at: Timestamp,
}

/// Why a proof is not good. The texts are for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// None at all.
    #[error("send a DPoP header with a proof for this request")]
    Missing,
    /// More than one header.
    #[error("send exactly one DPoP header")]
    Several,
    /// No JWT, too long, or with extensions.
    #[error("the DPoP proof is not a JWT that can be read")]
    Malformed,
    /// RFC 9449, section 4.2.
    #[error("the typ of the DPoP proof must be dpop+jwt")]
    Type,
    /// Not one that is supported.
    #[error("the DPoP proof must be signed with ES256, EdDSA, PS256 or RS256")]
    Algorithm,
    /// The header has no key that can be used.
    #[error("the jwk of the DPoP proof cannot be used: {0}")]
    Key(KeyFault),
    /// Signed with another key, or changed.
    #[error("the signature of the DPoP proof is not of the key in it")]
    Signature,
    /// `jti`, `htm`, `htu` or `iat` is missing or malformed.
    #[error("the DPoP proof needs jti (at most 256 characters), htm, htu and iat")]
    Claims,
    /// Made for another method.
    #[error("the htm of the DPoP proof is not the method of the request")]
    Method,
    /// Made for another address.
    #[error("the htu of the DPoP proof is not the public address of the request without query and fragment")]
    Address,
    /// Too old, or of the future.
    #[error(
        "the iat of the DPoP proof is more than a minute away from the hub's clock; make a new proof for every request"
    )]
    Time,
    /// Made for another token.
    #[error("the ath of the DPoP proof is not the hash of the access token")]
    Token,
    /// Good, but of another key than the token.
    #[error("the DPoP proof is of another key than the token is bound to")]
    OtherKey,
    /// Shown before.
    #[error("this DPoP proof was used before; make a new proof for every request")]
    Replayed,
}

impl From<ProofError> for Error {
    fn from(error: ProofError) -> Self {
        Self::new(ErrorCode::InvalidDpopProof, sentence(&error.to_string()))
    }
}

/// With a capital at its beginning.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: i64,
    #[serde(default)]
    ath: Option<String>,
}

/// Checks form, type, algorithm, key, signature, method, address, time and token (RFC 9449, section 4.3).
pub fn verify(proof: &str, expected: Expected<'_>, now: Timestamp) -> Result<Proof, ProofError> {
    let header = RawHeader::read(proof).ok_or(ProofError::Malformed)?;
    if header.text("typ") != Some(TYP) {
        return Err(ProofError::Type);
    }
    let algorithm = header.algorithm().ok_or(ProofError::Algorithm)?;
    let jwk = header.get("jwk").ok_or(ProofError::Key(KeyFault::Malformed))?;
    let key = PublicJwk::read(jwk).map_err(ProofError::Key)?;
    let claims: serde_json::Value = key.signed(proof, algorithm).ok_or(ProofError::Signature)?;
    let claims = Claims::deserialize(claims).map_err(|_| ProofError::Claims)?;
    if claims.jti.is_empty() || claims.jti.len() > LONGEST_JTI {
        return Err(ProofError::Claims);
    }
    if claims.htm != expected.method {
        return Err(ProofError::Method);
    }
    let meant = comparable(&claims.htu).ok_or(ProofError::Address)?;
    if !expected.addresses.iter().any(|address| comparable(address).is_some_and(|address| address == meant)) {
        return Err(ProofError::Address);
    }
    let made_at = Timestamp::from_secs(claims.iat.clamp(0, LATEST));
    if claims.iat < 0 || made_at < now.minus(WINDOW) || made_at > now.plus(WINDOW) {
        return Err(ProofError::Time);
    }
    if let Some(token) = expected.access_token
        && claims.ath.as_deref() != Some(hash(token).as_str())
    {
        return Err(ProofError::Token);
    }
    let id = Sha256::new().chain_update(key.thumbprint()).chain_update(b".").chain_update(&claims.jti);
    Ok(Proof {
        id: URL_SAFE_NO_PAD.encode(id.finalize()),
        thumbprint: key.thumbprint().to_owned(),
        // A second more: the moment at the end of the window is still taken.
        ends_at: made_at.plus(WINDOW).plus(Duration::from_secs(1)),
    })
}

/// Seconds of a moment in the year 9999, beyond which times are not counted.
const LATEST: i64 = 253_402_300_799;

/// `ath` of a token (RFC 9449, section 4.2).
pub fn hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes()))
}

/// An address without query and fragment in its normal form (RFC 3986, sections 6.2.2 and 6.2.3).
fn comparable(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let plain = url.username().is_empty() && url.password().is_none();
    plain.then(|| format!("{}{}", url.origin().ascii_serialization(), normal(url.path())))
}

/// A path in which everything that may stand for itself does, and what is encoded is so in capitals.
fn normal(path: &str) -> String {
    let mut parts = path.split('%');
    let mut normal = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let encoded = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (encoded, part.get(2..)) {
            (Some(byte), Some(rest)) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                normal.push(char::from(byte));
                normal.push_str(rest);
            }
            (Some(_), Some(rest)) => {
                normal.push('%');
                normal.extend(
                    part.get(..2).unwrap_or_default().chars().map(|digit| digit.to_ascii_uppercase()),
                );
                normal.push_str(rest);
            }
            _ => {
                normal.push('%');
                normal.push_str(part);
            }
        }
    }
    normal
}

#[cfg(test)]
mod tests;
