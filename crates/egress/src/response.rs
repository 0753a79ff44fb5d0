//! An answer whose body is read under a cap.

use bytes::{Bytes, BytesMut};
use futures::Stream;
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use crate::error::Error;

/// The head of an answer; the body is still on the wire.
#[derive(Debug)]
pub struct Response {
    inner: reqwest::Response,
    max_body: usize,
    read: usize,
}

impl Response {
    pub(crate) fn new(inner: reqwest::Response, max_body: usize) -> Self {
        Self { inner, max_body, read: 0 }
    }

    /// Status of the answer; redirects are not followed.
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// Headers of the answer.
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// Forgets the headers of an answer that is read for a long time: they hold on to the buffer that they were
    /// read into.
    pub fn forget_headers(&mut self) {
        *self.inner.headers_mut() = HeaderMap::new();
    }

    /// The media type in lower case without parameters, for example `application/json`.
    pub fn media_type(&self) -> Option<String> {
        let value = self.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
        Some(value.split(';').next()?.trim().to_ascii_lowercase())
    }

    /// Turns any status but 2xx into [`Error::Status`].
    pub fn require_success(self) -> Result<Self, Error> {
        let status = self.status();
        if status.is_success() { Ok(self) } else { Err(Error::Status(status.as_u16())) }
    }

    /// The next piece of the body, decompressed; `None` at its end. The client's `max_body` applies to
    /// the sum.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let Some(chunk) = self.inner.chunk().await.map_err(Error::from_reqwest)? else { return Ok(None) };
        self.read = self.read.saturating_add(chunk.len());
        if self.read > self.max_body {
            return Err(Error::TooLarge { max: self.max_body });
        }
        Ok(Some(chunk))
    }

    /// The body as a stream of at most `max_body` bytes; ends after the first error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static {
        futures::stream::try_unfold(self, async |mut response| {
            let chunk = response.chunk().await?;
            Ok(chunk.map(|chunk| (chunk, response)))
        })
    }

    /// The whole body, at most `max` bytes and at most the client's `max_body`. What is larger is not
    /// read to its end.
    pub async fn bytes_capped(self, max: usize) -> Result<Bytes, Error> {
        self.bytes_booked(max, |_| Ok(())).await
    }

    /// The same for callers with a budget: `book` is told the size of every piece before it is kept, and its
    /// refusal ends the reading.
    pub async fn bytes_booked<E: From<Error>>(
        mut self,
        max: usize,
        mut book: impl FnMut(usize) -> Result<(), E>,
    ) -> Result<Bytes, E> {
        self.max_body = self.max_body.min(max);
        let announced = self.inner.content_length().unwrap_or(0);
        if announced > u64::try_from(self.max_body).unwrap_or(u64::MAX) {
            return Err(Error::TooLarge { max: self.max_body }.into());
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            book(chunk.len())?;
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// The whole body under the client's cap.
    pub async fn bytes(self) -> Result<Bytes, Error> {
        let max = self.max_body;
        self.bytes_capped(max).await
    }

    /// The whole body as JSON.
    pub async fn json_capped<T: DeserializeOwned>(self, max: usize) -> Result<T, Error> {
        let body = self.bytes_capped(max).await?;
        serde_json::from_slice(&body).map_err(|_| Error::Invalid("JSON"))
    }

    /// The whole body as text; bytes that are not UTF-8 become U+FFFD.
    pub async fn text_capped(self, max: usize) -> Result<String, Error> {
        let body = self.bytes_capped(max).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// The first `max` bytes of the body as text, for an error message. Never fails: what cannot be
    /// read is left out.
    pub async fn excerpt(mut self, max: usize) -> String {
        let mut body = BytesMut::new();
        while body.len() < max {
            let Ok(Some(chunk)) = self.chunk().await else { break };
            body.extend_from_slice(&chunk);
        }
        body.truncate(max);
        String::from_utf8_lossy(&body).into_owned()
    }
}
