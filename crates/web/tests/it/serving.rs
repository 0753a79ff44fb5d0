//! Serving over real sockets: the peer's address, streaming, the drain.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use bytes::Bytes;
use futures::StreamExt;
use serde_json::json;
use syfthub_web::ClientIp;
use syfthub_web::health::{self, Readiness};
use syfthub_web::serve::{Shutdown, serve};
use syfthub_web::sse::{self, Event};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::client::stack;

#[expect(clippy::disallowed_methods, reason = "a test joins the server itself")]
fn start(router: Router, shutdown: &Shutdown, listener: TcpListener) -> JoinHandle<std::io::Result<()>> {
    tokio::spawn(serve(listener, router, shutdown.clone(), Duration::from_secs(5)))
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn readiness_goes_off_first_and_a_request_under_way_still_ends() {
    let (entered, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let readiness = Readiness::ready();
    let (inside, released) = (entered.clone(), go_on.clone());
    let slow = get(move || async move {
        inside.notify_one();
        released.notified().await;
        "done"
    });
    let router = Router::new().route("/slow", slow).merge(health::routes(readiness.clone()));
    let shutdown = Shutdown::new(readiness.clone());
    let (listener, address) = listen().await;
    let server = start(stack().wrap(router), &shutdown, listener);

    let ready = exchange(TcpStream::connect(address).await.unwrap(), "/health/ready").await;
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    let slow = exchange(TcpStream::connect(address).await.unwrap(), "/slow");
    let control = async {
        entered.notified().await;
        shutdown.trigger();
        assert!(!readiness.is_ready());
        go_on.notify_one();
    };
    let (answer, ()) = tokio::join!(slow, control);
    assert!(answer.ends_with("done"), "{answer}");
    server.await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "the port is closed");
}

#[tokio::test]
async fn the_probe_of_a_container_tells_good_from_bad() {
    let (listener, address) = listen().await;
    let shutdown = Shutdown::default();
    let router = stack().wrap(Router::new().route("/health", get(|| async { "fine" })));
    let server = start(router, &shutdown, listener);
    let limit = Duration::from_secs(5);
    health::probe(address.port(), limit).await.unwrap();
    shutdown.trigger();
    server.await.unwrap().unwrap();
    assert!(health::probe(address.port(), limit).await.unwrap_err().contains("port"));
}

#[tokio::test]
async fn a_unix_socket_counts_as_loopback_and_a_port_tells_its_peer() {
    let router =
        stack().wrap(Router::new().route("/ip", get(|ClientIp(ip): ClientIp| async move { ip.to_string() })));
    let shutdown = Shutdown::default();
    let (listener, address) = listen().await;
    let server = start(router.clone(), &shutdown, listener);
    let answer = exchange(TcpStream::connect(address).await.unwrap(), "/ip").await;
    assert!(answer.ends_with("127.0.0.1"), "{answer}");

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    let unix = serve(UnixListener::bind(&path).unwrap(), router, shutdown.clone(), Duration::from_secs(1));
    let asked = async {
        let answer = exchange(UnixStream::connect(&path).await.unwrap(), "/ip").await;
        shutdown.trigger();
        answer
    };
    let (served, answer) = tokio::join!(unix, asked);
    served.unwrap();
    assert!(answer.ends_with("127.0.0.1"), "{answer}");
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn events_arrive_one_by_one_and_a_client_that_leaves_ends_their_source() {
    let gone = Arc::new(Notify::new());
    let watch = gone.clone();
    let events = get(move || async move {
        struct OnDrop(Arc<Notify>);
        impl Drop for OnDrop {
            fn drop(&mut self) {
                self.0.notify_one();
            }
        }
        let guard = OnDrop(watch);
        let first = futures::stream::iter([Event::new("token", json!({"content": "ü"}))]);
        let rest = futures::stream::pending().map(move |event: Event| {
            let _ = &guard;
            event
        });
        sse::response(first.chain(rest))
    });
    let shutdown = Shutdown::default();
    let (listener, address) = listen().await;
    let server = start(Router::new().route("/events", events), &shutdown, listener);

    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut seen = String::new();
    while !seen.contains("\\u00fc\"}\n\n") {
        let mut chunk = [0; 1024];
        let read = stream.read(&mut chunk).await.unwrap();
        assert!(read > 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&chunk[..read]));
    }
    let head = seen.to_ascii_lowercase();
    assert!(head.contains("content-type: text/event-stream") && head.contains("x-accel-buffering: no"));
    drop(stream);
    gone.notified().await;
    shutdown.trigger();
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn frames_that_were_made_before_are_sent_as_they_are() {
    let frames = futures::stream::iter([Bytes::from_static(b"event: a\ndata: 1\n\n")]);
    let mut body = sse::response_of_frames(frames).into_body().into_data_stream();
    let first = body.next().await.unwrap().unwrap();
    assert_eq!(first, Bytes::from_static(b"event: a\ndata: 1\n\n"));
}

/// Sends head and body of a request one after the other.
async fn answered_before_the_body(stream: &mut TcpStream, length: usize) -> String {
    let head = format!("POST /refused HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![b'x'; length.min(1024)]).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[tokio::test]
async fn an_answer_that_reads_no_body_leaves_the_connection_or_says_so() {
    let router = Router::new().route("/refused", post(|| async { http::StatusCode::UNAUTHORIZED }));
    let shutdown = Shutdown::default();
    let (listener, address) = listen().await;
    let server = start(stack().wrap(router), &shutdown, listener);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for _ in 0..50 {
        let answer = answered_before_the_body(&mut stream, 512).await;
        assert!(answer.starts_with("HTTP/1.1 401") && !answer.contains("connection: close"), "{answer}");
    }
    let answer = answered_before_the_body(&mut stream, 1024 * 1024).await;
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("connection: close"), "{answer}");
    drop(stream);
    shutdown.trigger();
    server.await.unwrap().unwrap();
}
