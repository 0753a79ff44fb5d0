//! Clients that prove with a key who they are (`private_key_jwt`, RFC 7523).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use syfthub_egress::Outside;
use syfthub_testing::proof_key::ProofKey;
use syfthub_testing::tls::{Authority, Period};
use uuid::Uuid;

use crate::client::Answer;
use crate::oauth_browser::{
    Browser, CALLBACK, Program, VERIFIER, form_post, hub, hub_in, json_post, register,
};

const NOW: i64 = 1_700_000_000;
const ISSUER: &str = "http://localhost:8080/mcp";
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const NAME: &str = "client.example.org";

fn jwks(key: &ProofKey, kid: &str) -> Value {
    let mut jwk = key.jwk();
    jwk["kid"] = json!(kid);
    json!({"keys": [jwk]})
}

fn claims(id: &str) -> Value {
    json!({"iss": id, "sub": id, "aud": ISSUER, "exp": NOW + 60, "iat": NOW, "jti": Uuid::new_v4()})
}

fn signed(key: &ProofKey, kid: &str, claims: &Value) -> String {
    key.sign(&json!({"alg": "ES256", "kid": kid}), claims)
}

/// Exchanges a code on an assertion, with some parameters changed; an empty value takes one away.
async fn exchange(router: &Router, code: &str, assertion: &str, changes: &[(&str, &str)]) -> Answer {
    let mut fields = std::collections::BTreeMap::from([
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
        ("client_assertion_type", TYPE),
        ("client_assertion", assertion),
    ]);
    fields.extend(changes.iter().copied());
    let fields: Vec<(&str, &str)> = fields.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    form_post(router, "/oauth/token", &fields, HeaderMap::new()).await
}

fn is_refused(answer: &Answer, why: &str) {
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{why}: {}", answer.text);
    assert_eq!(answer.json()["error"], "invalid_client", "{why}: {}", answer.text);
}

async fn with_key(router: &Router, key: &ProofKey) -> Program {
    let metadata = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": jwks(key, "a")});
    register(router, metadata).await
}

// Covers: RFC7523-2.2-type, RFC7523-3-iss, RFC7523-3-sub, RFC7523-3-aud, RFC7523-3-exp, RFC7523-3-jti
// Covers: RFC7523-3-signature, RFC7523-3.2-invalid
#[tokio::test]
async fn a_client_signs_who_it_is() {
    let service = hub();
    let router = &service.router;
    let (key, other) = (ProofKey::new(), ProofKey::new());
    let program = with_key(router, &key).await;
    assert_eq!((&program.secret, &program.registered["jwks"]), (&None, &jwks(&key, "a")));
    let stranger = with_key(router, &other).await;
    let code = Browser::new(router).code(&program.authorize(&[])).await;
    let good = || signed(&key, "a", &claims(&program.id));
    let with = |name: &str, value: Value| {
        let mut claims = claims(&program.id);
        claims[name] = value;
        signed(&key, "a", &claims)
    };
    for (assertion, why) in [
        (signed(&other, "a", &claims(&program.id)), "another key"),
        (with("aud", json!("https://other.example")), "another server"),
        (with("iss", json!(stranger.id)), "another issuer"),
        (with("sub", json!(stranger.id)), "another client"),
        (with("exp", json!(NOW - 30)), "over"),
        (with("exp", json!(NOW + 7200)), "good for two hours"),
        (with("exp", Value::Null), "good for ever"),
        (with("jti", Value::Null), "no name"),
        (key.sign(&json!({"alg": "none"}), &claims(&program.id)), "alg none"),
        ("x.y.z".to_owned(), "no JWT"),
    ] {
        is_refused(&exchange(router, &code, &assertion, &[]).await, why);
    }
    for (name, value) in
        [("client_assertion_type", ""), ("client_assertion_type", "jwt"), ("client_id", &stranger.id)]
    {
        is_refused(&exchange(router, &code, &good(), &[(name, value)]).await, name);
    }
    let twice = exchange(router, &code, &good(), &[("client_secret", "x")]).await;
    assert_eq!(twice.json()["error"], "invalid_request", "{}", twice.text);
    is_refused(&program.exchange(router, &code, &[]).await, "the id alone is no proof");

    let assertion = good();
    let issued = exchange(router, &code, &assertion, &[("client_id", &program.id)]).await;
    assert_eq!(issued.status, StatusCode::OK, "{}", issued.text);
    let issued = issued.json();
    let token = issued["access_token"].as_str().unwrap();
    let ask = async |assertion: &str| {
        let fields = [("client_assertion_type", TYPE), ("client_assertion", assertion), ("token", token)];
        form_post(router, "/oauth/introspect", &fields, HeaderMap::new()).await
    };
    is_refused(&ask(&assertion).await, "an assertion is good once");
    assert_eq!(ask(&with("aud", json!([format!("{ISSUER}/oauth/token")]))).await.json()["active"], true);
}

#[tokio::test]
async fn keys_of_an_address_are_fetched_kept_and_looked_up_again() {
    let key = ProofKey::new();
    let authority = Authority::new();
    let server = authority.serve(NAME, Period::Now, &jwks(&key, "a").to_string()).await;
    let names = Arc::new(|_: &str| Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]));
    let service = hub_in(&Outside { names: Some(names), authorities: vec![authority.certificate()] });
    let router = &service.router;
    let address = format!("https://{NAME}:{}/keys", server.port);
    let metadata = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": address});
    let program = register(router, metadata).await;
    let code = Browser::new(router).code(&program.authorize(&[])).await;
    let issued = exchange(router, &code, &signed(&key, "a", &claims(&program.id)), &[]).await;
    assert_eq!(issued.status, StatusCode::OK, "{}", issued.text);
    assert_eq!(server.requests(), 1);
    let token = issued.json()["refresh_token"].as_str().unwrap().to_owned();
    let refresh = async |assertion: String| {
        let fields = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token.as_str()),
            ("client_assertion_type", TYPE),
            ("client_assertion", assertion.as_str()),
        ];
        form_post(router, "/oauth/token", &fields, HeaderMap::new()).await
    };
    assert_eq!(refresh(signed(&key, "a", &claims(&program.id))).await.status, StatusCode::OK);
    assert_eq!(server.requests(), 1, "they are kept");
    for _ in 0..3 {
        is_refused(&refresh(signed(&ProofKey::new(), "b", &claims(&program.id))).await, "an unknown key");
    }
    assert_eq!(server.requests(), 2, "an unknown key lets them be fetched again, once in a while");
}

#[tokio::test]
async fn keys_are_not_fetched_from_inside() {
    let service = hub();
    let router = &service.router;
    for address in ["https://127.0.0.1/keys", "https://169.254.169.254/latest", "https://[::1]/keys"] {
        let metadata = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": address});
        let program = register(router, metadata).await;
        let assertion = signed(&ProofKey::new(), "a", &claims(&program.id));
        is_refused(&exchange(router, "syft_ac_x", &assertion, &[]).await, address);
    }
}

#[tokio::test]
async fn a_registration_says_where_its_keys_are() {
    let service = hub();
    let key = ProofKey::new();
    let mut private = jwks(&key, "a");
    private["keys"][0]["d"] = json!("AQAB");
    let many: Vec<Value> = (0..11).map(|_| key.jwk()).collect();
    for wrong in [
        json!({}),
        json!({"jwks": jwks(&key, "a"), "jwks_uri": "https://client.example/keys"}),
        json!({"jwks": {"keys": []}}),
        json!({"jwks": {"keys": many}}),
        json!({"jwks": private}),
        json!({"jwks": {"keys": [{"kty": "oct", "k": "AQAB"}]}}),
        json!({"jwks_uri": "http://client.example/keys"}),
        json!({"jwks": jwks(&key, "a"), "token_endpoint_auth_signing_alg": "HS256"}),
    ] {
        let mut body = json!({
            "client_name": "A program", "redirect_uris": [CALLBACK],
            "token_endpoint_auth_method": "private_key_jwt",
        });
        body.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let refused = json_post(&service.router, "/oauth/register", &body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{wrong}");
        assert_eq!(refused.json()["error"], "invalid_client_metadata", "{wrong}");
    }
    let program = register(&service.router, json!({"token_endpoint_auth_method": "none"})).await;
    let assertion = signed(&key, "a", &claims(&program.id));
    let refused = exchange(&service.router, "syft_ac_x", &assertion, &[]).await;
    is_refused(&refused, "a client without keys");
    assert!(refused.headers.contains_key(header::WWW_AUTHENTICATE));
}
