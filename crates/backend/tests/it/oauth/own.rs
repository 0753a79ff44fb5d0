//! What users see of their grants, and how they end them.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use super::{MCP, audited, client, granted, is_live};
use crate::actor::TestApp;

const PATH: &str = "/api/v1/auth/grants";

#[tokio::test]
async fn a_user_sees_and_ends_their_own_grants() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let eve = app.user("eve").await;
    let mut server = client(&app);
    let first = granted(&mut server, "bob", "a", |consent| consent.remember = true).await;
    app.clock.advance(Duration::from_secs(10));
    let second = granted(&mut server, "bob", "b", |consent| consent.client_name = "Another".to_owned()).await;
    let list = bob.get(PATH).await.expect(StatusCode::OK);
    assert_eq!((&list[0]["id"], &list[1]["id"]), (&json!(second.id), &json!(first.id)));
    assert_eq!(
        list[0],
        json!({
            "id": second.id, "client_name": "Another", "client_id": "https://client.example/metadata",
            "resource": MCP, "scopes": ["openid", "read"], "device": false, "created_at": "2027-01-15T08:00:10.000000Z",
            "last_used_at": "2027-01-15T08:00:10.000000Z", "expires_at": "2027-02-14T08:00:10.000000Z",
        })
    );
    assert_eq!(bob.get(&format!("{PATH}?limit=1&skip=1")).await.json()[0]["id"], json!(first.id));
    assert_eq!(bob.get(&format!("{PATH}?limit=0&skip=-1")).await.refused_fields(), ["skip", "limit"]);
    anon.get(PATH).await.refused(401);
    assert_eq!(eve.get(PATH).await.json(), json!([]));

    let one = format!("{PATH}/{}", first.id);
    eve.delete(&one).await.refused(404);
    assert!(is_live(&mut server, &first.id).await);
    bob.delete(&one).await.expect(StatusCode::NO_CONTENT);
    bob.delete(&one).await.refused(404);
    assert!(!is_live(&mut server, &first.id).await && is_live(&mut server, &second.id).await);
    let find = syfthub_proto::oauth::FindConsentRequest {
        user_id: bob.id,
        client_id: first.client_id.clone(),
        resource: MCP.to_owned(),
    };
    assert!(server.find_consent(find).await.unwrap().into_inner().scopes.is_empty(), "asked again");

    assert_eq!(bob.delete(PATH).await.expect(StatusCode::OK), json!({"ended": 1}));
    assert_eq!(bob.get(PATH).await.json(), json!([]));
    let admin = app.admin().await;
    let actions: Vec<_> = audited(&admin, "grant").await;
    assert_eq!(actions.last().unwrap(), &("grant.revoked".to_owned(), json!("user")));
}

#[tokio::test]
async fn an_administrator_ends_the_grants_of_an_account() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let mut server = client(&app);
    let grant = granted(&mut server, "bob", "a", |_| {}).await;
    let path = format!("/api/v1/users/{}/grants", bob.id);
    bob.delete(&path).await.refused(403);
    let admin = app.admin().await;
    admin.delete("/api/v1/users/999999/grants").await.refused(404);
    assert_eq!(admin.delete(&path).await.expect(StatusCode::OK), json!({"ended": 1}));
    assert!(!is_live(&mut server, &grant.id).await);
    bob.get("/api/v1/auth/me").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn switching_an_account_off_ends_its_grants_for_good() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let mut server = client(&app);
    let grant = granted(&mut server, "bob", "a", |_| {}).await;
    let admin = app.admin().await;
    admin.patch(&format!("/api/v1/users/{}/deactivate", bob.id), &json!({})).await.expect(StatusCode::OK);
    assert!(!is_live(&mut server, &grant.id).await);
    admin.patch(&format!("/api/v1/users/{}/activate", bob.id), &json!({})).await.expect(StatusCode::OK);
    assert!(!is_live(&mut server, &grant.id).await);
}
