//! A program signs its person in at a hub of one process, uses the tools, and is sent away again.

use futures::future::join_all;
use http::header;
use serde_json::json;

use crate::oauth_journey::{Somebody, claims, issuer, start, start_again, text};

#[tokio::test]
async fn a_program_gets_from_a_refusal_to_a_tool_and_is_sent_away_again() {
    let hub = start();
    let pat = hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let refused = program.mcp(&pat, "tools/list", json!({})).await;
    assert_eq!(refused.status, 401, "hub tokens do not open /mcp: {}", refused.text);
    let challenge = refused.headers[header::WWW_AUTHENTICATE].to_str().unwrap().to_owned();
    assert!(challenge.contains("/.well-known/oauth-protected-resource/mcp\""), "{challenge}");
    for (path, key) in [
        ("/.well-known/oauth-protected-resource/mcp", "resource"),
        ("/.well-known/oauth-protected-resource", "resource"),
        ("/.well-known/oauth-authorization-server/mcp", "issuer"),
        ("/mcp/.well-known/oauth-authorization-server", "issuer"),
        ("/.well-known/openid-configuration/mcp", "issuer"),
        ("/mcp/.well-known/openid-configuration", "issuer"),
    ] {
        assert_eq!(program.get(path).await.json()[key], issuer(&hub), "{path}");
    }

    let client = program.register().await;
    let code = Somebody::at(&hub).code(&client, "ada", &issuer(&hub), "openid email read").await;
    let issued = program.exchange(&client, &code).await;
    assert_eq!(issued.status, 200, "{}", issued.text);
    let issued = issued.json();
    let access = text(&issued, "access_token").to_owned();
    assert_eq!(claims(&access)["email"], "ada@example.com");
    assert_eq!(claims(text(&issued, "id_token"))["aud"], json!(client));

    let hello = json!({
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"},
    });
    let hello = program.mcp(&access, "initialize", hello).await;
    assert_eq!(hello.status, 200, "{}", hello.text);
    let tools = program.mcp(&access, "tools/list", json!({})).await;
    assert!(tools.text.contains("discover_syfthub_endpoints"), "{}", tools.text);
    let call = json!({"name": "discover_syfthub_endpoints", "arguments": {}});
    let called = program.mcp(&access, "tools/call", call).await.json();
    assert_eq!(called["result"]["isError"], false, "{called}");
    let (status, _) = hub.call("GET", "/api/v1/auth/me", None, Some(&access)).await;
    assert_eq!(status, 401, "a token for MCP does not open the API");

    let refreshed = program.refresh(&client, text(&issued, "refresh_token")).await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.text);
    let refreshed = refreshed.json();
    let fields = [("client_id", client.as_str()), ("token", text(&refreshed, "refresh_token"))];
    assert_eq!(program.form("/mcp/oauth/revoke", &fields).await.status, 200);
    for token in [access.as_str(), text(&refreshed, "access_token")] {
        let refused = program.mcp(token, "tools/list", json!({})).await;
        assert_eq!(refused.status, 401, "revoked is over at once: {}", refused.text);
    }
    let over = program.refresh(&client, text(&refreshed, "refresh_token")).await;
    assert_eq!((over.status, text(&over.json(), "error")), (400, "invalid_grant"));
}

#[tokio::test]
async fn a_restart_changes_nothing_for_clients_and_tokens() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let code = Somebody::at(&hub).code(&client, "ada", &issuer(&hub), "read").await;
    let issued = program.exchange(&client, &code).await.json();
    let port = hub.url.rsplit(':').next().unwrap().to_owned();
    let (directory, ended_well) = hub.stop();
    assert!(ended_well);

    let hub = start_again(&port, directory, &[]);
    let mut program = Somebody::at(&hub);
    let tools = program.mcp(text(&issued, "access_token"), "tools/list", json!({})).await;
    assert_eq!(tools.status, 200, "{}", tools.text);
    assert_eq!(program.refresh(&client, text(&issued, "refresh_token")).await.status, 200);
    Somebody::at(&hub).code(&client, "ada", &issuer(&hub), "read write").await;
}

#[tokio::test]
async fn fifty_refreshes_at_once_leave_one_family_with_one_successor() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let code = Somebody::at(&hub).code(&client, "ada", &issuer(&hub), "read").await;
    let issued = program.exchange(&client, &code).await.json();
    let token = text(&issued, "refresh_token");
    let all = join_all((0..50).map(|_| async {
        let answer = Somebody::at(&hub).refresh(&client, token).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        text(&answer.json(), "refresh_token").to_owned()
    }));
    let mut next = all.await;
    next.sort();
    next.dedup();
    assert_eq!(next.len(), 1, "one successor");
    let again = program.refresh(&client, &next[0]).await;
    assert_eq!(again.status, 200, "the family lives: {}", again.text);
}

#[tokio::test]
async fn a_replayed_code_ends_what_it_began() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let code = Somebody::at(&hub).code(&client, "ada", &issuer(&hub), "read").await;
    let issued = program.exchange(&client, &code).await.json();
    assert_eq!(program.mcp(text(&issued, "access_token"), "tools/list", json!({})).await.status, 200);
    let again = program.exchange(&client, &code).await;
    assert_eq!((again.status, text(&again.json(), "error")), (400, "invalid_grant"));
    assert_eq!(program.mcp(text(&issued, "access_token"), "tools/list", json!({})).await.status, 401);
}

#[tokio::test]
async fn a_token_for_the_api_opens_the_api_and_not_the_tools() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let api = format!("{}/api", hub.url);
    let code = Somebody::at(&hub).code(&client, "ada", &api, "read").await;
    let issued = program.exchange(&client, &code).await.json();
    let access = text(&issued, "access_token");
    assert_eq!(program.mcp(access, "tools/list", json!({})).await.status, 401);
    let (status, me) = hub.call("GET", "/api/v1/auth/me", None, Some(access)).await;
    assert_eq!((status, me["username"].as_str()), (200, Some("ada")), "{me}");
    let new = json!({"name": "more"});
    let (status, refused) = hub.call("POST", "/api/v1/auth/tokens", Some(new), Some(access)).await;
    assert_eq!(status, 403, "read is not full: {refused}");
}
