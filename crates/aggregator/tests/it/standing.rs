//! What the directory knows of the endpoints of a chat, and what it is told of them; over both transports.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use syfthub_proto::directory::{BreakerState, Description, Endpoint};
use syfthub_rpc::{Caller, LinkedTask, Server, connect, spawn_linked};
use syfthub_testing::wait;
use tokio::net::TcpListener;

use crate::actor::{TestApp, question};
use crate::hub::{FakeHub, KEY};
use crate::upstream::Upstream;

/// A service whose hub is in its process, and one whose hub is beyond the network.
async fn apps() -> [(TestApp, Option<LinkedTask<std::io::Result<()>>>); 2] {
    let failures = |settings: &mut syfthub_config::Settings| settings.aggregator.rules.breaker_failures = 2;
    let hub = FakeHub::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = spawn_linked(Server::new(hub.routes(), &KEY).serve(listener, std::future::pending()));
    let peer = connect(&url, Caller::Aggregator, &KEY).unwrap();
    [(TestApp::with(failures), None), (TestApp::of(hub, peer, None, failures), Some(serving))]
}

async fn openai_model(text: &str) -> Upstream {
    let message = json!({"role": "assistant", "content": text});
    Upstream::json(json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})).await
}

fn speaks_openai(url: &str, model: &str) -> Endpoint {
    Endpoint {
        url: url.to_owned(),
        connection_type: "openai".to_owned(),
        upstream_model: model.to_owned(),
        ..Endpoint::default()
    }
}

#[tokio::test]
async fn a_model_is_spoken_to_as_it_is_published_when_the_caller_does_not_say_how() {
    for (app, _serving) in apps().await {
        let model = openai_model("fine").await;
        app.hub.publish_as("mia/writer", speaks_openai(&model.url, "large-1"));
        let body = question(&model, &[]);
        for _ in 0..2 {
            let answer = app.chat(&body).await.json();
            assert_eq!(answer["response"], "fine", "{answer}");
        }
        for call in model.calls() {
            assert_eq!((call.path.as_str(), &call.body["model"]), ("/chat/completions", &json!("large-1")));
        }
        assert_eq!(*app.hub.described.lock().unwrap(), [["mia/writer"]], "asked once and remembered");
        // What the caller says counts more.
        let mut named = body.clone();
        named["model"]["upstream_model"] = json!("small-1");
        app.chat(&named).await;
        assert_eq!(model.calls()[2].body["model"], "small-1");
    }
}

#[tokio::test]
async fn at_another_address_nothing_is_known_of_a_model() {
    let (app, published) = (TestApp::new(), openai_model("mine").await);
    app.hub.publish_as("mia/writer", speaks_openai(&published.url, ""));
    let other = Upstream::model("theirs").await;
    let answer = app.chat(&question(&other, &[])).await.json();
    assert_eq!(answer["response"], "theirs");
    assert_eq!(other.calls()[0].path, "/api/v1/endpoints/writer/query");
    // A model without a name of its own is asked under its slug, also as the second in turn.
    let mut body = question(&other, &[]);
    body["model"]["url"] = json!(Upstream::status(500, json!({})).await.url);
    body["fallback_models"] = json!([question(&published, &[])["model"]]);
    assert_eq!(app.chat(&body).await.json()["response"], "mine");
    assert_eq!(published.calls()[0].body["model"], "writer");
}

#[tokio::test]
async fn a_chat_does_not_wait_for_a_directory_that_says_nothing() {
    let (app, model) = (TestApp::new(), Upstream::model("fine").await);
    let source = Upstream::source(&[("A", "Restore a backup so", 0.9)]).await;
    app.hub.is_dumb.store(true, Ordering::SeqCst);
    let started = tokio::time::Instant::now();
    let answer = app.chat(&question(&model, &[("ann/a", &source)])).await;
    assert_eq!(answer.json()["response"], "fine");
    assert!(started.elapsed() < Duration::from_millis(2_500), "{:?}", started.elapsed());
    let mut bare = question(&model, &[("ann/a", &source)]);
    bare["retrieval_only"] = json!(true);
    app.hub.described.lock().unwrap().clear();
    let other = TestApp::new();
    other.chat(&bare).await;
    assert!(other.hub.described.lock().unwrap().is_empty(), "nobody needs it");
}

#[tokio::test]
async fn the_record_of_a_source_decides_between_equals() {
    const TEXT: [&str; 2] = ["To restore a backup run the tool", "To restore a backup call the desk"];
    for (app, _serving) in apps().await {
        let model = Upstream::model("fine").await;
        let (ann, bob) =
            (Upstream::source(&[("X", TEXT[0], 0.5)]).await, Upstream::source(&[("Y", TEXT[1], 0.5)]).await);
        for (path, source) in [("ann/a", &ann), ("bob/b", &bob)] {
            app.hub.publish(path, &source.url);
        }
        let good = Description { checks: 2_000, healthy_checks: 2_000, ..Description::default() };
        app.hub.records.lock().unwrap().insert("bob/b".to_owned(), good);
        let body = question(&model, &[("ann/a", &ann), ("bob/b", &bob)]);
        let first = async || {
            app.chat(&body).await;
            model.last_user_message().contains("[1]: To restore a backup call")
        };
        wait::until(first, "the record to be known").await;
        let calls = app.hub.described.lock().unwrap().concat();
        assert_eq!(calls.iter().filter(|path| *path == "ann/a").count(), 1, "{calls:?}");
    }
}

fn last_report(app: &TestApp) -> Option<Value> {
    let report = app.hub.broken.lock().unwrap().last().cloned()?;
    let told = |breaker: &syfthub_proto::directory::Breaker| {
        let place = breaker.place.clone().unwrap();
        let state = breaker.state().as_str_name();
        json!([place.path, place.url, place.tenant_name, breaker.connection_type, state, breaker.failures])
    };
    Some(report.breakers.iter().map(told).collect())
}

#[tokio::test]
async fn the_hub_is_told_of_endpoints_that_are_left_alone() {
    for (app, _serving) in apps().await {
        let (model, down) =
            (Upstream::model("fine").await, Upstream::status(500, json!({"detail": "no"})).await);
        let mut body = question(&model, &[("ann/down", &down)]);
        body["data_sources"][0]["tenant_name"] = json!("acme");
        for _ in 0..2 {
            app.chat(&body).await;
        }
        wait::until(async || last_report(&app).is_some(), "the report").await;
        let open = BreakerState::Open.as_str_name();
        assert_eq!(last_report(&app), Some(json!([["ann/down", down.url, "acme", "", open, 2]])));
        app.app.close().await;
        assert_eq!(last_report(&app), Some(json!([])), "a process that ends takes it back");
        let names: std::collections::BTreeSet<String> =
            app.hub.broken.lock().unwrap().iter().map(|report| report.reporter.clone()).collect();
        assert_eq!(names.len(), 1);
    }
}
