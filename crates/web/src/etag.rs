//! Entity tags for public listings.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;
use sha2::{Digest, Sha256};
use syfthub_domain::{Error, Result};

use crate::error::ApiResult;

/// A JSON body that is ready to send, with its tag. Cheap to clone, so that it can be kept.
#[derive(Debug, Clone)]
pub struct Tagged {
    bytes: Bytes,
    tag: HeaderValue,
}

impl Tagged {
    /// Writes `body` as JSON and works out its tag.
    pub fn new<T: Serialize + ?Sized>(body: &T) -> Result<Self> {
        let bytes = serde_json::to_vec(body).map_err(Error::internal)?;
        let digest = Sha256::digest(&bytes);
        let text = format!("\"{}\"", hex::encode(&digest[..16]));
        let tag = HeaderValue::from_str(&text).map_err(Error::internal)?;
        Ok(Self { bytes: bytes.into(), tag })
    }

    /// Length of the body, in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether the body is empty; JSON never is.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Answers a request: with the body, or with 304 when the client has it already (`If-None-Match`).
    pub fn respond(&self, request: &HeaderMap) -> Response {
        let mut answer = if self.is_had_by(request) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let mut answer = Response::new(Body::from(self.bytes.clone()));
            let json = HeaderValue::from_static("application/json");
            answer.headers_mut().insert(header::CONTENT_TYPE, json);
            answer
        };
        answer.headers_mut().insert(header::ETAG, self.tag.clone());
        let check = HeaderValue::from_static("no-cache"); // it may be kept, and must be checked
        answer.headers_mut().insert(header::CACHE_CONTROL, check);
        answer
    }

    /// Weak comparison, as RFC 9110 asks for `If-None-Match`.
    fn is_had_by(&self, request: &HeaderMap) -> bool {
        request
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(|given| given.trim().trim_start_matches("W/"))
            .any(|given| given == "*" || given.as_bytes() == self.tag.as_bytes())
    }
}

/// [`Tagged`] for a body that is not kept.
pub fn json<T: Serialize + ?Sized>(request: &HeaderMap, body: &T) -> ApiResult<Response> {
    Ok(Tagged::new(body)?.respond(request))
}
