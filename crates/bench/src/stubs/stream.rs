//! A model that says a token every 50 ms.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::stream;
use http::header;
use tokio::time::{Instant, sleep_until};

/// Time between two tokens.
pub(crate) const PERIOD: Duration = Duration::from_millis(50);
/// Tokens of an answer; its reader goes away before.
const TOKENS: u32 = 20 * 600;

/// One token at once, and then one each [`PERIOD`].
pub(super) fn answer() -> Response {
    let begun = Instant::now();
    let tokens = stream::unfold(0_u32, move |number| async move {
        if number == TOKENS {
            return None;
        }
        sleep_until(begun + PERIOD * number).await;
        let frame = Bytes::from_static(b"data: {\"choices\":[{\"delta\":{\"content\":\"token \"}}]}\n\n");
        Some((Ok::<_, Infallible>(frame), number + 1))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(tokens)).into_response()
}
