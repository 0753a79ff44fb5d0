//! Scopes over the whole API document: a route that is added without a thought about its scope is found here.

use http::{Method, StatusCode};
use serde_json::json;
use syfthub_auth::Action;

use crate::actor::TestApp;

/// Every documented route that asks for a credential, with parameters that lead nowhere.
fn guarded_routes() -> Vec<(Method, String)> {
    let document = syfthub_backend::openapi();
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if operation.get("security").is_some() {
                let path =
                    path.replace("{id}", "999999").replace("{slug}", "none").replace("{owner}", "none");
                routes.push((method.to_uppercase().parse().unwrap(), path));
            }
        }
    }
    routes
}

/// The rule in words: reading is for all, credentials are for full tokens only.
fn needed(method: &Method, path: &str) -> Action {
    let credential =
        path.starts_with("/api/v1/auth/tokens") || path.ends_with("/password") || path.ends_with("/admin");
    // Administration, and answers that hold a secret.
    let always = path.starts_with("/api/v1/admin/")
        || ["/nats/credentials", "/nats/encryption-key", "/me/tunnel-credentials", "/me/accounting"]
            .iter()
            .any(|end| path.ends_with(end))
        || path.starts_with("/api/v1/accounting/");
    match method.as_str() {
        _ if always => Action::Credential,
        "GET" => Action::Read,
        _ if path == "/api/v1/verify" => Action::Read,
        _ if credential => Action::Credential,
        _ => Action::Write,
    }
}

#[tokio::test]
async fn every_documented_route_asks_for_its_scope() {
    let app = TestApp::start().await;
    let (anon, user) = (app.anon(), app.admin().await); // what is refused is refused for the scope alone
    let routes = guarded_routes();
    assert!(routes.len() > 20, "the document lists the routes");
    for scope in ["read", "write", "full"] {
        let made = user.post("/api/v1/auth/tokens", &json!({"name": scope, "scopes": [scope]})).await;
        let made = made.expect(StatusCode::CREATED);
        let holder = app.with_token(made["token"].as_str().unwrap());
        for (method, path) in &routes {
            let body = (*method != Method::GET && *method != Method::DELETE).then(|| json!({}));
            let status = holder.send(method.clone(), path, body.as_ref()).await.status;
            let covered = match scope {
                "read" => needed(method, path) == Action::Read,
                "write" => needed(method, path) != Action::Credential,
                _ => true,
            };
            assert_eq!(status != StatusCode::FORBIDDEN, covered, "{scope} {method} {path}: {status}");
            assert_ne!(status, StatusCode::UNAUTHORIZED, "{scope} {method} {path}");
            let without = anon.send(method.clone(), path, body.as_ref()).await.status;
            assert_eq!(without, StatusCode::UNAUTHORIZED, "{method} {path} without a credential");
        }
    }
}
