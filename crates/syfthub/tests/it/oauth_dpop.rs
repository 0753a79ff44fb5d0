//! A token that is bound to a key, at every edge of a hub of one process.

use http::{Method, header};
use serde_json::{Value, json};
use syfthub_domain::{Clock as _, SystemClock};
use syfthub_testing::proof_key::ProofKey;

use crate::hub::Hub;
use crate::oauth_journey::{self, Answer, CALLBACK, Somebody, VERIFIER, api, text};

fn now() -> i64 {
    SystemClock.now().as_secs()
}

/// A token for the hub's API that is bound to a key.
async fn token(hub: &Hub, key: &ProofKey, scope: &str) -> String {
    let mut ada = Somebody::at(hub);
    let client = ada.register().await;
    let resource = api(hub);
    let changes = [("resource", resource.as_str()), ("scope", scope), ("dpop_jkt", &key.thumbprint())];
    let path = ada.authorize(&client, &changes);
    let code = ada.agree(&path, "ada").await.told()["code"].clone();
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", client.as_str()),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let proof = key.proof("POST", &format!("{}/mcp/oauth/token", hub.url), now(), None);
    let issued = ada.form_with("/mcp/oauth/token", &fields, &[("dpop", &proof)]).await;
    assert_eq!(issued.status, 200, "{}", issued.text);
    let issued = issued.json();
    assert_eq!(issued["token_type"], "DPoP");
    text(&issued, "access_token").to_owned()
}

async fn shown(hub: &Hub, edge: &(&str, &str, Value), scheme: &str, token: &str, proof: &str) -> Answer {
    let (method, path, body) = edge;
    let authorization = format!("{scheme} {token}");
    let headers =
        [("authorization", authorization.as_str()), ("dpop", proof), ("content-type", "application/json")];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    Somebody::at(hub).send(method.parse::<Method>().unwrap(), path, &headers, body).await
}

// Covers: RFC9449-4.3-htm, RFC9449-4.3-htu, RFC9449-4.3-iat, RFC9449-4.3-ath, RFC9449-4.3-bound
// Covers: RFC9449-7.1-scheme, RFC9449-7.1-challenge, RFC9449-7.2-bearer, RFC9449-11.1-jti
#[tokio::test]
async fn a_bound_token_is_good_at_every_edge_with_a_new_proof_only() {
    let hub = oauth_journey::start_with(&[("AGGREGATOR_REQUIRE_AUTH", "true")]);
    hub.register("ada").await;
    let (key, other) = (ProofKey::new(), ProofKey::new());
    let token = token(&hub, &key, "read full").await;
    let nobody = json!({"url": "http://127.0.0.1:9", "slug": "none", "owner_username": "ada"});
    let chat = json!({"prompt": "?", "model": nobody, "data_sources": []});
    for edge in [
        ("GET", "/api/v1/auth/me", Value::Null),
        ("GET", "/v1/models", Value::Null),
        ("POST", "/aggregator/api/v1/chat", chat),
    ] {
        let (method, path, _) = edge;
        let address = format!("{}{path}", hub.url);
        let proof = key.proof(method, &address, now(), Some(&token));
        let good = shown(&hub, &edge, "DPoP", &token, &proof).await;
        assert_ne!(good.status, 401, "{path}: {}", good.text);
        let refused = shown(&hub, &edge, "DPoP", &token, &proof).await;
        assert_eq!(refused.status, 401, "{path}: a proof is good once: {}", refused.text);
        let challenge = refused.headers[header::WWW_AUTHENTICATE].to_str().unwrap();
        assert!(challenge.starts_with("DPoP error=\"invalid_dpop_proof\", algs=\"ES256"), "{challenge}");

        let good = || key.proof(method, &address, now(), Some(&token));
        let refused = shown(&hub, &edge, "Bearer", &token, &good()).await;
        assert_eq!(refused.status, 401, "{path}: as a bearer's: {}", refused.text);
        let asked: Vec<_> = refused.headers.get_all(header::WWW_AUTHENTICATE).iter().collect();
        assert_eq!(asked[0], "Bearer", "{path}");
        assert!(asked[1].to_str().unwrap().starts_with("DPoP algs="), "{path}: {asked:?}");
        for (wrong, why) in [
            (other.proof(method, &address, now(), Some(&token)), "another key"),
            (key.proof("PUT", &address, now(), Some(&token)), "another method"),
            (key.proof(method, &format!("{address}/x"), now(), Some(&token)), "another address"),
            (key.proof(method, &format!("https://evil.example{path}"), now(), Some(&token)), "another host"),
            (key.proof(method, &address, now() - 120, Some(&token)), "too old"),
            (key.proof(method, &address, now() + 120, Some(&token)), "of the future"),
            (key.proof(method, &address, now(), Some("other")), "another token"),
            (key.proof(method, &address, now(), None), "no token"),
            ("x".to_owned(), "nonsense"),
        ] {
            let refused = shown(&hub, &edge, "DPoP", &token, &wrong).await;
            assert_eq!(refused.status, 401, "{path}: {why}: {}", refused.text);
        }
    }
    let me = ("GET", "/api/v1/auth/me", Value::Null);
    let proof = key.proof("GET", &format!("{}/api/v1/auth/me", hub.url), now(), Some(&token));
    let answer = shown(&hub, &me, "DPoP", &token, &proof).await.json();
    assert_eq!(answer["username"], "ada");
    let write = ("POST", "/api/v1/collectives", json!({"name": "Readers"}));
    let proof = key.proof("POST", &format!("{}/api/v1/collectives", hub.url), now(), Some(&token));
    let made = shown(&hub, &write, "DPoP", &token, &proof).await;
    assert_eq!(
        made.status, 201,
        "all that looks at the caller of one request takes one proof: {}",
        made.text
    );
}
