//! What personal access tokens may do: scope by route.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::actor::TestApp;

const R: u8 = 1;
const W: u8 = 2;
const F: u8 = 4;

/// Method, path, body, and the scopes that are let through.
fn cells() -> Vec<(Method, &'static str, Value, u8)> {
    let none = || json!({});
    vec![
        (Method::GET, "/api/v1/auth/me", none(), R | W | F),
        (Method::GET, "/api/v1/auth/tokens", none(), R | W | F),
        (Method::GET, "/api/v1/endpoints", none(), R | W | F),
        (Method::GET, "/api/v1/endpoints/1", none(), R | W | F),
        (Method::GET, "/api/v1/endpoints/notes/exists", none(), R | W | F),
        (Method::GET, "/api/v1/endpoints/1/starred", none(), R | W | F),
        (Method::GET, "/api/v1/token?aud=bob", none(), R | W | F),
        (Method::GET, "/api/v1/token/audiences", none(), R | W | F),
        (Method::POST, "/api/v1/verify", none(), R | W | F),
        (Method::POST, "/api/v1/endpoints", none(), W | F),
        (Method::POST, "/api/v1/endpoints/", none(), W | F),
        (Method::POST, "/api/v1/endpoints/health", none(), W | F),
        (Method::PATCH, "/api/v1/endpoints/1", none(), W | F),
        (Method::DELETE, "/api/v1/endpoints/999999", none(), W | F),
        (Method::PATCH, "/api/v1/endpoints/slug/notes", none(), W | F),
        (Method::DELETE, "/api/v1/endpoints/slug/other", none(), W | F),
        (Method::POST, "/api/v1/endpoints/1/star", none(), W | F),
        (Method::DELETE, "/api/v1/endpoints/1/star", none(), W | F),
        (Method::POST, "/api/v1/auth/logout", none(), W | F),
        (Method::POST, "/api/v1/auth/tokens", none(), F),
        (Method::PATCH, "/api/v1/auth/tokens/999999", json!({"name": "x"}), F),
        (Method::DELETE, "/api/v1/auth/tokens/999999", none(), F),
        (Method::PUT, "/api/v1/auth/me/password", none(), F),
    ]
}

#[tokio::test]
async fn every_scope_opens_its_routes_and_no_other() {
    let (_app, _anon, bob) = TestApp::start().await.with_user("bob").await;
    bob.publish("notes", json!({})).await;
    for (bit, scope) in [(R, "read"), (W, "write"), (F, "full")] {
        let holder = bob.pat(&[scope]).await;
        for (method, path, body, open) in cells() {
            let answer = holder.send(method.clone(), path, Some(&body)).await;
            let refused = answer.status.as_u16() == 403 && answer.text.contains("scope");
            assert_eq!(
                refused,
                open & bit == 0,
                "{scope}: {method} {path}: {} {}",
                answer.status,
                answer.text
            );
        }
    }
}

#[tokio::test]
async fn scopes_add_up_and_sign_in_has_all() {
    let (_app, _anon, bob) = TestApp::start().await.with_user("bob").await;
    let holder = bob.pat(&["read", "write"]).await;
    holder.publish("notes", json!({})).await;
    holder.post("/api/v1/auth/tokens", &json!({"name": "more"})).await.refused(403);
    for (method, path, body, _) in cells().into_iter().filter(|(_, path, ..)| !path.contains("logout")) {
        let answer = bob.send(method.clone(), path, Some(&body)).await;
        assert_ne!(answer.status.as_u16(), 403, "{method} {path}");
    }
}

#[tokio::test]
async fn a_read_token_sees_as_its_owner() {
    let (_app, _anon, bob) = TestApp::start().await.with_user("bob").await;
    bob.publish("mine", json!({"visibility": "private"})).await;
    let reader = bob.pat(&["read"]).await;
    assert!(reader.get("/bob/mine").await.expect(StatusCode::OK)["id"].is_i64());
    reader.post("/api/v1/endpoints/search", &json!({"query": "mine"})).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn an_administrators_narrow_token_leaves_other_accounts_alone() {
    let (app, _anon, bob) = TestApp::start().await.with_user("bob").await;
    let root = app.admin().await;
    let (theirs, own) = (format!("/api/v1/users/{}", bob.id), format!("/api/v1/users/{}", root.id));
    let change = json!({"domain": "https://elsewhere.example.org"});
    for scope in ["read", "write"] {
        let narrow = root.pat(&[scope]).await;
        for answer in [narrow.get(&theirs).await, narrow.put(&theirs, &change).await] {
            assert_eq!(answer.refused(403)["code"], "PERMISSION_DENIED", "{scope}");
        }
        narrow.get(&own).await.expect(StatusCode::OK);
    }
    let full = root.pat(&["full"]).await;
    full.get(&theirs).await.expect(StatusCode::OK);
    full.put(&theirs, &change).await.expect(StatusCode::OK);
}
