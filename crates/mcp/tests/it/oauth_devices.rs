//! A device without a browser, and its person in front of one.

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use syfthub_proto::oauth::DeviceState;

use crate::client::Answer;
use crate::oauth_browser::{Browser, Program, form_post, hidden, hub, location, register};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
const API: &str = "http://localhost:8080/api";

async fn ask(router: &Router, fields: &[(&str, &str)]) -> Answer {
    form_post(router, "/oauth/device_authorization", fields, HeaderMap::new()).await
}

/// What the command line gets when it asks.
async fn begun(router: &Router) -> Value {
    let fields = [("client_id", "syfthub-cli"), ("scope", "read write"), ("resource", API), ("unknown", "1")];
    let answer = ask(router, &[fields.as_slice(), &[("device_name", "ada's <laptop>")]].concat()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.headers["cache-control"], "no-store");
    answer.json()
}

async fn poll(router: &Router, client: &str, code: &str) -> Answer {
    let fields = [("grant_type", GRANT), ("client_id", client), ("device_code", code)];
    form_post(router, "/oauth/token", &fields, HeaderMap::new()).await
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key}: {value}"))
}

/// Enters a code on the page and gives what comes next.
async fn enter(browser: &mut Browser<'_>, code: &str) -> Answer {
    let page = browser.get("/oauth/device").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let request = hidden(&page, "request");
    let entered = browser.post("/oauth/device", &[("request", &request), ("user_code", code)]).await;
    if entered.status == StatusCode::SEE_OTHER { browser.get(&location(&entered)).await } else { entered }
}

// Covers: RFC8628-3.1-endpoint, RFC8628-3.2-answer, RFC8628-3.3-authenticate, RFC8628-3.4-grant, RFC8628-3.4-once
// Covers: RFC8628-3.5-pending, RFC8628-4-metadata, RFC8628-5.2-entropy, RFC8628-5.4-phishing
#[tokio::test]
async fn a_device_gets_its_tokens_once_its_person_agreed() {
    let service = hub();
    let router = &service.router;
    let told = begun(router).await;
    let code = text(&told, "user_code");
    assert_eq!(text(&told, "verification_uri"), "http://localhost:8080/mcp/oauth/device");
    let complete = format!("http://localhost:8080/mcp/oauth/device?user_code={code}");
    assert_eq!(text(&told, "verification_uri_complete"), complete);
    assert_eq!((&told["expires_in"], &told["interval"]), (&json!(600), &json!(5)));
    let device_code = text(&told, "device_code");
    assert_eq!(device_code.strip_prefix("syft_dc_").map(str::len), Some(43), "256 bits");
    let metadata = Browser::new(router).get("/.well-known/oauth-authorization-server/mcp").await.json();
    let endpoint = text(&metadata, "device_authorization_endpoint");
    assert_eq!(endpoint, "http://localhost:8080/mcp/oauth/device_authorization");
    assert!(metadata["grant_types_supported"].as_array().unwrap().contains(&json!(GRANT)));
    let waits = poll(router, "syfthub-cli", device_code).await;
    assert_eq!(waits.status, StatusCode::BAD_REQUEST);
    assert_eq!(waits.json()["error"], "authorization_pending", "{}", waits.text);

    let mut browser = Browser::new(router);
    let signs_in = enter(&mut browser, &code.to_lowercase().replace('-', " ")).await;
    assert!(signs_in.text.contains("current-password") && signs_in.text.contains("a device"));
    assert!(!signs_in.text.contains("laptop"), "nothing is told about a code to who is not signed in");
    let asks = browser.sign_in(&signs_in).await;
    for says in
        ["SyftHub command line on adas laptop", code, "Publish endpoints", "they would get into your account"]
    {
        assert!(asks.text.contains(says), "{says}: {}", asks.text);
    }
    let done = browser.decide(&asks, "allow").await;
    assert_eq!(location(&done), "/mcp/oauth/device/allowed");
    assert!(browser.get(&location(&done)).await.text.contains("is connected"));

    let issued = poll(router, "syfthub-cli", device_code).await;
    assert_eq!(issued.status, StatusCode::OK, "{}", issued.text);
    let issued = issued.json();
    assert_eq!((text(&issued, "token_type"), text(&issued, "scope")), ("Bearer", "read write"));
    let again = poll(router, "syfthub-cli", device_code).await;
    assert_eq!(again.json()["error"], "invalid_grant", "once: {}", again.text);

    let command = Program { id: "syfthub-cli".to_owned(), secret: None, registered: Value::Null };
    let refreshed = command.refresh(router, text(&issued, "refresh_token")).await;
    assert_eq!(refreshed.status, StatusCode::OK, "{}", refreshed.text);
}

// Covers: RFC8628-3.5-denied
#[tokio::test]
async fn a_device_is_told_that_its_person_refused() {
    let service = hub();
    let router = &service.router;
    let told = begun(router).await;
    let mut browser = Browser::new(router);
    let signs_in = enter(&mut browser, text(&told, "user_code")).await;
    let asks = browser.sign_in(&signs_in).await;
    let done = browser.decide(&asks, "deny").await;
    assert_eq!(location(&done), "/mcp/oauth/device/refused");
    let refused = poll(router, "syfthub-cli", text(&told, "device_code")).await;
    assert_eq!((refused.status, text(&refused.json(), "error")), (StatusCode::BAD_REQUEST, "access_denied"));
}

// Covers: RFC8628-3.3.1-confirm, RFC8628-5.1-guesses
#[tokio::test]
async fn a_link_or_a_form_of_another_site_gives_nothing() {
    let service = hub();
    let router = &service.router;
    let told = begun(router).await;
    let code = text(&told, "user_code");
    let mut browser = Browser::new(router);
    let signs_in = enter(&mut browser, code).await;
    let asks = browser.sign_in(&signs_in).await;
    assert!(asks.text.contains(code));
    let linked = browser.get(&format!("/oauth/device?user_code={code}")).await;
    assert!(linked.text.contains(&format!("value=\"{code}\"")), "{}", linked.text);
    assert!(!linked.text.contains("value=\"allow\""), "a link is asked about first");
    let request = hidden(&asks, "request");
    let fields = [("request", request.as_str()), ("user", "7"), ("decision", "allow")];
    let foreign = form_post(router, "/oauth/consent", &fields, HeaderMap::new()).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    let mut other = Browser::new(router);
    other.get("/oauth/device").await;
    assert_eq!(other.post("/oauth/consent", &fields).await.status, StatusCode::BAD_REQUEST);
    let state = service.seen.oauth.kept().devices[&code.replace('-', "")].1;
    assert_eq!(state, DeviceState::Pending);
    // Leaving the page for signing in is no answer either.
    let mut stranger = Browser::new(router);
    let page = enter(&mut stranger, code).await;
    let request = hidden(&page, "request");
    let left = stranger.post("/oauth/consent", &[("request", &request), ("decision", "deny")]).await;
    assert_eq!(location(&left), "/mcp/oauth/device/refused");
    assert_eq!(service.seen.oauth.kept().devices[&code.replace('-', "")].1, DeviceState::Pending);
}

// Covers: RFC8628-5.1-guesses
#[tokio::test]
async fn a_wrong_code_is_explained_and_cannot_be_tried_for_ever() {
    let service = hub();
    let router = &service.router;
    let mut browser = Browser::new(router);
    let short = enter(&mut browser, "BCDF").await;
    assert_eq!(short.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(short.text.contains("eight letters") && short.text.contains("value=\"BCDF\""), "{}", short.text);
    let signs_in = enter(&mut browser, "BCDF-GHJK").await;
    assert!(signs_in.text.contains("current-password"), "{}", signs_in.text);
    let unknown = browser.sign_in(&signs_in).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(unknown.text.contains("No device waits under this code"), "{}", unknown.text);
    let again = format!("/oauth/consent?request={}", hidden(&unknown, "request"));
    let mut last = StatusCode::OK;
    for _ in 0..40 {
        last = browser.get(&again).await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}

// Covers: RFC8628-3.1-client, RFC8628-3.1-repeated, RFC8628-3.4-grant
#[tokio::test]
async fn only_clients_that_said_so_are_devices() {
    let service = hub();
    let router = &service.router;
    let other = register(router, json!({})).await;
    let refused = ask(router, &[("client_id", &other.id)]).await;
    assert_eq!(refused.json()["error"], "unauthorized_client", "{}", refused.text);
    assert_eq!(poll(router, &other.id, "syft_dc_x").await.json()["error"], "unauthorized_client");
    let unknown = ask(router, &[("client_id", "nobody")]).await;
    assert_eq!(
        (unknown.status, text(&unknown.json(), "error")),
        (StatusCode::UNAUTHORIZED, "invalid_client")
    );
    let device = json!({"redirect_uris": [], "grant_types": [GRANT], "client_name": "A lamp"});
    let device = register(router, device).await;
    let told = ask(router, &[("client_id", &device.id), ("scope", "openid read")]).await;
    assert_eq!(told.status, StatusCode::OK, "{}", told.text);
    let code = told.json()["device_code"].as_str().unwrap().to_owned();
    let foreign = poll(router, "syfthub-cli", &code).await;
    assert_eq!(foreign.json()["error"], "invalid_grant", "of another client: {}", foreign.text);
    for (fields, error) in [
        (&[("scope", "nothing")], "invalid_scope"),
        (&[("resource", "https://other.example/mcp")], "invalid_target"),
        (&[("client_id", "twice")], "invalid_request"),
    ] {
        let refused = ask(router, &[&[("client_id", device.id.as_str())], fields.as_slice()].concat()).await;
        assert_eq!(refused.json()["error"], error, "{}", refused.text);
    }
    for (code, error) in [("", "invalid_request"), ("x", "invalid_grant"), ("syft_dc_x", "invalid_grant")] {
        assert_eq!(poll(router, &device.id, code).await.json()["error"], error, "{code}");
    }
}
