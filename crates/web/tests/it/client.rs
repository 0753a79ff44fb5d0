//! Sends requests to a router and reads the answers.

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use syfthub_web::stack::Stack;
use tower::ServiceExt;

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A service's layers with small limits.
pub(crate) fn stack() -> Stack {
    let directory = tempfile::tempdir().unwrap();
    let settings = syfthub_config::Settings::for_tests(directory.path());
    Stack::new(&settings).with_body_limit(1024)
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    let answer = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8_lossy(&bytes).into_owned(),
    }
}

pub(crate) fn request(method: &str, path: &str, body: impl Into<Body>) -> Request<Body> {
    let builder = Request::builder().method(method).uri(path);
    builder.header("content-type", "application/json").body(body.into()).unwrap()
}

pub(crate) async fn get(router: &Router, path: &str) -> Answer {
    send(router, request("GET", path, Body::empty())).await
}
