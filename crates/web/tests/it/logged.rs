//! What the access log tells.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::{Request, StatusCode};
use serde_json::Value;
use syfthub_domain::Error;
use syfthub_web::stack::Stack;
use syfthub_web::{AccessLog, ApiResult, JsonBody};

use crate::client::{request, send, stack};

/// Collects what a subscriber writes.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// The events of the access and error targets as `(level, fields)`.
    fn events(&self) -> Vec<(String, Value)> {
        let bytes = self.0.lock().unwrap().clone();
        let lines = String::from_utf8(bytes).unwrap();
        lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|line| line["target"].as_str().unwrap().starts_with("syfthub.api"))
            .map(|line| (line["level"].as_str().unwrap().to_owned(), line["fields"].clone()))
            .collect()
    }
}

async fn broken() -> ApiResult<()> {
    Err(Error::internal("the disk is gone").into())
}

fn router(stack: &Stack) -> Router {
    stack.wrap(
        Router::new()
            .route("/ok", get(|| async { "fine" }))
            .route("/health", get(|| async { "fine" }))
            .route("/echo", post(|JsonBody(body): JsonBody| async { axum::Json(body) }))
            .route("/broken", get(broken)),
    )
}

async fn events_of(stack: &Stack, asked: Request<Body>) -> Vec<(String, Value)> {
    syfthub_testing::log::listen_on_every_thread();
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    send(&router(stack), asked).await;
    drop(guard);
    lines.events()
}

#[tokio::test]
async fn a_request_has_two_lines_with_its_facts_and_no_token() {
    let mut asked = request("GET", "/ok?token=hunter2&page=3", Body::empty());
    asked.headers_mut().insert("user-agent", "curl/8".parse().unwrap());
    let events = events_of(&stack(), asked).await;
    let [(first, started), (second, completed)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((first.as_str(), second.as_str()), ("INFO", "INFO"));
    assert_eq!(
        (&started["message"], &completed["message"]),
        (&"request.started".into(), &"request.completed".into())
    );
    for fields in [started, completed] {
        assert_eq!((&fields["method"], &fields["path"]), (&"GET".into(), &"/ok".into()));
        assert_eq!((&fields["client_ip"], &fields["user_agent"]), (&"127.0.0.1".into(), &"curl/8".into()));
        let query = fields["query"].as_str().unwrap();
        assert!(query.contains("page=3") && !query.contains("hunter2"), "{query}");
    }
    assert_eq!(completed["status_code"], 200);
    assert!(completed["duration_ms"].is_number());
}

#[tokio::test]
async fn refusals_warn_and_faults_are_errors_with_their_causes() {
    let events = events_of(&stack(), request("GET", "/nowhere", Body::empty())).await;
    assert_eq!(events.last().unwrap().0, "WARN");
    let events = events_of(&stack(), request("GET", "/broken", Body::empty())).await;
    let [_, (level, fault), (last, failed)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((level.as_str(), last.as_str()), ("ERROR", "ERROR"));
    assert_eq!((&fault["message"], &fault["chain"]), (&"error.unhandled".into(), &"the disk is gone".into()));
    assert_eq!(failed["message"], "request.failed");
}

#[tokio::test]
async fn probes_are_silent() {
    assert!(events_of(&stack(), request("GET", "/health", Body::empty())).await.is_empty());
}

#[tokio::test]
async fn bodies_are_logged_only_when_asked_for_and_redacted() {
    let body = r#"{"name": "ada", "password": "hunter2", "code": "314159", "pin": 2718}"#;
    let asked = || {
        let mut asked = request("POST", "/echo", body);
        asked.headers_mut().insert("content-length", body.len().into());
        asked
    };
    let plain = events_of(&stack(), asked()).await;
    assert!(plain.iter().all(|(_, fields)| fields.get("body").is_none()), "{plain:?}");
    let mut verbose = stack();
    verbose.access_log = AccessLog { request_body: true, response_body: true, ..AccessLog::default() };
    let told = events_of(&verbose, asked()).await;
    let logged = told[0].1["body"].as_str().unwrap();
    assert!(logged.contains("ada"), "{logged}");
    for secret in ["hunter2", "314159", "2718"] {
        assert!(!logged.contains(secret), "{logged}");
    }
    let refused = events_of(&verbose, request("GET", "/nowhere", Body::empty())).await;
    let answer = refused[1].1["body"].as_str().unwrap();
    assert!(answer.contains("Not Found") && answer.contains("NOT_FOUND"), "{answer}");
}

#[tokio::test]
async fn headers_are_logged_only_when_asked_for_and_redacted() {
    let asked = || {
        let mut asked = request("GET", "/ok", Body::empty());
        for (name, value) in [
            ("authorization", "Bearer hunter2"),
            ("cookie", "sid=hunter2"),
            ("x-api-key", "hunter2"),
            ("x-auth-token", "hunter2"),
            ("idempotency-key", "hunter2"),
            ("accept-language", "fy"),
        ] {
            asked.headers_mut().insert(name, value.parse().unwrap());
        }
        asked.headers_mut().insert("x-long", "y".repeat(5_000).parse().unwrap());
        asked
    };
    let plain = events_of(&stack(), asked()).await;
    assert!(plain.iter().all(|(_, fields)| fields.get("headers").is_none()), "{plain:?}");
    let mut verbose = stack();
    verbose.access_log = AccessLog { request_headers: true, ..AccessLog::default() };
    let told = events_of(&verbose, asked()).await;
    let logged = told[0].1["headers"].as_str().unwrap();
    assert!(logged.contains(r#""accept-language":"fy""#) && logged.contains("x-api-key"), "{logged}");
    assert!(!logged.contains("hunter2") && logged.len() < 3_000, "{logged}");
}

#[tokio::test]
async fn a_body_that_never_comes_is_not_waited_for() {
    let mut verbose = stack().with_request_timeout(Duration::from_millis(50));
    verbose.access_log = AccessLog { request_body: true, ..AccessLog::default() };
    let silence = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let mut asked = request("POST", "/echo", Body::from_stream(silence));
    asked.headers_mut().insert("content-length", 10.into());
    let answer = send(&router(&verbose), asked).await;
    assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT, "{}", answer.text);
    assert_eq!(answer.json()["error"]["code"], "REQUEST_TIMEOUT");
}
