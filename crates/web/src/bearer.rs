//! The bearer token of a request.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::header;
use http::request::Parts;
use syfthub_config::Secret;
use syfthub_domain::{Error, Result};

/// Longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 8192;

/// The token behind `Authorization: Bearer`; the scheme's case does not matter.
#[derive(Debug, Clone)]
pub struct Bearer(pub Option<Secret>);

impl Bearer {
    /// The token, or 401.
    pub fn required(self) -> Result<Secret> {
        self.0.ok_or_else(|| Error::unauthenticated("Not authenticated"))
    }

    /// Reads the header of a request.
    pub fn from_headers(headers: &http::HeaderMap) -> Self {
        let token = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .filter(|token| !token.is_empty() && token.len() <= MAX_TOKEN);
        Self(token.map(Secret::new))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Bearer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::from_headers(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn token(value: &'static str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_static(value));
        Bearer::from_headers(&headers).0.map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn reads_bearer_in_any_case_and_nothing_else() {
        assert_eq!(token("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(token("bEARER  abc").as_deref(), Some("abc"));
        assert_eq!(token("Basic abc"), None);
        assert_eq!(token("Bearer "), None);
        assert_eq!(token("Bearer"), None);
    }
}
