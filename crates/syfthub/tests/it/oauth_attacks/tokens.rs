//! Tokens that are not what they say: forged, for somebody else, or of another kind.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};
use syfthub_auth::keys::SigningKey;

use crate::oauth_journey::{Somebody, api, claims, issuer, part, start, start_again, text};

fn encoded(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A token of this header and these claims, signed with a key that the attacker has.
fn forged(header: &Value, claims: &Value, key: &EncodingKey, algorithm: Algorithm) -> String {
    let signed = format!("{}.{}", encoded(header), encoded(claims));
    let signature = crypto::sign(signed.as_bytes(), key, algorithm).unwrap();
    format!("{signed}.{signature}")
}

/// One element of DER.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let length = if content.len() < 128 { vec![length[1]] } else { [&[0x82], length.as_slice()].concat() };
    [&[tag], length.as_slice(), content].concat()
}

/// Everything that servers were known to take for a secret: the public key in all its forms.
fn public_key_as_text(jwk: &Value) -> Vec<Vec<u8>> {
    let number = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(text(jwk, name)).unwrap();
    let (modulus, exponent) = (number("n"), number("e"));
    let positive = |bytes: &[u8]| der(2, &[&[0], bytes].concat());
    let pkcs1 = der(0x30, &[positive(&modulus), der(2, &exponent)].concat());
    let rsa = der(0x30, &[0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0]);
    let spki = der(0x30, &[rsa, der(3, &[&[0], pkcs1.as_slice()].concat())].concat());
    let base64 = BASE64_STANDARD.encode(&spki);
    let lines: Vec<&str> =
        base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----", lines.join("\n"));
    let with_newline = format!("{pem}\n").into_bytes();
    vec![pem.into_bytes(), with_newline, spki, pkcs1, modulus, jwk.to_string().into_bytes(), Vec::new()]
}

/// The token without a signature, and signed with what everybody knows.
fn unsigned(token: &str, jwk: &Value) -> Vec<String> {
    let (header, good) = (part(token, 0), claims(token));
    assert_eq!((header["alg"].as_str(), header["typ"].as_str()), (Some("RS256"), Some("at+jwt")));
    assert_eq!(header["kid"], jwk["kid"]);
    let kid = &header["kid"];
    let signature = token.rsplit('.').next().unwrap();
    let mut bad = Vec::new();
    for none in ["none", "None", "NONE", "nOnE"] {
        let header = encoded(&json!({"alg": none, "typ": "at+jwt", "kid": kid}));
        let body = format!("{header}.{}", encoded(&good));
        bad.extend([format!("{body}."), format!("{body}.{signature}"), body]);
    }
    for secret in public_key_as_text(jwk) {
        let key = EncodingKey::from_secret(&secret);
        for (name, algorithm) in [("HS256", Algorithm::HS256), ("HS512", Algorithm::HS512)] {
            bad.push(forged(&json!({"alg": name, "typ": "at+jwt", "kid": kid}), &good, &key, algorithm));
        }
    }
    bad
}

/// The token signed with a key of the attacker, and everything that could make a server take that key.
fn signed_by_others(token: &str) -> Vec<String> {
    let own = SigningKey::generate().unwrap();
    let key = EncodingKey::from_rsa_pem(own.to_pkcs8_pem().unwrap().as_bytes()).unwrap();
    let (kid, jwk, good) = (part(token, 0)["kid"].clone(), own.public().jwk(), claims(token));
    [
        json!({"kid": kid}),
        json!({}),
        json!({"kid": own.kid()}),
        json!({"kid": kid, "jwk": jwk}),
        json!({"jwk": jwk}),
        json!({"kid": kid, "jku": "https://evil.example/keys"}),
        json!({"kid": kid, "x5u": "https://evil.example/key"}),
        json!({"kid": "../../../../dev/null"}),
        json!({"kid": "x' OR '1'='1"}),
        json!({"kid": ""}),
        json!({"kid": "https://evil.example/keys"}),
        json!({"kid": kid, "crit": ["b64"], "b64": false}),
    ]
    .into_iter()
    .map(|mut header| {
        (header["alg"], header["typ"]) = (json!("RS256"), json!("at+jwt"));
        forged(&header, &good, &key, Algorithm::RS256)
    })
    .collect()
}

/// A good signature under something else, and what is no token at all.
fn changed(token: &str) -> Vec<String> {
    let (header, good) = (part(token, 0), claims(token));
    let signature = token.rsplit('.').next().unwrap();
    let mut bad: Vec<String> =
        [("sub", json!("2")), ("scope", json!("read write full")), ("exp", json!(i64::MAX))]
            .into_iter()
            .map(|(name, value)| {
                let mut other = good.clone();
                other[name] = value;
                format!("{}.{}.{signature}", encoded(&header), encoded(&other))
            })
            .collect();
    let plain = encoded(&json!({"alg": "RS256", "typ": "JWT", "kid": header["kid"]}));
    bad.push(format!("{plain}.{}.{signature}", encoded(&good)));
    bad.extend([
        format!("{token}A"),
        token[..token.len() - 4].to_owned(),
        "..".to_owned(),
        "a.b.c".to_owned(),
    ]);
    bad
}

// Covers: RFC9068-2.1-signed, RFC9068-4-signature, RFC9068-4-none, RFC9068-4-typ, MCP2025-11-25-token-validate
// Covers: MCP2026-07-28-token-validate, RFC6750-5.2-integrity
#[tokio::test]
async fn no_signature_but_that_of_the_hub_is_taken() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let mut browser = Somebody::at(&hub);
    let mcp = browser.issued(&client, "ada", &issuer(&hub), "openid read").await;
    let hub_api = browser.issued(&client, "ada", &api(&hub), "read").await;
    let jwk = program.get("/mcp/.well-known/jwks.json").await.json()["keys"][0].clone();
    for (token, is_mcp) in [(text(&mcp, "access_token"), true), (text(&hub_api, "access_token"), false)] {
        let bad = [unsigned(token, &jwk), signed_by_others(token), changed(token)].concat();
        for (index, bad) in bad.iter().enumerate() {
            let status = if is_mcp {
                program.tools(bad).await
            } else {
                hub.call("GET", "/api/v1/auth/me", None, Some(bad)).await.0
            };
            assert_eq!(status, 401, "{index}: {bad}");
        }
    }
    assert_eq!(program.tools(text(&mcp, "access_token")).await, 200, "the good one is good all the time");
    let (status, _) = hub.call("GET", "/api/v1/auth/me", None, Some(text(&hub_api, "access_token"))).await;
    assert_eq!(status, 200);
}

// Covers: RFC9068-4-aud, RFC9700-2.3-audience, RFC9700-4.10.2-audience, MCP2025-11-25-token-audience, RFC9068-5-confusion
// Covers: MCP2026-07-28-token-audience, MCP2025-11-25-token-own, MCP2026-07-28-token-own, MCP2025-11-25-privilege-audience
// Covers: MCP2026-07-28-privilege-audience, RFC6750-5.2-audience, RFC8707-2-restrict
#[tokio::test]
async fn tokens_of_another_kind_or_for_another_resource_open_nothing() {
    let (hub, other) = (start(), start());
    let pat = hub.register("ada").await;
    other.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let mut browser = Somebody::at(&hub);
    let mcp = browser.issued(&client, "ada", &issuer(&hub), "openid read write").await;
    let hub_api = browser.issued(&client, "ada", &api(&hub), "openid full").await;
    let unused = browser.code(&client, "ada", &issuer(&hub), "read").await;
    let mut elsewhere = Somebody::at(&other);
    let theirs = elsewhere.register().await;
    let foreign = elsewhere.issued(&theirs, "ada", &issuer(&other), "openid read").await;
    let (_, satellite) = hub.call("GET", "/api/v1/token?aud=ada", None, Some(&pat)).await;
    let satellite = satellite["target_token"].as_str().unwrap_or("x.y.z").to_owned();
    let session = browser.cookies.iter().find(|(name, _)| name.contains("session")).unwrap().1.clone();
    for (what, token) in [
        ("for the API", text(&hub_api, "access_token")),
        ("an ID token", text(&mcp, "id_token")),
        ("an ID token for the API", text(&hub_api, "id_token")),
        ("a refresh token", text(&mcp, "refresh_token")),
        ("a code", unused.as_str()),
        ("of another hub", text(&foreign, "access_token")),
        ("a satellite token", satellite.as_str()),
        ("a personal access token", pat.as_str()),
        ("a session", session.as_str()),
        ("a client", client.as_str()),
    ] {
        let refused = program.mcp(token, "tools/list", json!({})).await;
        assert_eq!(refused.status, 401, "{what}: {}", refused.text);
        assert!(refused.header("www-authenticate").contains("error=\"invalid_token\""), "{what}");
    }
    for (what, token) in [
        ("for MCP", text(&mcp, "access_token")),
        ("an ID token", text(&hub_api, "id_token")),
        ("a refresh token", text(&hub_api, "refresh_token")),
        ("of another hub", text(&foreign, "access_token")),
        ("a session", session.as_str()),
    ] {
        for path in ["/api/v1/auth/me", "/api/v1/endpoints", "/v1/models"] {
            let (status, told) = hub.call("GET", path, None, Some(token)).await;
            assert_eq!(status, 401, "{what} at {path}: {told}");
        }
        let userinfo = [("authorization", format!("Bearer {}", text(&foreign, "access_token")))];
        let userinfo: Vec<(&str, &str)> = userinfo.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let refused = program.send(http::Method::GET, "/mcp/oauth/userinfo", &userinfo, String::new()).await;
        assert_eq!(refused.status, 401);
    }
}

// Covers: RFC9068-4-iss
#[tokio::test]
async fn a_good_signature_of_another_issuer_is_not_enough() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let mut browser = Somebody::at(&hub);
    let mcp = browser.issued(&client, "ada", &issuer(&hub), "read").await;
    let hub_api = browser.issued(&client, "ada", &api(&hub), "read").await;
    let port = hub.url.rsplit(':').next().unwrap().to_owned();
    let elsewhere = format!("{}/elsewhere", hub.url);
    let (directory, _) = hub.stop();
    // The same keys and the same resource, and the issuer has another name.
    let hub = start_again(&port, directory, &[("OAUTH_ISSUER", &elsewhere)]);
    let mut program = Somebody::at(&hub);
    assert_eq!(program.tools(text(&mcp, "access_token")).await, 401);
    let (status, _) = hub.call("GET", "/api/v1/auth/me", None, Some(text(&hub_api, "access_token"))).await;
    assert_eq!(status, 401);
    let (directory, _) = hub.stop();
    let hub = start_again(&port, directory, &[]);
    assert_eq!(Somebody::at(&hub).tools(text(&mcp, "access_token")).await, 200);
}

// Covers: RFC9700-4.3.2-query, RFC6750-2.3-query, MCP2025-11-25-token-query, MCP2026-07-28-token-query
// Covers: RFC6750-2-one-method, RFC6749-2.3.1-query
#[tokio::test]
async fn a_token_in_an_address_or_a_body_or_a_cookie_is_no_credential() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let issued = Somebody::at(&hub).issued(&client, "ada", &issuer(&hub), "openid read").await;
    let token = text(&issued, "access_token");
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    let form = format!("access_token={token}");
    let cookie = format!("access_token={token}; syfthub_session={token}");
    let json = ("content-type", "application/json");
    let accept = ("accept", "application/json, text/event-stream");
    let encoded = ("content-type", "application/x-www-form-urlencoded");
    for (path, headers, body) in [
        (format!("/mcp?access_token={token}"), vec![json, accept], list.clone()),
        (format!("/mcp?authorization=Bearer%20{token}"), vec![json, accept], list.clone()),
        ("/mcp".to_owned(), vec![encoded, accept], form.clone()),
        ("/mcp".to_owned(), vec![json, accept, ("cookie", cookie.as_str())], list.clone()),
        (format!("/mcp/oauth/userinfo?access_token={token}"), vec![encoded], String::new()),
        ("/mcp/oauth/userinfo".to_owned(), vec![encoded], form.clone()),
    ] {
        let refused = program.send(http::Method::POST, &path, &headers, body).await;
        assert_eq!(refused.status, 401, "{path}: {}", refused.text);
    }
    let secret =
        program.register_as(json!({"token_endpoint_auth_method": "client_secret_post"})).await.json();
    let (id, secret) = (text(&secret, "client_id"), text(&secret, "client_secret"));
    let path = format!("/mcp/oauth/token?client_id={id}&client_secret={secret}");
    let refused =
        program.form_with(&path, &[("grant_type", "refresh_token"), ("refresh_token", "x")], &[]).await;
    assert_eq!(refused.refusal(), (401, "invalid_client".to_owned()), "nor is a secret in an address");
}
