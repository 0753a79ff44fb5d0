//! A panic in a service ends its own call with `INTERNAL` and nothing else.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use syfthub_domain::Error;
use tonic::Status;

use crate::status::to_status;

/// The status of a call whose service panicked; logs the panic's text.
pub(crate) fn status(panic: &(dyn Any + Send)) -> Status {
    let text = panic
        .downcast_ref::<&'static str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without text".to_owned());
    to_status(&Error::internal(format!("panic in a gRPC service: {text}")))
}

/// A body whose panics become an `INTERNAL` status.
pub(crate) struct CatchPanicBody {
    inner: Option<tonic::body::Body>,
}

impl CatchPanicBody {
    pub(crate) fn wrap(inner: tonic::body::Body) -> tonic::body::Body {
        if http_body::Body::is_end_stream(&inner) {
            return inner;
        }
        tonic::body::Body::new(Self { inner: Some(inner) })
    }
}

impl http_body::Body for CatchPanicBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let Some(inner) = &mut this.inner else { return Poll::Ready(None) };
        match catch_unwind(AssertUnwindSafe(|| Pin::new(inner).poll_frame(cx))) {
            Ok(polled) => polled,
            Err(panic) => {
                this.inner = None;
                let mut trailers = http::HeaderMap::new();
                // As trailers, not as a body error: a network transport resets the stream on an error
                // and would lose the details.
                match status(&*panic).add_header(&mut trailers) {
                    Ok(()) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                    Err(status) => Poll::Ready(Some(Err(status))),
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map(http_body::Body::size_hint).unwrap_or_default()
    }
}
