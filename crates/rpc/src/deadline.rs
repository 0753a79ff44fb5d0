//! Deadlines that bound the head and the body of a call, on both sides and over both transports.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep};
use tonic::{Request, Status};

use crate::DEFAULT_DEADLINE;

/// tonic's own timers act on this header, but only until the head of the answer; so the stack moves
/// the value to a header of its own.
const STANDARD_KEY: &str = "grpc-timeout";
/// Milliseconds that are left for the call.
const OWN_KEY: &str = "x-syfthub-timeout-ms";

/// Bounds a call, its answer stream included, by `limit`.
pub fn with_deadline<T>(mut request: Request<T>, limit: Duration) -> Request<T> {
    request.set_timeout(limit);
    request
}

/// Caller side: takes the limit of an outgoing call and leaves it in our own header.
pub(crate) fn prepare(headers: &mut HeaderMap) -> Duration {
    let limit = headers
        .remove(STANDARD_KEY)
        .and_then(|value| parse_standard(value.to_str().ok()?))
        .unwrap_or(DEFAULT_DEADLINE);
    let millis = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    headers.insert(OWN_KEY, HeaderValue::from(millis));
    limit
}

/// Service side: the limit of an incoming call.
pub(crate) fn read(headers: &HeaderMap) -> Duration {
    let own = headers.get(OWN_KEY).and_then(|value| value.to_str().ok()?.parse().ok());
    let standard = || parse_standard(headers.get(STANDARD_KEY)?.to_str().ok()?);
    own.map(Duration::from_millis).or_else(standard).unwrap_or(DEFAULT_DEADLINE)
}

/// The gRPC form: at most eight digits and a unit.
fn parse_standard(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount.saturating_mul(3600))),
        "M" => Some(Duration::from_secs(amount.saturating_mul(60))),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

/// The status of a call whose time is over.
pub(crate) fn exceeded() -> Status {
    Status::deadline_exceeded("the call did not finish in time")
}

/// The moment `limit` from now; a limit beyond what the timer can hold is cut to a year.
pub(crate) fn until(limit: Duration) -> Instant {
    Instant::now() + limit.min(Duration::from_hours(365 * 24))
}

/// A body that ends with `DEADLINE_EXCEEDED` when its time is over.
pub(crate) struct DeadlineBody {
    inner: Option<tonic::body::Body>,
    sleep: Pin<Box<Sleep>>,
}

impl DeadlineBody {
    pub(crate) fn wrap(inner: tonic::body::Body, until: Instant) -> tonic::body::Body {
        if http_body::Body::is_end_stream(&inner) {
            return inner;
        }
        let sleep = Box::pin(tokio::time::sleep_until(until));
        tonic::body::Body::new(Self { inner: Some(inner), sleep })
    }
}

impl http_body::Body for DeadlineBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        if this.sleep.as_mut().poll(cx).is_ready() {
            // Dropping the inner body is what cancels the work behind it.
            this.inner = None;
            return Poll::Ready(Some(Err(exceeded())));
        }
        Pin::new(inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(http_body::Body::size_hint).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_moves_from_the_standard_header_to_ours() {
        let mut headers = HeaderMap::new();
        headers.insert(STANDARD_KEY, HeaderValue::from_static("250m"));
        assert_eq!(prepare(&mut headers), Duration::from_millis(250));
        assert!(!headers.contains_key(STANDARD_KEY));
        assert_eq!(read(&headers), Duration::from_millis(250));
    }

    #[test]
    fn without_or_with_a_broken_limit_the_default_holds() {
        assert_eq!(prepare(&mut HeaderMap::new()), DEFAULT_DEADLINE);
        let mut headers = HeaderMap::new();
        headers.insert(STANDARD_KEY, HeaderValue::from_static("soon"));
        assert_eq!(read(&headers), DEFAULT_DEADLINE);
        assert_eq!(parse_standard(""), None);
        assert_eq!(parse_standard("3S"), Some(Duration::from_secs(3)));
    }
}
