//! What hub tokens say.

use serde::{Deserialize, Serialize};
use syfthub_domain::{Role, UserId};

/// What an access token says. Times are seconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// User id as decimal text.
    pub sub: String,
    /// Name at the time of minting.
    pub username: String,
    /// Role at the time of minting.
    pub role: Role,
    /// End of life.
    pub exp: i64,
    /// Time of minting.
    pub iat: i64,
    /// Unique id, by which one token is revoked.
    pub jti: String,
    /// Always `access`.
    #[serde(rename = "type")]
    pub kind: TokenKind,
    /// The user's token epoch at the time of minting.
    pub epoch: i64,
    /// The refresh family that logout revokes with this token.
    pub fam: String,
}

/// What a refresh token says. Times are seconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshClaims {
    /// User id as decimal text.
    pub sub: String,
    /// Name at the time of minting.
    pub username: String,
    /// End of life.
    pub exp: i64,
    /// Time of minting.
    pub iat: i64,
    /// Unique id, consumed when the token is exchanged.
    pub jti: String,
    /// Always `refresh`.
    #[serde(rename = "type")]
    pub kind: TokenKind,
    /// The user's token epoch at the time of minting.
    pub epoch: i64,
    /// Family: all tokens that descend from one login.
    pub fam: String,
}

/// What a hub token may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// Calls the API.
    Access,
    /// Is exchanged for a new pair.
    Refresh,
}

impl AccessClaims {
    /// The user that the token speaks for. `verify_access` has checked that it is a number.
    pub fn user_id(&self) -> UserId {
        UserId(self.sub.parse().unwrap_or(0))
    }
}

impl RefreshClaims {
    /// The user that the token speaks for. `verify_refresh` has checked that it is a number.
    pub fn user_id(&self) -> UserId {
        UserId(self.sub.parse().unwrap_or(0))
    }
}
