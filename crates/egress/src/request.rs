//! One call that is being put together.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use syfthub_config::Secret;
use syfthub_logging::{correlation, trace_context};

use crate::client::Limits;
use crate::error::Error;
use crate::response::Response;

/// One call that is being put together. Mistakes are kept and reported by [`Request::send`].
#[derive(Debug)]
#[must_use = "nothing is sent before `send`"]
pub struct Request {
    state: Result<reqwest::RequestBuilder, Error>,
    limits: Limits,
}

impl Request {
    pub(crate) fn new(builder: reqwest::RequestBuilder, limits: Limits) -> Self {
        Self { state: Ok(builder), limits }
    }

    pub(crate) fn failed(error: Error) -> Self {
        Self { state: Err(error), limits: Limits::default() }
    }

    fn with(self, change: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder) -> Self {
        Self { state: self.state.map(change), limits: self.limits }
    }

    /// Adds a header.
    pub fn header(self, name: HeaderName, value: HeaderValue) -> Self {
        self.with(|builder| builder.header(name, value))
    }

    /// Adds or replaces headers.
    pub fn headers(self, headers: HeaderMap) -> Self {
        self.with(|builder| builder.headers(headers))
    }

    /// Sends `Authorization: Bearer …`, marked as sensitive.
    pub fn bearer(self, token: &Secret) -> Self {
        self.with(|builder| builder.bearer_auth(token.expose()))
    }

    /// Sends a JSON body.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Self {
        self.with(|builder| builder.json(value))
    }

    /// Sends a form body.
    pub fn form<T: Serialize + ?Sized>(self, value: &T) -> Self {
        self.with(|builder| builder.form(value))
    }

    /// Sends these bytes; the content type is the caller's to set.
    pub fn body(self, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        self.with(|builder| builder.body(bytes))
    }

    /// Appends query parameters.
    pub fn query<T: Serialize + ?Sized>(self, value: &T) -> Self {
        self.with(|builder| builder.query(value))
    }

    /// Time for this whole call, the body included, in place of the client's.
    pub fn timeout(self, total: Duration) -> Self {
        self.with(|builder| builder.timeout(total))
    }

    /// Sends it, with the correlation id and trace context of the current task, and waits for the
    /// head of the answer. Redirects are answers like any other. Dropping the future ends the call.
    pub async fn send(self) -> Result<Response, Error> {
        let mut headers = HeaderMap::new();
        trace_context::inject(&mut headers);
        let id = correlation::current().and_then(|id| HeaderValue::from_str(id.as_str()).ok());
        if let Some(id) = id {
            headers.insert(correlation::HEADER, id);
        }
        let answer = self.state?.headers(headers).send().await.map_err(Error::from_reqwest)?;
        Ok(Response::new(answer, self.limits.max_body))
    }
}
