//! The two resources: the MCP endpoint and the API of the hub.

use http::Method;
use serde_json::json;

use crate::oauth_journey::{Somebody, api, issuer, start, text};

// Covers: RFC6750-2.1-header, RFC6750-3-challenge, RFC6750-3.1-absent, RFC6750-3.1-invalid, RFC9728-5.1-challenge
// Covers: MCP2025-11-25-location-scope, MCP2026-07-28-location-scope, MCP2025-11-25-token-invalid
// Covers: MCP2026-07-28-token-invalid, MCP2026-07-28-error-status, RFC6750-3-realm, RFC6750-2.1-case
#[tokio::test]
async fn a_refusal_says_where_to_get_a_token() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let mut browser = Somebody::at(&hub);
    let mcp = browser.issued(&client, "ada", &issuer(&hub), "openid read").await;
    let hub_api = browser.issued(&client, "ada", &api(&hub), "openid read").await;
    let metadata = format!("resource_metadata=\"{}/.well-known/oauth-protected-resource/mcp\"", hub.url);
    for (method, path, token) in [
        (Method::POST, "/mcp", text(&mcp, "access_token")),
        (Method::GET, "/mcp/oauth/userinfo", text(&mcp, "access_token")),
        (Method::GET, "/api/v1/auth/me", text(&hub_api, "access_token")),
    ] {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
        let usual = [("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
        let bare = program.send(method.clone(), path, &usual, body.clone()).await;
        let challenge = bare.header("www-authenticate").to_owned();
        assert!(bare.status == 401 && challenge.starts_with("Bearer"), "{path}: {} {challenge}", bare.status);
        assert!(!challenge.contains("error"), "{path}: nothing was wrong yet: {challenge}");
        assert!(challenge.matches("realm=").count() <= 1);
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let bearer = format!("{scheme} {token}");
            let headers = [usual.as_slice(), &[("authorization", bearer.as_str())]].concat();
            let good = program.send(method.clone(), path, &headers, body.clone()).await;
            assert_eq!(good.status, 200, "{path} {scheme}: {}", good.text);
        }
        let headers = [usual.as_slice(), &[("authorization", "Bearer x.y.z")]].concat();
        let wrong = program.send(method, path, &headers, body).await;
        assert_eq!(wrong.status, 401, "{path}: {}", wrong.text);
        let challenge = wrong.header("www-authenticate");
        assert!(challenge.starts_with("Bearer"), "{path}: {challenge}");
        if path != "/api/v1/auth/me" {
            assert!(challenge.contains("error=\"invalid_token\""), "{path}: {challenge}");
        }
        if path == "/mcp" {
            assert!(challenge.contains(&metadata) && challenge.contains("scope=\"read\""), "{challenge}");
            assert!(!challenge.contains("offline_access"));
        }
    }
}

// Covers: RFC6750-3.1-scope, MCP2025-11-25-scope-insufficient, MCP2025-11-25-scope-needed
// Covers: MCP2025-11-25-scope-consistent, MCP2026-07-28-scope-insufficient, MCP2026-07-28-scope-needed
// Covers: MCP2026-07-28-scope-metadata, MCP2026-07-28-scope-together, MCP2026-07-28-scope-consistent
// Covers: RFC9700-2.3-enforced, MCP2025-11-25-privilege-validate, MCP2026-07-28-privilege-validate
#[tokio::test]
async fn what_needs_more_says_all_that_it_needs() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let mut browser = Somebody::at(&hub);
    let issued = browser.issued(&client, "ada", &issuer(&hub), "read").await;
    let token = text(&issued, "access_token");
    let publish = json!({"name": "publish_endpoint", "arguments": {
        "name": "N", "type": "model", "description": "d", "visibility": "public",
    }});
    let mut seen = Vec::new();
    for _ in 0..2 {
        let refused = program.mcp(token, "tools/call", publish.clone()).await;
        assert_eq!(refused.status, 403, "{}", refused.text);
        seen.push(refused.header("www-authenticate").to_owned());
    }
    assert_eq!(seen[0], seen[1], "the same every time");
    assert!(seen[0].starts_with("Bearer error=\"insufficient_scope\""), "{}", seen[0]);
    assert!(seen[0].contains("scope=\"read write\""), "{}", seen[0]);
    let metadata = format!("{}/.well-known/oauth-protected-resource/mcp", hub.url);
    assert!(seen[0].contains(&format!("resource_metadata=\"{metadata}\"")), "{}", seen[0]);
    let tools = program.mcp(token, "tools/list", json!({})).await;
    assert!(!tools.text.contains("publish_endpoint"), "it is not even shown");
    let more = browser.issued(&client, "ada", &issuer(&hub), "read write").await;
    let allowed = program.mcp(text(&more, "access_token"), "tools/call", publish).await;
    assert_ne!(allowed.status, 403, "{}", allowed.text);

    let less = browser.issued(&client, "ada", &issuer(&hub), "read").await;
    let headers = [("authorization", format!("Bearer {}", text(&less, "access_token")))];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let userinfo = program.send(Method::GET, "/mcp/oauth/userinfo", &headers, String::new()).await;
    assert_eq!(userinfo.status, 403);
    let challenge = userinfo.header("www-authenticate");
    assert!(
        challenge.contains("insufficient_scope") && challenge.contains("scope=\"openid\""),
        "{challenge}"
    );
    let hub_api = browser.issued(&client, "ada", &api(&hub), "read").await;
    let new = json!({"name": "more"});
    let (status, _) =
        hub.call("POST", "/api/v1/auth/tokens", Some(new), Some(text(&hub_api, "access_token"))).await;
    assert_eq!(status, 403);
}

// Covers: RFC9700-4.14.2-events, RFC7009-3-immediately
#[tokio::test]
async fn a_new_password_ends_what_was_issued_before() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let issued = Somebody::at(&hub).issued(&client, "ada", &issuer(&hub), "read").await;
    let full = Somebody::at(&hub).issued(&client, "ada", &api(&hub), "full").await;
    let change =
        json!({"current_password": crate::oauth_journey::PASSWORD, "new_password": "another-horse-2"});
    let (status, told) =
        hub.call("PUT", "/api/v1/auth/me/password", Some(change), Some(text(&full, "access_token"))).await;
    assert!(status < 300, "{status} {told}");
    assert_eq!(program.tools(text(&issued, "access_token")).await, 401);
    let over = program.refresh(&client, text(&issued, "refresh_token")).await;
    assert_eq!(over.refusal(), (400, "invalid_grant".to_owned()));
    let (status, _) = hub.call("GET", "/api/v1/auth/me", None, Some(text(&full, "access_token"))).await;
    assert_eq!(status, 401);
}
