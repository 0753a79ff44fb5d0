//! Stolen, injected and replayed codes and refresh tokens, and requests that try to do without PKCE.

use std::collections::BTreeMap;

use futures::future::join_all;
use serde_json::json;

use crate::oauth_journey::{CALLBACK, CHALLENGE, Somebody, VERIFIER, api, claims, issuer, start, text};

const OTHER_VERIFIER: &str = "another-verifier-of-another-session-with-43-characters";

// Covers: RFC9700-2.1.1-support, RFC9700-2.1.1-enforce, RFC6749-4.1.3-client, RFC6749-4.1.3-redirect, RFC6749-10.5-bound
// Covers: OIDCCore-3.1.3.2-code, RFC6749-10.6-redirect
#[tokio::test]
async fn a_stolen_code_is_worth_nothing_in_another_session_or_at_another_client() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let (client, thief) = (program.register().await, program.register().await);
    let code = Somebody::at(&hub).code(&client, "ada", &issuer(&hub), "read").await;
    for changes in [
        vec![("code_verifier", OTHER_VERIFIER)],
        vec![("code_verifier", CHALLENGE)],
        vec![("client_id", thief.as_str())],
        vec![("client_id", thief.as_str()), ("code_verifier", OTHER_VERIFIER)],
        vec![("redirect_uri", "https://thief.example/cb")],
        vec![("redirect_uri", "https://client.example/cb/")],
    ] {
        let refused = program.exchange_with(&client, &code, &changes).await;
        assert_eq!(refused.refusal(), (400, "invalid_grant".to_owned()), "{changes:?}");
    }
    // Whoever tries does not take it away from the one whose it is.
    let issued = program.exchange(&client, &code).await;
    assert_eq!(issued.status, 200, "{}", issued.text);
    assert_eq!(program.tools(text(&issued.json(), "access_token")).await, 200);
}

// Covers: RFC9700-2.1.1-downgrade, RFC9700-4.8.2-verifier, RFC8252-8.1-pkce
#[tokio::test]
async fn no_request_can_do_without_the_proof_that_it_began_the_flow() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let mut browser = Somebody::at(&hub);
    let code = browser.code(&client, "ada", &issuer(&hub), "read").await;
    for changes in [
        vec![("code_challenge", ""), ("code_challenge_method", "")],
        vec![("code_challenge", "")],
        vec![("code_challenge_method", "")],
        vec![("code_challenge_method", "plain")],
        vec![("code_challenge_method", "s256")],
        vec![("code_challenge_method", "plain"), ("code_challenge", VERIFIER)],
    ] {
        let told = browser.agree(&program.authorize(&client, &changes), "ada").await.told();
        assert_eq!((told["error"].as_str(), told.get("code")), ("invalid_request", None), "{changes:?}");
    }
    // A client that lost its verifier, or one to which a code was handed that was not its own.
    let bare = program.exchange_with(&client, &code, &[("code_verifier", "")]).await;
    assert_eq!(bare.refusal(), (400, "invalid_grant".to_owned()));
    let secret =
        program.register_as(json!({"token_endpoint_auth_method": "client_secret_post"})).await.json();
    let (client, secret) = (text(&secret, "client_id"), text(&secret, "client_secret"));
    let code = browser.code(client, "ada", &issuer(&hub), "read").await;
    let told = browser.get(&program.authorize(client, &[("code_challenge", "")])).await.told();
    assert_eq!(told["error"], "invalid_request", "clients with a secret need it too");
    let fields = [("client_secret", secret), ("code_verifier", "")];
    let bare = program.exchange_with(client, &code, &fields).await;
    assert_eq!(bare.refusal(), (400, "invalid_grant".to_owned()));
}

// Covers: RFC6749-4.1.2-once, RFC6749-4.1.2-revoke, RFC6749-10.5-once, RFC9700-4.5.3-once
#[tokio::test]
async fn of_many_who_replay_a_code_one_gets_tokens_and_loses_them() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let code = Somebody::at(&hub).code(&client, "ada", &issuer(&hub), "read").await;
    let all = join_all((0..20).map(|_| async { Somebody::at(&hub).exchange(&client, &code).await })).await;
    let issued: Vec<_> = all.iter().filter(|answer| answer.status == 200).collect();
    assert!(issued.len() <= 1, "{} of 20 got tokens", issued.len());
    for refused in all.iter().filter(|answer| answer.status != 200) {
        assert_eq!(refused.refusal(), (400, "invalid_grant".to_owned()));
    }
    for issued in issued {
        let issued = issued.json();
        assert_eq!(program.tools(text(&issued, "access_token")).await, 401);
        let over = program.refresh(&client, text(&issued, "refresh_token")).await;
        assert_eq!(over.refusal(), (400, "invalid_grant".to_owned()));
    }
}

// Covers: RFC9700-2.2.2-rotation, RFC9700-4.14.2-replay, RFC6749-6-client, RFC6749-10.4-bound
// Covers: MCP2025-11-25-token-theft-rotation, MCP2026-07-28-token-theft-replay
#[tokio::test]
async fn a_stolen_refresh_token_ends_the_session_of_whoever_has_it() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let (client, thief) = (program.register().await, program.register().await);
    let first = program_tokens(&hub, &client).await;
    let stolen = text(&first, "refresh_token");
    let refused = program.refresh(&thief, stolen).await;
    assert_eq!(refused.refusal(), (400, "invalid_grant".to_owned()), "it belongs to one client");
    let second = program.refresh(&client, stolen).await.json();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    let third = program.refresh(&client, text(&second, "refresh_token")).await.json();
    let replayed = program.refresh(&client, stolen).await;
    assert_eq!(replayed.refusal(), (400, "invalid_grant".to_owned()));
    let over = program.refresh(&client, text(&third, "refresh_token")).await;
    assert_eq!(over.refusal(), (400, "invalid_grant".to_owned()), "the family is over");
    for issued in [&first, &second, &third] {
        assert_eq!(program.tools(text(issued, "access_token")).await, 401, "and so are its access tokens");
    }
}

async fn program_tokens(hub: &crate::hub::Hub, client: &str) -> serde_json::Value {
    Somebody::at(hub).issued(client, "ada", &issuer(hub), "read").await
}

// Covers: RFC6749-6-scope, RFC6749-6-same-scope, RFC9700-4.14.2-bound, RFC8707-2.2-token
#[tokio::test]
async fn a_refresh_gives_no_more_than_was_agreed_to() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let issued = Somebody::at(&hub).issued(&client, "ada", &issuer(&hub), "read write").await;
    let token = text(&issued, "refresh_token");
    for (changes, error) in [
        (("scope", "read write full"), "invalid_scope"),
        (("scope", "full"), "invalid_scope"),
        (("resource", api(&hub).as_str()), "invalid_grant"),
        (("resource", "https://evil.example/mcp"), "invalid_target"),
    ] {
        let refused = program.refresh_with(&client, token, &[changes]).await;
        assert_eq!(refused.refusal(), (400, error.to_owned()), "{changes:?}");
    }
    let less = program.refresh_with(&client, token, &[("scope", "read")]).await.json();
    assert_eq!(claims(text(&less, "access_token"))["scope"], "read");
    let again = program.refresh(&client, text(&less, "refresh_token")).await.json();
    assert_eq!(claims(text(&again, "access_token"))["scope"], "read write", "the next one is as it was");
}

// Covers: RFC9207-2-success, RFC9207-2-error, RFC9207-2-identical, RFC9207-3-advertised, RFC9700-2.1-mix-up
// Covers: RFC9700-4.4.2-iss, MCP2026-07-28-response-iss, MCP2026-07-28-response-iss-advertised
#[tokio::test]
async fn a_client_that_was_mixed_up_learns_who_answered() {
    let (honest, evil) = (start(), start());
    honest.register("ada").await;
    let mut program = Somebody::at(&honest);
    let client = program.register().await;
    let document = program.get("/.well-known/oauth-authorization-server/mcp").await.json();
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    let mut browser = Somebody::at(&honest);
    let good = browser.agree(&program.authorize(&client, &[]), "ada").await.told();
    let told = |page: &BTreeMap<String, String>| page["iss"].clone();
    assert_eq!(told(&good), document["issuer"], "character by character");
    assert!(!told(&good).contains(['?', '#']));
    let denied = browser.get(&program.authorize(&client, &[("prompt", "consent")])).await;
    let denied = browser.decide(&denied, "deny").await.told();
    assert_eq!((told(&denied), denied["error"].as_str()), (issuer(&honest), "access_denied"));
    let wrong = browser.get(&program.authorize(&client, &[("scope", "nothing")])).await.told();
    assert_eq!((told(&wrong), wrong["error"].as_str()), (issuer(&honest), "invalid_scope"));
    let silent = Somebody::at(&honest).get(&program.authorize(&client, &[("prompt", "none")])).await.told();
    assert_eq!((told(&silent), silent["error"].as_str()), (issuer(&honest), "login_required"));
    // Whoever got the code by the mix-up, another server for example, cannot redeem it anywhere.
    let elsewhere = Somebody::at(&evil).exchange(&client, &good["code"]).await;
    assert_eq!(elsewhere.refusal(), (401, "invalid_client".to_owned()));
    let blind = Somebody::at(&evil).exchange_with(&client, &good["code"], &[("code_verifier", "")]).await;
    assert_ne!(blind.status, 200);
    assert!(good["code"].len() > 40 && !CALLBACK.contains(&good["code"]));
}
