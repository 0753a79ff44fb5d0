//! Which of our services is calling, and the proof of it.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use syfthub_domain::{Error, ErrorCode};
use tonic::{Request, Status};

use crate::status::to_status;

/// Metadata key with the name of the calling service.
pub(crate) const CALLER_KEY: &str = "x-syfthub-caller";
/// Metadata key with the proof that the caller is who it says.
pub(crate) const TOKEN_KEY: &str = "x-syfthub-caller-token";

/// One of our processes, as the caller of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Caller {
    /// The hub's API and identity provider.
    Backend,
    /// The chat orchestrator.
    Aggregator,
    /// The MCP endpoint.
    Mcp,
    /// The command line.
    Cli,
}

impl Caller {
    /// Every caller.
    pub const ALL: &'static [Self] = &[Self::Backend, Self::Aggregator, Self::Mcp, Self::Cli];

    /// The name in the metadata, for example `aggregator`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backend => "backend",
            Self::Aggregator => "aggregator",
            Self::Mcp => "mcp",
            Self::Cli => "cli",
        }
    }

    fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.iter().copied().find(|caller| caller.as_str().as_bytes() == name)
    }
}

/// The key that all services of one hub share, derived from `SECRET_KEY`.
#[derive(Clone)]
pub struct InternalKey([u8; 32]);

impl InternalKey {
    /// From a derived subkey.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The token of `caller`: hex of HMAC-SHA256 over its name.
    pub fn token(&self, caller: Caller) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            unreachable!("HMAC takes keys of any length")
        };
        mac.update(caller.as_str().as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }

    /// The caller that the headers prove, or `None`.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Option<Caller> {
        let caller = Caller::from_name(headers.get(CALLER_KEY)?.as_bytes())?;
        let given = headers.get(TOKEN_KEY)?.as_bytes();
        let expected = self.token(caller);
        bool::from(expected.as_bytes().ct_eq(given)).then_some(caller)
    }

    /// The headers of a call by `caller`.
    pub(crate) fn headers(&self, caller: Caller) -> [(&'static str, HeaderValue); 2] {
        let mut token =
            HeaderValue::from_str(&self.token(caller)).unwrap_or_else(|_| HeaderValue::from_static("")); // hex is always a valid value
        token.set_sensitive(true);
        [(CALLER_KEY, HeaderValue::from_static(caller.as_str())), (TOKEN_KEY, token)]
    }
}

impl fmt::Debug for InternalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InternalKey([REDACTED])")
    }
}

/// The service that makes this call, as checked by the stack.
pub fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    request
        .extensions()
        .get::<Caller>()
        .copied()
        .ok_or_else(|| to_status(&Error::internal("a gRPC service is mounted outside the checked stack")))
}

/// Lets only `allowed` services through; `PERMISSION_DENIED` otherwise.
pub fn require<T>(request: &Request<T>, allowed: &[Caller]) -> Result<Caller, Status> {
    let caller = caller(request)?;
    if allowed.contains(&caller) {
        return Ok(caller);
    }
    let text = format!("the service `{}` may not call this method", caller.as_str());
    Err(to_status(&Error::new(ErrorCode::PermissionDenied, text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(key: &InternalKey, caller: Caller) -> HeaderMap {
        key.headers(caller)
            .into_iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value))
            .collect()
    }

    #[test]
    fn a_token_proves_one_caller_under_one_key() {
        let key = InternalKey::new([7; 32]);
        let good = headers(&key, Caller::Mcp);
        assert_eq!(key.check(&good), Some(Caller::Mcp));
        assert_eq!(InternalKey::new([8; 32]).check(&good), None);

        let mut stolen = good.clone();
        stolen.insert(CALLER_KEY, HeaderValue::from_static("backend"));
        assert_eq!(key.check(&stolen), None, "the token of one service is no good for another");
        assert_eq!(key.check(&HeaderMap::new()), None);
    }

    #[test]
    fn debug_output_hides_the_key() {
        assert_eq!(format!("{:?}", InternalKey::new([7; 32])), "InternalKey([REDACTED])");
    }
}
