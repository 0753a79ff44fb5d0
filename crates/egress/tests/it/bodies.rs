//! Bodies that are too large, too slow, packed, or not what they claim to be.

use std::convert::Infallible;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures::{StreamExt, stream};
use syfthub_config::{Egress, EgressAllow};
use syfthub_egress::{Client, Error};

use crate::server::Server;
use crate::{LIMITS, guarded};

const TEN_GIB: usize = 10 * 1024 * 1024 * 1024;

fn hasty() -> Client {
    Client::guarded(&Egress { allow: EgressAllow::Loopback, internal_ports: vec![] }, LIMITS).unwrap()
}

/// Ten gibibytes in small chunks; counts what was really produced.
fn huge(produced: Arc<AtomicUsize>) -> Body {
    const CHUNK: &[u8] = &[b'x'; 16 * 1024];
    Body::from_stream(stream::iter(0..TEN_GIB / CHUNK.len()).map(move |_| {
        produced.fetch_add(CHUNK.len(), Ordering::SeqCst);
        Ok::<_, Infallible>(Bytes::from_static(CHUNK))
    }))
}

/// What fits into the buffers of two sockets was made, the rest never was.
fn assert_little_was(produced: &AtomicUsize) {
    let bytes = produced.load(Ordering::SeqCst);
    assert!(bytes < 32 * 1024 * 1024, "{bytes} bytes were produced");
}

#[tokio::test]
async fn a_body_without_end_is_stopped_at_the_cap() {
    let produced = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&produced);
    let router = Router::new().route("/", get(move || async move { huge(counter).into_response() }));
    let server = Server::start(router).await;
    let answer = guarded(EgressAllow::Loopback, &[]).get(server.url("/")).send().await.unwrap();
    let stopped = answer.bytes().await.unwrap_err();
    assert!(matches!(stopped, Error::TooLarge { max: 65_536 }), "{stopped:?}");
    assert_little_was(&produced);
}

#[tokio::test]
async fn an_announced_size_beyond_the_cap_is_not_read_at_all() {
    let produced = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&produced);
    let announced = move || async move { ([(header::CONTENT_LENGTH, TEN_GIB.to_string())], huge(counter)) };
    let server = Server::start(Router::new().route("/", get(announced))).await;
    let answer = guarded(EgressAllow::Loopback, &[]).get(server.url("/")).send().await.unwrap();
    assert!(matches!(answer.bytes_capped(1000).await, Err(Error::TooLarge { max: 1000 })));
    assert_little_was(&produced);
}

#[tokio::test]
async fn the_stream_of_a_body_without_end_stops_too() {
    let produced = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&produced);
    let router = Router::new().route("/", get(move || async move { huge(counter).into_response() }));
    let server = Server::start(router).await;
    let answer = guarded(EgressAllow::Loopback, &[]).get(server.url("/")).send().await.unwrap();
    let pieces: Vec<_> = answer.into_stream().collect().await;
    let (last, first) = pieces.split_last().unwrap();
    assert!(matches!(last, Err(Error::TooLarge { .. })));
    let total: usize = first.iter().map(|piece| piece.as_ref().unwrap().len()).sum();
    assert!(total <= LIMITS.max_body);
    assert_little_was(&produced);
}

#[tokio::test]
async fn a_small_packed_body_that_unpacks_beyond_the_cap_is_stopped() {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(&vec![0; 8 * 1024 * 1024]).unwrap();
    let packed = Bytes::from(packer.finish().unwrap());
    assert!(packed.len() < LIMITS.max_body);
    let bomb = move || async move { ([(header::CONTENT_ENCODING, "gzip")], packed) };
    let server = Server::start(Router::new().route("/", get(bomb))).await;
    let answer = guarded(EgressAllow::Loopback, &[]).get(server.url("/")).send().await.unwrap();
    assert!(matches!(answer.bytes().await, Err(Error::TooLarge { .. })));
}

#[tokio::test]
async fn a_slow_drip_runs_into_the_total_time() {
    let drip = || async {
        let drops = stream::unfold((), async |()| {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b".")), ()))
        });
        Body::from_stream(drops).into_response()
    };
    let server = Server::start(Router::new().route("/", get(drip))).await;
    let answer = hasty().get(server.url("/")).send().await.unwrap();
    let late = answer.bytes().await.unwrap_err();
    assert!(matches!(late, Error::Timeout), "{late:?}");
}

#[tokio::test]
async fn a_head_that_never_comes_runs_into_the_total_time() {
    let silence = || async { std::future::pending::<Response>().await };
    let server = Server::start(Router::new().route("/", get(silence))).await;
    let late = hasty().get(server.url("/")).send().await.unwrap_err();
    assert!(matches!(late, Error::Timeout), "{late:?}");
    let client = guarded(EgressAllow::Loopback, &[]);
    let late = client.get(server.url("/")).timeout(Duration::from_millis(50)).send().await.unwrap_err();
    assert!(matches!(late, Error::Timeout), "{late:?}");
}

#[tokio::test]
async fn a_broken_connection_is_an_exchange_error() {
    let broken = || async {
        let pieces = [Ok(Bytes::from_static(b"{\"a\":")), Err(std::io::Error::other("gone"))];
        Body::from_stream(stream::iter(pieces)).into_response()
    };
    let server = Server::start(Router::new().route("/", get(broken))).await;
    let request = guarded(EgressAllow::Loopback, &[]).get(server.url("/"));
    // Whether the head still gets through before the connection breaks is up to the server.
    let failed = match request.send().await {
        Ok(answer) => answer.bytes().await.unwrap_err(),
        Err(failed) => failed,
    };
    assert!(matches!(failed, Error::Exchange(_)), "{failed:?}");
}

#[tokio::test]
async fn an_error_page_is_told_apart_and_can_be_quoted() {
    let page = || async { (StatusCode::BAD_GATEWAY, "<html>no such service</html>") };
    let server = Server::start(Router::new().route("/", get(page))).await;
    let client = guarded(EgressAllow::Loopback, &[]);
    let get = async || client.get(server.url("/")).send().await.unwrap();
    assert!(matches!(get().await.require_success(), Err(Error::Status(502))));
    assert!(matches!(get().await.json_capped::<serde_json::Value>(100).await, Err(Error::Invalid("JSON"))));
    assert_eq!(get().await.excerpt(6).await, "<html>");
}
