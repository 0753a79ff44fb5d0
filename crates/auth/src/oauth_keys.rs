//! How the private keys of the authorization server are sealed: the MCP service opens them, backend keeps them and, when
//! an operator rotates, makes and seals a new one that it never opens again.

use crate::SealedBox;
use crate::keys::{KeyBits, SigningKey};

/// Label of the key that seals.
pub const LABEL: &str = "oauth signing keys";

/// A new key, its private half sealed.
#[derive(Debug, Clone)]
pub struct SealedKey {
    /// RFC 7638 thumbprint.
    pub kid: String,
    /// The private half.
    pub private_sealed: Vec<u8>,
    /// The public half.
    pub public_pem: String,
}

/// What a sealed key is bound to.
pub fn place(kid: &str) -> Vec<u8> {
    format!("oauth signing key {kid}").into_bytes()
}

/// Makes a key. Takes from a tenth of a second to several: not for async threads.
pub fn generate(bits: KeyBits, sealing: &SealedBox) -> syfthub_domain::Result<SealedKey> {
    let made = SigningKey::generate_with(bits)?;
    let private_sealed = sealing.seal(&made.to_pkcs8_der()?, &place(made.kid()))?;
    Ok(SealedKey { kid: made.kid().to_owned(), private_sealed, public_pem: made.public().to_pem()? })
}
