//! The key that tokens are bound to, which a client proves to have by signing its request (RFC 9449).

use axum::http::{HeaderMap, Method};
use syfthub_auth::at_jwt::Confirmation;
use syfthub_auth::dpop::{Expected, ProofError};
use syfthub_config::Secret;
use syfthub_web::dpop;
use syfthub_web::route_table::Owner;

use super::OAuth;
use super::clients::Client;
use super::error::{OAuthError, OAuthResult};

/// The thumbprint of the key that a request by POST to `path` proves, or an empty text without a proof. A client that
/// said that all its tokens are bound needs one.
pub(super) async fn proof_of_key(
    oauth: &OAuth,
    headers: &HeaderMap,
    client: &Client,
    path: &str,
) -> OAuthResult<String> {
    let key = proven(oauth, headers, path).await?;
    if key.is_empty() && client.metadata.binds_tokens() {
        let text =
            "This client registered with dpop_bound_access_tokens; it must send a DPoP header with a proof";
        return Err(OAuthError::new("invalid_dpop_proof", text));
    }
    Ok(key)
}

/// The same for requests that may do without.
pub(super) async fn proven(oauth: &OAuth, headers: &HeaderMap, path: &str) -> OAuthResult<String> {
    let Some(proof) = dpop::proof(headers)? else { return Ok(String::new()) };
    let addresses = oauth.addresses(path);
    let expected = Expected { method: "POST", addresses: &addresses, access_token: None };
    Ok(oauth.0.proofs.check(proof, expected).await?.thumbprint)
}

/// A thumbprint that a client names (RFC 9449, section 10): SHA-256 in base64url.
pub(super) fn named(given: Option<&str>) -> OAuthResult<String> {
    let Some(given) = given else { return Ok(String::new()) };
    let plain = given.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if given.len() == 43 && plain {
        return Ok(given.to_owned());
    }
    Err(OAuthError::invalid_request(
        "dpop_jkt must be the RFC 7638 thumbprint of a key, with SHA-256 in base64url",
    ))
}

/// The one key of a request that names one and proves one (RFC 9449, section 10.1).
pub(super) fn agreed(named: String, proven: String) -> OAuthResult<String> {
    match (named.is_empty(), proven.is_empty()) {
        (false, false) if named != proven => Err(ProofError::OtherKey.into()),
        (true, _) => Ok(proven),
        (false, _) => Ok(named),
    }
}

/// A request with a token that is bound to a key.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'r> {
    pub(crate) method: &'r Method,
    pub(crate) headers: &'r HeaderMap,
    /// By which the outside reaches what was asked.
    pub(crate) addresses: &'r [String],
}

impl OAuth {
    /// Checks that a request proves the key of its token.
    pub(crate) async fn proves(
        &self,
        request: Shown<'_>,
        token: &Secret,
        key: &Confirmation,
    ) -> Result<(), ProofError> {
        let proof = dpop::proof(request.headers)?.ok_or(ProofError::Missing)?;
        let expected = Expected {
            method: request.method.as_str(),
            addresses: request.addresses,
            access_token: Some(token.expose()),
        };
        let proven = self.0.proofs.check(proof, expected).await?;
        if proven.thumbprint == key.jkt { Ok(()) } else { Err(ProofError::OtherKey) }
    }

    /// The addresses by which the outside reaches a path of ours.
    pub(crate) fn addresses(&self, path: &str) -> Vec<String> {
        let mut all = dpop::addresses(self.urls().home(), Owner::Mcp, path);
        all.push(self.urls().at(path));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Covers: RFC9449-10-format, RFC9449-10.1-same
    #[test]
    fn a_named_key_is_a_thumbprint_and_the_one_that_is_proven() {
        let (one, other) = ("a".repeat(43), "b".repeat(43));
        assert_eq!(named(Some(&one)).unwrap(), one);
        assert_eq!(named(None).unwrap(), "");
        for wrong in ["a", &"a".repeat(44), &format!("{}=", "a".repeat(42))] {
            assert_eq!(named(Some(wrong)).unwrap_err().code(), "invalid_request", "{wrong}");
        }
        let agree = |named: &str, proven: &str| agreed(named.to_owned(), proven.to_owned());
        assert_eq!(agree(&one, &one).unwrap(), one);
        assert_eq!(agree(&one, "").unwrap(), one);
        assert_eq!(agree("", &one).unwrap(), one);
        assert_eq!(agree(&one, &other).unwrap_err().code(), "invalid_dpop_proof");
    }
}
