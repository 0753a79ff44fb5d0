//! A client that goes away takes its calls with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::response::IntoResponse;
use syfthub_rpc::spawn_linked;
use syfthub_web::health::Readiness;
use syfthub_web::serve::{Shutdown, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::actor::{TestApp, question};
use crate::upstream::Upstream;

/// Tells when the call that holds it was given up.
struct Held(Arc<Notify>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

async fn gives_up_within_a_tenth_of_a_second(path: &str) {
    let app = TestApp::new();
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
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = serve(listener, app.router(), Shutdown::new(Readiness::ready()), Duration::ZERO);
    let _server = spawn_linked(server);
    let body = question(&model, &[]).to_string();
    let mut client = TcpStream::connect(address).await.unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    client.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    asked.notified().await;
    if path.ends_with("stream") {
        let mut piece = [0; 64];
        assert!(client.read(&mut piece).await.unwrap() > 0, "the stream has begun");
    }
    drop(client);
    let left = Instant::now();
    given_up.notified().await;
    assert!(left.elapsed() < Duration::from_millis(100), "{:?}", left.elapsed());
}

#[tokio::test]
async fn a_stream_that_nobody_reads_ends() {
    gives_up_within_a_tenth_of_a_second("/api/v1/chat/stream").await;
}

#[tokio::test]
async fn a_whole_answer_that_nobody_waits_for_ends() {
    gives_up_within_a_tenth_of_a_second("/api/v1/chat").await;
}
