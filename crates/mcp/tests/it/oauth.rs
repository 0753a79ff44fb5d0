//! The authorization server from the first document to a tool, over a fake of the hub's state.

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use serde_json::{Value, json};

use crate::client::{Answer, method, post, send};
use crate::oauth_browser::{Browser, CALLBACK, VERIFIER, form_post, hidden, hub, location, register, told};
use crate::oauth_hub::{CODE, PASSWORD, UNCONFIRMED};

const ISSUER: &str = "http://localhost:8080/mcp";

async fn tools(router: &axum::Router, token: &str) -> Answer {
    let mut request = post("/mcp", &method("tools/list", &json!({})));
    request.headers_mut().insert("host", "localhost:8080".parse().unwrap());
    request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    send(router, request).await
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key}: {value}"))
}

fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

// Covers: MCP2025-11-25-token-passed-on, MCP2026-07-28-token-passed-on
#[tokio::test]
async fn a_public_client_gets_from_nothing_to_a_tool_and_back() {
    let service = hub();
    let router = &service.router;
    let program = register(router, json!({})).await;
    assert_eq!(program.secret, None);
    let mut browser = Browser::new(router);

    let page = browser.get(&program.authorize(&[])).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("A program") && !page.text.contains("<script"), "{}", page.text);
    let asks = browser.sign_in(&page).await;
    for says in ["client.example", "A program", "Hub &amp; Co", "Ada &lt;Lovelace&gt;", "Publish endpoints"] {
        assert!(asks.text.contains(says), "{says}: {}", asks.text);
    }
    let answer = browser.decide(&asks, "allow").await;
    assert!(location(&answer).starts_with("https://client.example/cb?code="));
    let answer = told(&answer);
    assert_eq!(answer["state"], "st\"><script>alert(1)</script>");
    assert_eq!(answer["iss"], ISSUER);

    let issued = program.exchange(router, &answer["code"], &[]).await;
    assert_eq!(issued.status, StatusCode::OK, "{}", issued.text);
    assert_eq!(issued.headers["cache-control"], "no-store");
    let issued = issued.json();
    assert_eq!(
        (&issued["token_type"], &issued["expires_in"], &issued["scope"]),
        (&json!("Bearer"), &json!(3600), &json!("openid profile email read write"))
    );
    let access = claims(text(&issued, "access_token"));
    assert_eq!((&access["iss"], &access["sub"]), (&json!(ISSUER), &json!("7")));
    assert_eq!(access["aud"], json!([ISSUER, "mcp-server"]));
    let id = claims(text(&issued, "id_token"));
    assert_eq!((&id["aud"], &id["nonce"]), (&json!(program.id), &json!("n-1")));
    assert_eq!((&id["name"], &id["email_verified"]), (&json!("Ada <Lovelace>"), &json!(true)));

    let list = tools(router, text(&issued, "access_token")).await;
    assert_eq!(list.status, StatusCode::OK, "{}", list.text);
    assert!(list.text.contains("discover_syfthub_endpoints"));

    let refreshed = program.refresh(router, text(&issued, "refresh_token")).await.json();
    assert_ne!(refreshed["refresh_token"], issued["refresh_token"]);
    let again = program.refresh(router, text(&issued, "refresh_token")).await.json();
    assert_eq!(
        refreshed["refresh_token"], again["refresh_token"],
        "side by side they get the same successor"
    );

    let fields = [("client_id", program.id.as_str()), ("token", text(&refreshed, "refresh_token"))];
    let revoked = form_post(router, "/oauth/revoke", &fields, HeaderMap::new()).await;
    assert_eq!(revoked.status, StatusCode::OK);
    for token in [&issued, &refreshed] {
        let refused = tools(router, text(token, "access_token")).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}", refused.text);
        let challenge = refused.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
        assert!(challenge.contains("resource_metadata=\"http://localhost:8080/.well-known/oauth-protected"));
    }
    let over = program.refresh(router, text(&refreshed, "refresh_token")).await;
    assert_eq!(
        (over.status, over.json()["error"].as_str()),
        (StatusCode::BAD_REQUEST, Some("invalid_grant"))
    );
}

// Covers: RFC7636-4.6-verify
#[tokio::test]
async fn a_code_is_for_one_exchange_by_whom_it_was_made_for() {
    let service = hub();
    let router = &service.router;
    let (program, other) = (register(router, json!({})).await, register(router, json!({})).await);
    let mut browser = Browser::new(router);
    let code = browser.code(&program.authorize(&[])).await;
    let wrong = "x".repeat(43);
    for changes in [
        [("code_verifier", "")],
        [("code_verifier", wrong.as_str())],
        [("redirect_uri", "https://client.example/other")],
        [("redirect_uri", "")],
        [("code", "syft_ac_unknown")],
        [("resource", "http://localhost:8080/api")],
    ] {
        let refused = program.exchange(router, &code, &changes).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{changes:?}");
        assert_eq!(refused.json()["error"], "invalid_grant", "{changes:?}: {}", refused.text);
    }
    assert_eq!(other.exchange(router, &code, &[]).await.json()["error"], "invalid_grant");
    let issued = program.exchange(router, &code, &[]).await.json();
    assert_eq!(tools(router, text(&issued, "access_token")).await.status, StatusCode::OK);
    assert_eq!(program.exchange(router, &code, &[]).await.json()["error"], "invalid_grant");
    let revoked = tools(router, text(&issued, "access_token")).await;
    assert_eq!(revoked.status, StatusCode::UNAUTHORIZED, "a replayed code ends what it began");
}

#[tokio::test]
async fn an_old_refresh_token_ends_its_family() {
    let service = hub();
    let router = &service.router;
    let program = register(router, json!({})).await;
    let code = Browser::new(router).code(&program.authorize(&[])).await;
    let first = program.exchange(router, &code, &[]).await.json();
    let second = program.refresh(router, text(&first, "refresh_token")).await.json();
    let third = program.refresh(router, text(&second, "refresh_token")).await.json();
    let replayed = program.refresh(router, text(&first, "refresh_token")).await;
    assert_eq!(replayed.json()["error"], "invalid_grant");
    assert_eq!(program.refresh(router, text(&third, "refresh_token")).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(tools(router, text(&third, "access_token")).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn pages_run_nothing_and_are_shown_in_no_frame() {
    let service = hub();
    let program = register(&service.router, json!({"client_name": "</title><script>x"})).await;
    let page = Browser::new(&service.router).get(&program.authorize(&[])).await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains("form-action 'self' https://client.example;"), "{policy}");
    assert!(policy.ends_with("frame-ancestors 'none'"), "{policy}");
    for (name, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(page.headers[name], value);
    }
    assert!(!page.text.contains("<script"), "{}", page.text);
    let mark = page.headers["set-cookie"].to_str().unwrap();
    assert!(mark.starts_with("syfthub_oauth=") && mark.contains("HttpOnly; SameSite=Lax"), "{mark}");
}

#[tokio::test]
async fn a_request_belongs_to_the_browser_and_the_pages_that_began_it() {
    let service = hub();
    let router = &service.router;
    let program = register(router, json!({})).await;
    let mut browser = Browser::new(router);
    let page = browser.get(&program.authorize(&[])).await;
    let request = hidden(&page, "request");
    let fields = [("request", request.as_str()), ("username", "ada"), ("password", PASSWORD)];

    let mut other = Browser::new(router);
    let answer = other.post("/auth/syfthub/login", &fields).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "another browser: {}", answer.text);

    let cookies = format!("syfthub_oauth={}", browser.cookies["syfthub_oauth"]);
    for (name, value) in
        [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example"), ("x-nothing", "x")]
    {
        let headers = HeaderMap::from_iter([
            (header::COOKIE, cookies.parse().unwrap()),
            (name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap()),
        ]);
        let answer = form_post(router, "/auth/syfthub/login", &fields, headers).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}");
        assert!(!answer.headers.contains_key("set-cookie"));
    }
    let asks = browser.sign_in(&page).await;
    assert_eq!(browser.decide(&asks, "allow").await.status, StatusCode::SEE_OTHER);
    let twice = browser.decide(&asks, "allow").await;
    assert_eq!(twice.status, StatusCode::CONFLICT, "a request is answered once");
}

#[tokio::test]
async fn wrong_passwords_unconfirmed_addresses_and_second_thoughts() {
    let service = hub();
    let router = &service.router;
    let program = register(router, json!({})).await;
    let mut browser = Browser::new(router);
    let page = browser.get(&program.authorize(&[])).await;
    let request = hidden(&page, "request");
    let wrong = [("request", request.as_str()), ("username", "ada\"><b>"), ("password", "nope")];
    let answer = browser.post("/auth/syfthub/login", &wrong).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.text.contains("role=\"alert\"") && answer.text.contains("Wrong name or password"));
    assert!(answer.text.contains("ada&quot;&gt;&lt;b&gt;") && !answer.text.contains("nope"));

    let fields = [("request", request.as_str()), ("username", UNCONFIRMED), ("password", PASSWORD)];
    let confirm = browser.post("/auth/syfthub/login", &fields).await;
    assert!(confirm.text.contains("one-time-code") && confirm.text.contains(UNCONFIRMED), "{}", confirm.text);
    let resent = browser.post("/oauth/resend", &[("request", &request), ("email", UNCONFIRMED)]).await;
    assert_eq!(resent.status, StatusCode::OK);
    let code = |code| [("request", request.as_str()), ("email", UNCONFIRMED), ("code", code)];
    assert_eq!(browser.post("/oauth/verify", &code("000000")).await.status, StatusCode::BAD_REQUEST);
    let confirmed = browser.post("/oauth/verify", &code(CODE)).await;
    assert_eq!(confirmed.status, StatusCode::SEE_OTHER);
    assert!(location(&confirmed).starts_with("/mcp/oauth/consent?request="));

    let answer = browser.post("/oauth/consent", &[("request", &request), ("decision", "deny")]).await;
    assert_eq!(told(&answer)["error"], "access_denied");
}

#[tokio::test]
async fn agreement_is_remembered_where_an_address_tells_who_comes_back() {
    let service = hub();
    let router = &service.router;
    let local = json!({"redirect_uris": ["http://localhost/callback"]});
    let (remote, local) = (register(router, json!({})).await, register(router, local).await);
    let mut browser = Browser::new(router);
    browser.code(&remote.authorize(&[])).await;
    let again = browser.get(&remote.authorize(&[])).await;
    assert!(told(&again).contains_key("code"));
    let more = browser.get(&remote.authorize(&[("prompt", "consent")])).await;
    assert!(more.text.contains("decision"), "{}", more.text);

    let back = [("redirect_uri", "http://localhost:51234/callback")];
    for _ in 0..2 {
        let page = browser.get(&local.authorize(&back)).await;
        assert!(page.text.contains("runs on your own machine"), "{}", page.text);
        let answer = browser.decide(&page, "allow").await;
        assert!(location(&answer).starts_with("http://localhost:51234/callback?code="));
    }
}

#[tokio::test]
async fn clients_with_a_secret_have_to_send_it() {
    let service = hub();
    let router = &service.router;
    let program = register(router, json!({"token_endpoint_auth_method": "client_secret_basic"})).await;
    let secret = program.secret.clone().unwrap();
    let code = Browser::new(router).code(&program.authorize(&[])).await;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let with = |secret: &str| {
        use base64::Engine as _;
        let pair = base64::prelude::BASE64_STANDARD.encode(format!("{}:{secret}", program.id));
        HeaderMap::from_iter([(header::AUTHORIZATION, format!("Basic {pair}").parse().unwrap())])
    };
    let bare = [fields.as_slice(), &[("client_id", program.id.as_str())]].concat();
    for (fields, headers) in [(fields.as_slice(), with("wrong")), (&bare, HeaderMap::new())] {
        let refused = form_post(router, "/oauth/token", fields, headers).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        assert_eq!(refused.json()["error"], "invalid_client");
        assert!(refused.headers["www-authenticate"].to_str().unwrap().starts_with("Basic"));
    }
    let issued = form_post(router, "/oauth/token", &fields, with(&secret)).await.json();
    let access = text(&issued, "access_token");
    let ask = [("token", access)];
    let known = form_post(router, "/oauth/introspect", &ask, with(&secret)).await.json();
    assert_eq!((&known["active"], &known["username"]), (&json!(true), &json!("ada")));
    let refresh = [("token", text(&issued, "refresh_token"))];
    let known = form_post(router, "/oauth/introspect", &refresh, with(&secret)).await.json();
    assert_eq!((&known["active"], &known["sub"]), (&json!(true), &json!("7")), "{known}");
    assert_eq!((&known["exp"], &known["client_id"]), (&json!(1_702_592_000), &json!(program.id)), "{known}");
    let other = register(router, json!({"token_endpoint_auth_method": "client_secret_post"})).await;
    let fields = [("client_id", other.id.as_str()), ("client_secret", other.secret.as_deref().unwrap())];
    for token in [ask, refresh, [("token", "syft_rt_unknown")]] {
        let fields = [fields.as_slice(), &token].concat();
        let unknown = form_post(router, "/oauth/introspect", &fields, HeaderMap::new()).await.json();
        assert_eq!(unknown, json!({"active": false}));
    }
    program.refresh(router, text(&issued, "refresh_token")).await;
    let over = form_post(router, "/oauth/introspect", &refresh, with(&secret)).await.json();
    assert_eq!(over, json!({"active": false}), "exchanged");
    let userinfo = Request::get("/oauth/userinfo").header("authorization", format!("Bearer {access}"));
    let userinfo = send(router, userinfo.body(Body::empty()).unwrap()).await.json();
    assert_eq!((&userinfo["sub"], &userinfo["email"]), (&json!("7"), &json!("ada@example.org")));
    let nobody = Request::get("/oauth/userinfo").body(Body::empty()).unwrap();
    assert_eq!(send(router, nobody).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn tokens_for_something_else_do_not_open_the_endpoint() {
    let service = hub();
    let router = &service.router;
    let program = register(router, json!({})).await;
    let resource = [("resource", "http://localhost:8080/api"), ("scope", "full")];
    let mut browser = Browser::new(router);
    let code = browser.code(&program.authorize(&resource)).await;
    let issued = program.exchange(router, &code, &[]).await.json();
    let token = text(&issued, "access_token");
    assert_eq!(claims(token)["aud"], "http://localhost:8080/api");
    let (head, rest) = token.split_once('.').unwrap();
    let changed = format!("{head}.{}.AAAA", rest.split_once('.').unwrap().0);
    for bad in [token, &changed, crate::hub::TOKEN, "x.y.z", text(&issued, "refresh_token")] {
        assert_eq!(tools(router, bad).await.status, StatusCode::UNAUTHORIZED, "{bad}");
    }
}
