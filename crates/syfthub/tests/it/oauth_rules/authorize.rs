//! The authorization endpoint, pushed requests and resource indicators.

use http::Method;
use serde_json::json;

use crate::oauth_journey::{CALLBACK, CHALLENGE, Somebody, api, claims, form, issuer, start, text};

// Covers: RFC6749-3.1-get, RFC6749-3.1-empty, RFC6749-3.1-unknown, OIDCCore-3.1.2.1-post, OIDCCore-3.1.2.2-unknown
// Covers: OIDCCore-15.1-parameters, MCP2025-11-25-resource-spelling, MCP2026-07-28-resource-spelling
// Covers: RFC8707-2.1-authorize
#[tokio::test]
async fn requests_are_read_as_the_standard_says() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let mut browser = Somebody::at(&hub);
    browser.code(&client, "ada", &issuer(&hub), "read").await;
    let upper = issuer(&hub).replace("http://", "HTTP://").replace("localhost", "LOCALHOST");
    for good in [
        vec![("unknown", "x"), ("prompt", "")],
        vec![("display", "popup"), ("ui_locales", "de en"), ("claims_locales", "de"), ("acr_values", "1 2")],
        vec![("login_hint", "ada"), ("id_token_hint", "x.y.z"), ("claims", "{\"id_token\":{}}")],
        vec![("redirect_uri", "")],
        vec![("resource", "")],
        vec![("resource", upper.as_str())],
        vec![("response_mode", "query")],
    ] {
        let told = browser.get(&program.authorize(&client, &good)).await.told();
        assert!(told.contains_key("code"), "{good:?}: {told:?}");
    }
    let fields =
        url::form_urlencoded::parse(program.authorize(&client, &[]).split_once('?').unwrap().1.as_bytes())
            .into_owned()
            .collect::<Vec<_>>();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let posted = browser.form("/mcp/oauth/authorize", &fields).await;
    let posted = browser.get(posted.location()).await;
    assert!(posted.told().contains_key("code"), "by POST too");
}

// Covers: RFC6749-3.1-repeated, RFC6749-3.1.1-type, RFC6749-4.1.2.1-codes, RFC6749-3.1.2.3-several, RFC8707-2-target
// Covers: RFC8707-2-form, MCP2026-07-28-error-malformed, OIDCCore-6-request
#[tokio::test]
async fn a_client_is_told_what_is_wrong_in_the_words_of_the_standard() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let mut browser = Somebody::at(&hub);
    browser.code(&client, "ada", &issuer(&hub), "read").await;
    for (changes, error) in [
        (("response_type", ""), "invalid_request"),
        (("response_type", "token"), "unsupported_response_type"),
        (("response_type", "id_token"), "unsupported_response_type"),
        (("response_type", "code token"), "unsupported_response_type"),
        (("scope", "nothing-there-is"), "invalid_scope"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", "short"), "invalid_request"),
        (("resource", "https://evil.example/mcp"), "invalid_target"),
        (("resource", "mcp"), "invalid_target"),
        (("resource", &format!("{}#x", issuer(&hub))), "invalid_target"),
        (("request", "x.y.z"), "request_not_supported"),
        (("request_uri", "https://client.example/r"), "invalid_request"),
        (("registration", "{}"), "registration_not_supported"),
        (("max_age", "soon"), "invalid_request"),
        (("prompt", "none login"), "invalid_request"),
    ] {
        let answer = browser.get(&program.authorize(&client, &[changes])).await;
        if changes.0 == "request_uri" {
            assert!(
                answer.status == 400 || answer.told()["error"].starts_with("request_uri"),
                "{}",
                answer.text
            );
            continue;
        }
        let told = answer.told();
        assert_eq!((told["error"].as_str(), told["state"].as_str()), (error, "s-1"), "{changes:?}");
        let plain = |byte: u8| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
        assert!(told["error_description"].bytes().all(plain), "{}", told["error_description"]);
    }
    for name in ["scope", "response_type", "state", "code_challenge", "prompt", "nonce"] {
        let twice = format!("{}&{name}=x&{name}=y", program.authorize(&client, &[]));
        assert_eq!(browser.get(&twice).await.told()["error"], "invalid_request", "{name}");
    }
    let several = json!({"redirect_uris": [CALLBACK, "https://client.example/other"]});
    let several = program.register_as(several).await.json();
    let several = program.authorize(text(&several, "client_id"), &[("redirect_uri", "")]);
    assert_eq!(browser.get(&several).await.status, 400, "one of several must be named");
}

// Covers: RFC6749-3.1-owner, RFC6749-10.2-person, RFC6749-10.2-repeat, RFC8252-8.6-consent, OIDCCore-3.1.2.4-consent
// Covers: MCP2025-11-25-localhost-warning, MCP2025-11-25-localhost-host, MCP2026-07-28-localhost-warning
// Covers: MCP2026-07-28-localhost-host, RFC9700-4.16-informed
#[tokio::test]
async fn a_person_is_told_what_they_agree_to() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let remote = program.register().await;
    let local = json!({"client_name": "A local one", "redirect_uris": ["http://127.0.0.1/cb"]});
    let local = text(&program.register_as(local).await.json(), "client_id").to_owned();
    let mut browser = Somebody::at(&hub);
    let first = browser.get(&program.authorize(&remote, &[("scope", "openid email read write")])).await;
    assert!(first.text.contains("current-password") && !first.text.contains("decision\" value=\"allow"));
    let wrong = [("request", &*first.hidden("request")), ("username", "ada"), ("password", "wrong")]
        .map(|(name, value)| (name, value.to_owned()));
    let wrong: Vec<(&str, &str)> = wrong.iter().map(|(n, v)| (*n, v.as_str())).collect();
    assert_eq!(browser.form("/mcp/auth/syfthub/login", &wrong).await.status, 401);
    let unsigned = [("request", first.hidden("request")), ("user", "1".into()), ("decision", "allow".into())];
    let unsigned: Vec<(&str, &str)> = unsigned.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let unsigned = browser.form("/mcp/oauth/consent", &unsigned).await;
    assert!(unsigned.text.contains("current-password"), "agreeing needs somebody who is signed in");
    let asks = browser.sign_in(&first, "ada").await;
    for says in ["A program", "client.example", "(ada)", "See your mail address", "Publish endpoints"] {
        assert!(asks.text.contains(says), "{says}: {}", asks.text);
    }
    assert!(!asks.text.contains("runs on your own machine"));
    browser.decide(&asks, "allow").await;
    assert!(
        browser.get(&program.authorize(&remote, &[])).await.told().contains_key("code"),
        "known by its host"
    );
    let back = [("redirect_uri", "http://127.0.0.1:51234/cb")];
    for _ in 0..2 {
        let asks = browser.get(&program.authorize(&local, &back)).await;
        assert_eq!(asks.status, 200, "never without asking");
        assert!(
            asks.text.contains("runs on your own machine") && asks.text.contains("127.0.0.1"),
            "{}",
            asks.text
        );
        let answer = browser.decide(&asks, "allow").await;
        assert!(answer.told().contains_key("code"));
    }
}

// Covers: RFC9126-2-post, RFC9126-2-client, RFC9126-2.1-request-uri, RFC9126-2.1-validate, RFC9126-2.2-created
// Covers: RFC9126-2.2-random, RFC9126-2.2-bound, RFC9126-2.3-errors, RFC9126-4-client, RFC9126-7.3-once
// Covers: RFC9126-2.2-cache, RFC9126-4-known
#[tokio::test]
async fn a_request_can_be_pushed_first() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let (client, other) = (program.register().await, program.register().await);
    let path = program.authorize(&client, &[]);
    let fields: Vec<(String, String)> =
        url::form_urlencoded::parse(path.split_once('?').unwrap().1.as_bytes()).into_owned().collect();
    let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let pushed = program.form_with("/mcp/oauth/par", &fields, &[]).await;
    assert_eq!((pushed.status, pushed.header("content-type")), (201, "application/json"), "{}", pushed.text);
    assert!(pushed.header("cache-control").contains("no-store"));
    let name = text(&pushed.json(), "request_uri").to_owned();
    assert!((1..=600).contains(&pushed.json()["expires_in"].as_i64().unwrap()));
    let again = program.form_with("/mcp/oauth/par", &fields, &[]).await.json();
    assert_ne!(name, text(&again, "request_uri"), "each has a name of its own");
    assert_eq!(program.send(Method::GET, "/mcp/oauth/par", &[], String::new()).await.status, 405);
    for (changes, status, error) in [
        (("client_id", "client_nobody"), 401, "invalid_client"),
        (("request_uri", name.as_str()), 400, "invalid_request"),
        (("redirect_uri", "https://evil.example/cb"), 400, "invalid_request"),
        (("code_challenge", "short"), 400, "invalid_request"),
        (("scope", "nothing-there-is"), 400, "invalid_scope"),
        (("resource", "https://evil.example"), 400, "invalid_target"),
        (("response_type", "token"), 400, "unsupported_response_type"),
    ] {
        let mut changed: Vec<_> = fields.iter().copied().filter(|(key, _)| *key != changes.0).collect();
        changed.push(changes);
        let refused = program.form_with("/mcp/oauth/par", &changed, &[]).await;
        assert_eq!(refused.refusal(), (status, error.to_owned()), "{changes:?}");
    }
    let by = |client: &str, name: &str| {
        format!("/mcp/oauth/authorize?{}", form(&[("client_id", client), ("request_uri", name)]))
    };
    let mut browser = Somebody::at(&hub);
    assert_eq!(browser.get(&by(&other, &name)).await.status, 400, "it is bound to its client");
    let unknown = "urn:ietf:params:oauth:request_uri:AAAA";
    assert_eq!(browser.get(&by(&client, unknown)).await.status, 400);
    let added = format!("{}&scope=write&redirect_uri=https://evil.example", by(&client, &name));
    let answer = browser.agree(&added, "ada").await;
    assert!(answer.location().starts_with(CALLBACK), "what was pushed counts: {}", answer.location());
    let issued = program.exchange(&client, &answer.told()["code"]).await.json();
    assert_eq!(claims(text(&issued, "access_token"))["scope"], "read");
    let twice = browser.get(&by(&client, &name)).await;
    assert_eq!(twice.status, 409, "it is used once: {}", twice.text);
    let secret =
        program.register_as(json!({"token_endpoint_auth_method": "client_secret_basic"})).await.json();
    let bare: Vec<_> = fields.iter().copied().filter(|(key, _)| *key != "client_id").collect();
    let bare = [bare.as_slice(), &[("client_id", text(&secret, "client_id"))]].concat();
    let refused = program.form_with("/mcp/oauth/par", &bare, &[]).await;
    assert_eq!(
        refused.refusal(),
        (401, "invalid_client".to_owned()),
        "clients with a secret send it here too"
    );
}

// Covers: RFC8707-2-audience, RFC9068-3-resource, RFC9068-3-default, RFC8707-2.2-one, RFC6749-3.3-scope
// Covers: RFC9700-2.3-minimum, RFC9068-2.2.3-scope, RFC6749-3.3-default
#[tokio::test]
async fn a_token_is_for_the_resource_and_the_scopes_that_were_asked_for() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let mut browser = Somebody::at(&hub);
    let mcp = issuer(&hub);
    let api = api(&hub);
    for (resource, scope, audience, given) in [
        ("", "", &mcp, "read"),
        (mcp.as_str(), "read", &mcp, "read"),
        (mcp.as_str(), "read nonsense full", &mcp, "read"),
        (mcp.as_str(), "openid", &mcp, "openid read"),
        (api.as_str(), "read", &api, "read"),
        (api.as_str(), "write full", &api, "write full"),
    ] {
        let path = program.authorize(&client, &[("resource", resource), ("scope", scope)]);
        let code = browser.agree(&path, "ada").await.told()["code"].clone();
        let issued = program.exchange(&client, &code).await.json();
        assert_eq!(issued["scope"], given, "{resource} {scope}");
        let told = claims(text(&issued, "access_token"));
        assert_eq!(told["scope"], given);
        let named = json!(told["aud"]);
        assert!(named == json!(audience) || named[0] == json!(audience), "{named}");
        let other = if *audience == mcp { &api } else { &mcp };
        assert!(!named.to_string().contains(&format!("{other}\"")), "{named}");
    }
    let both = format!("{}&{}", program.authorize(&client, &[]), form(&[("resource", &api)]));
    assert_eq!(browser.get(&both).await.told()["error"], "invalid_target", "a token is for one resource");
    let code = browser.code(&client, "ada", &mcp, "read").await;
    let wrong = program.exchange_with(&client, &code, &[("resource", "https://evil.example")]).await;
    assert_eq!(wrong.refusal(), (400, "invalid_target".to_owned()));
    let wrong = program.exchange_with(&client, &code, &[("resource", &api)]).await;
    assert_eq!(wrong.status, 400);
    let good = program.exchange_with(&client, &code, &[("resource", &mcp)]).await;
    assert_eq!(good.status, 200, "{}", good.text);
    assert_eq!(CHALLENGE.len(), 43);
}
