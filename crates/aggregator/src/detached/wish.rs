//! What a client says in its headers about a request that may be taken up again.

use http::{HeaderMap, HeaderName};
use sha2::{Digest, Sha256};
use syfthub_domain::field::VALUE_ERROR;
use syfthub_domain::{Error, FieldError, Result};
use uuid::Uuid;

/// Names a request: the same key means the same request, which is worked on once.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The last event that a client has seen, as browsers name it.
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Shortest key. A key gives access to an answer, so nobody may come upon one by chance.
const MIN_KEY: usize = 16;
/// Longest key.
const MAX_KEY: usize = 255;

/// A request that may be taken up again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    /// The hash of the client's key; the key itself is kept nowhere.
    pub key: Option<String>,
    /// The last event that the client has seen.
    pub after: Option<EventId>,
}

/// The number of an event, and the run that it belongs to: `{run}:{number}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventId {
    pub run: Uuid,
    /// From 1.
    pub number: usize,
}

impl EventId {
    fn read(text: &str) -> Option<Self> {
        let (run, number) = text.trim().split_once(':')?;
        Some(Self { run: Uuid::try_parse(run).ok()?, number: number.parse().ok()? })
    }
}

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.run.simple(), self.number)
    }
}

impl Wish {
    /// `None` for a request that ends with its client. A `Last-Event-ID` that no run of ours has is some other
    /// service's and says nothing here.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Option<Self>> {
        let after = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok()).and_then(EventId::read);
        let key = headers.get(IDEMPOTENCY_KEY).map(|value| key_of(value.as_bytes())).transpose()?;
        Ok((key.is_some() || after.is_some()).then_some(Self { key, after }))
    }
}

fn key_of(value: &[u8]) -> Result<String> {
    // The draft standard writes it as a quoted string, most clients write it bare.
    let bare = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(value);
    if !(MIN_KEY..=MAX_KEY).contains(&bare.len()) || !bare.iter().all(u8::is_ascii_graphic) {
        let text =
            format!("must be {MIN_KEY} to {MAX_KEY} visible ASCII characters; a random UUID does well");
        return Err(refused(&text));
    }
    Ok(hex(&Sha256::digest(bare)))
}

/// The refusal of a key.
pub(super) fn refused(text: &str) -> Error {
    let loc = vec!["header".into(), "Idempotency-Key".into()];
    Error::fields(vec![FieldError::new(VALUE_ERROR, loc, text)])
}

/// Digits of a digest, for keys of the cache.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn read(key: Option<&'static str>, after: Option<&'static str>) -> Result<Option<Wish>> {
        let mut headers = HeaderMap::new();
        key.map(|key| headers.insert(IDEMPOTENCY_KEY, HeaderValue::from_static(key)));
        after.map(|after| headers.insert(LAST_EVENT_ID, HeaderValue::from_static(after)));
        Wish::read(&headers)
    }

    #[test]
    fn a_request_without_the_headers_ends_with_its_client() {
        assert_eq!(read(None, None).unwrap(), None);
        assert_eq!(read(None, Some("42")).unwrap(), None);
    }

    #[test]
    fn quotes_make_no_difference_and_the_key_is_not_kept() {
        let bare = read(Some("6f1c2f5e-key-of-16"), None).unwrap().unwrap();
        assert_eq!(read(Some("\"6f1c2f5e-key-of-16\""), None).unwrap().unwrap(), bare);
        assert!(!format!("{bare:?}").contains("key-of-16"));
    }

    #[test]
    fn keys_that_others_could_come_upon_are_refused() {
        for key in ["short", "sixteen letters with blanks", ""] {
            let error = read(Some(key), None).unwrap_err();
            assert_eq!(error.code.http_status(), 422, "{key}");
        }
    }

    #[test]
    fn event_ids_are_read_as_they_are_written() {
        let id = EventId { run: Uuid::from_u128(7), number: 12 };
        assert_eq!(EventId::read(&id.to_string()), Some(id));
        for other in ["", ":", "x:1", "00000000000000000000000000000007:-1"] {
            assert_eq!(EventId::read(other), None, "{other}");
        }
    }
}
