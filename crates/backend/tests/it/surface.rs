//! What holds for every route: errors, health, documents, trailing slashes, pages.

use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::json;
use syfthub_domain::is_reserved_owner;

use crate::actor::TestApp;

#[tokio::test]
async fn errors_have_the_envelope_and_the_correlation_id() {
    let app = TestApp::start().await;
    let answer = app.anon().get_with("/api/v1/nothing/here/at-all", "x-correlation-id", "abc-123").await;
    assert_eq!(answer.header("x-correlation-id"), "abc-123");
    let body = answer.json();
    assert_eq!(
        (&body["detail"], &body["correlation_id"], &body["statusCode"]),
        (&json!("Not Found"), &json!("abc-123"), &json!(404))
    );
    assert_eq!(app.anon().delete("/api/v1/auth/me").await.refused(405), "Method Not Allowed");
    let malformed = Request::post("/api/v1/auth/register").header("content-type", "application/json");
    let answer = app.anon().raw(malformed.body(Body::from("{\"a\": ")).unwrap()).await;
    assert_eq!(answer.refused(422)[0]["type"], "json_invalid");
    let absent = app.anon().send(Method::POST, "/api/v1/auth/register", None).await;
    assert_eq!(absent.refused(422)[0]["type"], "missing");
}

#[tokio::test]
async fn optional_credentials_never_refuse() {
    let app = TestApp::start().await;
    for token in ["junk", "syft_pat_junk"] {
        app.with_token(token).get("/api/v1/endpoints/public").await.expect(StatusCode::OK);
        app.with_token(token).get("/nobody").await.refused(404);
    }
}

#[tokio::test]
async fn a_trailing_slash_makes_no_difference() {
    let (_app, anon, user) = TestApp::start().await.with_user("bob").await;
    anon.get("/api/v1/endpoints/public/").await.expect(StatusCode::OK);
    user.get("/api/v1/auth/me/").await.expect(StatusCode::OK);
    anon.get("/bob/").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn health_answers_get_and_head() {
    let app = TestApp::start().await;
    let healthy = app.anon().get("/health").await.expect(StatusCode::OK);
    assert_eq!(healthy, json!({"status": "healthy", "version": env!("CARGO_PKG_VERSION")}));
    let head = app.anon().send(Method::HEAD, "/health", None).await;
    assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""));
    app.anon().get("/health/live").await.expect(StatusCode::OK);
    let ready = app.anon().get("/health/ready").await.expect(StatusCode::OK);
    assert_eq!(ready["database"], "connected");
    app.db.close().await;
    let answer = app.anon().get("/health/ready").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["database"], "unreachable");
    app.anon().get("/health/live").await.expect(StatusCode::OK);
    let refused = app.anon().get("/api/v1/endpoints/public?limit=7").await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn the_document_describes_every_route() {
    let app = TestApp::start().await;
    let document = app.anon().get("/openapi.json").await.expect(StatusCode::OK);
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() > 30, "{}", paths.len());
    for path in paths.keys() {
        let first = path.split('/').nth(1).unwrap();
        assert!(first.starts_with('{') || is_reserved_owner(first), "somebody could be called `{first}`");
    }
    for page in ["/docs", "/docs/", "/redoc"] {
        assert_eq!(app.anon().get(page).await.status, StatusCode::OK, "{page}");
    }
    let root = app.anon().get("/").await.expect(StatusCode::OK);
    assert_eq!(root["docs"], "/docs");
}

#[tokio::test]
async fn people_get_a_page_and_markup_is_escaped() {
    let (_app, anon, user) = TestApp::start().await.with_user("bob").await;
    let body = json!({"name": "<b>Bold</b>", "slug": "notes", "type": "model", "readme": "<script>alert(1)</script>", "description": "\"><img src=x>"});
    user.post("/api/v1/endpoints", &body).await.expect(StatusCode::CREATED);
    for path in ["/bob/notes", "/bob"] {
        let page = anon.get_with(path, "accept", "text/html,*/*").await;
        assert_eq!(page.header("vary"), "Accept, User-Agent");
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(!page.text.contains("<script") && !page.text.contains("<img") && !page.text.contains("<b>"));
    }
    assert!(anon.get_with("/bob/notes", "user-agent", "Mozilla/5.0").await.text.starts_with("<!doctype"));
    let program =
        Request::get("/bob/notes").header("user-agent", "Mozilla/5.0").header("accept", "application/json");
    let answer = anon.raw(program.body(Body::empty()).unwrap()).await;
    assert!(answer.expect(StatusCode::OK).get("id").is_none());
    assert!(user.get("/bob/notes").await.expect(StatusCode::OK).get("id").is_some());
}
