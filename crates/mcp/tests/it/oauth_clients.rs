//! Clients whose id is the address of a document about them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use syfthub_egress::Outside;
use syfthub_testing::tls::{Authority, Period, TlsServer};

use crate::oauth_browser::{Browser, Program, form, form_post, hub_in, location, register};

const NAME: &str = "client.example.org";
const BACK: &str = "http://localhost:51234/callback";

/// A server with one document, and a world in which it is found.
async fn published(document: &Value) -> (TlsServer, Outside) {
    let authority = Authority::new();
    let server = authority.serve(NAME, Period::Now, &document.to_string()).await;
    let names = Arc::new(|_: &str| Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]));
    (server, Outside { names: Some(names), authorities: vec![authority.certificate()] })
}

fn document() -> Value {
    json!({
        "client_id": format!("https://{NAME}:{{port}}/client.json"),
        "client_name": "An editor",
        "redirect_uris": ["http://localhost/callback", "http://127.0.0.1/callback"],
    })
}

fn program(server: &TlsServer) -> Program {
    let id = format!("https://{NAME}:{}/client.json", server.port);
    Program { id, secret: None, registered: Value::Null }
}

// Covers: CIMD-5-fetch, CIMD-5.2-cache, CIMD-8.5-host, MCP2025-11-25-overview-cimd
// Covers: MCP2025-11-25-cimd-fetch, MCP2025-11-25-cimd-cache, MCP2026-07-28-overview-cimd
// Covers: MCP2026-07-28-cimd-fetch, MCP2026-07-28-cimd-cache
#[tokio::test]
async fn a_client_that_publishes_what_it_is_needs_no_registration() {
    let (server, outside) = published(&document()).await;
    let service = hub_in(&outside);
    let program = program(&server);
    let mut browser = Browser::new(&service.router);
    let page = browser.get(&program.authorize(&[("redirect_uri", BACK)])).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let asks = browser.sign_in(&page).await;
    assert!(asks.text.contains("An editor") && asks.text.contains(NAME), "{}", asks.text);
    let answer = browser.decide(&asks, "allow").await;
    assert!(location(&answer).starts_with(&format!("{BACK}?code=")), "{}", location(&answer));
    let code = crate::oauth_browser::told(&answer)["code"].clone();
    let issued = program.exchange(&service.router, &code, &[("redirect_uri", BACK)]).await;
    assert_eq!(issued.status, StatusCode::OK, "{}", issued.text);
    assert_eq!(server.requests(), 1, "the document is kept");
}

// Covers: CIMD-3-compare, CIMD-4-client-id, CIMD-4.1-secret, CIMD-5.1-abort, MCP2025-11-25-cimd-client-id
// Covers: MCP2025-11-25-cimd-structure, MCP2026-07-28-cimd-client-id, MCP2026-07-28-cimd-structure
#[tokio::test]
async fn a_document_about_somebody_else_is_refused_on_a_page() {
    for (key, value, says) in [
        ("client_id", json!("https://client.example.org/other.json"), "another client_id"),
        ("client_name", Value::Null, "no client_name"),
        ("redirect_uris", json!(["http://evil.example/cb"]), "plain http"),
        ("token_endpoint_auth_method", json!("client_secret_basic"), "secret"),
    ] {
        let mut bad = document();
        bad[key] = value;
        let (server, outside) = published(&bad).await;
        let service = hub_in(&outside);
        let asked = program(&server).authorize(&[("redirect_uri", BACK)]);
        let page = Browser::new(&service.router).get(&asked).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{key}");
        assert!(page.text.contains(says), "{key}: {}", page.text);
        assert!(!page.headers.contains_key("location"));
    }
}

// Covers: CIMD-3-https, CIMD-3-plain
#[tokio::test]
async fn nobody_is_asked_for_a_document_at_an_address_that_is_no_id() {
    let (server, outside) = published(&document()).await;
    let service = hub_in(&outside);
    for id in [
        format!("http://{NAME}:{}/client.json", server.port),
        format!("https://{NAME}:{}/", server.port),
        format!("https://{NAME}:{}/x/../client.json", server.port),
        format!("https://{NAME}:{}/client.json#x", server.port),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://10.0.0.1/client.json".to_owned(),
    ] {
        let program = Program { id, secret: None, registered: Value::Null };
        let page = Browser::new(&service.router).get(&program.authorize(&[("redirect_uri", BACK)])).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{}", program.id);
    }
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn a_client_can_push_its_request_before_it_sends_a_browser() {
    let service = crate::oauth_browser::hub();
    let router = &service.router;
    let (program, other) = (register(router, json!({})).await, register(router, json!({})).await);
    let authorize = program.authorize(&[]);
    let query = authorize.split_once('?').unwrap().1;
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let pushed = form_post(router, "/oauth/par", &fields, HeaderMap::new()).await;
    assert_eq!(pushed.status, StatusCode::CREATED, "{}", pushed.text);
    let name = pushed.json()["request_uri"].as_str().unwrap().to_owned();
    assert!(name.starts_with("urn:ietf:params:oauth:request_uri:"), "{name}");
    let by =
        |client: &str| format!("/oauth/authorize?{}", form(&[("client_id", client), ("request_uri", &name)]));
    let mut browser = Browser::new(router);
    assert_eq!(browser.get(&by(&other.id)).await.status, StatusCode::BAD_REQUEST, "another client's");
    let code = browser.code(&by(&program.id)).await;
    assert_eq!(program.exchange(router, &code, &[]).await.status, StatusCode::OK);
    let again = browser.get(&by(&program.id)).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "it is answered once: {}", again.text);
    let wrong: Vec<(&str, &str)> =
        fields.iter().copied().filter(|(name, _)| *name != "code_challenge").collect();
    let refused = form_post(router, "/oauth/par", &wrong, HeaderMap::new()).await;
    assert_eq!(
        (refused.status, refused.json()["error"].as_str()),
        (StatusCode::BAD_REQUEST, Some("invalid_request"))
    );
}
