//! Why a call to an endpoint gave nothing, in words for the person who asked.

use std::fmt::Write as _;

use serde_json::Value;

use crate::shape::{self, Shape};

/// Longest reason that is passed on, in code points.
const MAX_DETAIL_CHARS: usize = 200;

/// What is kept of an error answer.
const ERROR: Shape =
    Shape::Keys(&[("detail", MESSAGE), ("error", MESSAGE), ("policy_metadata", shape::POLICY)]);
const MESSAGE: Shape = Shape::Keys(&[("message", Shape::Leaf)]);

/// Why a call gave nothing. `Display` is a text for the client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Nothing came in time.
    #[error("Request timed out")]
    Timeout,
    /// Nothing came in the time that it takes at other times, and others have answered.
    #[error(
        "It has been silent for {seconds:.1} seconds, much longer than usual, while others have answered"
    )]
    Overdue { seconds: f64 },
    /// No connection, or it broke.
    #[error(
        "Cannot reach {origin}; its owner should check that the service runs and that the published address is right"
    )]
    Unreachable { origin: String },
    /// Who answers there cannot show that it is who it should be.
    #[error(
        "The certificate of {origin} is not good: {fault}; its owner should renew it, or publish the name that it is for"
    )]
    Certificate { origin: String, fault: &'static str },
    /// The address is one that the hub does not call.
    #[error("The address {origin} is not allowed here: {reason}")]
    Refused { origin: String, reason: String },
    /// The reference itself cannot be called.
    #[error("{0}")]
    BadReference(&'static str),
    /// An answer other than 200.
    #[error("HTTP {code}: {detail}")]
    Status { code: u16, detail: String, outcome: Option<String>, policy: Option<Value> },
    /// A web page where JSON belongs.
    #[error(
        "The endpoint is unreachable: a web page came back instead of its answer. Contact the owner of the endpoint"
    )]
    WebPage { code: u16 },
    /// 200 with something else than JSON.
    #[error("The endpoint returned invalid JSON")]
    InvalidJson,
    /// More than is read from an endpoint.
    #[error("The endpoint's answer is too large")]
    TooLarge,
    /// The answers that are in hand already leave no room for this one.
    #[error("This hub is busy with too many large answers; try again shortly")]
    Busy,
    /// It failed so often that it is left alone for a while.
    #[error(
        "The endpoint failed several times in a row and is left alone for now; try again in {seconds} seconds"
    )]
    Resting { seconds: u64 },
    /// The endpoint gave up while it answered.
    #[error("{0}")]
    GaveUp(String),
}

impl Failure {
    /// From a complete answer with a status other than 200.
    pub(crate) fn from_answer(code: u16, retry_after: Option<u32>, body: &[u8]) -> Self {
        let json = shape::read(body, ERROR).ok();
        if json.is_none() && is_web_page(body) {
            if code != 403 {
                return Self::WebPage { code };
            }
            let detail = "the endpoint named no reason".to_owned();
            return Self::Status { code, detail, outcome: None, policy: None };
        }
        let detail =
            json.as_ref().and_then(detail_of).unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
        let mut detail: String = detail.trim().chars().take(MAX_DETAIL_CHARS).collect();
        if let Some(seconds) = retry_after.filter(|_| matches!(code, 429 | 503)) {
            let blank = if detail.is_empty() { "" } else { " " };
            // Writing to a String cannot fail.
            let _ = write!(detail, "{blank}(try again in {seconds} seconds)");
        }
        let policy = json.and_then(|mut json| json.get_mut("policy_metadata").map(Value::take));
        let outcome = policy.as_ref().and_then(|policy| policy.get("outcome")?.as_str()).map(str::to_owned);
        Self::Status { code, detail, outcome, policy }
    }

    /// From a call that gave no complete answer.
    pub(super) fn from_egress(error: syfthub_egress::Error, origin: &str) -> Self {
        use syfthub_egress::Error as Egress;
        let origin = origin.to_owned();
        match error {
            Egress::Timeout => Self::Timeout,
            Egress::TooLarge { .. } => Self::TooLarge,
            Egress::Invalid(_) => Self::InvalidJson,
            Egress::Certificate(fault) => Self::Certificate { origin, fault },
            Egress::Refused { reason } => Self::Refused { origin, reason: reason.to_string() },
            other => {
                tracing::debug!(target: "syfthub.aggregator.space", origin, %other, "endpoint.unreachable");
                Self::Unreachable { origin }
            }
        }
    }

    /// A text for the log. Endpoints may repeat what they were sent, so what they say is left out unless `quotes`.
    pub(crate) fn told(&self, quotes: bool) -> String {
        match self {
            Self::Status { code, .. } if !quotes => format!("HTTP {code}"),
            Self::GaveUp(_) if !quotes => "The endpoint gave up while it answered".to_owned(),
            _ => self.to_string(),
        }
    }

    /// What policies reported together with the refusal.
    pub(crate) fn into_policy(self) -> Option<Value> {
        match self {
            Self::Status { policy, .. } => policy,
            _ => None,
        }
    }

    /// Statuses that another attempt may heal.
    pub(super) fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Status { code: 500 | 502 | 503 | 504, .. } | Self::WebPage { code: 500 | 502 | 503 | 504 }
        )
    }
}

fn detail_of(json: &Value) -> Option<String> {
    match json.get("detail").or_else(|| json.get("error"))? {
        Value::String(text) => Some(text.clone()),
        Value::Object(object) => object.get("message")?.as_str().map(str::to_owned),
        _ => None,
    }
}

/// Whether a body is HTML, whatever its content type says.
pub(super) fn is_web_page(body: &[u8]) -> bool {
    let start = body.trim_ascii_start();
    let start = start[..start.len().min(32)].to_ascii_lowercase();
    start.starts_with(b"<!doctype") || start.starts_with(b"<html") || start.starts_with(b"<head")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(code: u16, body: &str) -> String {
        Failure::from_answer(code, None, body.as_bytes()).to_string()
    }

    #[test]
    fn the_reason_of_the_endpoint_is_passed_on() {
        assert_eq!(text(404, r#"{"detail":"no such endpoint"}"#), "HTTP 404: no such endpoint");
        assert_eq!(text(409, r#"{"detail":{"code":"x","message":"taken"}}"#), "HTTP 409: taken");
        assert_eq!(text(500, &"é".repeat(500)), format!("HTTP 500: {}", "é".repeat(200)));
    }

    #[test]
    fn web_pages_are_named_as_such() {
        assert!(text(502, "  <!DOCTYPE html><p>Bad gateway").contains("Contact the owner"));
        let denied = Failure::from_answer(403, None, b"<html>");
        assert!(matches!(denied, Failure::Status { code: 403, .. }));
    }

    #[test]
    fn the_wait_that_an_endpoint_asks_for_is_passed_on() {
        let text = |code, body: &[u8]| Failure::from_answer(code, Some(7), body).to_string();
        assert_eq!(text(429, br#"{"detail":"slow down"}"#), "HTTP 429: slow down (try again in 7 seconds)");
        assert_eq!(text(503, b""), "HTTP 503: (try again in 7 seconds)");
        assert_eq!(text(404, b"gone"), "HTTP 404: gone");
    }

    #[test]
    fn the_outcome_of_a_policy_is_kept() {
        let body = br#"{"detail":"slow down","policy_metadata":{"outcome":"rate_limited","entries":[]}}"#;
        let failure = Failure::from_answer(403, None, body);
        assert!(
            matches!(&failure, Failure::Status { outcome: Some(outcome), .. } if outcome == "rate_limited")
        );
        assert!(failure.into_policy().is_some());
    }
}
