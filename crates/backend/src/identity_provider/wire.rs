//! The JSON of satellite tokens.

use serde::Serialize;
use syfthub_auth::satellite::{Claims, Minted};
use syfthub_domain::Role;
use utoipa::ToSchema;

/// A token for a service behind an endpoint.
#[derive(Serialize, ToSchema)]
pub struct SatelliteToken {
    /// An RS256 JWT.
    pub target_token: String,
    /// Its life in seconds.
    pub expires_in: u64,
}

impl From<Minted> for SatelliteToken {
    fn from(minted: Minted) -> Self {
        Self { target_token: minted.token.expose().to_owned(), expires_in: minted.expires_in.as_secs() }
    }
}

/// Whom tokens can be made for.
#[derive(Debug, Serialize, ToSchema)]
pub struct Audiences {
    /// Names of all active users, in alphabetical order.
    pub allowed_audiences: Vec<String>,
    /// Whether the hub has a key to sign with.
    pub idp_configured: bool,
}

/// The verdict on a token. Always sent with status 200.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Verification {
    /// The token is good.
    Good(Good),
    /// It is not.
    Refused(Refused),
}

/// Who a good token speaks for.
#[derive(Debug, Serialize, ToSchema)]
pub struct Good {
    /// Always true.
    pub valid: bool,
    /// User id as text, or `guest`.
    pub sub: String,
    /// The user's mail address.
    pub email: String,
    /// The user's name.
    pub username: String,
    /// The role that the token states.
    #[schema(value_type = String)]
    pub role: Role,
    /// The caller's name.
    pub aud: String,
    /// End of life, seconds since the Unix epoch.
    pub exp: i64,
    /// Time of minting, seconds since the Unix epoch.
    pub iat: i64,
}

/// Why a token is not good.
#[derive(Debug, Serialize, ToSchema)]
pub struct Refused {
    /// Always false.
    pub valid: bool,
    /// Machine-readable reason, for example `token_expired`.
    pub error: &'static str,
    /// The same in words.
    pub message: String,
}

impl Verification {
    pub(crate) fn good(claims: &Claims, email: &str, username: &str, role: Role) -> Self {
        Self::Good(Good {
            valid: true,
            sub: claims.sub.clone(),
            email: email.to_owned(),
            username: username.to_owned(),
            role,
            aud: claims.aud.clone(),
            exp: claims.exp,
            iat: claims.iat,
        })
    }

    pub(crate) fn refused(error: &'static str, message: &str) -> Self {
        Self::Refused(Refused { valid: false, error, message: message.to_owned() })
    }
}

/// A token to look at.
#[derive(Serialize, ToSchema)]
pub struct VerifyRequest {
    /// As the service received it.
    #[schema(example = "eyJ…")]
    pub token: String,
}

/// One public key.
#[derive(Debug, Serialize, ToSchema)]
pub struct Jwk {
    /// Always `RSA`.
    pub kty: String,
    /// The key's thumbprint (RFC 7638).
    pub kid: String,
    /// Always `sig`.
    #[serde(rename = "use")]
    pub used_for: String,
    /// Always `RS256`.
    pub alg: String,
    /// Modulus.
    pub n: String,
    /// Exponent.
    pub e: String,
}

/// The public keys (RFC 7517).
#[derive(Debug, Serialize, ToSchema)]
pub struct Jwks {
    /// The one that signs, and those whose tokens still live.
    pub keys: Vec<Jwk>,
}
