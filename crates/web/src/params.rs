//! Extractors for the query string and for integer ids in paths.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use serde_json::Value;
use syfthub_domain::{Error, FieldError, Result};

use crate::body::object;
use crate::error::ApiError;
use crate::fields::Fields;

/// The query string. What cannot be decoded is left out.
#[derive(Debug)]
pub struct QueryFields(pub Fields);

impl<S: Send + Sync> FromRequestParts<S> for QueryFields {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let query = parts.uri.query().unwrap_or_default();
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap_or_default();
        Ok(Self(Fields::query(object(pairs))))
    }
}

/// The integer in the path; of several parameters the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathId(pub i64);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| Error::not_found("Not Found"))?;
        let Some((name, text)) = params.iter().last() else {
            return Err(Error::internal("a route with PathId has no path parameter").into());
        };
        Ok(path_id(name, text).map(Self)?)
    }
}

/// Reads an integer id of a path; 422 `int_parsing` otherwise.
pub fn path_id(name: &str, text: &str) -> Result<i64> {
    text.parse().map_err(|_| {
        let told = "Input should be a valid integer, unable to parse string as an integer";
        let shown: String = text.chars().take(100).collect();
        let error = FieldError::new("int_parsing", vec!["path".into(), name.into()], told);
        Error::fields(vec![error.with_input(Value::String(shown))])
    })
}
