//! Addresses to come back to that are almost those that a program registered, and other ways to a foreign site.

use serde_json::json;

use crate::oauth_journey::{CALLBACK, Somebody, api, issuer, start, text};

/// Like `https://client.example/cb`, and not it.
const ALMOST: &[&str] = &[
    // Somebody else's host with ours in it.
    "https://client.example@evil.example/cb",
    "https://user@client.example/cb",
    "https://user:password@client.example/cb",
    "https://client.example.evil.example/cb",
    "https://evilclient.example/cb",
    "https://evil.example/client.example/cb",
    "https://client.example./cb",
    "https://client.example%2eevil.example/cb",
    "https://client.example\\@evil.example/cb",
    "https://client.example%5c@evil.example/cb",
    "https:\\\\client.example\\cb",
    "https:/client.example/cb",
    "//client.example/cb",
    "/cb",
    // Ours, spelled otherwise.
    "https://CLIENT.example/cb",
    "HTTPS://client.example/cb",
    "https://client.example:443/cb",
    "https://client.example:8443/cb",
    "http://client.example/cb",
    // Another place at ours.
    "https://client.example/CB",
    "https://client.example/cb/",
    "https://client.example/cb?",
    "https://client.example/cb?next=https://evil.example",
    "https://client.example/cb#",
    "https://client.example/cb#code=x",
    "https://client.example/cb/../evil",
    "https://client.example/evil/../cb",
    "https://client.example/./cb",
    "https://client.example/cb/%2e%2e/evil",
    "https://client.example/%63b",
    "https://client.example/cb;x",
    "https://client.example/cb\u{2024}",
    "https://client.example/cb ",
    " https://client.example/cb",
    "https://client.example/cb\r\nLocation: https://evil.example",
    "https://client.example/cb\0",
    "https://client.example/\tcb",
    "*",
    "https://*/cb",
    "javascript:alert(1)//client.example/cb",
    "data:text/html,https://client.example/cb",
];

/// Like `http://127.0.0.1/callback` at any port, and not it.
const ALMOST_LOCAL: &[&str] = &[
    "http://127.0.0.1:1@evil.example/callback",
    "http://127.0.0.1.evil.example/callback",
    "http://localhost/callback",
    "http://[::1]:9/callback",
    "http://127.1:9/callback",
    "http://2130706433:9/callback",
    "http://0x7f.0.0.1:9/callback",
    "http://0.0.0.0:9/callback",
    "http://[::ffff:127.0.0.1]:9/callback",
    "https://127.0.0.1:9/callback",
    "HTTP://127.0.0.1:9/callback",
    "http://127.0.0.1:9/x/../callback",
    "http://127.0.0.1:9/%2e/callback",
    "http://127.0.0.1:9/callback/",
    "http://127.0.0.1:9/callback?x=1",
    "http://127.0.0.1:9/callback#x",
    "http://127.0.0.1:/callback",
    "http://127.0.0.1:99999/callback",
    "http://127.0.0.1:9:9/callback",
];

// Covers: RFC9700-2.1-exact, RFC9700-4.1.3-exact, RFC6749-3.1.2.3-compare, RFC6749-3.1.2.4-invalid, RFC6749-4.1.2.1-page
// Covers: RFC8252-8.4-exact, OIDCCore-3.1.2.1-redirect, MCP2025-11-25-redirect-exact, MCP2026-07-28-redirect-exact
// Covers: CIMD-4.2-exact
#[tokio::test]
async fn only_the_registered_address_is_the_registered_address() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let remote = program.register().await;
    let local = program.register_as(json!({"redirect_uris": ["http://127.0.0.1/callback"]})).await.json();
    let local = text(&local, "client_id");
    let mut browser = Somebody::at(&hub);
    let good = browser.agree(&program.authorize(&remote, &[]), "ada").await;
    assert!(good.location().starts_with(&format!("{CALLBACK}?code=")));
    for (client, almost) in [(remote.as_str(), ALMOST), (local, ALMOST_LOCAL)] {
        for uri in almost {
            let page = browser.get(&program.authorize(client, &[("redirect_uri", uri)])).await;
            assert_eq!(page.status, 400, "{uri:?}");
            assert!(!page.headers.contains_key("location"), "{uri:?}: {}", page.header("location"));
            assert!(page.text.contains("did not work") && !page.text.contains("evil.example"), "{uri:?}");
        }
    }
    let twice = format!("{}&redirect_uri=https://evil.example/cb", program.authorize(&remote, &[]));
    assert_eq!(browser.get(&twice).await.status, 400);
}

// Covers: RFC8252-7.3-any-port, RFC8252-7-options, RFC6749-3.1.2-query, RFC8252-7.1-private
#[tokio::test]
async fn programs_on_a_machine_come_back_at_any_port_or_by_a_scheme_of_their_own() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let uris = json!({"redirect_uris": [
        "http://127.0.0.1/callback", "http://[::1]/callback", "com.example.app:/cb", "https://client.example/cb?a=%20b",
    ]});
    let client = program.register_as(uris).await.json();
    let client = text(&client, "client_id");
    let mut browser = Somebody::at(&hub);
    for (uri, joint) in [
        ("http://127.0.0.1/callback", "?"),
        ("http://127.0.0.1:51234/callback", "?"),
        ("http://[::1]:51234/callback", "?"),
        ("com.example.app:/cb", "?"),
        ("https://client.example/cb?a=%20b", "&"),
    ] {
        let back = browser.agree(&program.authorize(client, &[("redirect_uri", uri)]), "ada").await;
        assert!(back.location().starts_with(&format!("{uri}{joint}code=")), "{}", back.location());
    }
}

// Covers: RFC6749-3.1.2-absolute, RFC6749-3.1.2.2-registered, RFC7591-2-redirect, RFC7591-3.2.2-redirect
// Covers: MCP2025-11-25-communication-redirect, MCP2026-07-28-communication-redirect, CIMD-8.6-schemes
#[tokio::test]
async fn addresses_that_lead_astray_cannot_be_registered() {
    let hub = start();
    let mut program = Somebody::at(&hub);
    for bad in [
        "/cb",
        "client.example/cb",
        "https://",
        "http://client.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://192.168.0.1/cb",
        "http://0.0.0.0/cb",
        "https://client.example/cb#x",
        "https://user@client.example/cb",
        "javascript:alert(1)",
        "javascript://client.example/%0aalert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "vbscript:x",
        "about:blank",
        "blob:https://client.example/x",
        "https://client.example/\r\nx",
        "https://client.example/\"onload",
        "https://client.example\\@evil.example/",
    ] {
        let refused = program.register_as(json!({"redirect_uris": [CALLBACK, bad]})).await;
        assert_eq!(refused.refusal(), (400, "invalid_redirect_uri".to_owned()), "{bad:?}");
    }
    for none in [json!([]), json!(null), json!("https://client.example/cb"), json!([1])] {
        let refused = program.register_as(json!({"redirect_uris": none})).await;
        assert_eq!(refused.refusal(), (400, "invalid_redirect_uri".to_owned()), "{none}");
    }
}

// Covers: RFC9700-4.11.2-first, RFC9700-4.11.2-trust, RFC6749-10.15-open-redirector, RFC9700-2.1-open-redirector
// Covers: MCP2025-11-25-redirect-untrusted, MCP2025-11-25-redirect-automatic, MCP2026-07-28-redirect-untrusted
#[tokio::test]
async fn a_link_to_the_hub_does_not_carry_anybody_to_a_site_that_somebody_registered() {
    let hub = start();
    hub.register("ada").await;
    let mut phisher = Somebody::at(&hub);
    let bait = json!({"client_name": "Hub support", "redirect_uris": ["https://phisher.example/login"]});
    let bait = phisher.register_as(bait).await.json();
    let wrong = [("redirect_uri", "https://phisher.example/login"), ("scope", "nothing-there-is")];
    let link = phisher.authorize(text(&bait, "client_id"), &wrong);
    // Nobody who signed in, and nobody who agreed to this program before.
    let mut victim = Somebody::at(&hub);
    let page = victim.get(&link).await;
    assert_eq!(page.status, 400, "{}", page.text);
    assert!(!page.headers.contains_key("location"), "{}", page.header("location"));
    assert!(
        page.text.contains("phisher.example") && page.text.contains("error=invalid_scope"),
        "{}",
        page.text
    );
    let known = phisher.register().await;
    victim.code(&known, "ada", &issuer(&hub), "read").await;
    assert_eq!(victim.get(&link).await.status, 400, "signed in, but not with this program");
    let trusted = phisher.authorize(&known, &[("scope", "nothing-there-is")]);
    assert_eq!(victim.get(&trusted).await.told()["error"], "invalid_scope", "one that was agreed to");

    let api = api(&hub);
    for path in [
        format!("{api}/v1/auth/github?return_to=https://evil.example/"),
        format!("{api}/v1/auth/github?return_to=//evil.example/"),
        format!("{api}/v1/auth/github?return_to=/\\evil.example/"),
        format!("{}/oauth/continue?return_to=https://evil.example", issuer(&hub)),
        format!("{}/oauth/sign-in?request=https://evil.example", issuer(&hub)),
        format!("{}/oauth/consent?request=https://evil.example", issuer(&hub)),
    ] {
        let answer = victim.get(path.strip_prefix(&hub.url).unwrap()).await;
        assert!(!answer.header("location").contains("evil.example"), "{path}: {}", answer.header("location"));
        assert!(!answer.text.contains("href=\"https://evil.example"), "{path}");
    }
}

// Covers: RFC9700-4.12-303
#[tokio::test]
async fn no_redirect_makes_a_browser_send_a_password_on() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let mut browser = Somebody::at(&hub);
    let page = browser.get(&program.authorize(&client, &[])).await;
    let request = page.hidden("request");
    let fields =
        [("request", request.as_str()), ("username", "ada"), ("password", crate::oauth_journey::PASSWORD)];
    let signed_in = browser.form("/mcp/auth/syfthub/login", &fields).await;
    assert_eq!(signed_in.status, 303);
    let asks = browser.get(signed_in.location()).await;
    let back = browser.decide(&asks, "allow").await;
    assert_eq!(back.status, 303);
    let posted = browser.form("/mcp/oauth/authorize", &[("client_id", client.as_str())]).await;
    assert_eq!(posted.status, 303, "a form becomes a GET");
}
