//! Registration of clients, and what happens to it later.

use http::Method;
use serde_json::{Value, json};

use crate::oauth_journey::{CALLBACK, Somebody, issuer, start, text};

// Covers: RFC7591-3.1-json, RFC7591-3.2.1-created, RFC7591-3.2.1-metadata, RFC7591-3.2.1-unique, RFC7591-3.2.2-error
// Covers: RFC7591-2-unknown, RFC7591-2.1-consistent, RFC6749-2.2-unique, CIMD-7.1-prefix, RFC8252-8.4-type
// Covers: RFC8252-8.5-public, RFC9700-4.15.1-identifiers, RFC7591-2-defaults
#[tokio::test]
async fn whoever_registers_is_told_what_was_understood() {
    let hub = start();
    let mut program = Somebody::at(&hub);
    let more = json!({
        "client_uri": "https://client.example", "logo_uri": "https://client.example/l.png", "contacts": ["a@b.example"],
        "tos_uri": "https://client.example/t", "policy_uri": "https://client.example/p", "software_id": "x",
        "software_version": "1", "application_type": "native", "scope": "read", "client_id": "mine",
        "client_secret": "mine", "unknown": {"x": 1}, "client_name#de": "Ein Programm",
    });
    let made = program.register_as(more.clone()).await;
    assert_eq!((made.status, made.header("content-type")), (201, "application/json"), "{}", made.text);
    assert!(made.header("cache-control").contains("no-store") && made.header("pragma") == "no-cache");
    let made = made.json();
    let id = text(&made, "client_id");
    assert!(id.starts_with("client_") && id.len() > 40, "{id}");
    for name in
        ["client_uri", "logo_uri", "contacts", "tos_uri", "policy_uri", "software_id", "application_type"]
    {
        assert_eq!(made[name], more[name], "{name}");
    }
    assert_eq!((&made["redirect_uris"], text(&made, "client_name")), (&json!([CALLBACK]), "A program"));
    assert_eq!(made["response_types"], json!(["code"]));
    assert_eq!(made["grant_types"], json!(["authorization_code", "refresh_token"]));
    assert!(made["client_id_issued_at"].as_i64().is_some_and(|at| at > 1_700_000_000));
    assert!(
        made["client_secret"].is_null() && made["unknown"].is_null(),
        "a public one has no secret: {made}"
    );
    let again = program.register_as(more).await.json();
    assert_ne!(again["client_id"], made["client_id"]);
    let usual = program.register_as(json!({"token_endpoint_auth_method": null})).await.json();
    assert_eq!(text(&usual, "token_endpoint_auth_method"), "client_secret_basic");
    assert!(usual["client_secret"].is_string());
    for bad in [
        json!({"token_endpoint_auth_method": "nonsense"}),
        json!({"response_types": ["token"]}),
        json!({"response_types": ["code"], "grant_types": ["implicit"]}),
        json!({"grant_types": "authorization_code"}),
        json!({"application_type": "toaster"}),
        json!({"client_name": 7}),
        json!({"logo_uri": "javascript:alert(1)"}),
    ] {
        let refused = program.register_as(bad.clone()).await;
        assert_eq!(refused.refusal(), (400, "invalid_client_metadata".to_owned()), "{bad}");
        assert!(refused.json()["error_description"].is_string());
        assert!(refused.header("cache-control").contains("no-store"));
    }
    for body in ["", "[]", "nonsense", "\"x\""] {
        let json = [("content-type", "application/json")];
        let refused = program.send(Method::POST, "/mcp/oauth/register", &json, body.to_owned()).await;
        assert_eq!(refused.status, 400, "{body}");
    }
}

// Covers: RFC7592-2-token, RFC7592-2.1-read, RFC7592-2.2-replace, RFC7592-2.2-id, RFC7592-2.2-secret
// Covers: RFC7592-2.3-delete, RFC7592-2.3-end, RFC7592-2-unknown, RFC7592-3-members, RFC7592-5-random
#[tokio::test]
async fn only_the_token_of_a_registration_changes_it() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let made = program.register_as(json!({"token_endpoint_auth_method": "client_secret_post"})).await.json();
    let other = program.register_as(json!({})).await.json();
    let address = text(&made, "registration_client_uri").strip_prefix(&hub.url).unwrap().to_owned();
    let token = text(&made, "registration_access_token");
    assert!(token.len() > 43 && token != text(&other, "registration_access_token"));
    let mut ask = async |method: Method, path: &str, token: &str, body: &Value| {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        program.send(method, path, &headers, body.to_string()).await
    };
    let none = Value::Null;
    for wrong in ["", "nonsense", text(&made, "client_secret"), text(&other, "registration_access_token")] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            assert_eq!(ask(method.clone(), &address, wrong, &none).await.status, 401, "{method} {wrong}");
        }
    }
    let nobody = "/mcp/oauth/register/client_nobody";
    assert_eq!(ask(Method::GET, nobody, token, &none).await.status, 401, "whether it exists is not told");
    let read = ask(Method::GET, &address, token, &none).await;
    assert_eq!((read.status, read.header("cache-control").contains("no-store")), (200, true));
    assert_eq!(read.json()["client_id"], made["client_id"]);
    let mut change = json!({
        "client_id": made["client_id"], "client_secret": made["client_secret"], "client_name": "Renamed",
        "redirect_uris": ["https://client.example/new"], "token_endpoint_auth_method": "client_secret_post",
    });
    let changed = ask(Method::PUT, &address, token, &change).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let now = ask(Method::GET, &address, token, &none).await.json();
    assert_eq!(
        (text(&now, "client_name"), &now["redirect_uris"]),
        ("Renamed", &json!(["https://client.example/new"]))
    );
    for (name, value) in [
        ("client_id", json!("client_other")),
        ("client_id", Value::Null),
        ("client_secret", json!("chosen")),
        ("redirect_uris", json!(["http://evil.example"])),
        ("token_endpoint_auth_method", json!("none")),
    ] {
        let before = std::mem::replace(&mut change[name], value.clone());
        assert_eq!(ask(Method::PUT, &address, token, &change).await.status, 400, "{name} {value}");
        change[name] = before;
    }
    assert_eq!(ask(Method::DELETE, &address, token, &none).await.status, 204);
    assert_eq!(ask(Method::GET, &address, token, &none).await.status, 401, "its token went with it");

    let client = text(&other, "client_id").to_owned();
    let manages = text(&other, "registration_access_token").to_owned();
    let address = text(&other, "registration_client_uri").strip_prefix(&hub.url).unwrap().to_owned();
    let issued = Somebody::at(&hub).issued(&client, "ada", &issuer(&hub), "read").await;
    assert_eq!(ask(Method::DELETE, &address, &manages, &none).await.status, 204);
    let mut program = Somebody::at(&hub);
    assert_eq!(program.tools(text(&issued, "access_token")).await, 401, "and so did what was issued to it");
    let over = program.refresh(&client, text(&issued, "refresh_token")).await;
    assert_eq!(over.refusal(), (401, "invalid_client".to_owned()));
}
