//! PEM text to DER and back. The `rsa` crate is used for nothing else: it never signs or decrypts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs1::{DecodeRsaPrivateKey, DecodeRsaPublicKey};
use rsa::pkcs8::{
    DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, LineEnding, SubjectPublicKeyInfoRef,
};
use rsa::traits::PublicKeyParts;
use rsa::{RsaPrivateKey, RsaPublicKey};
use zeroize::Zeroizing;

use crate::keys::KeyError;

/// Longest text that is read as a key: 8192-bit keys take about 13 kB after base64 of PEM.
const MAX_LENGTH: usize = 32 * 1024;

/// The public numbers of a key, big-endian without leading zeros.
pub(crate) struct PublicNumbers {
    pub(crate) modulus: Vec<u8>,
    pub(crate) exponent: Vec<u8>,
}

/// Accepts PEM as it is, PEM whose line ends were written as `\n`, and base64 of PEM.
fn plain_pem(text: &str) -> Result<Zeroizing<String>, KeyError> {
    if text.len() > MAX_LENGTH {
        return Err(KeyError::Unreadable("the text is too long to be a key"));
    }
    let text = text.trim();
    if text.contains("-----BEGIN") {
        return Ok(Zeroizing::new(text.replace("\\n", "\n").replace("\r\n", "\n")));
    }
    let packed: Zeroizing<String> =
        Zeroizing::new(text.chars().filter(|c| !c.is_ascii_whitespace()).collect());
    let bytes = STANDARD.decode(packed.as_bytes());
    let bytes = bytes.map_err(|_| KeyError::Unreadable("neither PEM nor base64 of PEM"))?;
    let pem = String::from_utf8(bytes).map(Zeroizing::new);
    let pem = pem.map_err(|_| KeyError::Unreadable("base64 of something that is not text"))?;
    if pem.contains("-----BEGIN") {
        Ok(Zeroizing::new(pem.trim().replace("\r\n", "\n")))
    } else {
        Err(KeyError::Unreadable("base64 of something that is not PEM"))
    }
}

/// Reads a private key (PKCS#1 or PKCS#8) as PKCS#8 DER.
pub(crate) fn private_to_der(text: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let pem = plain_pem(text)?;
    let key = if pem.contains("BEGIN RSA PRIVATE KEY") {
        RsaPrivateKey::from_pkcs1_pem(&pem).ok()
    } else if pem.contains("BEGIN PRIVATE KEY") {
        RsaPrivateKey::from_pkcs8_pem(&pem).ok()
    } else {
        return Err(KeyError::Unreadable("expected BEGIN PRIVATE KEY or BEGIN RSA PRIVATE KEY"));
    };
    let key = key.ok_or(KeyError::Unreadable("the PEM block does not hold an RSA private key"))?;
    let der = key.to_pkcs8_der().map_err(|_| KeyError::Unreadable("the key cannot be written as DER"))?;
    Ok(Zeroizing::new(der.as_bytes().to_vec()))
}

/// Writes PKCS#8 DER as PEM.
pub(crate) fn private_to_pem(der: &[u8]) -> Result<Zeroizing<String>, KeyError> {
    let key = RsaPrivateKey::from_pkcs8_der(der);
    key.map_err(|_| KeyError::Unreadable("not a PKCS#8 RSA key"))?
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|_| KeyError::Unreadable("the key cannot be written as PEM"))
}

/// Reads a public key (SPKI or PKCS#1) as its numbers.
pub(crate) fn public_from_pem(text: &str) -> Result<PublicNumbers, KeyError> {
    let pem = plain_pem(text)?;
    let key = if pem.contains("BEGIN RSA PUBLIC KEY") {
        RsaPublicKey::from_pkcs1_pem(&pem).ok()
    } else {
        RsaPublicKey::from_public_key_pem(&pem).ok()
    };
    key.map(|key| numbers(&key)).ok_or(KeyError::Unreadable("the text does not hold an RSA public key"))
}

/// Reads SPKI or PKCS#1 DER as its numbers.
pub(crate) fn public_from_der(der: &[u8]) -> Result<PublicNumbers, KeyError> {
    let spki = SubjectPublicKeyInfoRef::try_from(der).ok().and_then(|spki| RsaPublicKey::try_from(spki).ok());
    spki.or_else(|| RsaPublicKey::from_pkcs1_der(der).ok())
        .map(|key| numbers(&key))
        .ok_or(KeyError::Unreadable("the bytes do not hold an RSA public key"))
}

/// Writes a public key as SPKI PEM.
pub(crate) fn public_to_pem(modulus: &[u8], exponent: &[u8]) -> Result<String, KeyError> {
    let number = rsa::BigUint::from_bytes_be;
    RsaPublicKey::new_with_max_size(number(modulus), number(exponent), 8192)
        .ok()
        .and_then(|key| key.to_public_key_pem(LineEnding::LF).ok())
        .ok_or(KeyError::Unreadable("the public key cannot be written as PEM"))
}

fn numbers(key: &RsaPublicKey) -> PublicNumbers {
    PublicNumbers { modulus: key.n().to_bytes_be(), exponent: key.e().to_bytes_be() }
}
