//! A client that goes away takes its calls with it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::IntoResponse;
use futures::StreamExt;
use http_body_util::BodyExt;
use syfthub_proto::chat::{AskRequest, EndpointRef};
use syfthub_rpc::{Caller, spawn_linked, stubs};
use syfthub_web::health::Readiness;
use syfthub_web::serve::{Shutdown, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tower::ServiceExt;

use crate::actor::{TestApp, post, question};
use crate::upstream::{Upstream, event_stream};

/// Tells when the call that holds it was given up.
struct Held(Arc<Notify>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// A model that takes every question and answers none.
struct Silent {
    model: Upstream,
    asked: Arc<Notify>,
    given_up: Arc<Notify>,
}

impl Silent {
    async fn start() -> Self {
        let (asked, given_up) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let signals = (Arc::clone(&asked), Arc::clone(&given_up));
        let model = Upstream::start(move |_, _| {
            let (asked, given_up) = signals.clone();
            async move {
                let _held = Held(given_up);
                asked.notify_one();
                std::future::pending::<()>().await;
                ().into_response()
            }
        })
        .await;
        Self { model, asked, given_up }
    }

    /// Waits until the model's call is given up, which must not take long.
    async fn is_left_alone(&self) {
        let left = Instant::now();
        self.given_up.notified().await;
        assert!(left.elapsed() < Duration::from_millis(100), "{:?}", left.elapsed());
    }
}

async fn gives_up_within_a_tenth_of_a_second(path: &str) {
    let (app, silent) = (TestApp::new(), Silent::start().await);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = serve(listener, app.router(), Shutdown::new(Readiness::ready()), Duration::ZERO);
    let _server = spawn_linked(server);
    let body = question(&silent.model, &[]).to_string();
    let mut client = TcpStream::connect(address).await.unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    client.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    silent.asked.notified().await;
    if path.ends_with("stream") {
        let mut piece = [0; 64];
        assert!(client.read(&mut piece).await.unwrap() > 0, "the stream has begun");
    }
    drop(client);
    silent.is_left_alone().await;
}

#[tokio::test]
async fn a_stream_that_nobody_reads_ends() {
    gives_up_within_a_tenth_of_a_second("/api/v1/chat/stream").await;
}

#[tokio::test]
async fn a_whole_answer_that_nobody_waits_for_ends() {
    gives_up_within_a_tenth_of_a_second("/api/v1/chat").await;
}

/// More events than any queue on the way takes.
const TOKENS: usize = 2_000;

#[tokio::test]
async fn a_slow_reader_is_not_the_models_timeout() {
    let app = TestApp::with(|settings| settings.aggregator.generation_timeout = Duration::from_millis(500));
    let model =
        Upstream::start(|_, _| async { event_stream(Body::from("data: x\n\n".repeat(TOKENS))) }).await;
    let request = post("/api/v1/chat/stream", &question(&model, &[]));
    let mut body = app.router().oneshot(request).await.unwrap().into_body();
    let mut text = body.frame().await.unwrap().unwrap().into_data().unwrap().to_vec();
    tokio::time::sleep(Duration::from_secs(1)).await;
    text.extend(body.collect().await.unwrap().to_bytes());
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("event: done") && !text.contains("event: error"), "{}", &text[text.len() - 300..]);
}

#[tokio::test]
async fn a_reader_that_takes_nothing_any_more_ends_the_chat() {
    let (app, given_up) = (TestApp::new(), Arc::new(Notify::new()));
    let signal = Arc::clone(&given_up);
    let model = Upstream::start(move |_, _| {
        let held = Held(Arc::clone(&signal));
        let tokens = futures::stream::iter(0..TOKENS).map(|_| Ok::<_, Infallible>("data: x\n\n"));
        let endless = tokens.chain(futures::stream::pending()).map(move |piece| (&held, piece).1);
        std::future::ready(event_stream(Body::from_stream(endless)))
    })
    .await;
    let request = post("/api/v1/chat/stream", &question(&model, &[]));
    let mut body = app.router().oneshot(request).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    given_up.notified().await;
    drop(body);
}

#[tokio::test]
async fn a_dropped_grpc_stream_ends_too() {
    let (app, silent) = (TestApp::new(), Silent::start().await);
    let model =
        EndpointRef { url: silent.model.url.clone(), slug: "writer".to_owned(), ..EndpointRef::default() };
    let request = AskRequest { prompt: "hi".to_owned(), model: Some(model), ..AskRequest::default() };
    let events = stubs::chat_client(app.peer(Caller::Mcp)).ask(request).await.unwrap().into_inner();
    silent.asked.notified().await;
    drop(events);
    silent.is_left_alone().await;
}
