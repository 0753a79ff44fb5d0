//! OpenID Connect: who somebody is.

use http::Method;
use serde_json::json;

use crate::oauth_journey::{Somebody, claims, issuer, part, start, text};

// Covers: OIDCCore-2-claims, OIDCCore-2-rs256, OIDCCore-2-sub, OIDCCore-3.1.2.1-nonce, OIDCCore-3.1.3.3-id-token
// Covers: OIDCCore-5.3-userinfo, OIDCCore-5.3.2-sub, OIDCCore-5.3.1-methods, OIDCCore-5.4-scopes
// Covers: OIDCCore-12.2-refresh, OIDCCore-3.1.2.1-scope, OIDCCore-5.3.3-error, RFC9068-5-sub
#[tokio::test]
async fn an_id_token_says_who_signed_in_and_for_whom() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let mut browser = Somebody::at(&hub);
    let scope = [("scope", "openid profile email read"), ("nonce", "n-1")];
    let code = browser.agree(&program.authorize(&client, &scope), "ada").await.told()["code"].clone();
    let issued = program.exchange(&client, &code).await.json();
    let token = text(&issued, "id_token");
    assert_eq!(text(&part(token, 0), "alg"), "RS256");
    let id = claims(token);
    assert_eq!((text(&id, "iss"), text(&id, "nonce")), (&*issuer(&hub), "n-1"));
    assert_eq!(id["aud"], json!(client));
    let (begun, ends) = (id["iat"].as_i64().unwrap(), id["exp"].as_i64().unwrap());
    assert!(ends > begun && id["auth_time"].as_i64().unwrap() <= begun);
    assert!((1..=255).contains(&text(&id, "sub").len()));
    assert_eq!((text(&id, "preferred_username"), text(&id, "email")), ("ada", "ada@example.com"));
    let access = text(&issued, "access_token");
    assert_eq!(claims(access)["sub"], id["sub"]);

    let bearer = format!("Bearer {access}");
    for method in [Method::GET, Method::POST] {
        let headers = [("authorization", bearer.as_str())];
        let told = program.send(method.clone(), "/mcp/oauth/userinfo", &headers, String::new()).await;
        assert_eq!((told.status, told.header("content-type")), (200, "application/json"), "{method}");
        let told = told.json();
        assert_eq!((&told["sub"], text(&told, "email")), (&id["sub"], "ada@example.com"));
        assert_eq!(text(&told, "name"), "ada");
    }
    let wrong = [("authorization", "Bearer nonsense")];
    let refused = program.send(Method::GET, "/mcp/oauth/userinfo", &wrong, String::new()).await;
    assert!(refused.status == 401 && refused.header("www-authenticate").contains("invalid_token"));

    let refreshed = program.refresh(&client, text(&issued, "refresh_token")).await.json();
    let again = claims(text(&refreshed, "id_token"));
    for same in ["iss", "sub", "aud", "auth_time"] {
        assert_eq!(again[same], id[same], "{same}");
    }
    assert!(again["nonce"].is_null(), "the nonce was of the request");

    let only = browser.issued(&client, "ada", &issuer(&hub), "openid read").await;
    let bearer = format!("Bearer {}", text(&only, "access_token"));
    let headers = [("authorization", bearer.as_str())];
    let told = program.send(Method::GET, "/mcp/oauth/userinfo", &headers, String::new()).await.json();
    assert_eq!(told, json!({"sub": id["sub"]}), "no more than was agreed to");
    let without = browser.issued(&client, "ada", &issuer(&hub), "read").await;
    assert!(without["id_token"].is_null());
}

// Covers: OIDCCore-3.1.2.1-none, OIDCCore-3.1.2.1-login, OIDCCore-3.1.2.1-max-age, OIDCCore-3.1.2.6-error
// Covers: OIDCCore-3.1.2.1-consent, OIDCCore-3.1.2.3-authenticate
#[tokio::test]
async fn a_client_can_ask_how_somebody_signs_in() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let mut browser = Somebody::at(&hub);
    let none = program.authorize(&client, &[("prompt", "none"), ("scope", "openid read")]);
    assert_eq!(browser.get(&none).await.told()["error"], "login_required");
    let first = browser.get(&program.authorize(&client, &[("scope", "openid read")])).await;
    assert!(first.text.contains("current-password"));
    browser.sign_in(&first, "ada").await;
    assert_eq!(browser.get(&none).await.told()["error"], "consent_required", "signed in, and not asked yet");
    let code = browser.agree(&program.authorize(&client, &[("scope", "openid read")]), "ada").await;
    let code = code.told()["code"].clone();
    let before = claims(text(&program.exchange(&client, &code).await.json(), "id_token"));
    assert!(browser.get(&none).await.told().contains_key("code"), "without a page");
    let asks = browser.get(&program.authorize(&client, &[("prompt", "consent")])).await;
    assert!(asks.status == 200 && asks.text.contains("value=\"allow\""), "asked again: {}", asks.text);
    for again in [("prompt", "login"), ("max_age", "0")] {
        let path = program.authorize(&client, &[again, ("scope", "openid read")]);
        let page = browser.get(&path).await;
        assert!(page.text.contains("current-password"), "{again:?}: {} {}", page.status, page.text);
        let silent = program.authorize(&client, &[again, ("scope", "openid read")]);
        let silent = format!("{silent}&x=1");
        assert!(browser.get(&silent).await.text.contains("current-password"));
        let mut answer = browser.sign_in(&page, "ada").await;
        if answer.status == 200 {
            answer = browser.decide(&answer, "allow").await;
        }
        let code = answer.told()["code"].clone();
        let id = claims(text(&program.exchange(&client, &code).await.json(), "id_token"));
        assert!(id["auth_time"].as_i64().unwrap() >= before["auth_time"].as_i64().unwrap(), "{again:?}");
    }
    let old =
        program.authorize(&client, &[("prompt", "none"), ("max_age", "100000"), ("scope", "openid read")]);
    assert!(browser.get(&old).await.told().contains_key("code"), "young enough");
}
