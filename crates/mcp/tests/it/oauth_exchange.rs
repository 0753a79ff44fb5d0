//! Tokens without a browser: a client's own credentials (RFC 6749, section 4.4) and token exchange (RFC 8693).

use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use syfthub_auth::keys::SigningKey;
use syfthub_proto::oauth::{Client, ClientKind};

use crate::client::{Answer, Service, send, service_in};
use crate::hub::{READER, TOKEN};
use crate::oauth_browser::{Program, form_post, hub, register};

const OWN: &str = "client_credentials";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const API: &str = "http://localhost:8080/api";

/// A client that an operator made.
fn made(service: &Service, id: &str, metadata: &Value) -> Program {
    let client = Client {
        client_id: id.to_owned(),
        kind: ClientKind::Static.into(),
        metadata_json: metadata.to_string(),
        secret_hash: Sha256::digest("secret").to_vec(),
        ..Client::default()
    };
    service.seen.oauth.kept().clients.insert(id.to_owned(), client);
    Program { id: id.to_owned(), secret: Some("secret".to_owned()), registered: Value::Null }
}

fn service_client(service: &Service) -> Program {
    let metadata = json!({
        "client_name": "A report", "redirect_uris": [], "scope": "read write", "grant_types": [OWN, EXCHANGE],
        "token_endpoint_auth_method": "client_secret_basic",
    });
    made(service, "report", &metadata)
}

fn claims(token: &Value) -> Value {
    let part = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn error(answer: &Answer) -> String {
    assert!(answer.status.is_client_error(), "{} {}", answer.status, answer.text);
    answer.json()["error"].as_str().unwrap().to_owned()
}

// Covers: RFC6749-4.4.2-authenticate, RFC6749-4.4.3-response, RFC6749-4.4.3-refresh, RFC6749-4.4.2-scope
#[tokio::test]
async fn a_client_of_the_operator_signs_in_by_itself() {
    let service = hub();
    let router = &service.router;
    let program = service_client(&service);
    let issued = program.token(router, &[("grant_type", OWN), ("resource", API), ("scope", "write")]).await;
    assert_eq!(issued.status, StatusCode::OK, "{}", issued.text);
    assert_eq!(issued.headers["cache-control"], "no-store");
    let issued = issued.json();
    let told = (&issued["token_type"], &issued["expires_in"], &issued["scope"]);
    assert_eq!(told, (&json!("Bearer"), &json!(3600), &json!("write")));
    assert!(issued.get("refresh_token").is_none() && issued.get("id_token").is_none(), "{issued}");
    let claims = claims(&issued["access_token"]);
    assert_eq!(
        (&claims["aud"], &claims["sub"], &claims["client_id"]),
        (&json!(API), &json!("7"), &json!("report"))
    );

    let least = program.token(router, &[("grant_type", OWN), ("scope", "openid email")]).await.json();
    assert_eq!(least["scope"], "read", "nobody signs in, so there is nobody to tell about");
    let usual = program.token(router, &[("grant_type", OWN)]).await.json();
    assert_eq!(usual["scope"], "read write", "as the operator allowed");
    for (scope, resource) in [("full", API), ("full", ""), ("unknown", "")] {
        let fields = [("grant_type", OWN), ("scope", scope), ("resource", resource)];
        assert_eq!(error(&program.token(router, &fields).await), "invalid_scope", "{scope}");
    }
    let wrong = Program { secret: Some("wrong".to_owned()), id: program.id.clone(), registered: Value::Null };
    for program in [wrong, Program { secret: None, id: program.id, registered: Value::Null }] {
        let refused = program.token(router, &[("grant_type", OWN)]).await;
        assert_eq!(
            (refused.status, error(&refused)),
            (StatusCode::UNAUTHORIZED, "invalid_client".to_owned())
        );
    }
}

// Covers: RFC6749-4.4-confidential, RFC6749-4.4.3-error
#[tokio::test]
async fn clients_that_say_themselves_what_they_are_may_not() {
    let service = hub();
    let router = &service.router;
    for more in [json!({}), json!({"token_endpoint_auth_method": "client_secret_basic"})] {
        let mut more = more;
        more["grant_types"] = json!(["authorization_code", OWN]);
        let program = register(router, more).await;
        assert_eq!(program.registered["grant_types"], json!(["authorization_code"]), "dropped");
        let refused = program.token(router, &[("grant_type", OWN)]).await;
        assert_eq!(
            (refused.status, error(&refused)),
            (StatusCode::BAD_REQUEST, "unauthorized_client".to_owned())
        );
    }
    let public = json!({"grant_types": [OWN], "token_endpoint_auth_method": "none"});
    let program = Program { secret: None, ..made(&service, "public", &public) };
    assert_eq!(error(&program.token(router, &[("grant_type", OWN)]).await), "unauthorized_client");
}

async fn exchange(service: &Service, fields: &[(&str, &str)]) -> Answer {
    let fields = [&[("grant_type", EXCHANGE)], fields].concat();
    form_post(&service.router, "/oauth/token", &fields, HeaderMap::new()).await
}

// Covers: RFC8693-2.2.1-response, RFC8693-2.1-audience, RFC8693-2.1-client
#[tokio::test]
async fn a_token_of_the_hub_is_exchanged_for_one_that_proves_its_user_to_a_service() {
    let service = hub();
    let good = [("subject_token", TOKEN), ("subject_token_type", ACCESS_TOKEN), ("audience", "bob")];
    let issued = exchange(&service, &good).await;
    assert_eq!(issued.status, StatusCode::OK, "{}", issued.text);
    assert_eq!(issued.headers["cache-control"], "no-store");
    let wanted = json!({
        "access_token": "for-bob", "issued_token_type": JWT, "token_type": "Bearer", "expires_in": 60,
    });
    assert_eq!(issued.json(), wanted);
    let with = |more: &[(&'static str, &'static str)]| [good.as_slice(), more].concat();
    assert_eq!(exchange(&service, &with(&[("requested_token_type", JWT)])).await.status, StatusCode::OK);
    for (more, word) in [
        (&[("requested_token_type", ACCESS_TOKEN)][..], "invalid_request"),
        (&[("audience", "carol")], "invalid_target"),
        (&[("resource", API)], "invalid_target"),
        (&[("client_id", "nobody")], "invalid_client"),
    ] {
        assert_eq!(error(&exchange(&service, &with(more)).await), word, "{more:?}");
    }
}

// Covers: RFC8693-2.1-subject, RFC8693-2.1-subject-type, RFC8693-2.2.2-invalid, RFC8693-2.2.2-target, RFC8693-2.1-actor
#[tokio::test]
async fn what_cannot_be_exchanged_is_refused_by_the_words_of_the_standard() {
    let service = hub();
    let (token, kind) = (("subject_token", TOKEN), ("subject_token_type", ACCESS_TOKEN));
    let audience = ("audience", "bob");
    for (fields, word) in [
        (vec![kind, audience], "invalid_request"),
        (vec![token, audience], "invalid_request"),
        (
            vec![token, ("subject_token_type", "urn:ietf:params:oauth:token-type:saml2"), audience],
            "invalid_request",
        ),
        (vec![("subject_token", "junk"), kind, audience], "invalid_request"),
        (vec![("subject_token", "syft_rt_something"), kind, audience], "invalid_request"),
        (vec![token, token, kind, audience], "invalid_request"),
        (vec![token, kind], "invalid_request"),
        (vec![token, kind, ("resource", "https://elsewhere.example/api")], "invalid_target"),
        (
            vec![token, kind, audience, ("actor_token", TOKEN), ("actor_token_type", ACCESS_TOKEN)],
            "invalid_request",
        ),
        (vec![token, kind, audience, ("actor_token_type", ACCESS_TOKEN)], "invalid_request"),
    ] {
        let refused = exchange(&service, &fields).await;
        assert_eq!((refused.status, error(&refused).as_str()), (StatusCode::BAD_REQUEST, word), "{fields:?}");
        assert!(!refused.text.contains(TOKEN), "{}", refused.text);
    }
}

// Covers: RFC8693-2.1-resource, RFC8693-2.1-scope, RFC8693-2.2.1-lifetime, RFC8693-2.2.1-refresh
#[tokio::test]
async fn a_client_exchanges_a_token_for_one_with_fewer_rights_that_ends_sooner() {
    let service = hub();
    let router = &service.router;
    let program = service_client(&service);
    let fields = |token: &'static str, scope: &'static str| {
        [
            ("grant_type", EXCHANGE),
            ("subject_token", token),
            ("subject_token_type", ACCESS_TOKEN),
            ("resource", API),
            ("scope", scope),
        ]
    };
    let issued = program.token(router, &fields(READER, "openid read")).await;
    assert_eq!(issued.status, StatusCode::OK, "{}", issued.text);
    let issued = issued.json();
    let told = (&issued["issued_token_type"], &issued["scope"], &issued["expires_in"]);
    assert_eq!(told, (&json!(ACCESS_TOKEN), &json!("read"), &json!(600)));
    assert!(issued.get("refresh_token").is_none());
    let claims = claims(&issued["access_token"]);
    assert_eq!((&claims["sub"], &claims["aud"]), (&json!("7"), &json!(API)));
    assert_eq!(claims["exp"], json!(1_700_000_600), "no longer than what it was exchanged for");
    assert_eq!(error(&program.token(router, &fields(READER, "write")).await), "invalid_scope");
    assert_eq!(error(&program.token(router, &fields("junk", "read")).await), "invalid_request");
    let other = register(router, json!({})).await;
    assert_eq!(error(&other.token(router, &fields(READER, "read")).await), "unauthorized_client");
    let named = register(router, json!({"grant_types": ["authorization_code", EXCHANGE]})).await;
    assert_eq!(named.token(router, &fields(READER, "read")).await.status, StatusCode::OK);
    assert_eq!(error(&exchange(&service, &fields(READER, "read")[1..]).await), "invalid_client");
}

#[tokio::test]
async fn what_works_is_in_the_document() {
    let service = hub();
    let request = axum::http::Request::get("/.well-known/oauth-authorization-server");
    let document = send(&service.router, request.body(axum::body::Body::empty()).unwrap()).await.json();
    for kind in [OWN, EXCHANGE] {
        assert!(document["grant_types_supported"].as_array().unwrap().contains(&json!(kind)), "{document}");
    }
}

#[tokio::test]
async fn a_pinned_key_signs_and_the_hub_is_told_of_its_public_half_only() {
    let key = SigningKey::generate().unwrap();
    let pem = key.to_pkcs8_pem().unwrap().to_string();
    let service = service_in(&syfthub_egress::Outside::default(), |settings| {
        settings.mcp.public_url = "http://localhost:8080".parse().unwrap();
        settings.mcp.signing_key = Some(pem.into());
    });
    let program = service_client(&service);
    let issued = program.token(&service.router, &[("grant_type", OWN)]).await.json();
    let head = issued["access_token"].as_str().unwrap().split('.').next().unwrap().to_owned();
    let head: Value =
        serde_json::from_slice(&base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(head).unwrap()).unwrap();
    assert_eq!(head["kid"], json!(key.kid()));
    let kept = service.seen.oauth.kept().keys.clone();
    assert_eq!((kept.len(), kept[0].kid.as_str(), kept[0].private_sealed.len()), (1, key.kid(), 0));
}
