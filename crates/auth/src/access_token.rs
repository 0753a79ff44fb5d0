//! Personal access tokens: `syft_pat_` and 43 base64url characters, stored as a hash only
//! (spec backend 2.3).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use syfthub_config::Secret;
use syfthub_domain::Result;

use crate::crypto;

/// Start of every personal access token.
pub const PREFIX: &str = "syft_pat_";

/// Start that keeps a bearer credential from ever being read as a JWT.
pub const FAMILY_PREFIX: &str = "syft_";

/// Characters after the prefix: 32 random bytes in base64url.
const BODY_LENGTH: usize = 43;

/// Characters of the token that may be shown to its owner later.
const DISPLAY_LENGTH: usize = 16;

/// Makes a token: the secret itself (shown once), the hash to store, and the display prefix.
pub fn generate() -> Result<(Secret, String, String)> {
    let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(crypto::random::<32>()?));
    let hash = hash(&token);
    let display = token.chars().take(DISPLAY_LENGTH).collect();
    Ok((Secret::new(token), hash, display))
}

/// SHA-256 of the whole token, 64 lower-case hex digits. A plain hash is enough: the token has 256
/// random bits, so there is nothing to guess.
pub fn hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// Whether a bearer credential has the exact form of a personal access token.
pub fn looks_like(credential: &str) -> bool {
    credential.strip_prefix(PREFIX).is_some_and(|body| {
        body.len() == BODY_LENGTH
            && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
    })
}

/// Whether a bearer credential belongs to the `syft_` family, so that it is never tried as a JWT,
/// even when its form is wrong.
pub fn is_access_token_family(credential: &str) -> bool {
    credential.starts_with(FAMILY_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_token_has_the_published_form() {
        let (token, stored, display) = generate().unwrap();
        let token = token.expose();
        assert!(looks_like(token));
        assert_eq!(token.len(), 52);
        assert_eq!(stored, hash(token));
        assert_eq!(stored.len(), 64);
        assert_eq!(display, token[..16]);
    }

    #[test]
    fn the_hash_is_plain_sha256() {
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn other_forms_are_refused_but_still_belong_to_the_family() {
        let body = "a".repeat(43);
        assert!(looks_like(&format!("syft_pat_{body}")));
        for wrong in [
            format!("syft_pat_{body}a"),
            format!("syft_pat_{}", &body[1..]),
            format!("syft_pat_{}=", &body[1..]),
            format!("SYFT_pat_{body}"),
            format!(" syft_pat_{body}"),
            format!("syft_key_{body}"),
        ] {
            assert!(!looks_like(&wrong), "{wrong}");
        }
        assert!(is_access_token_family("syft_anything"));
        assert!(!is_access_token_family("eyJhbGciOi"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_check_panic(text in ".*") {
            let _ = looks_like(&text);
        }
    }
}
