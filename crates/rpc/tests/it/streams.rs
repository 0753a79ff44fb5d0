//! Streams: deadline, cancellation, panic and failure on the way, a slow reader.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use syfthub_domain::{Detail, ErrorCode};
use syfthub_rpc::status::from_status;
use syfthub_rpc::{stubs, with_deadline};
use tonic::{Code, Streaming};

use crate::fixture::{ask, both, find, text};

async fn read_one(stream: &mut Streaming<syfthub_proto::chat::AskEvent>) -> String {
    text(&stream.message().await.unwrap().expect("a message")).to_owned()
}

#[tokio::test]
async fn a_deadline_bounds_the_stream_too() {
    for fixture in both().await {
        let request = with_deadline(ask("then hang", 1, 1), Duration::from_millis(150));
        let mut stream = stubs::chat_client(fixture.peer).ask(request).await.unwrap().into_inner();
        assert_eq!(read_one(&mut stream).await, "x0");
        let status = stream.message().await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{}: {status}", fixture.transport);
        fixture.seen.cancelled.notified().await;
    }
}

#[tokio::test]
async fn dropping_a_stream_is_seen_in_the_service_within_100_ms() {
    for fixture in both().await {
        let mut best = Duration::MAX;
        for _ in 0..10 {
            let mut client = stubs::chat_client(fixture.peer.clone());
            let mut stream = client.ask(ask("then hang", 1, 1)).await.unwrap().into_inner();
            read_one(&mut stream).await;
            let dropped = Instant::now();
            drop(stream);
            fixture.seen.cancelled.notified().await;
            best = best.min(dropped.elapsed());
            if best < Duration::from_millis(100) {
                break;
            }
        }
        assert!(best < Duration::from_millis(100), "{}: {best:?}", fixture.transport);
    }
}

#[tokio::test]
async fn a_panic_in_a_stream_ends_it_with_internal() {
    for fixture in both().await {
        let mut stream =
            stubs::chat_client(fixture.peer).ask(ask("then panic", 1, 1)).await.unwrap().into_inner();
        // A message that was made in the same breath as the panic may be lost with it.
        let status = loop {
            match stream.message().await {
                Ok(Some(event)) => assert_eq!(text(&event), "x0"),
                Ok(None) => panic!("{}: a panic looks like a good end", fixture.transport),
                Err(status) => break status,
            }
        };
        assert_eq!(status.code(), Code::Internal, "{}: {status}", fixture.transport);
        assert_eq!(from_status(&status).code, ErrorCode::Internal, "{}", fixture.transport);
    }
}

#[tokio::test]
async fn an_error_in_a_stream_keeps_its_details() {
    for fixture in both().await {
        let mut stream =
            stubs::chat_client(fixture.peer).ask(ask("then fail", 2, 1)).await.unwrap().into_inner();
        assert_eq!(read_one(&mut stream).await, "x0");
        assert_eq!(read_one(&mut stream).await, "x1");
        let error = from_status(&stream.message().await.unwrap_err());
        assert_eq!(error.code, ErrorCode::Gone, "{}", fixture.transport);
        let Detail::Coded(extras) = error.detail else { panic!("{}", fixture.transport) };
        assert_eq!(extras["a"], 1);
    }
}

#[tokio::test]
async fn a_slow_reader_holds_the_service_back_and_loses_nothing() {
    const COUNT: u32 = 400;
    const SIZE: u32 = 64 * 1024;
    for fixture in both().await {
        let produced = || fixture.seen.produced.load(Ordering::SeqCst);
        let mut client = stubs::chat_client(fixture.peer.clone());
        let mut stream = client.ask(ask("", COUNT, SIZE)).await.unwrap().into_inner();
        read_one(&mut stream).await;
        // Nobody reads now; wait until the service has come to a stand. Calls over the same connection
        // give it every opportunity to go on.
        let mut other = stubs::identity_client(fixture.peer.clone());
        let mut before = usize::MAX;
        while before != produced() {
            before = produced();
            for _ in 0..50 {
                other.find_user(find("ada")).await.expect("other calls are not held back");
            }
        }
        let buffered = produced() * SIZE as usize;
        assert!(buffered < 8 * 1024 * 1024, "{}: {buffered} bytes lie around", fixture.transport);
        let mut rest = 1;
        while let Some(event) = stream.message().await.unwrap() {
            assert!(text(&event).ends_with(&rest.to_string()));
            rest += 1;
        }
        assert_eq!(rest, COUNT, "{}", fixture.transport);
    }
}
