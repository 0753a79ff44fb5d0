//! The fakes and private servers do what tests rely on.
#![expect(clippy::unwrap_used, reason = "a failing test should panic")]

use std::time::Duration;

use futures::StreamExt as _;
use http::StatusCode;
use serde_json::{Value, json};
use syfthub_testing::upstream::{Behaviour, Document, FakeModel, FakeSource, StreamForm};
use syfthub_testing::{postgres, redis};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One POST with a bare socket, so that nothing between the test and the fake is clever.
async fn open(url: &str, body: &Value) -> TcpStream {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).await.unwrap();
    let body = body.to_string();
    let request = format!(
        "POST /api/v1/endpoints/x/query HTTP/1.1\r\nHost: fake\r\nConnection: close\r\nX-Tenant-Name: t1\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn ask(url: &str, body: &Value) -> (StatusCode, String) {
    let mut answer = String::new();
    open(url, body).await.read_to_string(&mut answer).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

#[tokio::test]
async fn a_source_returns_documents_and_remembers_what_it_was_asked() {
    let documents = vec![Document::new("1", "One", "first", 0.9), Document::new("2", "Two", "second", 0.5)];
    let source = FakeSource::start(documents).await;
    let (status, answer) = ask(&source.url(), &json!({"messages": "q", "limit": 1})).await;
    assert_eq!(status, StatusCode::OK);
    assert!(answer.contains("\"similarity_score\":0.9") && !answer.contains("second"), "{answer}");
    let requests = source.requests();
    assert_eq!(requests[0].body["messages"], "q");
    assert_eq!(requests[0].header("x-tenant-name"), "t1");
    assert_eq!(requests[0].uri.path(), "/api/v1/endpoints/x/query");
}

#[tokio::test]
async fn bad_behaviour_is_done_once_or_always() {
    let source = FakeSource::start(Vec::new()).await;
    source.once(Behaviour::Html(502));
    source.once(Behaviour::Denied { outcome: "rate_limited".to_owned(), detail: "slow down".to_owned() });
    source.once(Behaviour::Redirect("http://169.254.169.254/".to_owned()));
    source.once(Behaviour::InvalidJson);
    source.once(Behaviour::PaymentRequired("Payment id=1".to_owned()));
    source.once(Behaviour::Raw { content_type: "text/plain", body: "raw".into() });
    source.always(Behaviour::Status(418, json!({"detail": "teapot"})));
    let mut seen = Vec::new();
    for _ in 0..8 {
        seen.push(ask(&source.url(), &json!({})).await);
    }
    let codes: Vec<u16> = seen.iter().map(|(status, _)| status.as_u16()).collect();
    assert_eq!(codes, [502, 403, 307, 200, 402, 200, 418, 418]);
    assert!(seen[0].1.contains("<html>"));
    assert!(seen[1].1.contains("\"outcome\":\"rate_limited\""));
    assert!(seen[2].1.contains("location: http://169.254.169.254/"));
    assert!(seen[4].1.contains("www-authenticate: Payment id=1"));
}

#[tokio::test]
async fn a_caller_who_goes_away_from_a_hanging_endpoint_is_noticed() {
    let source = FakeSource::start(Vec::new()).await;
    source.always(Behaviour::Hang);
    let stream = open(&source.url(), &json!({})).await;
    source.wait_seen(1).await;
    drop(stream);
    source.wait_cancelled(1).await;
}

#[tokio::test]
async fn endless_and_dripping_bodies_never_end() {
    let source = FakeSource::start(Vec::new()).await;
    source.once(Behaviour::Endless);
    let mut stream = open(&source.url(), &json!({})).await;
    let mut buffer = vec![0; 3_000_000];
    stream.read_exact(&mut buffer).await.unwrap();
    source.once(Behaviour::Drip(Duration::from_millis(1)));
    let mut stream = open(&source.url(), &json!({})).await;
    let mut buffer = vec![0; 200];
    stream.read_exact(&mut buffer).await.unwrap();
}

#[tokio::test]
async fn a_model_streams_in_every_form_and_answers_at_once_when_asked_to() {
    for (form, piece) in [
        (StreamForm::Summary, "data: {\"summary\":{\"message\":{\"content\":\"Hel\"}}}"),
        (StreamForm::OpenAi, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}"),
        (StreamForm::Content, "data: {\"content\":\"Hel\"}"),
        (StreamForm::Plain, "data: Hel"),
    ] {
        let model = FakeModel::start(form, &["Hel", "lo"]).await;
        let (_, answer) = ask(&model.url(), &json!({"stream": true})).await;
        assert!(answer.contains("text/event-stream") && answer.contains(piece), "{answer}");
        assert!(answer.contains("data: [DONE]"));
        let (_, answer) = ask(&model.url(), &json!({"stream": false})).await;
        assert!(
            answer.contains("\"content\":\"Hello\"") && answer.contains("\"total_tokens\":12"),
            "{answer}"
        );
    }
    let model = FakeModel::start(StreamForm::None, &["Hello"]).await;
    let (_, answer) = ask(&model.url(), &json!({"stream": true})).await;
    assert!(answer.contains("application/json"));
}

#[tokio::test]
async fn a_caller_who_leaves_a_stream_is_noticed() {
    let model = FakeModel::start_slow(StreamForm::Plain, &["a"; 1_000], Duration::from_millis(1)).await;
    let mut stream = open(&model.url(), &json!({"stream": true})).await;
    let mut head = [0; 20];
    stream.read_exact(&mut head).await.unwrap();
    drop(stream);
    model.wait_cancelled(1).await;
}

#[tokio::test]
async fn redis_stops_and_returns_empty_on_the_same_port() {
    let redis = redis::private().await;
    let address = redis.url.trim_start_matches("redis://").trim_end_matches("/0").to_owned();
    let set = async || {
        let mut stream = TcpStream::connect(&address).await?;
        stream.write_all(b"SETNX k v\r\n").await?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await.map(|_| answer)
    };
    assert_eq!(&set().await.unwrap(), b":1\r\n");
    assert_eq!(&set().await.unwrap(), b":0\r\n");
    redis.stop().await;
    assert!(set().await.is_err());
    redis.start().await;
    assert_eq!(&set().await.unwrap(), b":1\r\n");
}

#[tokio::test]
async fn databases_are_fresh_and_apart() {
    let server = postgres::shared().await;
    let urls: Vec<String> =
        futures::stream::iter(0..3).map(|_| server.fresh_database()).buffer_unordered(3).collect().await;
    assert_eq!(urls.len(), 3);
    assert!(urls.iter().all(|url| url != server.admin_url()));
    assert_eq!(urls.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
}
