//! Tokens that are bound to a key (RFC 9449), from the authorization request to the tools.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use syfthub_testing::proof_key::ProofKey;

use crate::client::{Answer, method, post, send};
use crate::oauth_browser::{Browser, CALLBACK, Program, VERIFIER, form, form_post, hub, register, told};

const NOW: i64 = 1_700_000_000;
const TOKEN_ENDPOINT: &str = "http://localhost:8080/mcp/oauth/token";
const MCP: &str = "http://localhost:8080/mcp";

fn dpop(proof: &str) -> HeaderMap {
    HeaderMap::from_iter([(header::HeaderName::from_static("dpop"), proof.parse().unwrap())])
}

fn at_token_endpoint(key: &ProofKey) -> String {
    key.proof("POST", TOKEN_ENDPOINT, NOW, None)
}

async fn exchange(router: &Router, program: &Program, code: &str, headers: HeaderMap) -> Answer {
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", program.id.as_str()),
        ("code", code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    form_post(router, "/oauth/token", &fields, headers).await
}

async fn refresh(router: &Router, program: &Program, token: &Value, headers: HeaderMap) -> Answer {
    let token = token["refresh_token"].as_str().unwrap();
    let fields =
        [("grant_type", "refresh_token"), ("client_id", program.id.as_str()), ("refresh_token", token)];
    form_post(router, "/oauth/token", &fields, headers).await
}

fn access(issued: &Value) -> &str {
    issued["access_token"].as_str().unwrap_or_else(|| panic!("no token: {issued}"))
}

fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// Lists the tools with a token under a scheme, and a proof.
async fn tools(router: &Router, scheme: &str, token: &str, proof: Option<&str>) -> Answer {
    ask(router, scheme, token, proof, &method("tools/list", &json!({}))).await
}

async fn ask(router: &Router, scheme: &str, token: &str, proof: Option<&str>, body: &Value) -> Answer {
    let mut request = post("/mcp", body);
    request.headers_mut().insert("host", "localhost:8080".parse().unwrap());
    request.headers_mut().insert(header::AUTHORIZATION, format!("{scheme} {token}").parse().unwrap());
    if let Some(proof) = proof {
        request.headers_mut().insert("dpop", proof.parse().unwrap());
    }
    send(router, request).await
}

fn challenges(answer: &Answer) -> Vec<String> {
    let all = answer.headers.get_all(header::WWW_AUTHENTICATE).iter();
    all.map(|value| value.to_str().unwrap().to_owned()).collect()
}

/// A program with a token that is bound to a key.
async fn bound(router: &Router, key: &ProofKey, scope: &str) -> (Program, Value) {
    let program = register(router, json!({})).await;
    let code = Browser::new(router).code(&program.authorize(&[("scope", scope)])).await;
    let issued = exchange(router, &program, &code, dpop(&at_token_endpoint(key))).await;
    assert_eq!(issued.status, StatusCode::OK, "{}", issued.text);
    (program, issued.json())
}

// Covers: RFC9449-5-type, RFC9449-6-thumbprint, RFC9449-7.1-scheme, RFC9449-7.2-bearer, RFC9449-7.1-challenge
#[tokio::test]
async fn a_bound_token_opens_the_tools_with_its_key_only() {
    let service = hub();
    let router = &service.router;
    let (key, other) = (ProofKey::new(), ProofKey::new());
    let (_, issued) = bound(router, &key, "openid read").await;
    assert_eq!(issued["token_type"], "DPoP");
    let token = access(&issued);
    assert_eq!(claims(token)["cnf"], json!({"jkt": key.thumbprint()}));

    for (scheme, address) in [("DPoP", MCP), ("dpop", "http://LOCALHOST:8080/mcp/")] {
        let proof = key.proof("POST", address, NOW, Some(token));
        let list = tools(router, scheme, token, Some(&proof)).await;
        assert_eq!(list.status, StatusCode::OK, "{}", list.text);
        assert!(list.text.contains("discover_syfthub_endpoints"));
        let again = tools(router, scheme, token, Some(&proof)).await;
        assert_eq!(again.status, StatusCode::UNAUTHORIZED, "a proof is good once");
        assert_eq!(again.json()["error"], "invalid_dpop_proof");
    }

    let good = || key.proof("POST", MCP, NOW, Some(token));
    let as_bearer = tools(router, "Bearer", token, Some(&good())).await;
    assert_eq!(as_bearer.status, StatusCode::UNAUTHORIZED);
    let asked = challenges(&as_bearer);
    assert!(asked[0].starts_with("Bearer error=\"invalid_token\""), "{asked:?}");
    assert_eq!(asked[1], "DPoP algs=\"ES256 EdDSA PS256 RS256\"");

    let wrong = [
        None,
        Some("x.y.z".to_owned()),
        Some(other.proof("POST", MCP, NOW, Some(token))),
        Some(key.proof("GET", MCP, NOW, Some(token))),
        Some(key.proof("POST", "https://evil.example/mcp", NOW, Some(token))),
        Some(key.proof("POST", TOKEN_ENDPOINT, NOW, Some(token))),
        Some(key.proof("POST", MCP, NOW - 61, Some(token))),
        Some(key.proof("POST", MCP, NOW + 61, Some(token))),
        Some(key.proof("POST", MCP, NOW, Some("another"))),
        Some(key.proof("POST", MCP, NOW, None)),
    ];
    for proof in wrong {
        let refused = tools(router, "DPoP", token, proof.as_deref()).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{proof:?}");
        assert_eq!(refused.json()["error"], "invalid_dpop_proof", "{proof:?}: {}", refused.text);
        let asked = challenges(&refused);
        assert!(asked[0].starts_with("DPoP error=\"invalid_dpop_proof\", error_description="), "{asked:?}");
        assert!(asked[0].contains("resource_metadata=\"http://localhost:8080/.well-known/"), "{asked:?}");
        assert!(asked[0].ends_with("algs=\"ES256 EdDSA PS256 RS256\""), "{asked:?}");
    }
}

// Covers: RFC9449-4.3-bound, RFC9449-7.1-scheme
#[tokio::test]
async fn a_token_that_is_bound_to_nothing_stays_a_bearers() {
    let service = hub();
    let router = &service.router;
    let program = register(router, json!({})).await;
    let code = Browser::new(router).code(&program.authorize(&[])).await;
    let issued = exchange(router, &program, &code, HeaderMap::new()).await.json();
    assert_eq!((&issued["token_type"], claims(access(&issued)).get("cnf")), (&json!("Bearer"), None));
    let key = ProofKey::new();
    let proof = key.proof("POST", MCP, NOW, Some(access(&issued)));
    let refused = tools(router, "DPoP", access(&issued), Some(&proof)).await;
    assert_eq!(
        (refused.status, refused.json()["error"].as_str()),
        (StatusCode::UNAUTHORIZED, Some("invalid_token"))
    );
    assert_eq!(tools(router, "Bearer", access(&issued), None).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_needs_more_is_asked_for_in_the_scheme_of_the_caller() {
    let service = hub();
    let router = &service.router;
    let key = ProofKey::new();
    let (_, issued) = bound(router, &key, "read").await;
    let token = access(&issued);
    let call = json!({"name": "publish_endpoint", "arguments": {}});
    let proof = key.proof("POST", MCP, NOW, Some(token));
    let refused = ask(router, "DPoP", token, Some(&proof), &method("tools/call", &call)).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    let asked = challenges(&refused);
    assert!(asked[0].starts_with("DPoP error=\"insufficient_scope\""), "{asked:?}");
}

// Covers: RFC9449-5-refresh, RFC9449-5-invalid, RFC9449-11.1-jti
#[tokio::test]
async fn a_refresh_token_of_a_public_client_is_bound_too() {
    let service = hub();
    let router = &service.router;
    let (key, other) = (ProofKey::new(), ProofKey::new());
    let (program, issued) = bound(router, &key, "read").await;
    for headers in [HeaderMap::new(), dpop(&at_token_endpoint(&other))] {
        let refused = refresh(router, &program, &issued, headers).await;
        assert_eq!(
            (refused.status, refused.json()["error"].as_str()),
            (StatusCode::BAD_REQUEST, Some("invalid_grant"))
        );
    }
    let proof = at_token_endpoint(&key);
    let next = refresh(router, &program, &issued, dpop(&proof)).await;
    assert_eq!(next.status, StatusCode::OK, "{}", next.text);
    let next = next.json();
    assert_eq!(next["token_type"], "DPoP");
    assert_eq!(claims(access(&next))["cnf"]["jkt"], key.thumbprint());
    for headers in [dpop(&proof), dpop("nonsense"), dpop(&key.proof("POST", MCP, NOW, None))] {
        let refused = refresh(router, &program, &next, headers).await;
        assert_eq!(
            (refused.status, refused.json()["error"].as_str()),
            (StatusCode::BAD_REQUEST, Some("invalid_dpop_proof")),
            "{}",
            refused.text
        );
    }
    let mut two = dpop(&at_token_endpoint(&key));
    two.append("dpop", at_token_endpoint(&key).parse().unwrap());
    let refused = refresh(router, &program, &next, two).await;
    assert_eq!(refused.json()["error"], "invalid_dpop_proof", "two headers");
    assert_eq!(refresh(router, &program, &next, dpop(&at_token_endpoint(&key))).await.status, StatusCode::OK);
}

// Covers: RFC9449-6.2-introspection
#[tokio::test]
async fn a_client_with_a_secret_may_change_its_key_and_sees_it_at_introspection() {
    let service = hub();
    let router = &service.router;
    let program = register(router, json!({"token_endpoint_auth_method": "client_secret_basic"})).await;
    let code = Browser::new(router).code(&program.authorize(&[])).await;
    let pair = BASE64_STANDARD.encode(format!("{}:{}", program.id, program.secret.as_deref().unwrap()));
    let basic: header::HeaderValue = format!("Basic {pair}").parse().unwrap();
    let with = |key: Option<&ProofKey>| {
        let mut headers = key.map(|key| dpop(&at_token_endpoint(key))).unwrap_or_default();
        headers.insert(header::AUTHORIZATION, basic.clone());
        headers
    };
    let (first, second) = (ProofKey::new(), ProofKey::new());
    let issued = exchange(router, &program, &code, with(Some(&first))).await.json();
    let next = refresh(router, &program, &issued, with(Some(&second))).await;
    assert_eq!(next.status, StatusCode::OK, "{}", next.text);
    for (token, key) in [(&issued, &first), (&next.json(), &second)] {
        let fields = [("token", access(token))];
        let known = form_post(router, "/oauth/introspect", &fields, with(None)).await.json();
        assert_eq!((&known["active"], &known["token_type"]), (&json!(true), &json!("DPoP")));
        assert_eq!(known["cnf"]["jkt"], key.thumbprint());
    }
}

// Covers: RFC9449-10-code, RFC9449-10-format
#[tokio::test]
async fn a_code_can_be_bound_before_it_is_made() {
    let service = hub();
    let router = &service.router;
    let (key, other) = (ProofKey::new(), ProofKey::new());
    let program = register(router, json!({})).await;
    let jkt = key.thumbprint();
    let mut browser = Browser::new(router);
    let code = browser.code(&program.authorize(&[("dpop_jkt", &jkt)])).await;
    for headers in [HeaderMap::new(), dpop(&at_token_endpoint(&other))] {
        let refused = exchange(router, &program, &code, headers).await;
        assert_eq!(refused.json()["error"], "invalid_grant", "{}", refused.text);
    }
    let issued = exchange(router, &program, &code, dpop(&at_token_endpoint(&key))).await;
    assert_eq!(issued.json()["token_type"], "DPoP", "{}", issued.text);
    let answer = browser.get(&program.authorize(&[("dpop_jkt", "short")])).await;
    assert_eq!(told(&answer)["error"], "invalid_request");
}

// Covers: RFC9449-10.1-par, RFC9449-10.1-same
#[tokio::test]
async fn a_pushed_request_is_bound_by_its_proof() {
    let service = hub();
    let router = &service.router;
    let (key, other) = (ProofKey::new(), ProofKey::new());
    let program = register(router, json!({})).await;
    let push = async |more: &[(&str, &str)], headers: HeaderMap| {
        let authorize = program.authorize(more);
        let query = authorize.split_once('?').unwrap().1.to_owned();
        let fields: Vec<(String, String)> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        form_post(router, "/oauth/par", &fields, headers).await
    };
    let proof = |key: &ProofKey| dpop(&key.proof("POST", "http://localhost:8080/mcp/oauth/par", NOW, None));
    let jkt = other.thumbprint();
    let refused = push(&[("dpop_jkt", &jkt)], proof(&key)).await;
    assert_eq!(refused.json()["error"], "invalid_dpop_proof", "{}", refused.text);
    let refused = push(&[], dpop(&at_token_endpoint(&key))).await;
    assert_eq!(refused.json()["error"], "invalid_dpop_proof", "made for another address: {}", refused.text);

    let pushed = push(&[], proof(&key)).await;
    assert_eq!(pushed.status, StatusCode::CREATED, "{}", pushed.text);
    let name = pushed.json()["request_uri"].as_str().unwrap().to_owned();
    let authorize =
        format!("/oauth/authorize?{}", form(&[("client_id", &program.id), ("request_uri", &name)]));
    let code = Browser::new(router).code(&authorize).await;
    let refused = exchange(router, &program, &code, dpop(&at_token_endpoint(&other))).await;
    assert_eq!(refused.json()["error"], "invalid_grant");
    let issued = exchange(router, &program, &code, dpop(&at_token_endpoint(&key))).await;
    assert_eq!(issued.json()["token_type"], "DPoP", "{}", issued.text);
}

// Covers: RFC9449-5.2-only
#[tokio::test]
async fn a_client_that_wants_bound_tokens_only_gets_no_others() {
    let service = hub();
    let router = &service.router;
    let program = register(router, json!({"dpop_bound_access_tokens": true})).await;
    assert_eq!(program.registered["dpop_bound_access_tokens"], true);
    let code = Browser::new(router).code(&program.authorize(&[])).await;
    let refused = exchange(router, &program, &code, HeaderMap::new()).await;
    assert_eq!(
        (refused.status, refused.json()["error"].as_str()),
        (StatusCode::BAD_REQUEST, Some("invalid_dpop_proof"))
    );
    let issued = exchange(router, &program, &code, dpop(&at_token_endpoint(&ProofKey::new()))).await;
    assert_eq!(issued.json()["token_type"], "DPoP", "{}", issued.text);
}

#[tokio::test]
async fn userinfo_asks_for_the_key_and_the_documents_name_the_algorithms() {
    let service = hub();
    let router = &service.router;
    let key = ProofKey::new();
    let (_, issued) = bound(router, &key, "openid read").await;
    let token = access(&issued);
    let userinfo = async |scheme: &str, proof: Option<String>| {
        let request = Request::get("/oauth/userinfo").header("authorization", format!("{scheme} {token}"));
        let request = proof.into_iter().fold(request, |request, proof| request.header("dpop", proof));
        send(router, request.body(Body::empty()).unwrap()).await
    };
    let proof = || Some(key.proof("GET", "http://localhost:8080/mcp/oauth/userinfo", NOW, Some(token)));
    let told = userinfo("DPoP", proof()).await;
    assert_eq!((told.status, &told.json()["sub"]), (StatusCode::OK, &json!("7")), "{}", told.text);
    assert_eq!(userinfo("Bearer", proof()).await.status, StatusCode::UNAUTHORIZED);
    let without = userinfo("DPoP", None).await;
    assert_eq!(without.json()["error"], "invalid_dpop_proof");
    assert!(challenges(&without)[0].starts_with("DPoP error=\"invalid_dpop_proof\", algs="));

    let algorithms = json!(["ES256", "EdDSA", "PS256", "RS256"]);
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource/api",
    ] {
        let document = send(router, Request::get(path).body(Body::empty()).unwrap()).await.json();
        assert_eq!(document["dpop_signing_alg_values_supported"], algorithms, "{path}");
    }
}
