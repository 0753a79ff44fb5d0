//! Extractors for request bodies. A malformed or absent body is a 422 with a location, as the published
//! SDKs expect.

use std::time::Duration;

use axum::RequestExt as _;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, Request};
use bytes::BytesMut;
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError};
use serde_json::{Map, Value};
use syfthub_domain::{Error, ErrorCode, FieldError, Result};

use crate::error::ApiError;

/// A body that drips in slower than this is given up.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// A JSON body; read it with [`Fields::body`](crate::Fields::body).
#[derive(Debug, Clone)]
pub struct JsonBody(pub Value);

/// The text of a JSON body, for routes that build less than a whole value of it.
#[derive(Debug, Clone)]
pub struct RawJson(pub Bytes);

impl RawJson {
    /// Reads the text with `read`; an empty body and a malformed one are refused as [`JsonBody`] does it.
    pub fn parse_with<T>(&self, read: impl FnOnce(&[u8]) -> serde_json::Result<T>) -> Result<T> {
        if self.0.iter().all(u8::is_ascii_whitespace) {
            return Err(missing());
        }
        read(&self.0).map_err(|error| malformed(&self.0, &error))
    }

    /// Reads the body as the extractor does, for routes with a budget: `book` is told the size of every piece before
    /// it is kept, and its refusal ends the reading.
    pub async fn read_booked(request: Request, mut book: impl FnMut(usize) -> Result<()>) -> Result<Self> {
        refuse_forms(request.headers())?;
        let reading = async {
            let (mut body, mut bytes) = (request.into_limited_body(), BytesMut::new());
            while let Some(frame) = body.frame().await {
                if let Ok(piece) = frame.map_err(unreadable)?.into_data() {
                    book(piece.len())?;
                    bytes.extend_from_slice(&piece);
                }
            }
            Ok(Self(bytes.freeze()))
        };
        tokio::time::timeout(READ_TIMEOUT, reading).await.map_err(|_| late())?
    }
}

/// A JSON body that may be absent.
#[derive(Debug, Clone)]
pub struct MaybeJson(pub Option<Value>);

/// An `application/x-www-form-urlencoded` body as an object of texts (a JSON object is accepted too).
#[derive(Debug, Clone)]
pub struct FormBody(pub Value);

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let MaybeJson(body) = MaybeJson::from_request(request, state).await?;
        body.map(Self).ok_or_else(|| missing().into())
    }
}

impl<S: Send + Sync> FromRequest<S> for RawJson {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        refuse_forms(request.headers())?;
        Ok(Self(read(request, state).await?))
    }
}

impl<S: Send + Sync> FromRequest<S> for MaybeJson {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        refuse_forms(request.headers())?;
        let bytes = read(request, state).await?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self(None));
        }
        Ok(Self(Some(parse_json(&bytes)?)))
    }
}

impl<S: Send + Sync> FromRequest<S> for FormBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let json = content_type(request.headers()).is_some_and(|kind| kind.contains("json"));
        let bytes = read(request, state).await?;
        if json {
            return Ok(Self(parse_json(&bytes)?));
        }
        let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(&bytes)
            .map_err(|_| Error::new(ErrorCode::BadRequest, "The form in the request body cannot be read"))?;
        Ok(Self(Value::Object(object(pairs))))
    }
}

/// Pairs as an object; a repeated name becomes a list.
pub(crate) fn object(pairs: Vec<(String, String)>) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, text) in pairs {
        match object.get_mut(&name) {
            None => {
                object.insert(name, Value::String(text));
            }
            Some(Value::Array(items)) => items.push(Value::String(text)),
            Some(single) => {
                let first = single.take();
                *single = Value::Array(vec![first, Value::String(text)]);
            }
        }
    }
    object
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes> {
    let read = tokio::time::timeout(READ_TIMEOUT, Bytes::from_request(request, state)).await;
    match read {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)))) => {
            Err(too_large())
        }
        Ok(Err(other)) => Err(broken_off(other)),
        Err(_) => Err(late()),
    }
}

fn too_large() -> Error {
    Error::new(ErrorCode::PayloadTooLarge, "The request body is larger than this server takes")
}

fn broken_off(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorCode::BadRequest, "The request body could not be read to its end").with_source(why)
}

fn late() -> Error {
    Error::new(ErrorCode::RequestTimeout, "The request body did not arrive in time")
}

/// What went wrong while pieces were read: the cap is somewhere in the chain of causes.
fn unreadable(error: axum::Error) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(this) = cause {
        if this.is::<LengthLimitError>() {
            return too_large();
        }
        cause = this.source();
    }
    broken_off(error)
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    Some(headers.get(header::CONTENT_TYPE)?.to_str().ok()?.to_ascii_lowercase())
}

/// A form sent to a JSON route is a common slip; say so instead of a JSON error at offset 0.
fn refuse_forms(headers: &HeaderMap) -> Result<()> {
    let form = content_type(headers).is_some_and(|kind| {
        kind.starts_with("application/x-www-form-urlencoded") || kind.starts_with("multipart/")
    });
    if form {
        let text = "This route reads JSON; send the header `Content-Type: application/json`";
        return Err(Error::new(ErrorCode::UnsupportedMediaType, text));
    }
    Ok(())
}

fn parse_json(bytes: &[u8]) -> Result<Value> {
    serde_json::from_slice(bytes).map_err(|error| malformed(bytes, &error))
}

fn malformed(bytes: &[u8], error: &serde_json::Error) -> Error {
    let offset = offset(bytes, error.line(), error.column());
    body_error("json_invalid", vec!["body".into(), offset.into()], "JSON decode error")
}

fn missing() -> Error {
    body_error("missing", vec!["body".into()], "Field required")
}

fn body_error(kind: &'static str, loc: Vec<syfthub_domain::Loc>, text: &str) -> Error {
    Error::fields(vec![FieldError::new(kind, loc, text).with_input(Value::Null)])
}

/// The byte offset of a position that is given as line and column, both counted from one.
fn offset(bytes: &[u8], line: usize, column: usize) -> usize {
    let start: usize =
        bytes.split_inclusive(|byte| *byte == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    (start + column.saturating_sub(1)).min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_json_is_located_by_its_offset() {
        let body = b"{\n \"a\": 1,\n}";
        let error = parse_json(body).unwrap_err();
        let syfthub_domain::Detail::Fields(fields) = error.detail else { panic!("field errors") };
        assert_eq!(fields[0].kind, "json_invalid");
        assert_eq!(fields[0].loc, vec!["body".into(), 11.into()]);
    }

    #[test]
    fn a_repeated_name_of_a_form_becomes_a_list() {
        let pairs = [("a", "1"), ("b", "2"), ("a", "3"), ("a", "4")];
        let pairs = pairs.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec();
        assert_eq!(Value::Object(object(pairs)), serde_json::json!({"a": ["1", "3", "4"], "b": "2"}));
    }
}
