//! Which addresses are called, and what is sent to them.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::routing::{get, post};
use serde_json::{Value, json};
use syfthub_config::{EgressAllow, Secret};
use syfthub_egress::{Client, Error, Refusal};
use syfthub_logging::correlation::{self, CorrelationId};
use url::Url;

use crate::server::Server;
use crate::{LIMITS, guarded};

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

fn reason(error: &Error) -> Option<Refusal> {
    match error {
        Error::Refused { reason } => Some(*reason),
        _ => None,
    }
}

#[tokio::test]
async fn in_public_mode_neither_the_address_nor_a_name_for_it_is_called() {
    let server = Server::start(hello()).await;
    let client = guarded(EgressAllow::Public, &[]);
    for url in [server.url("/"), server.named("localhost", "/"), server.named("2130706433", "/")] {
        let refused = client.get(url.clone()).send().await.unwrap_err();
        assert_eq!(reason(&refused), Some(Refusal::Address), "{url}");
        assert_eq!(refused.to_string(), "Access to internal or private IP addresses is not allowed");
    }
    assert_eq!(server.hits(), 0);
}

#[tokio::test]
async fn in_loopback_mode_both_are_called_but_not_on_the_ports_of_the_hub() {
    let server = Server::start(hello()).await;
    let open = guarded(EgressAllow::Loopback, &[]);
    for url in [server.url("/"), server.named("localhost", "/")] {
        let answer = open.get(url).send().await.unwrap();
        assert_eq!(answer.text_capped(100).await.unwrap(), "hello");
    }
    for allow in [EgressAllow::Loopback, EgressAllow::Private] {
        let client = guarded(allow, &[server.port()]);
        let refused = client.get(server.url("/")).send().await.unwrap_err();
        assert_eq!(reason(&refused), Some(Refusal::InternalPort));
        let refused = client.get(server.named("localhost", "/")).send().await.unwrap_err();
        assert_eq!(reason(&refused), Some(Refusal::Address));
    }
    assert_eq!(server.hits(), 2);
}

#[tokio::test]
async fn metadata_addresses_are_refused_in_every_mode() {
    for allow in [EgressAllow::Public, EgressAllow::Loopback, EgressAllow::Private] {
        for host in ["169.254.169.254", "100.100.100.200", "[fd00:ec2::254]", "0.0.0.0"] {
            let url = Url::parse(&format!("http://{host}/latest/meta-data/")).unwrap();
            let refused = guarded(allow, &[]).get(url).send().await.unwrap_err();
            assert_eq!(reason(&refused), Some(Refusal::Address), "{host}");
        }
    }
}

#[tokio::test]
async fn a_redirect_is_handed_over_and_not_followed() {
    let redirect = || async { (StatusCode::FOUND, [(header::LOCATION, "http://169.254.169.254/")]) };
    let server = Server::start(Router::new().route("/", get(redirect))).await;
    let answer = guarded(EgressAllow::Loopback, &[]).get(server.url("/")).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FOUND);
    assert_eq!(answer.headers()[header::LOCATION], "http://169.254.169.254/");
    assert_eq!(server.hits(), 1);
}

#[tokio::test]
async fn the_operator_client_calls_loopback_but_no_other_scheme() {
    let server = Server::start(hello()).await;
    let client = Client::operator(LIMITS).unwrap();
    assert_eq!(client.get(server.named("localhost", "/")).send().await.unwrap().status(), StatusCode::OK);
    let refused = client.get(Url::parse("ftp://localhost/").unwrap()).send().await.unwrap_err();
    assert_eq!(reason(&refused), Some(Refusal::Scheme));
}

#[tokio::test]
async fn a_closed_port_is_a_connect_error() {
    let port = Server::start(hello()).await.port();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let free = listener.local_addr().unwrap().port();
    drop(listener);
    assert_ne!(port, free);
    let url = Url::parse(&format!("http://127.0.0.1:{free}/")).unwrap();
    let failed = guarded(EgressAllow::Loopback, &[]).get(url).send().await.unwrap_err();
    assert!(matches!(failed, Error::Connect(_)), "{failed:?}");
}

#[tokio::test]
async fn a_name_without_an_address_says_so() {
    let url = Url::parse("http://nobody.invalid/").unwrap();
    let failed = guarded(EgressAllow::Public, &[]).get(url).send().await.unwrap_err();
    // Without a name server the question itself may run into the time limit.
    assert!(matches!(failed, Error::Unresolvable | Error::Timeout), "{failed:?}");
}

#[tokio::test]
async fn connections_are_used_again() {
    let peer = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() };
    let server = Server::start(Router::new().route("/", get(peer))).await;
    let client = guarded(EgressAllow::Loopback, &[]);
    let ask = async || client.get(server.url("/")).send().await.unwrap().text_capped(100).await.unwrap();
    assert_eq!(ask().await, ask().await);
}

#[tokio::test]
async fn what_was_put_together_arrives() {
    let echo = |headers: HeaderMap, uri: Uri, body: axum::Json<Value>| async move {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        axum::Json(json!({
            "authorization": text("authorization"),
            "correlation": text("x-correlation-id"),
            "agent": text("user-agent"),
            "query": uri.query(),
            "body": body.0,
        }))
    };
    let server = Server::start(Router::new().route("/", post(echo))).await;
    let request = guarded(EgressAllow::Loopback, &[])
        .post(server.url("/"))
        .bearer(&Secret::new("t0ken"))
        .query(&[("q", "a b")])
        .json(&json!({"n": 1}));
    let id = CorrelationId::from_header(Some("corr-1"));
    let answer = correlation::scope(id, request.send()).await.unwrap();
    assert_eq!(answer.media_type().as_deref(), Some("application/json"));
    let seen: Value = answer.require_success().unwrap().json_capped(1000).await.unwrap();
    assert_eq!(seen["authorization"], "Bearer t0ken");
    assert_eq!(seen["correlation"], "corr-1");
    assert_eq!(seen["query"], "q=a+b");
    assert_eq!(seen["body"], json!({"n": 1}));
    assert!(seen["agent"].as_str().unwrap().starts_with("SyftHub/"));
}
