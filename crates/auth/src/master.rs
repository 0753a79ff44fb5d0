//! The master key of an installation and the keys derived from it.

use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use syfthub_config::Secret;

/// Separates our derived keys from those that anything else might derive from the same secret.
const SALT: &[u8] = b"syfthub master key v1";

/// `SECRET_KEY`, from which every internal key is derived (architecture section 9).
#[derive(Clone)]
pub struct MasterKey(Secret);

impl MasterKey {
    /// Takes the text of `SECRET_KEY` as it is.
    pub fn new(secret: &Secret) -> Self {
        Self(secret.clone())
    }

    /// Derives the 32-byte key for one purpose (HKDF-SHA-256, RFC 5869). Equal labels give equal
    /// keys in every process that shares the secret; different labels give unrelated keys.
    pub fn subkey(&self, label: &str) -> [u8; 32] {
        let extracted = Salt::new(HKDF_SHA256, SALT).extract(self.0.expose().as_bytes());
        let mut key = [0_u8; 32];
        let info = [label.as_bytes()];
        let filled = extracted.expand(&info, HKDF_SHA256).and_then(|okm| okm.fill(&mut key));
        // Both steps fail only on an output length that is not 32 bytes, which the types rule out.
        debug_assert!(filled.is_ok());
        key
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(text: &str) -> MasterKey {
        MasterKey::new(&Secret::new(text.to_owned()))
    }

    #[test]
    fn subkeys_are_stable_and_separated_by_label_and_secret() {
        let key = master("correct horse battery staple").subkey("rpc");
        assert_eq!(key, master("correct horse battery staple").subkey("rpc"));
        assert_ne!(key, master("correct horse battery staple").subkey("sealing"));
        assert_ne!(key, master("another").subkey("rpc"));
        assert_ne!(key, [0; 32]);
    }

    #[test]
    fn debug_output_hides_the_secret() {
        assert!(!format!("{:?}", master("hunter2")).contains("hunter2"));
    }
}
