//! Input that no honest client sends, and what every answer has.

use axum::body::Body;
use http::{Method, StatusCode};
use serde_json::json;

use crate::actor::TestApp;
use crate::shorthand::endpoint;

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

#[tokio::test]
async fn malformed_bodies_are_422_with_a_place() {
    let (_app, _anon, bob) = TestApp::start().await.with_user("bob").await;
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    for bad in ["{\"name\": ", "{,}", "nul", "\"\\ud800\"", deep.as_str()] {
        let answer = bob.having(Method::POST, "/api/v1/endpoints", JSON, bad.to_owned()).await;
        let detail = answer.refused(422);
        assert_eq!((&detail[0]["type"], &detail[0]["loc"][0]), (&json!("json_invalid"), &json!("body")));
    }
    for not_object in ["[]", "3", "\"x\"", "null"] {
        bob.having(Method::POST, "/api/v1/endpoints", JSON, not_object).await.refused(422);
    }
    bob.having(Method::POST, "/api/v1/endpoints", JSON, Body::empty()).await.refused(422);
    bob.fill("/api/v1/endpoints", &[("name", "x")]).await.refused(415);
    let invalid_utf8 = Body::from(b"{\"name\": \"\xff\"}".to_vec());
    bob.having(Method::POST, "/api/v1/endpoints", JSON, invalid_utf8).await.refused(422);
}

#[tokio::test]
async fn huge_bodies_are_refused_unread() {
    let (app, anon, bob) =
        TestApp::start_with(|settings| settings.http.body_limit = 100_000).await.with_user("bob").await;
    let huge = json!({"name": "x".repeat(200_000)});
    bob.post("/api/v1/endpoints", &huge).await.refused(413);
    anon.post("/api/v1/auth/register", &huge).await.refused(413);
    let long = "x".repeat(60_000);
    assert_eq!(
        bob.post("/api/v1/endpoints", &endpoint("notes", json!({"readme": long}))).await.refused_fields(),
        ["readme"]
    );
    anon.login(&long[..400], "x").await.refused(422);
    anon.login("bob", &long).await.refused(422);
    anon.get(&format!("/api/v1/users/check-username/{}", &long[..5000])).await.expect(StatusCode::OK);
    app.with_token(&long).get("/api/v1/auth/me").await.refused(401);
}

#[tokio::test]
async fn the_null_character_is_refused_everywhere() {
    let (_app, anon, bob) = TestApp::start().await.with_user("bob").await;
    for body in [
        endpoint("notes", json!({"description": "a\0b"})),
        endpoint("notes", json!({"connect": [{"type": "http", "config": {"deep": [{"x": "\0"}]}}]})),
        endpoint("notes", json!({"policies": [{"type": "p", "config": {"k\0": 1}}]})),
    ] {
        bob.post("/api/v1/endpoints", &body).await.refused(422);
    }
    bob.post("/api/v1/endpoints/search", &json!({"query": "a\0"})).await.refused(422);
    anon.fill("/api/v1/auth/login", &[("username", "bob\0"), ("password", "x")]).await.refused(422);
    anon.get("/api/v1/endpoints/public?search=a%00").await.refused(422);
    for path in
        ["/bob%00", "/bob/notes%00", "/api/v1/endpoints/public/bob%00/x", "/api/v1/users/public/bob%00"]
    {
        anon.get(path).await.refused(404);
    }
}

#[tokio::test]
async fn numbers_out_of_range_are_no_fault_of_the_hub() {
    let (_app, anon, bob) = TestApp::start().await.with_user("bob").await;
    for id in ["99999999999999999999", "-1", "1.5", "0x1", "%20"] {
        let status = bob.get(&format!("/api/v1/endpoints/{id}")).await.status.as_u16();
        assert!(status == 422 || status == 404, "{id}: {status}");
    }
    for query in ["skip=99999999999999999999", "limit=1e3", "skip=-9223372036854775808", "limit="] {
        anon.get(&format!("/api/v1/endpoints/public?{query}")).await.refused(422);
    }
    anon.get("/api/v1/endpoints/public?skip=10000000").await.expect(StatusCode::OK);
    let body = endpoint("notes", json!({"contributors": [i64::MAX, -1]}));
    bob.post("/api/v1/endpoints", &body).await.expect(StatusCode::CREATED);
    bob.post("/api/v1/endpoints", &endpoint("more", json!({"contributors": ["x"]}))).await.refused(422);
}

#[tokio::test]
async fn queries_are_no_sql() {
    let (_app, anon, bob) = TestApp::start().await.with_user("bob").await;
    bob.publish("notes", json!({})).await;
    for text in [
        "'",
        "\"",
        "'; DROP TABLE users; --",
        "%' OR 1=1 --",
        "*",
        "AND OR NOT",
        "(",
        "notes\"*",
        "-notes",
        "^",
    ] {
        let found = anon.post("/api/v1/endpoints/search", &json!({"query": text})).await;
        found.expect(StatusCode::OK);
        let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        anon.get(&format!("/api/v1/endpoints/public?search={encoded}")).await.expect(StatusCode::OK);
        anon.login(text, text).await.refused(401);
    }
    bob.get("/api/v1/auth/me").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_json() {
    let app = TestApp::start().await;
    let anon = app.anon();
    assert_eq!(anon.get("/api/v1/nothing/here/at/all").await.refused(404), "Not Found");
    assert_eq!(anon.get("/a/b/c").await.refused(404), "Not Found");
    assert_eq!(
        anon.having(Method::DELETE, "/health", &[], Body::empty()).await.refused(405),
        "Method Not Allowed"
    );
    assert_eq!(anon.put("/api/v1/endpoints/search", &json!({})).await.refused(405), "Method Not Allowed");
}

#[tokio::test]
async fn every_answer_can_be_correlated() {
    let app = TestApp::start().await;
    let given = "abc-123";
    for path in ["/health", "/nobody", "/api/v1/auth/me", "/a/b/c"] {
        let answer = app.anon().get_with(path, "x-correlation-id", given).await;
        assert_eq!(answer.header("x-correlation-id"), given, "{path}");
    }
    let long = "x".repeat(200);
    let made = app.anon().get_with("/health", "x-correlation-id", &long).await;
    assert_eq!(made.header("x-correlation-id").len(), 36);
    let error = app.anon().get("/api/v1/auth/me").await;
    assert_eq!(error.expect(StatusCode::UNAUTHORIZED)["correlation_id"], error.header("x-correlation-id"));
}
