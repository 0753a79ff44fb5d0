//! ID tokens of another provider (OpenID Connect Core 1.0, section 3.1.3.7): RS256, for us, of today, with a mail
//! address that the provider has verified.

use std::time::Duration;

use serde::Deserialize;
use syfthub_domain::Timestamp;

use crate::satellite::{Verifier, VerifyError};

/// How far the provider's clock may be from ours.
const SKEW: Duration = Duration::from_mins(1);

/// Longest id of a subject (OpenID Connect Core 1.0, section 2).
const LONGEST_SUBJECT: usize = 255;

/// For whom a token must be, and whose it must be.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Our id at the provider.
    pub audience: &'a str,
    /// The names under which the provider issues tokens.
    pub issuers: &'a [&'a str],
}

/// What a good token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Their id at the provider, which never changes.
    pub subject: String,
    /// Their mail address, verified by the provider.
    pub email: String,
    /// Their name.
    pub name: Option<String>,
    /// Address of their picture.
    pub picture: Option<String>,
}

/// Why an ID token is not good. For the log: a client is only told that it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenError {
    /// Form, key, algorithm, signature, time, audience or issuer.
    #[error(transparent)]
    Token(#[from] VerifyError),
    /// It was made later than now.
    #[error("the ID token comes from the future")]
    Future,
    /// It names nobody.
    #[error("the ID token names no subject")]
    Subject,
    /// It names no mail address, or one that the provider has not verified.
    #[error("the ID token has no verified mail address")]
    Email,
}

/// Claims before they are trusted. An audience that is a list is refused: the token would be for others too.
#[derive(Deserialize)]
struct RawClaims {
    sub: Option<String>,
    iss: Option<String>,
    aud: Option<String>,
    iat: Option<i64>,
    exp: Option<i64>,
    email: Option<String>,
    #[serde(default)]
    email_verified: bool,
    name: Option<String>,
    picture: Option<String>,
}

/// Checks form, key, algorithm, signature, audience, issuer, times, subject and mail address, in this order.
pub fn verify(
    keys: &Verifier,
    token: &str,
    expected: Expected<'_>,
    now: Timestamp,
) -> Result<Person, IdTokenError> {
    let raw: RawClaims = keys.signed(token)?;
    if raw.aud.as_deref() != Some(expected.audience) {
        return Err(VerifyError::AudienceMismatch.into());
    }
    if !raw.iss.is_some_and(|issuer| expected.issuers.contains(&issuer.as_str())) {
        return Err(VerifyError::InvalidIssuer.into());
    }
    let (exp, iat) = (raw.exp.ok_or(VerifyError::DecodeError)?, raw.iat.ok_or(VerifyError::DecodeError)?);
    if exp <= now.minus(SKEW).as_secs() {
        return Err(VerifyError::TokenExpired.into());
    }
    if iat > now.plus(SKEW).as_secs() {
        return Err(IdTokenError::Future);
    }
    let is_subject = |sub: &String| {
        (1..=LONGEST_SUBJECT).contains(&sub.len()) && sub.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let subject = raw.sub.filter(is_subject).ok_or(IdTokenError::Subject)?;
    let email = raw.email.filter(|_| raw.email_verified).ok_or(IdTokenError::Email)?;
    Ok(Person { subject, email, name: raw.name, picture: raw.picture })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, LazyLock};

    use serde_json::{Value, json};

    use super::*;
    use crate::jws::sign_rs256;
    use crate::keys::{KeyRing, SigningKey};

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const EXPECTED: Expected<'_> =
        Expected { audience: "us", issuers: &["https://accounts.example", "accounts.example"] };

    static KEY: LazyLock<Arc<SigningKey>> = LazyLock::new(|| Arc::new(SigningKey::generate().unwrap()));

    fn claims() -> Value {
        json!({"iss": "https://accounts.example", "aud": "us", "sub": "107", "email": "ada@example.com",
            "email_verified": true, "name": "Ada", "iat": NOW.as_secs(), "exp": NOW.as_secs() + 3600})
    }

    fn with(change: &Value) -> Result<Person, IdTokenError> {
        let mut claims = claims();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let keys = Verifier::from_jwks(&KeyRing::new(Arc::clone(&KEY), vec![]).jwks()).unwrap();
        verify(&keys, &sign_rs256(&KEY, claims.to_string().as_bytes()).unwrap(), EXPECTED, NOW)
    }

    #[test]
    fn a_good_token_names_somebody() {
        let ada = with(&json!({})).unwrap();
        assert_eq!((ada.subject.as_str(), ada.email.as_str()), ("107", "ada@example.com"));
        assert_eq!((ada.name.as_deref(), ada.picture), (Some("Ada"), None));
        assert!(with(&json!({"iss": "accounts.example"})).is_ok());
        assert!(with(&json!({"exp": NOW.as_secs() - 59, "iat": NOW.as_secs() + 60})).is_ok());
    }

    #[test]
    fn each_claim_is_checked() {
        let token = IdTokenError::Token;
        for (change, why) in [
            (json!({"aud": "others"}), token(VerifyError::AudienceMismatch)),
            (json!({"aud": null}), token(VerifyError::AudienceMismatch)),
            (json!({"aud": ["us", "others"]}), token(VerifyError::DecodeError)),
            (json!({"iss": "https://accounts.example.evil"}), token(VerifyError::InvalidIssuer)),
            (json!({"iss": null}), token(VerifyError::InvalidIssuer)),
            (json!({"exp": NOW.as_secs() - 60}), token(VerifyError::TokenExpired)),
            (json!({"exp": null}), token(VerifyError::DecodeError)),
            (json!({"iat": NOW.as_secs() + 61}), IdTokenError::Future),
            (json!({"iat": null}), token(VerifyError::DecodeError)),
            (json!({"sub": ""}), IdTokenError::Subject),
            (json!({"sub": "a\u{0}b"}), IdTokenError::Subject),
            (json!({"sub": "7".repeat(256)}), IdTokenError::Subject),
            (json!({"email_verified": false}), IdTokenError::Email),
            (json!({"email_verified": "true"}), token(VerifyError::DecodeError)),
            (json!({"email": null}), IdTokenError::Email),
        ] {
            assert_eq!(with(&change), Err(why), "{change}");
        }
    }
}
