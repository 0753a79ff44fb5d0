//! The token endpoint, and what can be asked about a token.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use serde_json::{Value, json};

use crate::oauth_journey::{Answer, Somebody, api, claims, form, issuer, part, start, text};

/// Refused by the token endpoint as the standard says it.
fn assert_refused(answer: &Answer, status: u16, error: &str, what: &str) {
    assert_eq!(answer.refusal(), (status, error.to_owned()), "{what}: {}", answer.text);
    assert_eq!(answer.header("content-type"), "application/json", "{what}");
    assert!(answer.header("cache-control").contains("no-store"), "{what}");
    let told = answer.json();
    let plain = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
    assert!(told["error_description"].as_str().is_some_and(|text| text.bytes().all(plain)), "{told}");
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")))
}

// Covers: RFC6749-5.1-members, RFC6749-5.1-cache, RFC6749-10.3-random, RFC6749-10.10-guess
// Covers: RFC9700-2.2.1-lifetime, MCP2025-11-25-token-theft-short, MCP2026-07-28-token-theft-short
// Covers: RFC9068-2.1-typ, RFC9068-2.1-rs256, RFC9068-2.2-claims, RFC6750-5.3-short, RFC6750-5.2-scope
#[tokio::test]
async fn what_is_issued_has_the_form_of_the_standards() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let mut browser = Somebody::at(&hub);
    let code = browser.code(&client, "ada", &issuer(&hub), "read").await;
    assert!(code.len() >= 43 && code.is_ascii());
    let issued = program.exchange(&client, &code).await;
    assert_eq!((issued.status, issued.header("content-type")), (200, "application/json"));
    assert!(issued.header("cache-control").contains("no-store"));
    assert_eq!(issued.header("pragma"), "no-cache");
    let issued = issued.json();
    assert_eq!((text(&issued, "token_type"), text(&issued, "scope")), ("Bearer", "read"));
    assert_eq!(issued["expires_in"], 3600);
    assert!(issued["id_token"].is_null(), "nobody asked for openid");
    let access = text(&issued, "access_token");
    let header = part(access, 0);
    assert_eq!((text(&header, "alg"), text(&header, "typ")), ("RS256", "at+jwt"));
    assert!(header["kid"].is_string());
    let told = claims(access);
    for name in ["iss", "sub", "client_id", "jti", "scope", "sid"] {
        assert!(told[name].as_str().is_some_and(|value| !value.is_empty()), "{name}: {told}");
    }
    let (begun, ends) = (told["iat"].as_i64().unwrap(), told["exp"].as_i64().unwrap());
    assert_eq!(ends - begun, 3600);
    assert_eq!((text(&told, "iss"), text(&told, "client_id")), (&*issuer(&hub), &*client));
    let refresh = text(&issued, "refresh_token");
    assert!(refresh.strip_prefix("syft_rt_").is_some_and(|random| random.len() == 43), "256 random bits");
    let second = browser.issued(&client, "ada", &issuer(&hub), "read").await;
    assert_ne!(told["jti"], claims(text(&second, "access_token"))["jti"]);
}

// Covers: RFC6749-3.2-post, RFC6749-3.2-parameters, RFC6749-5.2-errors, RFC6749-5.2-grant, RFC9700-2.4-password
// Covers: RFC9700-2.1.2-implicit, RFC6749-10.7-password, MCP2025-11-25-overview-oauth21, MCP2026-07-28-overview-oauth21
// Covers: RFC7636-4.1-verifier, MCP2025-11-25-error-status, RFC6749-4.1.3-code
#[tokio::test]
async fn the_token_endpoint_refuses_in_the_words_of_the_standard() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let code = Somebody::at(&hub).code(&client, "ada", &issuer(&hub), "read").await;
    let short = "a".repeat(42);
    let strange = "ä".repeat(43);
    for (changes, status, error) in [
        (("grant_type", ""), 400, "invalid_request"),
        (("grant_type", "password"), 400, "unsupported_grant_type"),
        (("grant_type", "implicit"), 400, "unsupported_grant_type"),
        (("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), 400, "unsupported_grant_type"),
        (("code", ""), 400, "invalid_request"),
        (("code", "unknown"), 400, "invalid_grant"),
        (("code", "syft_ac_unknown"), 400, "invalid_grant"),
        (("code_verifier", ""), 400, "invalid_grant"),
        (("code_verifier", short.as_str()), 400, "invalid_grant"),
        (("code_verifier", strange.as_str()), 400, "invalid_grant"),
        (("redirect_uri", "https://client.example/other"), 400, "invalid_grant"),
        (("redirect_uri", ""), 400, "invalid_grant"),
        (("client_id", "client_nobody"), 401, "invalid_client"),
        (("client_id", ""), 401, "invalid_client"),
    ] {
        let refused = program.exchange_with(&client, &code, &[changes]).await;
        assert_refused(&refused, status, error, &format!("{changes:?}"));
    }
    let good = [
        ("grant_type", "authorization_code"),
        ("client_id", client.as_str()),
        ("code", code.as_str()),
        ("code_verifier", crate::oauth_journey::VERIFIER),
    ];
    for name in ["grant_type", "client_id", "code", "code_verifier", "redirect_uri"] {
        let twice = [good.as_slice(), &[(name, "x"), (name, "y")]].concat();
        let refused = program.form_with("/mcp/oauth/token", &twice, &[]).await;
        assert_refused(&refused, 400, "invalid_request", name);
    }
    let query = form(&good);
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let path = format!("/mcp/oauth/token?{query}");
        let refused = program.send(method.clone(), &path, &[], String::new()).await;
        assert_eq!(refused.status, 405, "{method}");
    }
    let unknown = program.exchange_with(&client, &code, &[("unknown", "x"), ("scope", "")]).await;
    assert_eq!(unknown.status, 200, "what is unknown is ignored: {}", unknown.text);
    let dynamic = json!({"grant_types": ["authorization_code", "implicit", "password"]});
    let dynamic = program.register_as(dynamic).await.json();
    assert_eq!(dynamic["grant_types"], json!(["authorization_code"]), "and so are grants that are not there");
}

// Covers: RFC6749-2.3.1-basic, RFC6749-2.3-one, RFC6749-3.2.1-client, RFC6749-5.2-challenge, RFC9700-2.5-client
// Covers: RFC6749-10.1-secret, RFC6749-10.2-authenticate, RFC7591-3.2.1-secret
#[tokio::test]
async fn clients_with_a_secret_prove_it_in_one_way() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let mut browser = Somebody::at(&hub);
    for method in ["client_secret_basic", "client_secret_post"] {
        let made = program.register_as(json!({"token_endpoint_auth_method": method})).await.json();
        let (id, secret) = (text(&made, "client_id").to_owned(), text(&made, "client_secret").to_owned());
        assert!(secret.len() >= 43 && made["client_secret_expires_at"] == 0);
        let code = browser.code(&id, "ada", &issuer(&hub), "read").await;
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", crate::oauth_journey::CALLBACK),
            ("code_verifier", crate::oauth_journey::VERIFIER),
        ];
        let (right, wrong) = (basic(&id, &secret), basic(&id, "wrong"));
        let own = ("client_id", id.as_str());
        for (more, authorization, status, error) in [
            (vec![own], "", 401, "invalid_client"),
            (vec![own, ("client_secret", "wrong")], "", 401, "invalid_client"),
            (vec![], wrong.as_str(), 401, "invalid_client"),
            (vec![], "Basic !", 401, "invalid_client"),
            (vec![("client_secret", secret.as_str())], right.as_str(), 400, "invalid_request"),
            (vec![("client_id", "other")], right.as_str(), 400, "invalid_request"),
        ] {
            let all = [fields.as_slice(), &more].concat();
            let headers = [("authorization", authorization)];
            let headers = if authorization.is_empty() { &[] } else { headers.as_slice() };
            let refused = program.form_with("/mcp/oauth/token", &all, headers).await;
            assert_refused(&refused, status, error, &format!("{more:?} {authorization}"));
            if status == 401 {
                assert!(refused.header("www-authenticate").starts_with("Basic"), "{more:?}");
            }
        }
        let issued = if method == "client_secret_basic" {
            program.form_with("/mcp/oauth/token", &fields, &[("authorization", &right)]).await
        } else {
            let all = [fields.as_slice(), &[own, ("client_secret", secret.as_str())]].concat();
            program.form_with("/mcp/oauth/token", &all, &[]).await
        };
        assert_eq!(issued.status, 200, "{}", issued.text);
        let issued = issued.json();
        let token = text(&issued, "refresh_token");
        let bare = [("grant_type", "refresh_token"), ("refresh_token", token), own];
        let refused = program.form_with("/mcp/oauth/token", &bare, &[]).await;
        assert_refused(&refused, 401, "invalid_client", "a refresh without the secret");
    }
}

/// A client with a secret, and what was issued to it.
async fn confidential(program: &mut Somebody<'_>, resource: &str) -> (String, String, Value) {
    let made = program.register_as(json!({"token_endpoint_auth_method": "client_secret_basic"})).await.json();
    let (id, secret) = (text(&made, "client_id").to_owned(), text(&made, "client_secret").to_owned());
    let code = Somebody::at(program.hub).code(&id, "ada", resource, "openid email read").await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", crate::oauth_journey::CALLBACK),
        ("code_verifier", crate::oauth_journey::VERIFIER),
    ];
    let headers = [("authorization", &*basic(&id, &secret))].map(|(n, v)| (n, v.to_owned()));
    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let issued = program.form_with("/mcp/oauth/token", &fields, &headers).await;
    assert_eq!(issued.status, 200, "{}", issued.text);
    (id.clone(), basic(&id, &secret), issued.json())
}

// Covers: RFC7009-2-refresh, RFC7009-2-access, RFC7009-2.1-grant, RFC7009-2.1-client, RFC7009-2.1-owner
// Covers: RFC7009-2.1-hint, RFC7009-2.2-unknown, RFC9700-4.14.2-revoke
#[tokio::test]
async fn what_is_revoked_is_over_and_only_its_client_can_do_it() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let (public, other) = (program.register().await, program.register().await);
    let mut browser = Somebody::at(&hub);
    let revoke = "/mcp/oauth/revoke";
    for kind in ["refresh_token", "access_token"] {
        for hint in ["", "refresh_token", "access_token", "nonsense"] {
            let issued = browser.issued(&public, "ada", &issuer(&hub), "read").await;
            let token = text(&issued, kind);
            let theirs = [("client_id", other.as_str()), ("token", token)];
            let theirs = program.form_with(revoke, &theirs, &[]).await;
            assert!(theirs.status == 200 || theirs.status == 400, "{}", theirs.text);
            assert_eq!(
                program.tools(text(&issued, "access_token")).await,
                200,
                "another client's token stays"
            );
            let own = [("client_id", public.as_str()), ("token", token), ("token_type_hint", hint)];
            assert_eq!(program.form_with(revoke, &own, &[]).await.status, 200);
            assert_eq!(program.tools(text(&issued, "access_token")).await, 401, "{kind} {hint}");
            let over = program.refresh(&public, text(&issued, "refresh_token")).await;
            assert_refused(&over, 400, "invalid_grant", kind);
            assert_eq!(program.form_with(revoke, &own, &[]).await.status, 200, "again is no error");
        }
    }
    for unknown in ["nonsense", "syft_rt_nonsense", "a.b.c"] {
        let fields = [("client_id", public.as_str()), ("token", unknown)];
        assert_eq!(program.form_with(revoke, &fields, &[]).await.status, 200, "{unknown}");
    }
    assert_eq!(program.form_with(revoke, &[("client_id", public.as_str())], &[]).await.status, 400);
    let (id, _, issued) = confidential(&mut program, &issuer(&hub)).await;
    let bare = [("client_id", id.as_str()), ("token", text(&issued, "access_token"))];
    let refused = program.form_with(revoke, &bare, &[]).await;
    assert_refused(&refused, 401, "invalid_client", "a client with a secret needs it");
    assert_eq!(program.tools(text(&issued, "access_token")).await, 200);
    assert_eq!(program.send(Method::GET, revoke, &[], String::new()).await.status, 405);
}

// Covers: RFC7662-2.1-authorized, RFC7662-2.1-post, RFC7662-2.2-active, RFC7662-2.2-inactive, RFC7662-4-checks
// Covers: RFC7662-2.2-only
#[tokio::test]
async fn only_the_client_of_a_live_token_learns_about_it() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let public = program.register().await;
    let (id, secret, issued) = confidential(&mut program, &issuer(&hub)).await;
    let (_, other, _) = confidential(&mut program, &api(&hub)).await;
    let token = text(&issued, "access_token").to_owned();
    let path = "/mcp/oauth/introspect";
    let told = program.form_with(path, &[("token", &token)], &[("authorization", &secret)]).await;
    assert_eq!((told.status, told.header("content-type")), (200, "application/json"));
    let told = told.json();
    assert_eq!((&told["active"], text(&told, "client_id")), (&json!(true), id.as_str()));
    for name in ["exp", "iat", "sub", "iss", "aud", "scope", "username"] {
        assert!(!told[name].is_null(), "{name}: {told}");
    }
    let inactive = json!({"active": false});
    let (body, signature) = token.rsplit_once('.').unwrap();
    let forged = format!("{body}.{}", signature.chars().rev().collect::<String>());
    for (what, token, credential) in [
        ("another client's", token.as_str(), &other),
        ("forged", forged.as_str(), &secret),
        ("nonsense", "nonsense", &secret),
        ("an ID token", text(&issued, "id_token"), &secret),
    ] {
        let told = program.form_with(path, &[("token", token)], &[("authorization", credential)]).await;
        assert_eq!((told.status, told.json()), (200, inactive.clone()), "{what}");
    }
    for (fields, headers, status) in [
        (vec![("token", token.as_str())], vec![], 401),
        (vec![("token", token.as_str()), ("client_id", public.as_str())], vec![], 401),
        (vec![("token", token.as_str())], vec![("authorization", "Basic eDp5")], 401),
        (vec![], vec![("authorization", secret.as_str())], 400),
    ] {
        assert_eq!(program.form_with(path, &fields, &headers).await.status, status, "{headers:?}");
    }
    let query = format!("{path}?token={token}");
    let headers = [("authorization", secret.as_str())];
    assert_eq!(program.send(Method::GET, &query, &headers, String::new()).await.status, 405);
    program.form_with("/mcp/oauth/revoke", &[("token", &token)], &headers).await;
    let over = program.form_with(path, &[("token", &token)], &headers).await;
    assert_eq!(over.json(), inactive, "revoked is not active");
}
