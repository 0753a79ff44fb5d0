//! Who gets in.

use std::sync::atomic::Ordering;

use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode, header};
use serde_json::json;
use syfthub_config::Rule;

use crate::client::{method, post, send, service, service_with};
use crate::hub::TOKEN;

fn list() -> serde_json::Value {
    method("tools/list", &json!({}))
}

#[tokio::test]
async fn without_or_with_a_wrong_token_401_tells_what_to_send() {
    let service = service();
    let mut bare = post("/mcp", &list());
    bare.headers_mut().remove(header::AUTHORIZATION);
    let answer = send(&service.router, bare).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    // Without a token there is nothing to call wrong (RFC 6750, section 3.1).
    let challenge = answer.headers["www-authenticate"].to_str().unwrap();
    let metadata = "http://localhost:8080/.well-known/oauth-protected-resource/mcp";
    assert_eq!(challenge, format!("Bearer resource_metadata=\"{metadata}\", scope=\"read\""));

    let mut wrong = post("/mcp", &list());
    wrong.headers_mut().insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer syft_pat_bad"));
    let answer = send(&service.router, wrong).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.json()["error"], "invalid_token");
    assert!(
        answer.headers["www-authenticate"].to_str().unwrap().starts_with("Bearer error=\"invalid_token\"")
    );
    assert!(!answer.text.contains("syft_pat_bad"));
}

#[tokio::test]
async fn a_hub_that_takes_no_hub_tokens_here_says_so() {
    let service = service_with(|settings| settings.mcp.accept_hub_tokens = false);
    let answer = send(&service.router, post("/mcp", &list())).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.text.contains("MCP_ACCEPT_HUB_TOKENS"));
    assert_eq!(service.seen.verified.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_backend_that_is_down_is_503_and_health_tells() {
    let service = service();
    service.seen.down.store(true, Ordering::SeqCst);
    let answer = send(&service.router, post("/mcp", &list())).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!answer.text.contains("database"));
    let health = Request::get("/health").body(Body::empty()).unwrap();
    let answer = send(&service.router, health).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["status"], "healthy");
    assert_eq!(answer.json()["service"], "mcp-server");
    assert_eq!(answer.json()["dependencies"]["syfthub"], "unhealthy");
}

#[tokio::test]
async fn a_token_is_verified_on_every_request_so_that_a_revoked_one_ends_at_once() {
    let service = service();
    for _ in 0..3 {
        assert_eq!(send(&service.router, post("/mcp", &list())).await.status, StatusCode::OK);
    }
    assert_eq!(service.seen.verified.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_user_who_asks_too_often_gets_429_in_the_shape_of_the_protocol() {
    let service = service_with(|settings| settings.rate_limits.chat = Rule::per_seconds(2, 60));
    for _ in 0..10 {
        assert_eq!(send(&service.router, post("/mcp", &list())).await.status, StatusCode::OK);
    }
    let answer = send(&service.router, post("/mcp", &list())).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    let answer = answer.json();
    assert_eq!((&answer["jsonrpc"], &answer["error"]["code"]), (&json!("2.0"), &json!(-32003)));
    assert!(answer["error"]["message"].as_str().unwrap().contains("try again"));
}

#[tokio::test]
async fn an_address_that_guesses_tokens_is_stopped_before_the_hub_is_asked() {
    let service = service_with(|settings| settings.rate_limits.chat = Rule::per_seconds(1, 60));
    let mut last = StatusCode::OK;
    for guess in 0..52 {
        let mut wrong = post("/mcp", &list());
        let token = format!("Bearer syft_pat_{guess}").parse().unwrap();
        wrong.headers_mut().insert(header::AUTHORIZATION, token);
        last = send(&service.router, wrong).await.status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(service.seen.verified.load(Ordering::SeqCst), 50);
}

#[tokio::test]
async fn origins_and_hosts_that_are_not_ours_are_refused() {
    let service = service();
    for (origin, good) in [
        ("https://hub.example", true),
        ("https://app.example", true),
        ("https://claude.ai", true),
        ("http://localhost:6274", true),
        ("https://evil.example", false),
        ("https://hub.example:8443", false),
        ("null", false),
    ] {
        let mut asked = post("/mcp", &list());
        asked.headers_mut().insert(header::ORIGIN, HeaderValue::from_static(origin));
        let expected = if good { StatusCode::OK } else { StatusCode::FORBIDDEN };
        assert_eq!(send(&service.router, asked).await.status, expected, "{origin}");
    }
    let mut rebound = post("/mcp", &list());
    rebound.headers_mut().insert(header::HOST, HeaderValue::from_static("evil.example"));
    assert_eq!(send(&service.router, rebound).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_message_beyond_one_mebibyte_is_refused() {
    let service = service();
    let big = method("tools/list", &json!({"cursor": "x".repeat(1024 * 1024)}));
    assert_eq!(send(&service.router, post("/mcp", &big)).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn the_session_cookie_of_a_browser_opens_nothing_here() {
    let service = service();
    for value in [TOKEN, "syft_ses_good"] {
        let mut asked = post("/mcp", &list());
        asked.headers_mut().remove(header::AUTHORIZATION);
        let cookies = format!("syfthub_session={value}; __Host-syfthub_session={value}");
        asked.headers_mut().insert(header::COOKIE, cookies.parse().unwrap());
        asked.headers_mut().insert("sec-fetch-site", HeaderValue::from_static("same-origin"));
        asked.headers_mut().insert("x-requested-with", HeaderValue::from_static("fetch"));
        assert_eq!(send(&service.router, asked).await.status, StatusCode::UNAUTHORIZED, "{value}");
    }
    assert_eq!(service.seen.verified.load(Ordering::SeqCst), 0, "a cookie is not even looked at");
}
