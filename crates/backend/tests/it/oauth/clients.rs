//! Clients that an administrator makes.

use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use syfthub_proto::oauth::{ClientKind, GetClientRequest};

use super::{audited, client};
use crate::actor::TestApp;

const PATH: &str = "/api/v1/admin/oauth/clients";

#[tokio::test]
async fn an_administrator_makes_a_client_whose_secret_is_told_once() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let admin = app.admin().await;
    let body =
        json!({"client_name": "Wiki", "client_id": "wiki", "redirect_uris": ["https://wiki.example/cb"]});
    bob.post(PATH, &body).await.refused(403);
    let made = admin.post(PATH, &body).await.expect(StatusCode::CREATED);
    let secret = made["client_secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("syft_cs_") && secret.len() == 51, "{secret}");
    let wanted = json!({
        "client_id": "wiki", "client_secret": secret, "kind": "static", "client_name": "Wiki",
        "redirect_uris": ["https://wiki.example/cb"], "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": "client_secret_basic", "scope": null, "acts_as": null,
        "created_at": made["created_at"], "updated_at": made["created_at"], "last_used_at": made["created_at"],
        "expires_at": null,
    });
    assert_eq!(made, wanted);
    assert_eq!(admin.post(PATH, &body).await.refused(409), "There is an OAuth client with this id already");

    let mut server = client(&app);
    let get = || GetClientRequest { client_id: "wiki".to_owned() };
    let stored = server.get_client(get()).await.unwrap().into_inner().client.unwrap();
    assert_eq!((stored.kind(), stored.secret_hash), (ClientKind::Static, Sha256::digest(&secret).to_vec()));
    assert_eq!(stored.expires_at, 0);

    let shown = admin.get(&format!("{PATH}/wiki")).await.expect(StatusCode::OK);
    assert!(shown.get("client_secret").is_none() && !shown.to_string().contains(&secret), "{shown}");
    let changed = admin.post(&format!("{PATH}/wiki/secret"), &json!({})).await.expect(StatusCode::OK);
    assert_ne!(changed["client_secret"], json!(secret));
    let stored = server.get_client(get()).await.unwrap().into_inner().client.unwrap();
    assert_eq!(stored.secret_hash, Sha256::digest(changed["client_secret"].as_str().unwrap()).to_vec());

    admin.delete(&format!("{PATH}/wiki")).await.expect(StatusCode::NO_CONTENT);
    for gone in [admin.delete(&format!("{PATH}/wiki")).await, admin.get(&format!("{PATH}/wiki")).await] {
        gone.refused(404);
    }
    let log = audited(&admin, "oauth_client").await;
    let actions: Vec<&str> = log.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(actions, ["oauth_client.created", "oauth_client.secret_changed", "oauth_client.deleted"]);
    let whole = admin.get("/api/v1/admin/audit?target_kind=oauth_client").await.json().to_string();
    assert!(!whole.contains("syft_cs_"), "no secret in the log: {whole}");
}

#[tokio::test]
async fn clients_are_listed_by_kind_and_page() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    for id in ["one", "two"] {
        let body = json!({"client_name": id, "client_id": id, "acts_as": "root-1", "scope": "read write"});
        let body = match id {
            "one" => body,
            _ => json!({
                "client_name": id, "client_id": id, "token_endpoint_auth_method": "none",
                "redirect_uris": ["http://127.0.0.1/cb"],
            }),
        };
        let made = admin.post(PATH, &body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.json());
        app.clock.advance(std::time::Duration::from_secs(1));
    }
    let ids = |page: &Value| {
        let clients = page["clients"].as_array().unwrap();
        clients.iter().map(|client| client["client_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = admin.get(&format!("{PATH}?limit=1&kind=static")).await.expect(StatusCode::OK);
    assert_eq!((ids(&first), &first["next"]), (vec!["two".to_owned()], &json!("two")));
    let second = admin.get(&format!("{PATH}?after=two")).await.expect(StatusCode::OK);
    assert_eq!((ids(&second), &second["next"]), (vec!["one".to_owned()], &json!(null)));
    assert_eq!(
        (&second["clients"][0]["acts_as"], &second["clients"][0]["grant_types"]),
        (&json!("root-1"), &json!(["client_credentials"]))
    );
    assert_eq!(ids(&admin.get(&format!("{PATH}?kind=registered")).await.json()), Vec::<String>::new());
    assert_eq!(admin.get(&format!("{PATH}?kind=other&limit=0")).await.refused_fields(), ["kind", "limit"]);
    admin.post(&format!("{PATH}/two/secret"), &json!({})).await.refused(409);
}

#[tokio::test]
async fn every_fault_of_a_client_is_told_at_once() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let body = json!({
        "client_id": "syfthub-cli", "client_name": "", "redirect_uris": ["http://elsewhere.example/cb"],
        "grant_types": ["password"], "token_endpoint_auth_method": "maybe", "scope": "all", "jwks_uri": "http://x",
        "jwks": {"keys": [{"kty": "oct", "k": "secret"}]},
    });
    let fields = admin.post(PATH, &body).await.refused_fields();
    for name in [
        "client_id",
        "client_name",
        "redirect_uris",
        "grant_types",
        "token_endpoint_auth_method",
        "scope",
        "jwks_uri",
    ] {
        assert!(fields.iter().any(|field| field.starts_with(name)), "{name}: {fields:?}");
    }
    let nobody = json!({"client_name": "A", "acts_as": "nobody"});
    assert_eq!(admin.post(PATH, &nobody).await.refused_fields(), ["acts_as"]);
}
