//! The keys that wrap data keys, and the sealed form that both layers share.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::crypto;
use crate::sealing::SealError;

/// Bytes of an XChaCha20 nonce: long enough to be drawn at random without a counter.
pub(crate) const NONCE_LENGTH: usize = 24;

/// Bytes of the Poly1305 tag.
pub(crate) const TAG_LENGTH: usize = 16;

/// A 32-byte key, wiped from memory when dropped.
pub(crate) type KeyBytes = Zeroizing<[u8; 32]>;

/// Appends nonce, ciphertext and tag to `out`.
pub(crate) fn encrypt(key: &KeyBytes, plain: &[u8], aad: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
    let nonce = crypto::random::<NONCE_LENGTH>().map_err(|_| SealError::Randomness)?;
    let cipher = XChaCha20Poly1305::new((&**key).into());
    let sealed = cipher.encrypt(&XNonce::from(nonce), Payload { msg: plain, aad });
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&sealed.map_err(|_| SealError::TooLong)?);
    Ok(())
}

/// Opens nonce, ciphertext and tag.
pub(crate) fn decrypt(key: &KeyBytes, sealed: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE_LENGTH>().ok_or(SealError::Malformed)?;
    if body.len() < TAG_LENGTH {
        return Err(SealError::Malformed);
    }
    let cipher = XChaCha20Poly1305::new((&**key).into());
    cipher
        .decrypt(&XNonce::from(*nonce), Payload { msg: body, aad })
        .map(Zeroizing::new)
        .map_err(|_| SealError::Refused)
}
