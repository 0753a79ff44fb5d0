//! What every answer has: correlation id, envelope, limits, headers.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use axum::routing::get;
use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use syfthub_config::Rule;
use syfthub_domain::{Error, ErrorCode};
use syfthub_web::limits::RateLimiter;
use syfthub_web::{ApiError, ApiResult, etag};

use crate::client::{get as fetch, request, send, stack};

async fn failing() -> ApiResult<()> {
    Err(Error::coded(ErrorCode::Conflict, "taken").with_extra("field", "name").into())
}

async fn charged() -> ApiResult<()> {
    let error = ApiError::from(Error::new(ErrorCode::RetrievalFailed, "no source"));
    Err(error.with_billing(json!({"total": 3})))
}

async fn limited() -> ApiResult<()> {
    Err(Error::new(ErrorCode::RateLimited, "slow down").with_retry_after(Duration::from_millis(1500)).into())
}

async fn broken() -> ApiResult<()> {
    Err(Error::internal(std::io::Error::other("disk /dev/sda")).into())
}

async fn panics() -> &'static str {
    panic!("the handler fell over")
}

async fn listing(headers: HeaderMap) -> ApiResult<axum::response::Response> {
    etag::json(&headers, &json!([1, 2, 3]))
}

fn router() -> Router {
    let routes = Router::new()
        .route("/ok", get(|| async { "fine" }))
        .route("/failing", get(failing))
        .route("/charged", get(charged))
        .route("/limited", get(limited))
        .route("/broken", get(broken))
        .route("/panics", get(panics))
        .route("/listing", get(listing))
        .route("/slow", get(|| async { std::future::pending::<()>().await }));
    stack()
        .with_request_timeout(Duration::from_millis(50))
        .with_cors_origins(&["https://app.example".to_owned()])
        .wrap(routes)
}

#[tokio::test]
async fn the_envelope_has_all_its_keys_from_the_first_day() {
    let mut body = fetch(&router(), "/failing").await.json();
    let id = body["correlation_id"].take();
    assert_eq!(id.as_str().unwrap().len(), 36);
    assert!(body["timestamp"].take().as_str().unwrap().ends_with('Z'));
    insta::assert_json_snapshot!(body, @r#"
    {
      "detail": {
        "code": "CONFLICT",
        "message": "taken",
        "field": "name"
      },
      "error": {
        "code": "CONFLICT",
        "message": "taken"
      },
      "message": "taken",
      "correlation_id": null,
      "statusCode": 409,
      "success": false,
      "timestamp": null,
      "details": {
        "field": "name"
      }
    }
    "#);
    assert_eq!(fetch(&router(), "/charged").await.json()["billing"], json!({"total": 3}));
}

#[tokio::test]
async fn the_correlation_id_is_kept_or_made_on_every_answer() {
    for path in ["/ok", "/failing", "/nowhere", "/panics"] {
        let mut asked = request("GET", path, Body::empty());
        asked.headers_mut().insert("x-correlation-id", "abc-1".parse().unwrap());
        assert_eq!(send(&router(), asked).await.header("x-correlation-id"), "abc-1", "{path}");

        let mut forged = request("GET", path, Body::empty());
        forged.headers_mut().insert("x-correlation-id", "x".repeat(200).parse().unwrap());
        let answer = send(&router(), forged).await;
        assert_eq!(answer.header("x-correlation-id").len(), 36, "{path}");
        if answer.status != StatusCode::OK {
            assert_eq!(answer.json()["correlation_id"], answer.header("x-correlation-id"));
        }
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_json() {
    let answer = fetch(&router(), "/nowhere").await;
    assert_eq!((answer.status, &answer.json()["detail"]), (StatusCode::NOT_FOUND, &json!("Not Found")));
    let answer = send(&router(), request("DELETE", "/ok", Body::empty())).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.json()["detail"], "Method Not Allowed");
    let answer = send(&router(), request("HEAD", "/ok", Body::empty())).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, ""));
    let grpc = Request::post("/a.B/C").header("content-type", "application/grpc").body(Body::empty());
    let answer = send(&router(), grpc.unwrap()).await;
    assert_eq!((answer.status, answer.header("grpc-status")), (StatusCode::OK, "12"));
}

#[tokio::test]
async fn faults_tell_no_internals() {
    for path in ["/broken", "/panics"] {
        let answer = fetch(&router(), path).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        assert_eq!(answer.json()["detail"], "Internal server error");
        assert!(!answer.text.contains("sda") && !answer.text.contains("fell over"), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_handler_that_hangs_is_given_up() {
    let answer = fetch(&router(), "/slow").await;
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
}

#[tokio::test]
async fn retry_after_is_rounded_up() {
    let answer = fetch(&router(), "/limited").await;
    assert_eq!((answer.status, answer.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "2"));
}

#[tokio::test]
async fn an_unchanged_listing_is_304() {
    let first = fetch(&router(), "/listing").await;
    let tag = first.header("etag").to_owned();
    assert_eq!(first.json(), json!([1, 2, 3]));
    let mut again = request("GET", "/listing", Body::empty());
    again.headers_mut().insert("if-none-match", format!("\"other\", W/{tag}").parse().unwrap());
    let answer = send(&router(), again).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    assert_eq!(answer.header("etag"), tag);
}

#[tokio::test]
async fn cors_is_for_listed_origins_and_never_with_credentials() {
    for (origin, allowed) in [("https://app.example", "https://app.example"), ("https://evil.example", "")] {
        let preflight = Request::options("/ok")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization")
            .body(Body::empty())
            .unwrap();
        let answer = send(&router(), preflight).await;
        assert_eq!(answer.header("access-control-allow-origin"), allowed);
        assert!(!answer.headers.contains_key("access-control-allow-credentials"));
    }
}

#[tokio::test]
async fn security_headers_are_the_missions_and_hsts_needs_https() {
    let bare = Router::new().route("/ok", get(|| async { "fine" }));
    for (public, hsts) in [("https://hub.example", true), ("http://localhost:8080", false)] {
        let router = syfthub_web::security_headers(bare.clone(), &public.parse().unwrap());
        let answer = fetch(&router, "/ok").await;
        assert_eq!(answer.header("strict-transport-security").contains("max-age=63072000"), hsts);
        assert_eq!(answer.header("x-frame-options"), "SAMEORIGIN");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "strict-origin-when-cross-origin");
        assert!(answer.header("content-security-policy").contains("default-src 'self'"));
    }
}

#[test]
fn field_errors_appear_in_detail_and_details() {
    let error = syfthub_web::Fields::body(Value::Null).unwrap_err();
    let body = syfthub_web::envelope(&error, syfthub_domain::Timestamp::from_secs(0));
    assert_eq!(body["detail"], body["details"]);
    assert_eq!(body["statusCode"], 422);
}

#[tokio::test]
async fn beyond_a_limit_429_says_when_to_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut limits = syfthub_config::Settings::for_tests(directory.path()).rate_limits;
    limits.enabled = true;
    let clock = syfthub_domain::FixedClock::new(syfthub_domain::Timestamp::from_secs(1_000));
    let cache = syfthub_cache::Cache::memory(clock.clone());
    let limiter = RateLimiter::new(cache.clone(), &limits);
    let rule = Rule::per_seconds(2, 60);
    limiter.check("auth", "192.0.2.1", rule).await.unwrap();
    limiter.check("auth", "192.0.2.1", rule).await.unwrap();
    limiter.check("auth", "192.0.2.2", rule).await.unwrap();
    let answer = limiter.check("auth", "192.0.2.1", rule).await.unwrap_err().into_response();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers()["retry-after"], "30");
    assert_eq!(answer.headers()["x-ratelimit-limit"], "2");
    assert_eq!(answer.headers()["x-ratelimit-remaining"], "0");
    assert!(answer.headers().contains_key("x-ratelimit-reset"));
    clock.advance(Duration::from_secs(30));
    limiter.check("auth", "192.0.2.1", rule).await.unwrap();

    limits.enabled = false;
    let off = RateLimiter::new(cache, &limits);
    off.check("auth", "192.0.2.1", rule).await.unwrap();
    off.check_always("auth", "192.0.2.1", rule).await.unwrap_err();
}
