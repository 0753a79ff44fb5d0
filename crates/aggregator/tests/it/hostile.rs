//! Endpoints that mean harm, or are merely broken.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::response::{Html, IntoResponse, Redirect};
use serde_json::{Value, json};
use syfthub_egress::Outside;

use crate::actor::{TestApp, endpoint, question};
use crate::log::Lines;
use crate::upstream::{Upstream, event_stream, references};

/// Asks a hostile source beside a good one; the request must succeed. Returns the hostile one's report.
pub(crate) async fn report(hostile: &Upstream) -> Value {
    report_at(&hostile.url).await
}

/// The same for an address.
pub(crate) async fn report_at(url: &str) -> Value {
    report_in(&Outside::default(), url).await
}

/// The same in another world outside.
pub(crate) async fn report_in(outside: &Outside, url: &str) -> Value {
    let limit = Duration::from_secs(2);
    report_by(&TestApp::outside(outside, |settings| settings.aggregator.retrieval_timeout = limit), url).await
}

/// The same by a service that is there. What failed is in the log, with the name of the endpoint.
pub(crate) async fn report_by(app: &TestApp, url: &str) -> Value {
    let (lines, _log) = Lines::listen();
    let started = Instant::now();
    let (model, good) = (Upstream::model("fine").await, Upstream::source(&[("A", "x", 0.5)]).await);
    let mut body = question(&model, &[("ann/good", &good)]);
    body["data_sources"].as_array_mut().unwrap().push(endpoint("eve", "evil", url));
    let answer = app.chat(&body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let answer = answer.json();
    assert_eq!(answer["response"], "fine");
    assert_eq!(answer["retrieval_info"][0]["status"], "success");
    assert_eq!(
        answer["sources"]["A"],
        json!({"slug": "ann/good", "content": "x"}),
        "the good one's document"
    );
    assert!(started.elapsed() < Duration::from_secs(20));
    let report = answer["retrieval_info"][1].clone();
    let log = lines.text();
    let event = if report["status"] == "success" { "completed" } else { "failed" };
    let is_named =
        |line: &str| line.contains(&format!("data_source.query.{event}")) && line.contains("eve/evil");
    assert!(log.lines().any(is_named), "{log}");
    report
}

pub(crate) fn message(report: &Value) -> &str {
    assert_eq!(report["documents_retrieved"], 0, "{report}");
    report["error_message"].as_str().unwrap()
}

/// A body without an end.
fn endless(piece: &str) -> Body {
    let piece = Bytes::from(piece.repeat(65_536 / piece.len()));
    Body::from_stream(futures::stream::repeat_with(move || Ok::<_, Infallible>(piece.clone())))
}

#[tokio::test]
async fn a_web_page_is_named_as_such() {
    let page =
        Upstream::start(|_, _| async { Html("<!DOCTYPE html><h1>Welcome</h1>").into_response() }).await;
    assert!(message(&report(&page).await).contains("web page"));
    let bad_gateway = Upstream::start(|_, _| async {
        (http::StatusCode::NOT_FOUND, Html("<html>404</html>")).into_response()
    })
    .await;
    assert!(message(&report(&bad_gateway).await).contains("Contact the owner"));
}

#[tokio::test]
async fn invalid_json_is_an_error_of_that_source() {
    let broken = Upstream::start(|_, _| async { "{\"references\":".into_response() }).await;
    let report = report(&broken).await;
    assert_eq!(report["status"], "error");
    assert!(message(&report).contains("invalid JSON"));
    let deep = Upstream::start(|_, _| async { "[".repeat(100_000).into_response() }).await;
    assert!(message(&self::report(&deep).await).contains("invalid JSON"));
}

#[tokio::test]
async fn an_endless_body_is_cut_off() {
    let endless = Upstream::start(|_, _| async { endless(" ").into_response() }).await;
    let report = report(&endless).await;
    assert_eq!(report["status"], "error", "{report}");
    assert!(message(&report).contains("too large"));
}

#[tokio::test]
async fn a_dripping_body_ends_at_the_timeout() {
    let dripping = Upstream::start(|_, _| async {
        let drops = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Some((Ok::<_, Infallible>(" "), ()))
        });
        Body::from_stream(drops).into_response()
    })
    .await;
    assert_eq!(report(&dripping).await["status"], "timeout");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let victim = Upstream::source(&[("Secret", "x", 0.9)]).await;
    let to = victim.url.clone();
    let redirecting = Upstream::start(move |_, _| {
        let to = to.clone();
        async move { Redirect::temporary(&to).into_response() }
    })
    .await;
    assert!(message(&report(&redirecting).await).contains("HTTP 307"));
    assert!(victim.calls().is_empty());
    let metadata = Upstream::start(|_, _| async {
        Redirect::temporary("http://169.254.169.254/latest/").into_response()
    });
    assert_eq!(report(&metadata.await).await["status"], "error");
}

#[tokio::test]
async fn addresses_that_the_hub_does_not_call_are_refused() {
    for url in [
        "http://169.254.169.254/",
        "http://[fe80::1]/",
        "http://10.0.0.1:9",
        "ftp://example.org",
        "",
        "file:///etc/passwd",
    ] {
        let report = report_at(url).await;
        assert_eq!(report["status"], "error", "{url}: {report}");
    }
    assert!(message(&report_at("http://169.254.169.254/").await).contains("not allowed"));
    assert!(message(&report_at("tunneling:bob").await).contains("tunnelling is not configured"));
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_explained() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let report = report_at(&url).await;
    assert_eq!(report["status"], "error");
    assert!(message(&report).contains(&url), "{report}");
}

#[tokio::test]
async fn ten_thousand_documents_are_cut_to_size() {
    let documents: Vec<(&str, &str, f64)> = (0..10_000).map(|_| ("Same", "text", 0.5)).collect();
    let flood = Upstream::json(references(&documents)).await;
    let report = report(&flood).await;
    assert_eq!((&report["status"], &report["documents_retrieved"]), (&json!("success"), &json!(100)));
}

#[tokio::test]
async fn an_answer_beyond_two_mebibytes_is_refused() {
    let text = "x".repeat(1024 * 1024);
    let large = Upstream::json(references(&[("A", &text, 0.5), ("B", &text, 0.5), ("C", &text, 0.5)])).await;
    let report = report(&large).await;
    assert_eq!(report["status"], "error", "{report}");
    assert!(message(&report).contains("too large"));
}

#[tokio::test]
async fn a_flood_of_values_beside_the_documents_is_skipped() {
    let mut answer = references(&[("A", "text", 0.5)]).to_string();
    answer.insert_str(1, &format!("\"x\":[{}1],", "[],".repeat(600_000)));
    let flood = Upstream::start(move |_, _| std::future::ready(answer.clone().into_response())).await;
    let report = report(&flood).await;
    assert_eq!((&report["status"], &report["documents_retrieved"]), (&json!("success"), &json!(1)));
}

#[tokio::test]
async fn a_model_that_never_stops_talking_is_cut_off() {
    let (app, line) =
        (TestApp::new(), "data: and so on and on and on and on and on and on and on and on and on\n\n");
    let model = Upstream::start(move |_, _| async move { event_stream(endless(line)) }).await;
    let answer = app.stream(&question(&model, &[])).await;
    assert_eq!(answer.names().last().unwrap(), "error");
    let no_lines = Upstream::start(|_, _| async {
        event_stream(endless("data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"))
    })
    .await;
    let answer = app.stream(&question(&no_lines, &[])).await;
    assert_eq!(answer.names().last().unwrap(), "error");
    assert!(!answer.names().contains(&"token".to_owned()));
}
