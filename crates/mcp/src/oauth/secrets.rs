//! Random secrets, and what is stored of them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use syfthub_config::Secret;

/// Start of every refresh token.
pub(crate) const REFRESH_PREFIX: &str = "syft_rt_";
/// Start of every code.
pub(crate) const CODE_PREFIX: &str = "syft_ac_";

/// Start of every code that a device keeps.
pub(crate) const DEVICE_PREFIX: &str = "syft_dc_";

/// A new secret with 256 random bits.
pub(crate) fn random(prefix: &str) -> Secret {
    Secret::new(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())))
}

/// What is stored of a secret. It has 256 random bits, so there is nothing to guess.
pub(crate) fn hash(secret: &str) -> Vec<u8> {
    Sha256::digest(secret.as_bytes()).to_vec()
}

/// Whether a secret is the one that was stored, without telling by time how much of it is right.
pub(crate) fn is_of(secret: &str, stored: &[u8]) -> bool {
    bool::from(hash(secret).ct_eq(stored)) && !stored.is_empty()
}

/// The challenge of a verifier (RFC 7636, S256).
pub(crate) fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// The refresh token after this one: always the same for the same token, so that requests that run side by side get
/// the same one, and nobody without the key can tell it in advance.
pub(crate) fn successor(key: &[u8; 32], token: &str) -> Secret {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return random(REFRESH_PREFIX); // not reached: HMAC takes keys of any length
    };
    mac.update(token.as_bytes());
    Secret::new(format!("{REFRESH_PREFIX}{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_depends_on_key_and_token_only() {
        let token = random(REFRESH_PREFIX);
        let next = successor(&[1; 32], token.expose());
        assert_eq!(next.expose(), successor(&[1; 32], token.expose()).expose());
        assert_ne!(next.expose(), successor(&[2; 32], token.expose()).expose());
        assert_ne!(next.expose(), token.expose());
        assert_eq!(next.expose().len(), token.expose().len());
    }

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn an_absent_secret_is_never_right() {
        assert!(!is_of("", &[]) && !is_of("x", &[]) && is_of("x", &hash("x")));
    }
}
