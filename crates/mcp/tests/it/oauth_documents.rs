//! What a program finds before anybody signs in: documents, registration, and the checks of a request.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use syfthub_config::Rule;

use crate::client::{send, service_with};
use crate::oauth_browser::{Browser, CALLBACK, hub, json_post, location, register, told};

const ISSUER: &str = "http://localhost:8080/mcp";

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key}: {value}"))
}

#[tokio::test]
async fn documents_are_at_every_path_that_clients_try_whatever_the_host_is_called() {
    let service = hub();
    for (path, key, value) in [
        ("/.well-known/oauth-protected-resource", "resource", ISSUER),
        ("/.well-known/oauth-protected-resource/mcp", "resource", ISSUER),
        ("/.well-known/oauth-protected-resource/mcp/mcp", "resource", ISSUER),
        ("/.well-known/oauth-protected-resource/api", "resource", "http://localhost:8080/api"),
        ("/.well-known/oauth-authorization-server", "issuer", ISSUER),
        ("/.well-known/oauth-authorization-server/mcp", "issuer", ISSUER),
        ("/.well-known/openid-configuration", "issuer", ISSUER),
        ("/.well-known/openid-configuration/mcp", "issuer", ISSUER),
    ] {
        let request = Request::get(path)
            .header("host", "evil.example")
            .header("x-forwarded-host", "evil.example")
            .header("x-forwarded-proto", "https")
            .header("origin", "https://inspector.example");
        let answer = send(&service.router, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.json()[key], value, "{path}");
        assert!(!answer.text.contains("evil"), "{path}");
        assert_eq!(answer.headers["access-control-allow-origin"], "*");
    }
    let unknown = Request::get("/.well-known/oauth-authorization-server/other").body(Body::empty()).unwrap();
    assert_eq!(send(&service.router, unknown).await.status, StatusCode::NOT_FOUND);
    let keys = Request::get("/.well-known/jwks.json").body(Body::empty()).unwrap();
    let keys = send(&service.router, keys).await.json();
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(1));
    assert!(keys["keys"][0]["d"].is_null(), "{keys}");
}

#[tokio::test]
async fn scripts_of_other_origins_reach_what_programs_use_and_no_page() {
    let service = hub();
    let ask = async |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path).header("origin", "https://app.example");
        let request = request
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization, mcp-protocol-version");
        send(&service.router, request.body(Body::empty()).unwrap()).await
    };
    for path in ["/oauth/token", "/oauth/register", "/oauth/revoke", "/.well-known/jwks.json", "/mcp"] {
        let answer = ask("OPTIONS", path).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.status);
        assert_eq!(answer.headers["access-control-allow-origin"], "*", "{path}");
        assert_eq!(answer.headers["access-control-allow-headers"], "authorization, mcp-protocol-version");
        assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    }
    for path in ["/oauth/authorize", "/auth/syfthub/login", "/oauth/consent"] {
        let answer = ask("OPTIONS", path).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{path}");
    }
}

#[tokio::test]
async fn whoever_cannot_be_trusted_with_an_answer_is_told_on_a_page() {
    let service = hub();
    let program = register(&service.router, json!({})).await;
    let mut browser = Browser::new(&service.router);
    for changes in [
        [("client_id", "client_unknown")],
        [("client_id", "")],
        [("redirect_uri", "https://evil.example/cb")],
        [("redirect_uri", "https://client.example/cb?x=1")],
        [("redirect_uri", "https://client.example/cb/../evil")],
        [("client_id", "\"><script>alert(1)</script>")],
    ] {
        let answer = browser.get(&program.authorize(&changes)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{changes:?}");
        assert!(!answer.headers.contains_key("location") && !answer.text.contains("<script>"), "{changes:?}");
    }
    let twice = format!("{}&client_id=x", program.authorize(&[]));
    assert_eq!(browser.get(&twice).await.status, StatusCode::BAD_REQUEST);
}

// Covers: RFC7636-4.4.1-required, RFC7636-4.2-plain
#[tokio::test]
async fn a_client_is_told_what_is_wrong_with_its_request() {
    let service = hub();
    let program = register(&service.router, json!({})).await;
    let mut browser = Browser::new(&service.router);
    browser.code(&program.authorize(&[])).await;
    let long = "x".repeat(129);
    for (changes, error) in [
        ([("response_type", "token")], "unsupported_response_type"),
        ([("response_type", "")], "invalid_request"),
        ([("code_challenge", "")], "invalid_request"),
        ([("code_challenge", "short")], "invalid_request"),
        ([("code_challenge", long.as_str())], "invalid_request"),
        ([("code_challenge_method", "plain")], "invalid_request"),
        ([("code_challenge_method", "")], "invalid_request"),
        ([("resource", "https://other.example/mcp")], "invalid_target"),
        ([("scope", "everything")], "invalid_scope"),
        ([("prompt", "dance")], "invalid_request"),
        ([("request", "x.y.z")], "request_not_supported"),
        ([("response_mode", "fragment")], "invalid_request"),
    ] {
        let answer = browser.get(&program.authorize(&changes)).await;
        assert!(location(&answer).starts_with(CALLBACK), "{changes:?}");
        let told = told(&answer);
        assert_eq!(told["error"], error, "{changes:?}");
        assert_eq!((told["iss"].as_str(), told["state"].contains("<script>")), (ISSUER, true));
    }
    let twice = format!("{}&scope=read", program.authorize(&[]));
    assert_eq!(told(&browser.get(&twice).await)["error"], "invalid_request");
    let mut nobody = Browser::new(&service.router);
    let silent = nobody.get(&program.authorize(&[("prompt", "none")])).await;
    assert_eq!(told(&silent)["error"], "login_required");
    let page = nobody.get(&program.authorize(&[("scope", "everything")])).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST, "whoever never let it in is asked before they go there");
    assert!(page.text.contains("error=invalid_scope") && !page.headers.contains_key("location"));
}

#[tokio::test]
async fn a_registration_can_be_read_changed_and_taken_back() {
    let service = hub();
    let router = &service.router;
    let program = register(router, json!({"scope": "read", "unknown": 1})).await;
    let told = &program.registered;
    assert_eq!((&told["token_endpoint_auth_method"], &told["unknown"]), (&json!("none"), &Value::Null));
    let path = format!("/oauth/register/{}", program.id);
    assert_eq!(told["registration_client_uri"], format!("{ISSUER}{path}"));
    let token = text(told, "registration_access_token");
    let ask = async |method: &str, token: &str, body: &Value| {
        let request = Request::builder().method(method).uri(&path);
        let request = request.header("authorization", format!("Bearer {token}"));
        send(router, request.body(Body::from(body.to_string())).unwrap()).await
    };
    assert_eq!(ask("GET", "wrong", &Value::Null).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ask("GET", token, &Value::Null).await.json()["client_name"], "A program");
    let mut change = json!({
        "client_id": program.id, "client_name": "Renamed", "redirect_uris": [CALLBACK],
        "token_endpoint_auth_method": "none",
    });
    assert_eq!(ask("PUT", token, &change).await.json()["client_name"], "Renamed");
    change["client_id"] = json!("other");
    assert_eq!(ask("PUT", token, &change).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(ask("DELETE", token, &Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ask("GET", token, &Value::Null).await.status, StatusCode::UNAUTHORIZED);

    for body in [json!({}), json!([]), json!({"redirect_uris": ["http://evil.example"]})] {
        let refused = json_post(router, "/oauth/register", &body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(refused.json()["error"].as_str().unwrap().starts_with("invalid_"), "{}", refused.text);
    }
}

// Covers: RFC7591-3-limit
#[tokio::test]
async fn an_address_registers_only_so_often() {
    let service = service_with(|settings| settings.rate_limits.auth = Rule::per_seconds(2, 60));
    let body = json!({"redirect_uris": [CALLBACK]});
    for _ in 0..2 {
        assert_eq!(json_post(&service.router, "/oauth/register", &body).await.status, StatusCode::CREATED);
    }
    let answer = json_post(&service.router, "/oauth/register", &body).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.headers.contains_key("retry-after"));
}
