//! How much memory calls through the hub may take together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Method;
use serde_json::{Value, json};
use syfthub_testing::upstream::FakeSource;
use syfthub_testing::wait;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::actor::{Actor, TestApp};

/// What the hub keeps of bodies at once.
const BUDGET: usize = 64 * 1024 * 1024;

fn at(url: &str) -> Value {
    json!({"connect": [{"type": "http", "config": {"url": url}}]})
}

async fn send(anon: Actor, body: Vec<u8>) -> (u16, String) {
    let headers = [("content-type", "application/json")];
    let answer = anon.having(Method::POST, "/bob/hangs", &headers, body).await;
    (answer.status.as_u16(), answer.header("retry-after").to_owned())
}

#[tokio::test]
async fn large_bodies_on_their_way_are_bounded_and_small_calls_go_on() {
    let app = TestApp::start_with(|settings| settings.rate_limits.enabled = false).await;
    let (app, anon, bob) = app.with_user("bob").await;
    let arrived = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&arrived);
    // Takes the head of a request, and neither its body nor the time to answer.
    let router = axum::Router::new().fallback(move || {
        count.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<()>()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let _server = syfthub_rpc::spawn_linked(async move { axum::serve(listener, router).await });
    let source = FakeSource::start(Vec::new()).await;
    bob.publish("hangs", at(&url)).await;
    bob.publish("notes", at(&source.url())).await;

    let limit = app.settings.http.body_limit;
    let large = format!("\"{}\"", "x".repeat(limit - 2)).into_bytes();
    let (mut calls, fitting) = (JoinSet::new(), BUDGET / limit);
    for _ in 0..fitting {
        calls.spawn(send(anon.clone(), large.clone()));
    }
    wait::until(async || arrived.load(Ordering::SeqCst) == fitting, "the calls to arrive").await;
    assert_eq!(send(anon.clone(), large.clone()).await, (503, "2".to_owned()), "there is no memory for it");
    anon.post("/bob/notes", &json!({"query": "small"})).await.is(200);
    assert_eq!(arrived.load(Ordering::SeqCst), fitting);

    // Who leaves gives the place back.
    calls.shutdown().await;
    let passes = async || {
        let arrives =
            wait::until(async || arrived.load(Ordering::SeqCst) > fitting, "the next call to arrive");
        tokio::select! {
            (status, _) = send(anon.clone(), large.clone()) => {
                assert_eq!(status, 503);
                false
            }
            () = arrives => true,
        }
    };
    wait::until(passes, "the memory to come back").await;
}
