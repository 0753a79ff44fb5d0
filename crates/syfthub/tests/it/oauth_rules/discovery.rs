//! The documents by which a client finds its way.

use serde_json::{Value, json};

use crate::oauth_journey::{Answer, Somebody, api, issuer, start};

/// A document as a client must be able to read it.
async fn document(somebody: &mut Somebody<'_>, path: &str) -> Value {
    let answer = somebody.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    assert_eq!(answer.header("content-type"), "application/json", "{path}");
    let document = answer.json();
    for (name, value) in document.as_object().unwrap() {
        assert!(
            !value.is_null() && *value != json!([]) && *value != json!(""),
            "{path}: {name} says nothing"
        );
    }
    document
}

fn names(document: &Value, key: &str) -> Vec<String> {
    document[key].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

// Covers: RFC8414-2-required, RFC8414-3-well-known, RFC8414-3.2-json, RFC8414-3.2-empty, RFC8414-3.3-issuer
// Covers: OIDCDiscovery-3-required, OIDCDiscovery-3-rs256, OIDCDiscovery-4.1-path, OIDCDiscovery-4.2-json
// Covers: OIDCDiscovery-4.3-issuer, MCP2025-11-25-overview-discovery, MCP2026-07-28-overview-discovery
// Covers: MCP2025-11-25-code-pkce-metadata, MCP2026-07-28-code-pkce-metadata, RFC9700-2.1.1-detect
// Covers: RFC9700-2.6-metadata, CIMD-6-advertised, RFC9126-5-metadata, RFC8414-2-auth-methods
#[tokio::test]
async fn the_authorization_server_describes_itself_where_clients_look() {
    let hub = start();
    let mut program = Somebody::at(&hub);
    for path in [
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration/mcp",
        "/mcp/.well-known/openid-configuration",
        "/mcp/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
    ] {
        let document = document(&mut program, path).await;
        assert_eq!(document["issuer"], issuer(&hub), "{path}");
        for name in ["authorization_endpoint", "token_endpoint", "jwks_uri", "registration_endpoint"] {
            let address = document[name].as_str().unwrap();
            assert!(address.starts_with(&issuer(&hub)), "{path} {name}: {address}");
        }
        assert!(document["pushed_authorization_request_endpoint"].is_string());
        assert_eq!(document["response_types_supported"], json!(["code"]));
        assert_eq!(document["subject_types_supported"], json!(["public"]));
        assert!(names(&document, "id_token_signing_alg_values_supported").contains(&"RS256".to_owned()));
        assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
        assert_eq!(document["client_id_metadata_document_supported"], true);
        assert!(names(&document, "scopes_supported").contains(&"openid".to_owned()));
        for method in ["none", "client_secret_basic", "client_secret_post"] {
            assert!(names(&document, "token_endpoint_auth_methods_supported").contains(&method.to_owned()));
        }
        let grants = names(&document, "grant_types_supported");
        assert!(!grants.iter().any(|grant| grant == "password" || grant == "implicit"), "{grants:?}");
        assert!(grants.contains(&"authorization_code".to_owned()));
        let none_signs =
            names(&document, "id_token_signing_alg_values_supported").contains(&"none".to_owned());
        assert!(!none_signs);
    }
    let elsewhere = program.get("/.well-known/oauth-authorization-server/other").await;
    assert_eq!(elsewhere.status, 404, "another issuer is not here");
}

// Covers: RFC9728-2-required, RFC9728-3-well-known, RFC9728-3.2-json, RFC9728-3.2-empty, RFC9728-3.3-resource
// Covers: MCP2025-11-25-overview-resource-metadata, MCP2026-07-28-overview-resource-metadata, RFC9728-2-scopes
// Covers: MCP2025-11-25-location-servers, MCP2026-07-28-location-servers, MCP2025-11-25-location-found
// Covers: MCP2026-07-28-location-found, MCP2026-07-28-refresh-offline, RFC9728-7.2-header
#[tokio::test]
async fn each_resource_names_its_authorization_server() {
    let hub = start();
    let mut program = Somebody::at(&hub);
    for (path, resource, scopes) in [
        ("/.well-known/oauth-protected-resource/mcp", issuer(&hub), vec!["read", "write"]),
        ("/.well-known/oauth-protected-resource", issuer(&hub), vec!["read", "write"]),
        ("/mcp/.well-known/oauth-protected-resource", issuer(&hub), vec!["read", "write"]),
        ("/.well-known/oauth-protected-resource/api", api(&hub), vec!["read", "write", "full"]),
    ] {
        let document = document(&mut program, path).await;
        assert_eq!(document["resource"], resource, "{path}");
        assert_eq!(document["authorization_servers"], json!([issuer(&hub)]));
        assert_eq!(document["bearer_methods_supported"], json!(["header"]));
        let offered = names(&document, "scopes_supported");
        assert!(scopes.iter().all(|scope| offered.iter().any(|known| known == scope)), "{path}: {offered:?}");
        assert!(!offered.iter().any(|scope| scope == "offline_access"), "{path}: {offered:?}");
    }
    assert_eq!(program.get("/.well-known/oauth-protected-resource/other").await.status, 404);
}

fn is_public(key: &Value) {
    for secret in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
        assert!(key[secret].is_null(), "{secret} is told");
    }
}

// Covers: OIDCCore-10.1-keys, RFC8414-2-jwks, RFC9068-4-keys
#[tokio::test]
async fn the_keys_are_published_without_their_secret_halves() {
    let hub = start();
    let mut program = Somebody::at(&hub);
    let server = document(&mut program, "/.well-known/oauth-authorization-server/mcp").await;
    let address = server["jwks_uri"].as_str().unwrap().strip_prefix(&hub.url).unwrap().to_owned();
    let keys = document(&mut program, &address).await["keys"].clone();
    let keys = keys.as_array().unwrap();
    assert!(!keys.is_empty());
    for key in keys {
        assert_eq!((key["kty"].as_str(), key["use"].as_str()), (Some("RSA"), Some("sig")));
        assert!(key["kid"].as_str().is_some_and(|kid| !kid.is_empty()) && key["n"].is_string());
        is_public(key);
    }
    // The keys of satellite tokens are others: a token of one kind is none of the other.
    let satellites = document(&mut program, "/.well-known/jwks.json").await;
    for key in satellites["keys"].as_array().unwrap() {
        assert!(keys.iter().all(|own| own["kid"] != key["kid"]));
        is_public(key);
    }
}

// Covers: OIDCCore-5.3-cors, RFC9700-2.6-cors
#[tokio::test]
async fn scripts_of_other_sites_may_use_what_programs_use() {
    let hub = start();
    let mut program = Somebody::at(&hub);
    let allowed = |answer: &Answer| answer.header("access-control-allow-origin").to_owned();
    for path in
        ["/mcp/oauth/token", "/mcp/oauth/userinfo", "/mcp/oauth/register", "/mcp/oauth/revoke", "/mcp"]
    {
        let headers = [
            ("origin", "https://app.example"),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization,content-type"),
        ];
        let answer = program.send(http::Method::OPTIONS, path, &headers, String::new()).await;
        assert_eq!(allowed(&answer), "*", "{path}: {}", answer.status);
        assert!(!answer.headers.contains_key("access-control-allow-credentials"), "{path}");
    }
    let headers = [("origin", "https://app.example")];
    for path in ["/.well-known/oauth-authorization-server/mcp", "/.well-known/oauth-protected-resource/mcp"] {
        let answer = program.send(http::Method::GET, path, &headers, String::new()).await;
        assert_eq!(allowed(&answer), "*", "{path}");
    }
}
