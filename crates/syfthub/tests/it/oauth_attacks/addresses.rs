//! Making the hub fetch from where an attacker cannot reach, and reaching the hub under another name.

use std::net::TcpListener;

use http::Method;
use serde_json::json;

use crate::oauth_journey::{Somebody, issuer, start, start_with, text};

/// Addresses of every range that is not the internet, in the spellings that resolvers and libraries know.
const INSIDE: &[&str] = &[
    "127.0.0.1",
    "127.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0.0.0.0",
    "0",
    "localhost",
    "localhost.",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "169.254.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a00:1]",
    "[2002:7f00:1::]",
    "[2001:db8::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
];

// Covers: CIMD-8.6-special-use, MCP2025-11-25-cimd-ssrf, MCP2026-07-28-cimd-ssrf, RFC7591-5-no-fetch
#[tokio::test]
async fn no_document_is_fetched_from_inside() {
    let inside = TcpListener::bind("127.0.0.1:0").unwrap();
    let also = TcpListener::bind(format!("[::1]:{}", inside.local_addr().unwrap().port()));
    inside.set_nonblocking(true).unwrap();
    let port = inside.local_addr().unwrap().port();
    let hub = start_with(&[("EGRESS_ALLOW", "public")]);
    let mut program = Somebody::at(&hub);
    for host in INSIDE {
        for id in [format!("https://{host}:{port}/client.json"), format!("https://{host}/client.json")] {
            let page = program.get(&program.authorize(&id, &[])).await;
            assert_eq!(page.status, 400, "{id}: {}", page.text);
            assert!(!page.headers.contains_key("location"), "{id}");
            let refused = program.exchange(&id, "syft_ac_x").await;
            assert_eq!(refused.refusal(), (401, "invalid_client".to_owned()), "{id}");
        }
    }
    // Addresses in what a client says of itself are shown or kept, and never fetched.
    let at = |path: &str| format!("https://127.0.0.1:{port}/{path}");
    let told = json!({
        "client_uri": at("a"), "logo_uri": at("b"), "tos_uri": at("c"), "policy_uri": at("d"),
        "jwks_uri": at("e"), "sector_identifier_uri": at("f"),
    });
    program.register_as(told).await;
    assert!(inside.accept().is_err(), "somebody knocked");
    if let Ok(also) = also {
        also.set_nonblocking(true).unwrap();
        assert!(also.accept().is_err(), "somebody knocked");
    }
}

// Covers: MCP2026-07-28-transport-origin, MCP2025-11-25-transport-origin
#[tokio::test]
async fn a_name_that_was_bound_to_the_hub_by_somebody_else_reaches_no_tool() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let issued = Somebody::at(&hub).issued(&client, "ada", &issuer(&hub), "read").await;
    let bearer = format!("Bearer {}", text(&issued, "access_token"));
    let port = hub.url.rsplit(':').next().unwrap();
    let own = format!("127.0.0.1:{port}");
    let rebound = format!("evil.example:{port}");
    let ask = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    let cases: &[(&[(&str, &str)], bool)] = &[
        (&[("host", &own)], true),
        (&[("host", &rebound)], false),
        (&[("host", "evil.example")], false),
        (&[("host", "localhost.evil.example")], false),
        (&[("host", "127.0.0.1.evil.example")], false),
        (&[("host", "127.0.0.1@evil.example")], false),
        (&[("host", &own), ("origin", "https://evil.example")], false),
        (&[("host", &own), ("origin", "http://localhost.evil.example")], false),
        (&[("host", &own), ("origin", "http://127.0.0.1.evil.example:80")], false),
        (&[("host", &own), ("origin", "null")], false),
        (&[("host", &own), ("origin", "file://")], false),
        (&[("host", &own), ("x-forwarded-host", "evil.example"), ("origin", "https://evil.example")], false),
        (&[("host", &rebound), ("origin", &format!("http://{rebound}"))], false),
    ];
    for (headers, good) in cases {
        let usual = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        let headers = [*headers, usual.as_slice()].concat();
        let answer = program.send(Method::POST, "/mcp", &headers, ask.clone()).await;
        if *good {
            assert_eq!(answer.status, 200, "{headers:?}: {}", answer.text);
        } else {
            assert!(matches!(answer.status, 400 | 403 | 421), "{headers:?}: {}", answer.status);
            assert!(!answer.text.contains("discover"), "{headers:?}");
        }
    }
}

// Covers: RFC9700-4.13-proxy, RFC8414-2-issuer, RFC9728-2-resource
#[tokio::test]
async fn no_header_changes_the_name_under_which_the_hub_is_known() {
    let hub = start();
    let mut program = Somebody::at(&hub);
    for (path, key) in [
        ("/.well-known/oauth-authorization-server/mcp", "issuer"),
        ("/.well-known/openid-configuration/mcp", "issuer"),
        ("/.well-known/oauth-protected-resource/mcp", "resource"),
        ("/.well-known/oauth-protected-resource", "resource"),
    ] {
        let before = program.get(path).await.text;
        for headers in [
            [("host", "evil.example"), ("x-forwarded-proto", "https")],
            [("x-forwarded-host", "evil.example"), ("x-forwarded-port", "1")],
            [("forwarded", "host=evil.example;proto=https"), ("x-original-host", "evil.example")],
            [("x-forwarded-prefix", "/evil"), ("x-rewrite-url", "/evil")],
        ] {
            let answer = program.send(Method::GET, path, &headers, String::new()).await;
            assert_eq!(answer.text, before, "{path} {headers:?}");
            assert_eq!(answer.json()[key], issuer(&hub));
        }
    }
    let headers = [("host", "evil.example"), ("x-forwarded-host", "evil.example")];
    let challenge = program.send(Method::POST, "/mcp", &headers, String::new()).await;
    assert!(
        !challenge.header("www-authenticate").contains("evil"),
        "{}",
        challenge.header("www-authenticate")
    );
}
