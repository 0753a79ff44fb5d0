//! Publication to the hub.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use syfthub_config::Secret;
use syfthub_node::{Node, NodeConfig, StartError, TokenFault, TokenFuture, Tokens};
use syfthub_testing::wait;

use crate::fake_hub::{FakeHub, TOKEN};
use crate::world::{World, config, embedded, extract};

#[tokio::test]
async fn both_endpoints_are_created_reported_and_withdrawn() {
    let world = World::start().await;
    assert_eq!(world.node.paths(), ["ada/my-notes", "ada/extract"]);
    let address = format!("http://{}", world.node.addr());
    let source = world.hub.endpoint("my-notes").unwrap();
    assert_eq!((&source["type"], &source["name"]), (&json!("data_source"), &json!("My notes")));
    assert_eq!(source["connect"], json!([{"type": "http", "enabled": true, "config": {"url": address}}]));
    assert_eq!(world.hub.endpoint("extract").unwrap()["type"], "model");
    wait::until(async || world.hub.state.reports.lock().unwrap().len() >= 3, "three health reports").await;
    let report = world.hub.last_report().unwrap();
    assert_eq!((&report["url"], &report["endpoints"][0]["status"]), (&json!(address), &json!("healthy")));
    world.node.stop().await;
    assert_eq!(world.hub.last_report().unwrap()["endpoints"][1]["status"], "unhealthy");
}

#[tokio::test]
async fn an_existing_endpoint_is_updated_and_its_own_fields_are_kept() {
    let (hub, state) = (FakeHub::start().await, tempfile::tempdir().unwrap());
    let old = json!({"slug": "my-notes", "type": "data_source", "name": "Old", "stars_count": 5});
    hub.state.endpoints.lock().unwrap().insert("my-notes".to_owned(), old);
    let mut config = config(&hub, state.path());
    config.source = Some(embedded());
    let node = Node::start(config).await.unwrap();
    node.published().await.unwrap();
    let now = hub.endpoint("my-notes").unwrap();
    assert_eq!((&now["name"], &now["stars_count"]), (&json!("My notes"), &json!(5)));
}

#[tokio::test]
async fn a_slug_of_another_kind_is_refused_with_advice() {
    let (hub, state) = (FakeHub::start().await, tempfile::tempdir().unwrap());
    let other = json!({"slug": "extract", "type": "agent"});
    hub.state.endpoints.lock().unwrap().insert("extract".to_owned(), other);
    let mut config = config(&hub, state.path());
    config.model = Some(extract());
    let node = Node::start(config).await.unwrap();
    let reason = node.published().await.unwrap_err();
    assert!(reason.contains("type agent") && reason.contains("another slug"), "{reason}");
}

#[tokio::test]
async fn a_bad_credential_is_said_plainly_and_never_shown() {
    let (hub, state) = (FakeHub::start().await, tempfile::tempdir().unwrap());
    let mut config = config(&hub, state.path());
    config.token = NodeConfig::new(config.hub.clone(), Secret::new("syft_pat_wrong"), "unused".into()).token;
    config.model = Some(extract());
    let node = Node::start(config).await.unwrap();
    let reason = node.published().await.unwrap_err();
    assert!(reason.contains("check --token") && reason.contains("Invalid API token"), "{reason}");
    assert!(!reason.contains("syft_pat_wrong"), "{reason}");
}

/// A sign-in whose tokens change, and end.
#[derive(Debug)]
struct SignIn(AtomicBool);

impl Tokens for SignIn {
    fn token(&self) -> TokenFuture<'_> {
        let answer = if self.0.swap(false, Ordering::SeqCst) {
            Ok(Secret::new(TOKEN))
        } else {
            Err(TokenFault::Refused("the sign-in is over".to_owned()))
        };
        Box::pin(std::future::ready(answer))
    }
}

#[tokio::test]
async fn a_credential_is_asked_for_anew_before_every_call() {
    let (hub, state) = (FakeHub::start().await, tempfile::tempdir().unwrap());
    let mut config = config(&hub, state.path());
    config.token = Arc::new(SignIn(AtomicBool::new(true)));
    config.model = Some(extract());
    let node = Node::start(config).await.unwrap();
    assert_eq!(node.published().await.unwrap_err(), "the sign-in is over");
}

#[tokio::test]
async fn a_node_waits_for_a_hub_that_is_not_there_yet() {
    let (mut hub, state) = (FakeHub::absent().await, tempfile::tempdir().unwrap());
    let mut config = config(&hub, state.path());
    config.model = Some(extract());
    let node = Node::start(config).await.unwrap();
    assert!(node.paths().is_empty());
    hub.arrive().await;
    assert_eq!(node.published().await.unwrap(), ["ada/extract"]);
}

#[tokio::test]
async fn endpoints_that_the_hub_forgot_are_published_again() {
    let world = World::start().await;
    world.hub.state.endpoints.lock().unwrap().clear();
    wait::until(async || world.hub.endpoint("my-notes").is_some(), "publication after the hub forgot").await;
}

#[tokio::test]
async fn two_nodes_never_share_an_index() {
    let (hub, state) = (FakeHub::start().await, tempfile::tempdir().unwrap());
    let mut config = config(&hub, state.path());
    config.source = Some(embedded());
    let first = Node::start(config.clone()).await.unwrap();
    let refused = Node::start(config.clone()).await.unwrap_err();
    assert!(matches!(refused, StartError::InUse { .. }), "{refused}");
    let (text, folder) = (refused.to_string(), state.path().display().to_string());
    assert!(text.contains(&folder) && text.contains("my-notes") && text.contains("--state-dir"), "{text}");

    let mut other = config.clone();
    other.source.as_mut().unwrap().slug = crate::world::slug("other-notes");
    let other = Node::start(other).await.unwrap();
    first.stop().await;
    Node::start(config).await.unwrap().stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_node_of_a_distant_hub_is_told_to_name_its_address() {
    let (hub, state) = (FakeHub::start().await, tempfile::tempdir().unwrap());
    let notices = async |hub_url: &str, public_url: Option<&str>| {
        let mut config = config(&hub, state.path());
        config.hub = hub_url.parse().unwrap();
        config.public_url = public_url.map(|url| url.parse().unwrap());
        config.model = Some(extract());
        let node = Node::start(config).await.unwrap();
        let notices = node.notices();
        drop(node);
        notices
    };
    for near in [hub.url().as_str(), "http://localhost:1", "http://[::1]:1"] {
        assert!(notices(near, None).await.is_empty(), "{near}");
    }
    let far = "https://hub.invalid";
    let told = notices(far, None).await;
    assert!(told.len() == 1 && told[0].contains(far) && told[0].contains("--public-url"), "{told:?}");
    assert!(notices(far, Some("https://node.invalid")).await.is_empty());
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_at_once() {
    let (hub, state) = (FakeHub::start().await, tempfile::tempdir().unwrap());
    let start = async |change: &dyn Fn(&mut NodeConfig)| {
        let mut config = config(&hub, state.path());
        config.model = Some(extract());
        change(&mut config);
        Node::start(config).await.map(|_| ()).unwrap_err()
    };
    let nothing = start(&|config| config.model = None).await;
    assert!(nothing.to_string().contains("nothing to publish"));
    let missing =
        start(&|config| config.source = Some(crate::world::folder("/no/such/folder".as_ref()))).await;
    assert!(missing.to_string().contains("/no/such/folder is not a folder"), "{missing}");
    let scheme = start(&|config| config.hub = "ftp://hub".parse().unwrap()).await;
    assert!(scheme.to_string().contains("http or https"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let busy = start(&|config| config.listen = address).await;
    assert!(matches!(busy, StartError::Listen { .. }) && busy.to_string().contains("--listen"), "{busy}");
}
