//! What a fake endpoint does with a request, good and bad.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

/// What a fake endpoint does with one request.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// Answers as it should.
    Ok,
    /// Answers as it should, but only after this long.
    Slow(Duration),
    /// Takes the request and never answers.
    Hang,
    /// Answers with this status and JSON body.
    Status(u16, Value),
    /// Answers 403 with a policy outcome, for example `rate_limited`.
    Denied {
        /// `access_denied`, `rate_limited` or `policy_violation`.
        outcome: String,
        /// Text for the caller.
        detail: String,
    },
    /// Answers with this status and a page for browsers.
    Html(u16),
    /// Answers 200 with a body that starts like JSON and is none.
    InvalidJson,
    /// Sends the caller elsewhere.
    Redirect(String),
    /// Answers 200 at once and then sends one byte at a time, with this pause, without end.
    Drip(Duration),
    /// Answers 200 with a JSON string that never ends, as fast as it is read.
    Endless,
    /// Answers 402 with a payment challenge in `WWW-Authenticate`.
    PaymentRequired(String),
    /// Answers 200 with exactly this body and content type.
    Raw {
        /// Value of `Content-Type`.
        content_type: &'static str,
        /// The body.
        body: Bytes,
    },
}

impl Behaviour {
    /// The bad answer, or `None` when the endpoint should answer as it should.
    pub(super) async fn response(self) -> Option<Response> {
        Some(match self {
            Self::Ok => return None,
            Self::Slow(after) => {
                tokio::time::sleep(after).await;
                return None;
            }
            Self::Hang => std::future::pending().await,
            Self::Status(status, body) => (code(status), axum::Json(body)).into_response(),
            Self::Denied { outcome, detail } => {
                let body = json!({"detail": detail, "policy_metadata": {"outcome": outcome, "entries": []}});
                (StatusCode::FORBIDDEN, axum::Json(body)).into_response()
            }
            Self::Html(status) => {
                let page = "<!DOCTYPE html><html><head><title>Oops</title></head><body>no</body></html>";
                (code(status), axum::response::Html(page)).into_response()
            }
            Self::InvalidJson => typed("application/json", Body::from("{\"summary\": {\"message\":")),
            Self::Redirect(target) => {
                let target = HeaderValue::try_from(target).expect("a redirect needs a printable address");
                (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, target)]).into_response()
            }
            Self::Drip(pause) => typed("application/json", Body::from_stream(drip(pause))),
            Self::Endless => typed("application/json", Body::from_stream(endless())),
            Self::PaymentRequired(challenge) => {
                let challenge = HeaderValue::try_from(challenge).expect("a challenge must be printable");
                let body = axum::Json(json!({"detail": "Payment required"}));
                (StatusCode::PAYMENT_REQUIRED, [(header::WWW_AUTHENTICATE, challenge)], body).into_response()
            }
            Self::Raw { content_type, body } => typed(content_type, Body::from(body)),
        })
    }
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("not an HTTP status")
}

pub(super) fn typed(content_type: &'static str, body: Body) -> Response {
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

type Chunk = Result<Bytes, std::convert::Infallible>;

fn drip(pause: Duration) -> impl futures::Stream<Item = Chunk> {
    stream::unfold((), move |()| async move {
        tokio::time::sleep(pause).await;
        Some((Ok(Bytes::from_static(b" ")), ()))
    })
}

fn endless() -> impl futures::Stream<Item = Chunk> {
    let start = stream::iter([Ok(Bytes::from_static(b"{\"summary\":\""))]);
    let rest = stream::repeat_with(|| Ok(Bytes::from_static(&[b'x'; 16_384])));
    futures::StreamExt::chain(start, rest)
}
