//! Single calls: deadline, cancellation, panic, size, details, a service that is down.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use syfthub_domain::{Detail, ErrorCode};
use syfthub_rpc::status::from_status;
use syfthub_rpc::{Caller, connect, spawn_linked, stubs, with_deadline};
use tonic::Code;

use crate::fixture::{KEY, both, find};

#[tokio::test]
async fn a_deadline_bounds_the_wait_for_the_head() {
    for fixture in both().await {
        let started = Instant::now();
        let request = with_deadline(find("hang"), Duration::from_millis(100));
        let status = stubs::identity_client(fixture.peer).find_user(request).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{}: {status}", fixture.transport);
        assert!(started.elapsed() >= Duration::from_millis(90), "{}", fixture.transport);
        assert_eq!(from_status(&status).code, ErrorCode::UpstreamTimeout);
        fixture.seen.cancelled.notified().await; // the service stopped working on it too
    }
}

#[tokio::test]
async fn dropping_a_call_is_seen_in_the_service_within_100_ms() {
    for fixture in both().await {
        // The machine may be busy, so the best of a few attempts counts; every one must be seen.
        let mut best = Duration::MAX;
        for _ in 0..10 {
            let mut client = stubs::identity_client(fixture.peer.clone());
            let call = spawn_linked(async move { client.find_user(find("hang")).await });
            fixture.seen.started.notified().await;
            let dropped = Instant::now();
            drop(call);
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
async fn a_panic_ends_its_own_call_and_nothing_else() {
    for fixture in both().await {
        let mut client = stubs::identity_client(fixture.peer);
        let status = client.find_user(find("panic")).await.unwrap_err();
        assert_eq!(status.code(), Code::Internal, "{}: {status}", fixture.transport);
        assert!(!status.message().contains("fell over"), "the text of a panic is not for clients");
        client.find_user(find("ada")).await.expect("the service lives on");
    }
}

#[tokio::test]
async fn five_mebibytes_go_both_ways() {
    for fixture in both().await {
        let big = "a".repeat(5 * 1024 * 1024);
        let answer = stubs::identity_client(fixture.peer).find_user(find(&big)).await.unwrap();
        assert_eq!(answer.into_inner().username.len(), big.len(), "{}", fixture.transport);
    }
}

#[tokio::test]
async fn more_than_the_limit_is_refused() {
    for fixture in both().await {
        let big = "a".repeat(17 * 1024 * 1024);
        let status = stubs::identity_client(fixture.peer).find_user(find(&big)).await.unwrap_err();
        assert_eq!(status.code(), Code::OutOfRange, "{}: {status}", fixture.transport);
    }
}

#[tokio::test]
async fn the_details_of_an_error_survive() {
    for fixture in both().await {
        let status = stubs::identity_client(fixture.peer).find_user(find("missing")).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        let error = from_status(&status);
        assert_eq!((error.code, error.message.as_str()), (ErrorCode::NotFound, "No such user"));
        assert_eq!(error.retry_after, Some(Duration::from_secs(7)), "{}", fixture.transport);
        let Detail::Coded(extras) = error.detail else { panic!("{}", fixture.transport) };
        assert_eq!(extras["resource"], "user");
    }
}

#[tokio::test]
async fn a_read_that_was_lost_is_repeated_once_and_a_refused_one_is_not() {
    for fixture in both().await {
        let mut client = stubs::identity_client(fixture.peer.clone());
        client.find_user(find("lost once")).await.expect("the second try arrives");
        assert_eq!(fixture.seen.produced.swap(0, Ordering::SeqCst), 2, "{}", fixture.transport);
        let status = client.find_user(find("busy")).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        assert_eq!(fixture.seen.produced.load(Ordering::SeqCst), 1, "{}", fixture.transport);
    }
}

#[tokio::test]
async fn a_service_that_is_down_is_unavailable_and_found_again_when_it_is_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let peer = connect(&format!("http://{address}"), Caller::Backend, &KEY).unwrap();
    let mut client = stubs::identity_client(peer);
    let status = client.find_user(find("ada")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(from_status(&status).code, ErrorCode::Unavailable);

    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    let listener = socket.listen(16).unwrap();
    let routes = tonic::service::Routes::new(stubs::identity_server(crate::fixture::Scripted::default()));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = spawn_linked(async move {
        let shutdown = async move { drop(stopped.await) };
        syfthub_rpc::serve(listener, routes, &KEY, shutdown).await
    });
    client.find_user(find("ada")).await.expect("connects anew");

    stop.send(()).unwrap();
    server.join().await.unwrap().expect("ends when asked to");
}
