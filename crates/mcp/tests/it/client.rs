//! Sends raw HTTP to the service's router.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use syfthub_cache::Cache;
use syfthub_config::Settings;
use syfthub_domain::{FixedClock, SharedClock, Timestamp};
use syfthub_egress::Outside;
use syfthub_mcp::{App, Deps};
use tower::ServiceExt;

use crate::hub::{Fake, Seen, TOKEN};

/// The service over fakes.
pub(crate) struct Service {
    pub(crate) router: Router,
    pub(crate) app: App,
    pub(crate) seen: Arc<Seen>,
}

pub(crate) fn service() -> Service {
    service_with(|_| {})
}

pub(crate) fn service_with(change: impl FnOnce(&mut Settings)) -> Service {
    service_in(&Outside::default(), change)
}

/// The service in a world of its own.
pub(crate) fn service_in(outside: &Outside, change: impl FnOnce(&mut Settings)) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let mut settings = Settings::for_tests(directory.path());
    settings.mcp.accept_hub_tokens = true;
    settings.mcp.public_url = "https://hub.example".parse().unwrap();
    settings.mcp.allowed_origins = vec!["https://app.example".to_owned()];
    change(&mut settings);
    let fake = Fake::default();
    let clock: SharedClock = FixedClock::new(Timestamp::from_secs(1_700_000_000));
    let deps = Deps { hub: fake.peer(), chat: fake.peer(), cache: Cache::memory(clock.clone()), clock };
    let app = App::build_in(outside, &settings, deps).unwrap();
    Service { router: app.router(), app, seen: fake.0 }
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }
}

/// A POST to MCP with the good token.
pub(crate) fn post(path: &str, body: &Value) -> Request<Body> {
    Request::post(path)
        .header("host", "hub.example")
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(Body::from(body.to_string()))
        .unwrap()
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Answer { status: parts.status, headers: parts.headers, text }
}

/// A method of the earlier protocol era.
pub(crate) fn method(name: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": name, "params": params})
}

/// Calls a tool and gives the result or error of the protocol.
pub(crate) async fn call(router: &Router, tool: &str, arguments: Value) -> Value {
    let body = method("tools/call", &json!({"name": tool, "arguments": arguments}));
    let answer = send(router, post("/mcp", &body)).await;
    answer.json()
}
