//! Clients of the present era that listen for changes of endpoints.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::client::{Service, method, post, service};

/// An open stream.
struct Listening(Body);

impl Listening {
    /// The next message; `None` at the end.
    async fn next(&mut self) -> Option<Value> {
        loop {
            let frame = self.0.frame().await?.unwrap();
            let Ok(bytes) = frame.into_data() else { continue };
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            // Between messages there are blank ones that keep the connection alive.
            let told = text.lines().find_map(|line| line.strip_prefix("data:"));
            if let Some(message) = told.and_then(|told| serde_json::from_str(told).ok()) {
                return Some(message);
            }
        }
    }
}

async fn listen(service: &Service, uris: &[&str]) -> Listening {
    let mut body = method("subscriptions/listen", &json!({"notifications": {"resourceSubscriptions": uris}}));
    body["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let mut asked = post("/mcp", &body);
    for (name, value) in [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "subscriptions/listen")] {
        asked.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let answer = service.router.clone().oneshot(asked).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    Listening(answer.into_body())
}

#[tokio::test(start_paused = true)]
async fn a_change_of_a_watched_endpoint_is_told_and_nothing_else() {
    let service = service();
    let mut stream =
        listen(&service, &["syfthub://bob/docs", "syfthub://bob/llm", "file:///etc/passwd"]).await;
    let first = stream.next().await.unwrap();
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    let taken = &first["params"]["notifications"]["resourceSubscriptions"];
    assert_eq!(*taken, json!(["syfthub://bob/docs", "syfthub://bob/llm"]), "{first}");
    // Time passes by itself while everybody waits; the first look has to be over before the change.
    while service.seen.resolved.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    service.seen.docs_changed_at.store(5, Ordering::SeqCst);
    let told = stream.next().await.unwrap();
    assert_eq!(told["method"], "notifications/resources/updated", "{told}");
    assert_eq!(told["params"]["uri"], "syfthub://bob/docs");
    assert!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"].is_number(), "{told}");

    // A hub that is away for a while loses nothing.
    service.seen.down.store(true, Ordering::SeqCst);
    tokio::time::advance(std::time::Duration::from_mins(1)).await;
    service.seen.docs_changed_at.store(6, Ordering::SeqCst);
    service.seen.down.store(false, Ordering::SeqCst);
    assert_eq!(stream.next().await.unwrap()["params"]["uri"], "syfthub://bob/docs");
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_when_its_caller_may_not_look_any_more() {
    let service = service();
    let mut stream = listen(&service, &["syfthub://bob/docs"]).await;
    stream.next().await.unwrap();
    while service.seen.resolved.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    service.seen.revoked.store(true, Ordering::SeqCst);
    let last = stream.next().await.unwrap();
    assert_eq!((&last["id"], last.get("error")), (&json!(1), None), "{last}");
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn who_watches_nothing_of_ours_is_told_so_and_let_go() {
    let service = service();
    let mut stream = listen(&service, &["file:///etc/passwd"]).await;
    let first = stream.next().await.unwrap();
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    assert!(stream.next().await.unwrap()["result"].is_object());
    assert!(stream.next().await.is_none());
}
