//! What can be wrong with an answer when the document of a client is fetched, and with the name that it is fetched from.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use syfthub_config::Rule;
use syfthub_egress::Outside;
use syfthub_testing::tls::{Authority, Period};

use crate::client::service_with;
use crate::oauth_browser::{Browser, Program, form_post, hub_in};

const NAME: &str = "client.example.org";
const BACK: &str = "http://localhost:51234/callback";

fn document() -> String {
    json!({
        "client_id": format!("https://{NAME}:{{port}}/client.json"),
        "client_name": "An editor",
        "redirect_uris": ["http://localhost/callback"],
    })
    .to_string()
}

fn answer(status: &str, more: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n{more}\r\n{body}")
}

/// A world in which every name has the addresses that a function gives, at its first look-up, its second and so on.
fn world(
    authority: &Authority,
    addresses: impl Fn(usize) -> Vec<IpAddr> + Send + Sync + 'static,
) -> (Outside, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let names = Arc::new(move |_: &str| Ok(addresses(count.fetch_add(1, Ordering::SeqCst))));
    (Outside { names: Some(names), authorities: vec![authority.certificate()] }, asked)
}

fn program(port: u16) -> Program {
    Program { id: format!("https://{NAME}:{port}/client.json"), secret: None, registered: Value::Null }
}

fn parsed(addresses: &[&str]) -> Vec<IpAddr> {
    addresses.iter().map(|address| address.parse().unwrap()).collect()
}

const JSON: &str = "content-type: application/json\r\n";

// Covers: CIMD-5-status, CIMD-5-redirects, CIMD-5.1-abort, CIMD-5.2-no-errors, CIMD-8.7-size
// Covers: MCP2025-11-25-cimd-structure, MCP2026-07-28-cimd-structure
#[tokio::test]
async fn a_document_is_taken_from_a_plain_answer_only_and_looked_for_again() {
    let (good, large) = (document(), format!("{}{}", " ".repeat(65 * 1024), document()));
    let elsewhere = format!("location: https://{NAME}:{{port}}/client.json\r\n{JSON}");
    for (what, answer) in [
        ("moved for now", answer("302 Found", &elsewhere, &good)),
        ("moved for good", answer("301 Moved Permanently", &elsewhere, &good)),
        ("moved with its method", answer("307 Temporary Redirect", &elsewhere, &good)),
        ("not there", answer("404 Not Found", JSON, &good)),
        ("made", answer("201 Created", JSON, &good)),
        ("broken", answer("500 Internal Server Error", JSON, &good)),
        ("a page", answer("200 OK", "content-type: text/html\r\n", &good)),
        ("without a type", answer("200 OK", "", &good)),
        ("too large", answer("200 OK", JSON, &large)),
        ("no JSON", answer("200 OK", JSON, "{")),
        ("a list", answer("200 OK", JSON, &format!("[{good}]"))),
        ("nothing", answer("200 OK", JSON, "")),
    ] {
        let authority = Authority::new();
        let server = authority.serve_text(NAME, &answer).await;
        let (outside, _) = world(&authority, |_| parsed(&["127.0.0.1"]));
        let service = hub_in(&outside);
        let asked = program(server.port).authorize(&[("redirect_uri", BACK)]);
        for times in 1..=2 {
            let page = Browser::new(&service.router).get(&asked).await;
            assert_eq!(page.status, StatusCode::BAD_REQUEST, "{what}: {}", page.text);
            assert!(!page.headers.contains_key("location"), "{what}");
            assert_eq!(server.requests(), times, "{what}: neither followed nor kept");
        }
    }
}

// Covers: CIMD-8.6-special-use, MCP2025-11-25-cimd-ssrf, MCP2026-07-28-cimd-ssrf
#[tokio::test]
async fn a_name_is_looked_up_once_and_what_it_says_then_counts() {
    for inside in [
        &["169.254.169.254"][..],
        &["10.0.0.1"],
        &["192.168.0.1", "127.0.0.1"],
        &["127.0.0.1", "169.254.169.254"],
        &["fd00::1"],
        &["::ffff:10.0.0.1"],
        &["0.0.0.0"],
        &[],
    ] {
        let authority = Authority::new();
        let server = authority.serve(NAME, Period::Now, &document()).await;
        let (outside, _) = world(&authority, move |_| parsed(inside));
        let service = hub_in(&outside);
        let page = Browser::new(&service.router).get(&program(server.port).authorize(&[])).await;
        assert_eq!((page.status, server.requests()), (StatusCode::BAD_REQUEST, 0), "{inside:?}");
    }
    // A name that leads somewhere good when it is checked and elsewhere when it is used.
    let authority = Authority::new();
    let server = authority.serve(NAME, Period::Now, &document()).await;
    let (outside, asked) = world(&authority, |time| parsed(&[["127.0.0.1", "169.254.169.254"][time.min(1)]]));
    let service = hub_in(&outside);
    let asks = program(server.port).authorize(&[("redirect_uri", BACK)]);
    let page = Browser::new(&service.router).get(&asks).await;
    assert_eq!((page.status, server.requests()), (StatusCode::OK, 1), "{}", page.text);
    assert_eq!(asked.load(Ordering::SeqCst), 1, "the address that was checked is the one that was used");
}

// Covers: MCP2025-11-25-cimd-redirect, MCP2026-07-28-cimd-redirect, CIMD-4.2-exact
#[tokio::test]
async fn a_document_says_where_its_client_may_be_sent_back_to() {
    let authority = Authority::new();
    let server = authority.serve(NAME, Period::Now, &document()).await;
    let (outside, _) = world(&authority, |_| parsed(&["127.0.0.1"]));
    let service = hub_in(&outside);
    let program = program(server.port);
    for (back, status) in [
        (BACK, StatusCode::OK),
        ("http://localhost:1/other", StatusCode::BAD_REQUEST),
        ("https://evil.example/callback", StatusCode::BAD_REQUEST),
        ("http://127.0.0.1:51234/callback", StatusCode::BAD_REQUEST),
    ] {
        let page = Browser::new(&service.router).get(&program.authorize(&[("redirect_uri", back)])).await;
        assert_eq!(page.status, status, "{back}: {}", page.text);
        assert!(!page.headers.contains_key("location"));
    }
}

// Covers: RFC6749-2.3.1-limit
#[tokio::test]
async fn an_address_guesses_secrets_only_so_often() {
    let service = service_with(|settings| settings.rate_limits.chat = Rule::per_seconds(1, 60));
    let guess = [("grant_type", "refresh_token"), ("client_id", "client_x"), ("client_secret", "guess")];
    for path in ["/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/par"] {
        let mut statuses = Vec::new();
        for _ in 0..11 {
            let answer = form_post(&service.router, path, &guess, HeaderMap::new()).await;
            if answer.status == StatusCode::TOO_MANY_REQUESTS {
                assert!(answer.headers.contains_key("retry-after"), "{path}");
            }
            statuses.push(answer.status);
        }
        assert_eq!(statuses.last(), Some(&StatusCode::TOO_MANY_REQUESTS), "{path}: {statuses:?}");
    }
}
