//! Grants as credentials: tickets between our services, access tokens at the public edges.

use std::sync::LazyLock;

use http::StatusCode;
use serde_json::json;
use syfthub_auth::MasterKey;
use syfthub_auth::at_jwt::{self, Audience, Claims, Confirmation};
use syfthub_auth::grant_ticket::{self, TicketKey};
use syfthub_auth::keys::SigningKey;
use syfthub_domain::{Clock as _, ErrorCode};
use syfthub_proto::common::CredentialKind;
use syfthub_proto::identity::VerifyCredentialRequest;
use syfthub_proto::oauth::{AddFirstSigningKeyRequest, Grant, SigningKey as WireKey};
use syfthub_rpc::{Caller, stubs};

use super::{Client, client, code, granted};
use crate::actor::{PASSWORD, TestApp};

pub(super) static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate().unwrap());

pub(super) const ME: &str = "/api/v1/auth/me";

pub(super) fn api(app: &TestApp) -> String {
    format!("{}/api", app.settings.public.origin())
}

pub(super) async fn publish_key(server: &mut Client) {
    let key = WireKey {
        kid: KEY.kid().to_owned(),
        private_sealed: vec![1],
        public_pem: KEY.public().to_pem().unwrap(),
        ..WireKey::default()
    };
    server.add_first_signing_key(AddFirstSigningKeyRequest { key: Some(key) }).await.unwrap();
}

pub(super) fn claims(app: &TestApp, grant: &Grant, user: i64) -> Claims {
    let now = app.clock.now().as_secs();
    Claims {
        iss: app.settings.public.oauth_issuer.clone(),
        aud: Audience(vec![grant.resource.clone()]),
        sub: user.to_string(),
        client_id: grant.client_id.clone(),
        scope: grant.scopes.join(" "),
        iat: now,
        exp: now + 3600,
        jti: "jti".to_owned(),
        sid: grant.id.clone(),
        auth_time: None,
        email: None,
        cnf: None,
    }
}

pub(super) fn token(claims: &Claims) -> String {
    at_jwt::mint_here(&KEY, claims).unwrap()
}

/// A grant of bob for the API, with these scopes.
async fn for_api(app: &TestApp, server: &mut Client, name: &str, scopes: &[&str]) -> Grant {
    let resource = api(app);
    granted(server, "bob", name, |consent| {
        consent.resource = resource;
        consent.scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    })
    .await
}

fn ticket(app: &TestApp, grant: &str) -> String {
    let key = TicketKey::new(&MasterKey::new(&app.settings.secrets.secret_key));
    grant_ticket::mint(&key, grant.parse().unwrap(), app.clock.now()).unwrap()
}

async fn verify(app: &TestApp, caller: Caller, credential: &str) -> Result<Vec<String>, ErrorCode> {
    let request = VerifyCredentialRequest { credential: credential.to_owned() };
    let answer = stubs::identity_client(app.peer(caller)).verify_credential(request).await;
    let principal = answer.map_err(|status| code(&status))?.into_inner().principal.unwrap();
    assert_eq!((principal.username.as_str(), principal.kind()), ("bob", CredentialKind::Oauth));
    Ok(principal.scopes)
}

#[tokio::test]
async fn a_ticket_is_good_between_our_services_only_and_as_long_as_its_grant() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let mut server = client(&app);
    let grant = granted(&mut server, "bob", "a", |_| {}).await;
    let ticket = ticket(&app, &grant.id);
    for caller in [Caller::Mcp, Caller::Aggregator] {
        assert_eq!(verify(&app, caller, &ticket).await, Ok(vec!["read".to_owned()]), "{caller:?}");
    }
    assert_eq!(verify(&app, Caller::Cli, &ticket).await, Err(ErrorCode::Unauthenticated));
    app.with_token(&ticket).get(ME).await.refused(401);
    bob.delete(&format!("/api/v1/auth/grants/{}", grant.id)).await.expect(StatusCode::NO_CONTENT);
    for caller in [Caller::Mcp, Caller::Aggregator] {
        assert_eq!(verify(&app, caller, &ticket).await, Err(ErrorCode::Unauthenticated));
    }
}

#[tokio::test]
async fn forged_and_old_tickets_are_refused() {
    let (app, _, _bob) = TestApp::start().await.with_user("bob").await;
    let mut server = client(&app);
    let grant = granted(&mut server, "bob", "a", |_| {}).await;
    let (now, id) = (app.clock.now(), grant.id.parse().unwrap());
    let other = TicketKey::new(&MasterKey::new(&syfthub_config::Secret::new("another secret")));
    let forged = grant_ticket::mint(&other, id, now).unwrap();
    assert_eq!(verify(&app, Caller::Mcp, &forged).await, Err(ErrorCode::Unauthenticated));
    let old = ticket(&app, &grant.id);
    assert!(verify(&app, Caller::Mcp, &old).await.is_ok());
    app.clock.advance(grant_ticket::LIFE);
    assert_eq!(
        verify(&app, Caller::Mcp, &old).await,
        Err(ErrorCode::Unauthenticated),
        "also a remembered one"
    );
}

#[tokio::test]
async fn an_access_token_for_the_api_opens_what_its_scopes_cover() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let mut server = client(&app);
    publish_key(&mut server).await;
    let body = json!({"name": "Some", "type": "model"});
    for (name, scopes, wrote, made) in [
        ("a", &["openid", "read"][..], 403, 403),
        ("b", &["read", "write"], 201, 403),
        ("c", &["full"], 400, 201),
    ] {
        let grant = for_api(&app, &mut server, name, scopes).await;
        let somebody = app.with_token(&token(&claims(&app, &grant, bob.id)));
        assert_eq!(somebody.get(ME).await.expect(StatusCode::OK)["username"], "bob");
        let body =
            if name == "c" { json!({"name": "Some", "slug": "some", "type": "model"}) } else { body.clone() };
        assert_eq!(somebody.post("/api/v1/endpoints", &body).await.status.as_u16(), wrote, "{name}");
        let pat = json!({"name": "made"});
        assert_eq!(somebody.post("/api/v1/auth/tokens", &pat).await.status.as_u16(), made, "{name}");
    }
    let grant = for_api(&app, &mut server, "d", &["read", "write"]).await;
    let fewer = Claims { scope: "read full".to_owned(), ..claims(&app, &grant, bob.id) };
    let somebody = app.with_token(&token(&fewer));
    somebody.get(ME).await.expect(StatusCode::OK);
    somebody.post("/api/v1/endpoints", &body).await.refused(403);
    for caller in [Caller::Aggregator, Caller::Mcp, Caller::Cli] {
        assert_eq!(verify(&app, caller, &token(&fewer)).await, Ok(vec!["read".to_owned()]));
    }
}

#[tokio::test]
async fn tokens_that_are_not_for_the_api_are_refused() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let eve = app.user("eve").await;
    let mut server = client(&app);
    let grant = for_api(&app, &mut server, "a", &["read"]).await;
    let good = claims(&app, &grant, bob.id);
    app.with_token(&token(&good)).get(ME).await.refused(401);
    app.clock.advance(std::time::Duration::from_secs(1));
    publish_key(&mut server).await;
    let mcp = granted(&mut server, "bob", "b", |_| {}).await;
    let bound = granted(&mut server, "bob", "c", |_| {}).await;
    let now = app.clock.now().as_secs();
    for (why, wrong) in [
        ("for the MCP server", claims(&app, &mcp, bob.id)),
        (
            "of a grant for the MCP server",
            Claims { aud: Audience(vec![api(&app)]), ..claims(&app, &mcp, bob.id) },
        ),
        ("of another client", Claims { client_id: "other".to_owned(), ..good.clone() }),
        ("of another user", Claims { sub: eve.id.to_string(), ..good.clone() }),
        ("of another issuer", Claims { iss: "https://evil.example".to_owned(), ..good.clone() }),
        ("expired", Claims { exp: now - 10, ..good.clone() }),
        ("of no grant", Claims { sid: "nothing".to_owned(), ..good.clone() }),
        ("of another resource's grant", Claims { sid: bound.id.clone(), ..good.clone() }),
    ] {
        let refused = app.with_token(&token(&wrong)).get(ME).await.refused(401);
        assert_eq!(refused, "Could not validate credentials", "{why}");
    }
    let with_key = Claims { cnf: Some(Confirmation { jkt: "x".to_owned() }), ..good.clone() };
    let refused = app.with_token(&token(&with_key)).get(ME).await.refused(401);
    assert_eq!(refused, "The token is bound to a key; send it as Authorization: DPoP, with a DPoP header");
    let other = SigningKey::generate().unwrap();
    let foreign = at_jwt::mint_here(&other, &good).unwrap();
    app.with_token(&foreign).get(ME).await.refused(401);
    app.with_token(&token(&good)).get(ME).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn whatever_ends_a_grant_ends_its_tokens_at_once_on_every_replica() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let mut server = client(&app);
    publish_key(&mut server).await;
    let replica = app.replica().await;
    let mut end = 0;
    for way in ["user", "client", "all", "logout", "password"] {
        end += 1;
        let grant = for_api(&app, &mut server, &format!("g{end}"), &["full"]).await;
        let token = token(&claims(&app, &grant, bob.id));
        for place in [&app, &replica] {
            place.with_token(&token).get(ME).await.expect(StatusCode::OK);
        }
        match way {
            "user" => drop(bob.delete(&format!("/api/v1/auth/grants/{}", grant.id)).await.is(204)),
            "all" => drop(bob.delete("/api/v1/auth/grants").await.is(200)),
            "logout" => drop(app.with_token(&token).post("/api/v1/auth/logout", &json!({})).await.is(204)),
            "client" => {
                let what = syfthub_proto::oauth::revoke_grant_request::What::GrantId(grant.id.clone());
                let request =
                    syfthub_proto::oauth::RevokeGrantRequest { what: Some(what), client_id: String::new() };
                drop(server.revoke_grant(request).await.unwrap());
            }
            _ => {
                let body = json!({"current_password": PASSWORD, "new_password": "another horse 2"});
                bob.put("/api/v1/auth/me/password", &body).await.is(204);
            }
        }
        app.with_token(&token).get(ME).await.refused(401);
        let refused = async || replica.with_token(&token).get(ME).await.status == StatusCode::UNAUTHORIZED;
        syfthub_testing::wait::until(refused, "the replica to hear of it").await;
        assert!(!super::is_live(&mut server, &grant.id).await, "{way}");
    }
}
