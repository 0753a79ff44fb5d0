//! Calling an endpoint through the hub.

use std::time::Duration;

use axum::body::Body;
use http::Method;
use serde_json::{Value, json};
use syfthub_config::{EgressAllow, Settings};
use syfthub_testing::upstream::{Behaviour, Document, FakeSource};
use syfthub_testing::wait;

use crate::actor::{Actor, TestApp};

fn at(url: &str) -> Value {
    json!({"type": "data_source", "connect": [{"type": "http", "config": {"url": url}}]})
}

/// A source, and bob whose endpoint `notes` leads to it.
async fn scene(app: &TestApp) -> (FakeSource, Actor) {
    let source = FakeSource::start(vec![Document::new("1", "Tides", "The tide turns.", 0.9)]).await;
    let bob = app.user("bob").await;
    bob.publish("notes", at(&source.url())).await;
    (source, bob)
}

on_both! {
    async fn an_answer_comes_through_as_it_is(app: TestApp) {
        let (source, bob) = scene(&app).await;
        let answer = bob.post("/bob/notes", &json!({"query": "tides"})).await;
        assert_eq!(answer.is(200).json()["references"]["documents"][0]["content"], "The tide turns.");
        assert!(answer.header("x-proxy-latency-ms").parse::<u64>().is_ok());
        let asked = &source.requests()[0];
        assert_eq!(asked.uri.path(), "/api/v1/endpoints/notes/query");
        assert_eq!(asked.header("authorization"), "");
        source.once(Behaviour::Html(200));
        assert!(bob.post("/bob/notes", &json!({})).await.is(200).json()["raw_response"].is_string());
    }

    async fn what_cannot_be_called_is_said(app: TestApp) {
        let (source, bob) = scene(&app).await;
        let (anon, eve) = (app.anon(), app.user("eve").await);
        let told = |path: &str, status: u16| {
            let (anon, path) = (anon.clone(), path.to_owned());
            async move { anon.post(&path, &json!({})).await.refused(status).as_str().unwrap().to_owned() }
        };
        assert_eq!(told("/nobody/notes", 404).await, "Owner not found");
        assert_eq!(told("/bob/nothing", 404).await, "Endpoint not found");
        bob.publish("hidden", json!({"visibility": "private"})).await;
        told("/bob/hidden", 401).await;
        eve.post("/bob/hidden", &json!({})).await.refused(404);
        bob.publish("path", at("/somewhere")).await;
        assert!(told("/bob/path", 400).await.contains("no domain configured"));
        bob.put("/api/v1/users/me", &json!({"domain": source.url()})).await.is(200);
        bob.publish("bare", json!({})).await;
        assert!(told("/bob/bare", 400).await.contains("no connections configured"));
        bob.publish("tunnel", at("tunneling:bob")).await;
        assert!(told("/bob/tunnel", 400).await.contains("tunnel"));
        for text in ["{", "", "query=tides"] {
            let headers = [("content-type", "application/json")];
            let answer = anon.having(Method::POST, "/bob/notes", &headers, Body::from(text)).await;
            assert_eq!(answer.refused(400), "Invalid JSON request body");
        }
        assert!(source.requests().is_empty());
    }

    async fn statuses_of_the_endpoint_are_mapped(app: TestApp) {
        let (source, bob) = scene(&app).await;
        for (theirs, ours) in [(403, 403), (401, 502), (404, 404), (418, 418), (429, 429), (500, 500), (503, 503)] {
            source.once(Behaviour::Status(theirs, json!({"detail": "no"})));
            let detail = bob.post("/bob/notes", &json!({})).await.refused(ours);
            let text = detail.as_str().unwrap();
            match theirs {
                403 => assert!(text.starts_with("Target endpoint denied access: "), "{text}"),
                401 => assert!(text.contains("satellite token"), "{text}"),
                _ => assert_eq!(text, "Target endpoint returned an error", "{theirs}"),
            }
        }
        bob.publish("gone", at("http://127.0.0.1:1")).await;
        assert_eq!(bob.post("/bob/gone", &json!({})).await.refused(502), "Could not connect to the endpoint");
    }

    async fn an_endpoint_that_hangs_is_given_up(app: TestApp) {
        let (source, bob) = scene(&app).await;
        source.always(Behaviour::Hang);
        let body = json!({});
        let mut call = std::pin::pin!(bob.post("/bob/notes", &body));
        tokio::select! {
            answer = &mut call => panic!("it hangs: {}", answer.text),
            () = wait::until(|| async { !source.requests().is_empty() }, "the call to arrive") => {}
        }
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(31)).await;
        let answer = futures::poll!(&mut call);
        tokio::time::resume();
        let std::task::Poll::Ready(answer) = answer else { panic!("a data source has half a minute") };
        assert_eq!(answer.refused(504), "The endpoint did not answer in time");
    }
}

fn public_only(settings: &mut Settings) {
    settings.egress.allow = EgressAllow::Public;
}

on_both! {
    settings public_only;

    async fn addresses_inside_are_refused(app: TestApp) {
        let (source, bob) = scene(&app).await;
        for (n, url) in ["http://10.0.0.1", "http://[::1]:8080", "http://169.254.169.254"].iter().enumerate() {
            bob.publish(&format!("inside-{n}"), at(url)).await;
            let detail = bob.post(&format!("/bob/inside-{n}"), &json!({})).await.refused(403);
            assert_eq!(detail, "Access to internal or private IP addresses is not allowed", "{url}");
        }
        bob.post("/bob/notes", &json!({})).await.refused(403);
        assert!(source.requests().is_empty());
    }
}

fn no_guests(settings: &mut Settings) {
    settings.hub.guest_access = false;
}

on_both! {
    settings no_guests;

    async fn a_hub_without_guests_calls_for_nobody(app: TestApp) {
        let (source, bob) = scene(&app).await;
        for path in ["/bob/notes", "/bob/nothing", "/nobody/notes"] {
            let refused = app.anon().post(path, &json!({})).await;
            assert_eq!(refused.refused(401), "This hub is not open to guests; sign in", "{path}");
            assert!(refused.header("www-authenticate").starts_with("Bearer"));
        }
        app.with_token("rubbish").post("/bob/notes", &json!({})).await.refused(401);
        assert!(source.requests().is_empty());
        bob.post("/bob/notes", &json!({})).await.is(200);
    }
}
