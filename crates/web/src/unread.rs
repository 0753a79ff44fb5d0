//! What an answer leaves unread of its request.
//!
//! A refusal is often there before the request's body is, since many programs send head and body one after the other.
//! hyper then ends the connection although the answer does not say so, and the program loses its next request on it. Here the
//! rest is read, if there is little of it, and otherwise the answer says that the connection ends.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body as AnyBody;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::oneshot;

/// Most that is read for nothing, in bytes.
const LITTLE: u64 = 64 * 1024;
/// Longest time for that.
const PATIENCE: Duration = Duration::from_secs(2);

/// A request's body that comes back when it was not read to its end.
struct Lent {
    body: Option<Incoming>,
    back: Option<oneshot::Sender<Incoming>>,
}

/// Where such a body comes back.
pub(crate) struct Rest(Option<oneshot::Receiver<Incoming>>);

/// Lends a body out.
pub(crate) fn lend(body: Incoming) -> (AnyBody, Rest) {
    if body.is_end_stream() {
        return (AnyBody::empty(), Rest(None));
    }
    let (back, rest) = oneshot::channel();
    (AnyBody::new(Lent { body: Some(body), back: Some(back) }), Rest(Some(rest)))
}

impl Rest {
    /// Reads what was left; tells whether the connection can take another request.
    pub(crate) async fn read(self) -> bool {
        let left = self.0.and_then(|mut rest| rest.try_recv().ok());
        let Some(mut body) = left else { return true };
        if body.size_hint().upper().is_none_or(|size| size > LITTLE) {
            return false;
        }
        let all = async {
            while let Some(frame) = body.frame().await {
                if frame.is_err() {
                    return false;
                }
            }
            true
        };
        tokio::time::timeout(PATIENCE, all).await.unwrap_or(false)
    }
}

impl Body for Lent {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.back = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take())
            && !body.is_end_stream()
        {
            // Nobody waits for it when the connection is gone.
            drop(back.send(body));
        }
    }
}
