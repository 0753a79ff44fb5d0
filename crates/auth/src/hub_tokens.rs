//! Hub JWTs: HS256 access and refresh tokens (spec backend 2.1).

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use syfthub_config::Secret;
use syfthub_domain::{Error, Result, Role, Timestamp, UserId};
use uuid::Uuid;

use crate::crypto::install_crypto;
pub use crate::hub_claims::{AccessClaims, RefreshClaims, TokenKind};

/// Longest token that is looked at. Ours have about 400 characters.
const MAX_LENGTH: usize = 4096;

/// Mints and verifies hub tokens under one HS256 key.
pub struct HubTokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    access_ttl: Duration,
    refresh_ttl: Duration,
}

/// Whom a token is for.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The user.
    pub user_id: UserId,
    /// Their name at this moment, for display only.
    pub username: &'a str,
    /// Their role at this moment, for display only.
    pub role: Role,
    /// `users.token_epoch`: raising it voids every token minted before.
    pub epoch: i64,
}

/// A token that was just made.
#[derive(Debug, Clone)]
pub struct Minted {
    /// The compact JWT.
    pub token: Secret,
    /// Its unique id.
    pub jti: String,
    /// The refresh family that it belongs to.
    pub fam: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Why a hub token is not good. Clients are told only [`Error::unauthenticated`]'s one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a JWT of ours: form, algorithm or claims.
    #[error("not a well-formed hub token")]
    Malformed,
    /// Signed with another key, or changed afterwards.
    #[error("the signature does not match")]
    Signature,
    /// Its life is over.
    #[error("the token has expired")]
    Expired,
    /// An access token where a refresh token is wanted, or the reverse.
    #[error("the token is of the wrong type")]
    WrongKind,
}

impl From<TokenError> for Error {
    fn from(error: TokenError) -> Self {
        Self::unauthenticated("Could not validate credentials").with_source(error)
    }
}

trait Claims: DeserializeOwned {
    const KIND: TokenKind;
    fn exp(&self) -> i64;
    fn sub(&self) -> &str;
}

impl Claims for AccessClaims {
    const KIND: TokenKind = TokenKind::Access;
    fn exp(&self) -> i64 {
        self.exp
    }
    fn sub(&self) -> &str {
        &self.sub
    }
}

impl Claims for RefreshClaims {
    const KIND: TokenKind = TokenKind::Refresh;
    fn exp(&self) -> i64 {
        self.exp
    }
    fn sub(&self) -> &str {
        &self.sub
    }
}

/// The part of a token that is read first, so that a token of the other kind is told apart from one
/// that is malformed.
#[derive(Deserialize)]
struct KindOnly {
    #[serde(rename = "type")]
    kind: TokenKind,
}

impl HubTokens {
    /// Uses the text of `key` (`JWT_SECRET`, else `SECRET_KEY`) as the HS256 key.
    pub fn new(key: &Secret, access_ttl: Duration, refresh_ttl: Duration) -> Self {
        install_crypto();
        let bytes = key.expose().as_bytes();
        Self {
            encoding: EncodingKey::from_secret(bytes),
            decoding: DecodingKey::from_secret(bytes),
            access_ttl,
            refresh_ttl,
        }
    }

    /// A fresh family id, one per login.
    pub fn new_family() -> String {
        Uuid::new_v4().simple().to_string()
    }

    /// Life of an access token.
    pub fn access_ttl(&self) -> Duration {
        self.access_ttl
    }

    /// Life of a refresh token.
    pub fn refresh_ttl(&self) -> Duration {
        self.refresh_ttl
    }

    /// Mints an access token of family `fam`.
    pub fn mint_access(&self, subject: &Subject<'_>, fam: &str, now: Timestamp) -> Result<Minted> {
        let (jti, exp) = (new_jti(), now.plus(self.access_ttl).as_secs());
        let claims = AccessClaims {
            sub: subject.user_id.to_string(),
            username: subject.username.to_owned(),
            role: subject.role,
            exp,
            iat: now.as_secs(),
            jti: jti.clone(),
            kind: TokenKind::Access,
            epoch: subject.epoch,
            fam: fam.to_owned(),
        };
        self.minted(&claims, jti, fam, exp)
    }

    /// Mints a refresh token of family `fam`.
    pub fn mint_refresh(&self, subject: &Subject<'_>, fam: &str, now: Timestamp) -> Result<Minted> {
        let (jti, exp) = (new_jti(), now.plus(self.refresh_ttl).as_secs());
        let claims = RefreshClaims {
            sub: subject.user_id.to_string(),
            username: subject.username.to_owned(),
            exp,
            iat: now.as_secs(),
            jti: jti.clone(),
            kind: TokenKind::Refresh,
            epoch: subject.epoch,
            fam: fam.to_owned(),
        };
        self.minted(&claims, jti, fam, exp)
    }

    /// Checks algorithm, signature, expiry and type. Revocation, epoch and the user's state are the
    /// caller's to check.
    pub fn verify_access(&self, token: &str, now: Timestamp) -> Result<AccessClaims, TokenError> {
        self.verify(token, now)
    }

    /// Like [`Self::verify_access`], for refresh tokens.
    pub fn verify_refresh(&self, token: &str, now: Timestamp) -> Result<RefreshClaims, TokenError> {
        self.verify(token, now)
    }

    fn minted(&self, claims: &impl Serialize, jti: String, fam: &str, exp: i64) -> Result<Minted> {
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.encoding)
            .map_err(Error::internal)?;
        Ok(Minted {
            token: Secret::new(token),
            jti,
            fam: fam.to_owned(),
            expires_at: Timestamp::from_secs(exp),
        })
    }

    fn verify<C: Claims>(&self, token: &str, now: Timestamp) -> Result<C, TokenError> {
        if token.len() > MAX_LENGTH {
            return Err(TokenError::Malformed);
        }
        let decoded = jsonwebtoken::decode::<serde_json::Value>(token, &self.decoding, &signature_only())
            .map_err(|error| match error.kind() {
                jsonwebtoken::errors::ErrorKind::InvalidSignature => TokenError::Signature,
                _ => TokenError::Malformed,
            })?;
        let found = KindOnly::deserialize(&decoded.claims).map_err(|_| TokenError::Malformed)?;
        if found.kind != C::KIND {
            return Err(TokenError::WrongKind);
        }
        let claims: C = serde_json::from_value(decoded.claims).map_err(|_| TokenError::Malformed)?;
        if claims.exp() <= now.as_secs() {
            return Err(TokenError::Expired);
        }
        if claims.sub().parse::<i64>().is_err() {
            return Err(TokenError::Malformed);
        }
        Ok(claims)
    }
}

impl std::fmt::Debug for HubTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubTokens")
            .field("access_ttl", &self.access_ttl)
            .field("refresh_ttl", &self.refresh_ttl)
            .finish_non_exhaustive()
    }
}

fn new_jti() -> String {
    Uuid::new_v4().simple().to_string()
}

/// The library would compare `exp` with the machine's clock; ours is injected, so it checks the
/// signature and the pinned algorithm only.
fn signature_only() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn tokens(key: &str) -> HubTokens {
        let key = Secret::new(key.to_owned());
        HubTokens::new(&key, Duration::from_mins(30), Duration::from_hours(168))
    }

    fn ada() -> Subject<'static> {
        Subject { user_id: UserId(42), username: "ada", role: Role::Admin, epoch: 3 }
    }

    #[test]
    fn an_access_token_says_what_was_put_in() {
        let tokens = tokens("k");
        let minted = tokens.mint_access(&ada(), "fam-1", NOW).unwrap();
        let claims = tokens.verify_access(minted.token.expose(), NOW).unwrap();
        assert_eq!(claims.user_id(), UserId(42));
        assert_eq!((claims.username.as_str(), claims.role, claims.epoch), ("ada", Role::Admin, 3));
        assert_eq!((claims.iat, claims.exp), (1_800_000_000, 1_800_001_800));
        assert_eq!((claims.jti, claims.fam), (minted.jti, "fam-1".to_owned()));
        assert_eq!(minted.expires_at, NOW.plus(Duration::from_mins(30)));
    }

    #[test]
    fn two_tokens_of_one_second_differ() {
        let tokens = tokens("k");
        let mint = || tokens.mint_access(&ada(), "f", NOW).unwrap();
        assert_ne!(mint().token.expose(), mint().token.expose());
    }

    #[test]
    fn the_header_names_only_type_and_algorithm() {
        let minted = tokens("k").mint_access(&ada(), "f", NOW).unwrap();
        let header = jsonwebtoken::decode_header(minted.token.expose()).unwrap();
        assert_eq!((header.alg, header.kid), (Algorithm::HS256, None));
    }

    #[test]
    fn access_and_refresh_tokens_are_not_interchangeable() {
        let tokens = tokens("k");
        let access = tokens.mint_access(&ada(), "f", NOW).unwrap().token;
        let refresh = tokens.mint_refresh(&ada(), "f", NOW).unwrap().token;
        assert_eq!(tokens.verify_refresh(access.expose(), NOW), Err(TokenError::WrongKind));
        assert_eq!(tokens.verify_access(refresh.expose(), NOW), Err(TokenError::WrongKind));
        assert_eq!(tokens.verify_refresh(refresh.expose(), NOW).unwrap().fam, "f");
    }

    #[test]
    fn a_token_ends_exactly_at_its_expiry() {
        let tokens = tokens("k");
        let token = tokens.mint_access(&ada(), "f", NOW).unwrap().token;
        let last = NOW.plus(Duration::from_secs(1799));
        assert!(tokens.verify_access(token.expose(), last).is_ok());
        let after = NOW.plus(Duration::from_mins(30));
        assert_eq!(tokens.verify_access(token.expose(), after), Err(TokenError::Expired));
    }

    #[test]
    fn other_keys_and_other_algorithms_are_refused() {
        let token = tokens("k").mint_access(&ada(), "f", NOW).unwrap().token;
        assert_eq!(tokens("other").verify_access(token.expose(), NOW), Err(TokenError::Signature));
        let payload = token.expose().split('.').nth(1).unwrap();
        // {"alg":"none","typ":"JWT"}
        let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.");
        assert_eq!(tokens("k").verify_access(&unsigned, NOW), Err(TokenError::Malformed));
        let claims = tokens("k").verify_access(token.expose(), NOW).unwrap();
        let hs512 =
            jsonwebtoken::encode(&Header::new(Algorithm::HS512), &claims, &EncodingKey::from_secret(b"k"))
                .unwrap();
        assert_eq!(tokens("k").verify_access(&hs512, NOW), Err(TokenError::Malformed));
    }

    #[test]
    fn the_client_is_told_one_text_for_every_failure() {
        let error = Error::from(TokenError::Expired);
        assert_eq!(error.code.http_status(), 401);
        assert_eq!(error.message, "Could not validate credentials");
    }

    proptest::proptest! {
        #[test]
        fn one_changed_character_voids_the_token(at in 0_usize..300, with in "[A-Za-z0-9_.-]") {
            let tokens = tokens("k");
            let mut text = tokens.mint_access(&ada(), "f", NOW).unwrap().token.expose().to_owned();
            let at = at % text.len();
            // The last character carries unused bits, so a change there may decode to the same bytes.
            proptest::prop_assume!(at + 1 < text.len() && text[at..=at] != with);
            text.replace_range(at..=at, &with);
            proptest::prop_assert!(tokens.verify_access(&text, NOW).is_err());
        }

        #[test]
        fn no_text_makes_verification_panic(text in ".*") {
            proptest::prop_assert!(tokens("k").verify_access(&text, NOW).is_err());
        }
    }
}
