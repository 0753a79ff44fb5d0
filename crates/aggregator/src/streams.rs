//! Event streams that clients read, for the log and the figures.

use std::task::{Poll, ready};

use bytes::Bytes;
use futures::stream::poll_fn;
use futures::{Stream, StreamExt};
use syfthub_logging::correlation::{self, CorrelationId};
use tokio::time::Instant;

use crate::measure::{self, Active};

const TARGET: &str = "syfthub.aggregator.sse";
/// The event's name is within so many bytes of a frame.
const HEAD: usize = 96;

/// The same frames, watched until the last one or until the client goes away. `route` says where they are read.
pub(crate) fn watched(
    route: &'static str,
    mut frames: impl Stream<Item = Bytes> + Send + Unpin + 'static,
) -> impl Stream<Item = Bytes> + Send + 'static {
    let mut reading = Reading::begin(route);
    poll_fn(move |cx| {
        let frame = ready!(frames.poll_next_unpin(cx));
        match &frame {
            Some(frame) => reading.pass(frame),
            None => reading.is_over = true,
        }
        Poll::Ready(frame)
    })
}

/// A client that reads.
struct Reading {
    route: &'static str,
    /// Its body is sent outside of the request's own scope.
    id: Option<CorrelationId>,
    started: Instant,
    events: u64,
    bytes: usize,
    last: Bytes,
    is_over: bool,
    _active: Active,
}

impl Reading {
    fn begin(route: &'static str) -> Self {
        tracing::debug!(target: TARGET, route, "sse.stream.started");
        Self {
            route,
            id: correlation::current(),
            started: Instant::now(),
            events: 0,
            bytes: 0,
            last: Bytes::new(),
            is_over: false,
            _active: Active::at(measure::open_streams()),
        }
    }

    fn pass(&mut self, frame: &Bytes) {
        self.events += 1;
        self.bytes += frame.len();
        self.last = frame.clone();
    }

    fn log(&self) {
        let Self { route, events, bytes, .. } = self;
        let duration_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        // Who has the last event may leave without waiting for the end of the body.
        if self.is_over || is_last(&self.last) {
            tracing::info!(target: TARGET, route, events, bytes, duration_ms, "sse.stream.completed");
        } else {
            tracing::info!(target: TARGET, route, events, bytes, duration_ms, "sse.stream.cancelled");
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        match self.id.take() {
            Some(id) => correlation::sync_scope(id, || self.log()),
            None => self.log(),
        }
    }
}

/// Whether nothing comes after a frame, in either dialect.
fn is_last(frame: &[u8]) -> bool {
    let head = &frame[..frame.len().min(HEAD)];
    ["event: done\n", "event: error\n", "data: [DONE]", "data: {\"error\""]
        .iter()
        .any(|mark| head.windows(mark.len()).any(|part| part == mark.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_frame_is_known_by_its_name() {
        for last in ["event: done\ndata: {}\n\n", "id: a:3\nevent: error\ndata: {}\n\n", "data: [DONE]\n\n"] {
            assert!(is_last(last.as_bytes()), "{last}");
        }
        for other in ["event: token\ndata: {\"content\":\"event: done\"}\n\n", "data: {\"id\":\"x\"}\n\n", ""]
        {
            assert!(!is_last(other.as_bytes()), "{other}");
        }
    }
}
