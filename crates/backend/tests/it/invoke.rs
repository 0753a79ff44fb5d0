//! Calling an endpoint through the hub.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use syfthub_config::EgressAllow;
use syfthub_testing::upstream::{Behaviour, Document, FakeSource};
use syfthub_testing::wait;
use tower::ServiceExt as _;

use crate::actor::{Actor, Answer, TestApp};

const PATH: &str = "/bob/notes";

fn connected(url: &str) -> Value {
    json!({"type": "data_source", "connect": [{"type": "http", "config": {"url": url}}]})
}

/// A hub with an endpoint of bob's that leads to a fake source.
async fn world() -> (TestApp, Actor, Actor, FakeSource) {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let source = FakeSource::start(vec![Document::new("1", "Tides", "The tide turns.", 0.9)]).await;
    bob.publish("notes", connected(&source.url())).await;
    (app, anon, bob, source)
}

async fn ask(who: &Actor) -> Answer {
    who.post(PATH, &json!({"query": "tides"})).await
}

#[tokio::test]
async fn a_call_goes_to_the_endpoint_and_its_answer_comes_back() {
    let (app, anon, bob, source) = world().await;
    let sent = r#"{"query": "tides",  "limit": 1, "z": 1, "a": 2}"#;
    let answer = bob
        .having(
            Method::POST,
            "/Bob/Notes",
            &[("content-type", "application/json"), ("x-tenant-name", "t1")],
            sent,
        )
        .await;
    assert_eq!(answer.expect(StatusCode::OK)["references"]["documents"][0]["content"], "The tide turns.");
    assert!(answer.header("x-proxy-latency-ms").parse::<u64>().is_ok());
    let got = &source.requests()[0];
    assert_eq!(got.uri.path(), "/api/v1/endpoints/notes/query");
    assert_eq!((got.header("content-type"), got.header("x-tenant-name")), ("application/json", "t1"));
    assert_eq!(got.header("authorization"), "", "the credential stays here");
    assert_eq!(got.header("content-length"), sent.len().to_string(), "as it was sent");
    assert_eq!(got.header("x-correlation-id"), answer.header("x-correlation-id"));
    ask(&anon).await.expect(StatusCode::OK);
    drop(app);
}

#[tokio::test]
async fn what_stands_in_the_way_is_said_in_order() {
    let (app, anon, bob, source) = world().await;
    let eve = app.user("eve").await;
    let body = json!({});
    assert_eq!(anon.post("/nobody/notes", &body).await.refused(404), "Owner not found");
    assert_eq!(anon.post("/bob/nothing", &body).await.refused(404), "Endpoint not found");
    bob.publish("secret", json!({"visibility": "private"})).await;
    anon.post("/bob/secret", &body).await.refused(401);
    eve.post("/bob/secret", &body).await.refused(404);

    let refusal = async |path: &str| anon.post(path, &body).await.refused(400).as_str().unwrap().to_owned();
    bob.publish("bare", json!({})).await;
    bob.publish("path", connected("/")).await;
    for path in ["/bob/bare", "/bob/path"] {
        assert!(refusal(path).await.contains("no domain configured"), "{path}");
    }
    let moved = json!({"url": source.url(), "endpoints": [{"slug": "path", "status": "healthy", "checked_at": "2027-01-15T08:00:00Z"}]});
    bob.post("/api/v1/endpoints/health", &moved).await.expect(StatusCode::OK);
    assert!(refusal("/bob/bare").await.contains("no connections configured"));
    anon.post("/bob/path", &body).await.expect(StatusCode::OK);
    assert_eq!(source.requests()[0].uri.path(), "/api/v1/endpoints/path/query");
    bob.publish("tunnel", connected("tunneling:bob")).await;
    assert!(refusal("/bob/tunnel").await.contains("tunnel"));
    bob.publish("lost", connected("http://nothing.invalid")).await;
    assert_eq!(refusal("/bob/lost").await, "Could not resolve the host name");

    for (kind, text) in
        [("application/json", "{"), ("application/json", ""), ("application/x-www-form-urlencoded", "a=1")]
    {
        let answer = anon.having(Method::POST, PATH, &[("content-type", kind)], text).await;
        assert_eq!(answer.refused(400), "Invalid JSON request body", "{kind} {text}");
    }
    let large = vec![b' '; app.settings.http.body_limit + 1];
    anon.having(Method::POST, PATH, &[("content-type", "application/json")], large).await.refused(413);
    assert_eq!(source.requests().len(), 1);
}

#[tokio::test]
async fn the_first_enabled_connection_is_used_else_the_first() {
    let (_app, anon, bob, source) = world().await;
    let off = |url: &str| json!({"type": "http", "enabled": false, "config": {"url": url}});
    let on = json!({"type": "http", "config": {"url": source.url(), "tenant_name": "t2"}});
    bob.publish("second", json!({"connect": [off("http://127.0.0.1:1"), on]})).await;
    bob.publish("first", json!({"connect": [off(&source.url()), off("http://127.0.0.1:1")]})).await;
    anon.post("/bob/second", &json!({})).await.expect(StatusCode::OK);
    anon.post("/bob/first", &json!([1])).await.expect(StatusCode::OK);
    let asked = source.requests();
    assert_eq!((asked[0].header("x-tenant-name"), asked[1].header("x-tenant-name")), ("t2", ""));
}

#[tokio::test]
async fn addresses_that_the_hub_does_not_call_are_refused() {
    let app = TestApp::start_with(|settings| settings.egress.allow = EgressAllow::Public).await;
    let (_app, anon, bob) = app.with_user("bob").await;
    let source = FakeSource::start(Vec::new()).await;
    let urls = [
        source.url(),
        "http://169.254.169.254".to_owned(),
        "http://[::1]:8080".to_owned(),
        "http://10.0.0.1".to_owned(),
        "http://localhost".to_owned(),
    ];
    for (n, url) in urls.iter().enumerate() {
        bob.publish(&format!("inside-{n}"), connected(url)).await;
        let detail = anon.post(&format!("/bob/inside-{n}"), &json!({})).await.refused(403);
        assert_eq!(detail, "Access to internal or private IP addresses is not allowed", "{url}");
    }
    assert!(source.requests().is_empty());
}

#[tokio::test]
async fn every_status_of_the_endpoint_has_its_answer() {
    let (_app, anon, _bob, source) = world().await;
    let long = "x".repeat(5_000);
    for (theirs, body, ours) in [
        (403, json!(long), 403),
        (401, json!({"detail": "no"}), 502),
        (404, json!({}), 404),
        (422, json!({}), 422),
        (429, json!({}), 429),
        (500, json!({"secret": "trace"}), 500),
        (503, json!({}), 503),
    ] {
        source.once(Behaviour::Status(theirs, body));
        let answer = ask(&anon).await;
        let detail = answer.refused(ours);
        let text = detail.as_str().unwrap();
        match theirs {
            403 => {
                assert!(text.starts_with("Target endpoint denied access: ") && text.len() <= 240, "{text}");
            }
            401 => assert!(text.contains("satellite token"), "{text}"),
            _ => assert_eq!(text, "Target endpoint returned an error"),
        }
        assert_eq!(answer.json()["statusCode"], ours);
    }
    source.once(Behaviour::PaymentRequired("Payment id=\"7\"".to_owned()));
    let unpaid = ask(&anon).await;
    assert_eq!(
        (unpaid.is(402).header("www-authenticate"), unpaid.json()["success"].clone()),
        ("Payment id=\"7\"", json!(false))
    );
    source.once(Behaviour::Redirect(format!("{}/elsewhere", source.url())));
    ask(&anon).await.refused(502);
    source.once(Behaviour::Endless);
    ask(&anon).await.refused(502);
}

#[tokio::test]
async fn what_is_no_json_comes_as_text() {
    let (_app, anon, _bob, source) = world().await;
    source.once(Behaviour::Html(200));
    let answer = ask(&anon).await;
    assert!(answer.expect(StatusCode::OK)["raw_response"].as_str().unwrap().starts_with("<!DOCTYPE"));
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(!answer.header("x-proxy-latency-ms").is_empty());
    source.once(Behaviour::InvalidJson);
    assert!(ask(&anon).await.expect(StatusCode::OK)["raw_response"].is_string());
    source
        .once(Behaviour::Raw { content_type: "text/html", body: Bytes::from_static(b"<script>x</script>") });
    let answer = anon.post(PATH, &json!({"stream": true})).await;
    assert_eq!(
        answer.expect(StatusCode::OK)["raw_response"],
        "<script>x</script>",
        "a stream is no way for pages"
    );
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_a_502() {
    let (_app, anon, bob, _source) = world().await;
    bob.publish("gone", connected("http://127.0.0.1:1")).await;
    anon.post("/bob/gone", &json!({})).await.refused(502);
}

#[tokio::test]
async fn streams_are_passed_on_as_they_come() {
    let (_app, anon, _bob, source) = world().await;
    let events = "data: one\n\ndata: two\n\n";
    source.always(Behaviour::Raw {
        content_type: "text/event-stream; charset=utf-8",
        body: Bytes::from(events),
    });
    let answer = ask(&anon).await;
    assert_eq!((answer.is(200).header("content-type"), answer.text.as_str()), ("text/event-stream", events));
    assert_eq!(answer.header("x-accel-buffering"), "no");
    let lines = "{\"a\":1}\n{\"a\":2}\n";
    source.always(Behaviour::Raw { content_type: "application/x-ndjson", body: Bytes::from(lines) });
    let streamed = anon.post(PATH, &json!({"stream": true})).await;
    assert_eq!((streamed.header("content-type"), streamed.text.as_str()), ("application/x-ndjson", lines));
    assert_eq!(ask(&anon).await.expect(StatusCode::OK)["raw_response"], lines, "nobody asked for a stream");
    assert!(source.requests()[1].header("accept").contains("text/event-stream"));
}

/// An endpoint that sends one event and then waits until the caller has it.
#[tokio::test]
async fn the_first_event_arrives_before_the_last_is_made_and_leaving_ends_the_call() {
    let (app, _anon, bob) = TestApp::start().await.with_user("bob").await;
    let (gone, is_gone) = tokio::sync::watch::channel(false);
    let router = axum::Router::new().fallback(move || {
        let gone = gone.clone();
        async move {
            let told = Told(gone);
            let events = futures::stream::unfold((0, told), |(n, told)| async move {
                if n > 0 {
                    std::future::pending::<()>().await;
                }
                Some((Ok::<_, std::io::Error>(Bytes::from_static(b"data: one\n\n")), (n + 1, told)))
            });
            ([(http::header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(events))
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let _server = syfthub_rpc::spawn_linked(async move { axum::serve(listener, router).await });
    bob.publish("notes", connected(&url)).await;

    let request = Request::post(PATH).body(Body::from("{\"stream\":true}")).unwrap();
    let mut body = app.app.router().oneshot(request).await.unwrap().into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(&first[..], b"data: one\n\n");
    assert!(!*is_gone.borrow());
    drop(body);
    wait::until(|| async { *is_gone.borrow() }, "the endpoint's stream to be dropped").await;
}

/// Says when it is dropped.
struct Told(tokio::sync::watch::Sender<bool>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

#[tokio::test]
async fn a_caller_who_leaves_ends_a_call_that_hangs() {
    let (_app, anon, _bob, source) = world().await;
    source.once(Behaviour::Hang);
    let call = tokio::time::timeout(Duration::from_millis(300), ask(&anon)).await;
    assert!(call.is_err(), "it hangs");
    source.wait_cancelled(1).await;
}

/// Asks, and lets time pass once the endpoint has the call: it is not given up after `early` seconds, but after
/// `late` more.
async fn is_given_up(source: &FakeSource, anon: &Actor, path: &str, early: u64, late: u64) {
    let before = source.requests().len();
    let body = json!({});
    let mut call = std::pin::pin!(anon.post(path, &body));
    tokio::select! {
        answer = &mut call => panic!("it hangs: {}", answer.text),
        () = wait::until(|| async { source.requests().len() > before }, "the call to arrive") => {}
    }
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(early)).await;
    assert!(futures::poll!(&mut call).is_pending(), "{path} has more time");
    tokio::time::advance(Duration::from_secs(late)).await;
    let answer = futures::poll!(&mut call);
    tokio::time::resume();
    let std::task::Poll::Ready(answer) = answer else { panic!("{path} has no more time") };
    answer.refused(504);
}

#[tokio::test]
async fn a_data_source_has_half_a_minute_and_a_model_two() {
    let (_app, anon, bob, source) = world().await;
    let model = json!({"type": "model", "connect": [{"type": "http", "config": {"url": source.url()}}]});
    bob.publish("thinker", model).await;
    source.always(Behaviour::Hang);
    is_given_up(&source, &anon, PATH, 29, 2).await;
    is_given_up(&source, &anon, "/bob/thinker", 119, 2).await;
}

#[tokio::test]
async fn every_call_is_told_to_the_log_however_it_ends() {
    syfthub_testing::log::listen_on_every_thread();
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    let _log = tracing::subscriber::set_default(subscriber);
    let (app, anon, _bob, source) = world().await;
    ask(&anon).await.expect(StatusCode::OK);
    assert!(lines.last("endpoint.invoked").contains("bob/notes"));
    source.once(Behaviour::Status(500, json!({})));
    ask(&anon).await.refused(500);
    assert!(lines.last("endpoint.invoke.failed").contains("status=500"));
    source.once(Behaviour::Hang);
    let call = tokio::time::timeout(Duration::from_millis(300), ask(&anon)).await;
    assert!(call.is_err(), "it hangs");
    assert!(lines.last("endpoint.invoke.failed").contains("the caller left"));
    source.always(Behaviour::Raw { content_type: "text/event-stream", body: Bytes::from("data: 1\n\n") });
    let streams = lines.count("endpoint.invoked");
    ask(&anon).await.is(200);
    assert_eq!(lines.count("endpoint.invoked"), streams + 1);
    let left = lines.count("the caller left");
    let request = Request::post(PATH).body(Body::from("{}")).unwrap();
    drop(app.app.router().oneshot(request).await.unwrap());
    assert_eq!((lines.count("the caller left"), lines.count("endpoint.invoked")), (left + 1, streams + 1));
}

/// What was logged.
#[derive(Debug, Clone, Default)]
struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Lines {
    fn all(&self, event: &str) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(event)).map(str::to_owned).collect()
    }

    fn last(&self, event: &str) -> String {
        self.all(event).pop().unwrap_or_default()
    }

    fn count(&self, event: &str) -> usize {
        self.all(event).len()
    }
}

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn calls_are_limited_by_address() {
    let app = TestApp::start_with(|settings| {
        settings.rate_limits.enabled = true;
        settings.rate_limits.chat = syfthub_config::Rule::per_seconds(2, 60);
    })
    .await;
    for expected in [404, 404, 429] {
        app.anon().post("/nobody/notes", &json!({})).await.refused(expected);
    }
}
