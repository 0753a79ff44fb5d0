//! The service under test and a client of it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use syfthub_aggregator::{App, Deps, Pace};
use syfthub_cache::Cache;
use syfthub_config::Settings;
use syfthub_domain::{FixedClock, Timestamp};
use syfthub_egress::Outside;
use syfthub_rpc::Peer;
use tower::ServiceExt;

use crate::hub::{FakeHub, KEY};
use crate::upstream::Upstream;

/// The service with a scripted hub behind it.
pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) hub: FakeHub,
    pub(crate) clock: Arc<FixedClock>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// The events that the published clients know.
const EVENTS: [&str; 10] = [
    "retrieval_start",
    "source_complete",
    "reranking_start",
    "reranking_complete",
    "retrieval_complete",
    "generation_start",
    "generation_heartbeat",
    "token",
    "done",
    "error",
];

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The events of a stream, read by the rules of the strictest client.
    pub(crate) fn events(&self) -> Vec<(String, Value)> {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        assert!(self.text.is_ascii(), "everything beyond ASCII is escaped");
        let frames = self.text.split_terminator("\n\n").filter(|frame| !frame.starts_with(':'));
        frames
            .map(|frame| {
                let (name, data) = frame.split_once('\n').unwrap();
                assert!(!data.contains('\n'), "one data line per event: {frame}");
                let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
                let name = name.strip_prefix("event: ").unwrap();
                assert!(EVENTS.contains(&name), "clients take the event {name} for an error");
                (name.to_owned(), data)
            })
            .collect()
    }

    /// The names of the events; without heartbeats, which depend on how busy the machine is.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.events().into_iter().map(|(name, _)| name);
        names.filter(|name| name != "generation_heartbeat").collect()
    }

    /// The data of the only event with this name.
    pub(crate) fn event(&self, name: &str) -> Value {
        let mut found = self.events().into_iter().filter(|(other, _)| other == name);
        let (_, data) = found.next().unwrap_or_else(|| panic!("no event {name} in {}", self.text));
        assert!(found.next().is_none(), "one event {name}");
        data
    }
}

impl TestApp {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::sharing(None, change)
    }

    /// In another world outside.
    pub(crate) fn outside(outside: &Outside, change: impl FnOnce(&mut Settings)) -> Self {
        let hub = FakeHub::default();
        let peer = hub.peer();
        Self::made(outside, (hub, peer), None, change)
    }

    /// One of several processes that share a cache.
    pub(crate) fn sharing(cache: Option<Cache>, change: impl FnOnce(&mut Settings)) -> Self {
        let hub = FakeHub::default();
        let peer = hub.peer();
        Self::of(hub, peer, cache, change)
    }

    /// One whose hub is reached by `peer`.
    pub(crate) fn of(
        hub: FakeHub,
        peer: Peer,
        cache: Option<Cache>,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        Self::made(&Outside::default(), (hub, peer), cache, change)
    }

    fn made(
        outside: &Outside,
        (hub, peer): (FakeHub, Peer),
        cache: Option<Cache>,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let mut settings = Settings::for_tests(Path::new("unused"));
        change(&mut settings);
        let clock = FixedClock::new(Timestamp::from_secs(1_800_000_000));
        let cache = cache.unwrap_or_else(|| Cache::memory(clock.clone()));
        let deps = Deps { hub: peer, cache, clock: clock.clone() };
        let pace = Pace {
            retry_waits: [Duration::ZERO; 2],
            heartbeat: Duration::from_millis(20),
            patience: Duration::from_secs(2),
            silence: Duration::from_millis(500),
        };
        let app = App::build_in(outside, &settings, deps, pace).unwrap();
        Self { app, hub, clock }
    }

    pub(crate) fn router(&self) -> Router {
        self.app.router()
    }

    pub(crate) fn peer(&self, caller: syfthub_rpc::Caller) -> Peer {
        syfthub_rpc::local(self.app.grpc(), caller, &KEY)
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn chat(&self, body: &Value) -> Answer {
        self.send(post("/api/v1/chat", body)).await
    }

    pub(crate) async fn stream(&self, body: &Value) -> Answer {
        self.send(post("/api/v1/chat/stream", body)).await
    }
}

pub(crate) fn post(path: &str, body: &Value) -> Request<Body> {
    Request::post(path).header("content-type", "application/json").body(Body::from(body.to_string())).unwrap()
}

pub(crate) fn endpoint(owner: &str, slug: &str, url: &str) -> Value {
    json!({"url": url, "slug": slug, "name": slug, "owner_username": owner})
}

/// A question to `model` about `sources` (path and service).
pub(crate) fn question(model: &Upstream, sources: &[(&str, &Upstream)]) -> Value {
    let sources: Vec<Value> = sources
        .iter()
        .map(|(path, upstream)| {
            let (owner, slug) = path.split_once('/').unwrap();
            endpoint(owner, slug, &upstream.url)
        })
        .collect();
    json!({
        "prompt": "How do I restore a backup?",
        "model": endpoint("mia", "writer", &model.url),
        "data_sources": sources,
    })
}

/// The same answer with its times blotted out, after a look at them.
pub(crate) fn timeless(mut answer: Value) -> Value {
    for (name, time) in answer["metadata"].as_object_mut().unwrap() {
        if name.ends_with("_ms") {
            assert!(time.is_u64(), "{name}");
            *time = "[ms]".into();
        }
    }
    answer
}
