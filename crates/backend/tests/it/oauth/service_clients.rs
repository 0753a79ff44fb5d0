//! Grants without a browser: of clients that act as an account, and of tokens that are exchanged.

use http::StatusCode;
use serde_json::json;
use syfthub_auth::at_jwt::Claims;
use syfthub_domain::{Clock as _, ErrorCode};
use syfthub_proto::oauth::{BeginGrantRequest, Grant};

use super::credentials::{ME, api, claims, publish_key, token};
use super::{Client, client, code, granted, is_live};
use crate::actor::{PASSWORD, TestApp};

const CLIENTS: &str = "/api/v1/admin/oauth/clients";

fn begin(app: &TestApp, credential: &str, scopes: &[&str]) -> BeginGrantRequest {
    BeginGrantRequest {
        client_id: "report".to_owned(),
        client_name: "A report".to_owned(),
        resource: api(app),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        credential: credential.to_owned(),
        dpop_jkt: String::new(),
    }
}

async fn begun(server: &mut Client, request: BeginGrantRequest) -> Grant {
    server.begin_grant(request).await.unwrap().into_inner().grant.unwrap()
}

#[tokio::test]
async fn a_service_client_acts_as_its_account_until_one_of_them_ends() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let admin = app.admin().await;
    let mut server = client(&app);
    publish_key(&mut server).await;
    let body = json!({"client_name": "Report", "client_id": "report", "acts_as": "Bob", "scope": "read"});
    admin.post(CLIENTS, &body).await.expect(StatusCode::CREATED);
    let grant = begun(&mut server, begin(&app, "", &["read"])).await;
    assert_eq!((grant.principal.as_ref().unwrap().username.as_str(), grant.auth_time), ("bob", 0));
    assert_eq!(grant.expires_at, app.clock.now().as_secs() + 65 * 60);
    let somebody = app.with_token(&token(&claims(&app, &grant, bob.id)));
    assert_eq!(somebody.get(ME).await.expect(StatusCode::OK)["username"], "bob");
    let listed = bob.get("/api/v1/auth/grants").await.json();
    assert_eq!(listed[0]["client_name"], "A report", "its owner sees it");

    admin.post(&format!("{CLIENTS}/report/secret"), &json!({})).await.expect(StatusCode::OK);
    somebody.get(ME).await.refused(401);
    let grant = begun(&mut server, begin(&app, "", &["read"])).await;
    let body = json!({"current_password": PASSWORD, "new_password": "another horse 2"});
    bob.put("/api/v1/auth/me/password", &body).await.is(204);
    assert!(!is_live(&mut server, &grant.id).await, "as everything of the account");
    let grant = begun(&mut server, begin(&app, "", &["read"])).await;
    admin.patch(&format!("/api/v1/users/{}/deactivate", bob.id), &json!({})).await.expect(StatusCode::OK);
    assert!(!is_live(&mut server, &grant.id).await);
    let refused = server.begin_grant(begin(&app, "", &["read"])).await.unwrap_err();
    assert_eq!(code(&refused), ErrorCode::PermissionDenied);
    admin.delete(&format!("{CLIENTS}/report")).await.expect(StatusCode::NO_CONTENT);
    let refused = server.begin_grant(begin(&app, "", &["read"])).await.unwrap_err();
    assert_eq!(code(&refused), ErrorCode::PermissionDenied);
}

#[tokio::test]
async fn what_a_token_is_exchanged_for_ends_with_it_and_soon() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let mut server = client(&app);
    publish_key(&mut server).await;
    let now = app.clock.now().as_secs();
    let resource = api(&app);
    let first = granted(&mut server, "bob", "a", |consent| {
        consent.resource = resource;
        consent.scopes = vec!["read".to_owned(), "write".to_owned()];
    })
    .await;
    let subject = token(&claims(&app, &first, bob.id));
    let second = begun(&mut server, begin(&app, &subject, &["read"])).await;
    assert_eq!(second.expires_at, now + 15 * 60);
    let ending = Claims { exp: now + 60, ..claims(&app, &first, bob.id) };
    let short = begun(&mut server, begin(&app, &token(&ending), &["read"])).await;
    assert_eq!(short.expires_at, now + 60, "no longer than the token");
    let exchanged = app.with_token(&token(&claims(&app, &second, bob.id)));
    exchanged.get(ME).await.expect(StatusCode::OK);
    bob.delete(&format!("/api/v1/auth/grants/{}", first.id)).await.expect(StatusCode::NO_CONTENT);
    exchanged.get(ME).await.refused(401);
    assert!(!is_live(&mut server, &short.id).await);
    let refused = server.begin_grant(begin(&app, &subject, &["read"])).await.unwrap_err();
    assert_eq!(code(&refused), ErrorCode::Unauthenticated);

    let mcp = granted(&mut server, "bob", "b", |_| {}).await;
    let foreign = token(&claims(&app, &mcp, bob.id));
    let refused = server.begin_grant(begin(&app, &foreign, &["read"])).await.unwrap_err();
    assert_eq!(code(&refused), ErrorCode::Unauthenticated, "one for the MCP server is no credential here");
}
