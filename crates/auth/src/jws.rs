//! Compact JWS with RS256 on a key that stays parsed.
//!
//! `jsonwebtoken::encode` parses and checks the private key on every call, which costs two thirds of
//! the rate; this module only joins the parts and asks aws-lc-rs for the signature.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use syfthub_domain::{Error, Result};

use crate::keys::SigningKey;

/// Signs claims that are serialised already and returns the compact token. The header is
/// `{"alg":"RS256","typ":"JWT","kid":…}`. Keeps a core busy: async code uses
/// [`crate::signer::SignerPool`].
pub fn sign_rs256(key: &SigningKey, claims_json: &[u8]) -> Result<String> {
    sign(key, key.encoded_header(), claims_json)
}

/// Like [`sign_rs256`], for access tokens of RFC 9068: the header's `typ` is `at+jwt`.
pub fn sign_access_rs256(key: &SigningKey, claims_json: &[u8]) -> Result<String> {
    sign(key, key.encoded_access_header(), claims_json)
}

fn sign(key: &SigningKey, header: &str, claims_json: &[u8]) -> Result<String> {
    let pair = key.pair();
    let mut signature = vec![0_u8; pair.public_modulus_len()];
    let mut token = String::with_capacity(header.len() + claims_json.len() * 4 / 3 + signature.len() * 2);
    token.push_str(header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims_json, &mut token);
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
        .map_err(|_| Error::internal("the RSA key refused to sign"))?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(&signature, &mut token);
    Ok(token)
}
