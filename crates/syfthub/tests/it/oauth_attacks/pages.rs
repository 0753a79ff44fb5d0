//! What other sites could make a browser do on the pages: forms, frames, scripts, headers, sessions.

use http::Method;
use serde_json::json;

use crate::oauth_journey::{Answer, CALLBACK, PASSWORD, Somebody, issuer, start, text};

/// What a browser says about a form that is not from a page of the hub.
const FOREIGN: &[&[(&str, &str)]] = &[
    &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
    &[("sec-fetch-site", "cross-site"), ("origin", "null")],
    &[("sec-fetch-site", "same-site"), ("origin", "https://evil.hub.example")],
    &[("sec-fetch-site", "none")],
    &[("origin", "https://evil.example")],
    &[("origin", "http://localhost.evil.example")],
    &[],
];

// Covers: RFC6749-10.12-csrf, OIDCCore-3.1.2.3-csrf, RFC9700-2.1-csrf
#[tokio::test]
async fn no_other_site_can_send_a_form_of_the_pages() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let mut victim = Somebody::at(&hub);
    let page = victim.get(&program.authorize(&client, &[])).await;
    let asks = victim.sign_in(&page, "ada").await;
    let (request, user) = (asks.hidden("request"), asks.hidden("user"));
    let mut attacker = Somebody::at(&hub);
    let planted = attacker.get(&program.authorize(&client, &[])).await.hidden("request");
    let before = victim.cookies.clone();
    let forms = |request: &str| {
        let request = ("request".to_owned(), request.to_owned());
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        [
            ("/mcp/oauth/consent", vec![request.clone(), pair("user", &user), pair("decision", "allow")]),
            ("/mcp/oauth/consent", vec![request.clone(), pair("decision", "deny")]),
            (
                "/mcp/auth/syfthub/login",
                vec![request.clone(), pair("username", "ada"), pair("password", PASSWORD)],
            ),
            ("/mcp/oauth/verify", vec![request.clone(), pair("email", "ada@example.com"), pair("code", "1")]),
            ("/mcp/oauth/resend", vec![request, pair("email", "ada@example.com")]),
        ]
    };
    for (path, fields) in forms(&request) {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        for headers in FOREIGN {
            let refused = victim.form_with(path, &fields, headers).await;
            assert_eq!(refused.status, 403, "{path} {headers:?}: {}", refused.text);
            assert!(!refused.headers.contains_key("location") && !refused.headers.contains_key("set-cookie"));
        }
        let mut elsewhere = Somebody::at(&hub);
        let refused = elsewhere.form(path, &fields).await;
        assert_eq!(refused.status, 400, "{path}: not the browser that began");
        assert!(!refused.headers.contains_key("location") && !refused.headers.contains_key("set-cookie"));
    }
    for (path, fields) in forms(&planted) {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let refused = victim.form(path, &fields).await;
        assert_eq!(refused.status, 400, "{path}: a request that the attacker began");
    }
    assert_eq!(victim.cookies, before);
    let agreed = victim.decide(&asks, "allow").await;
    assert!(agreed.told().contains_key("code"), "the form itself was good all the time");
}

/// Every kind of page there is.
async fn pages(program: &mut Somebody<'_>, browser: &mut Somebody<'_>, client: &str) -> Vec<Answer> {
    let sign_in = browser.get(&program.authorize(client, &[])).await;
    let request = sign_in.hidden("request");
    let wrong = [("request", request.as_str()), ("username", "ada"), ("password", "wrong")];
    let wrong = browser.form("/mcp/auth/syfthub/login", &wrong).await;
    assert_eq!(wrong.status, 401, "{}", wrong.text);
    let resent = [("request", request.as_str()), ("email", "nobody@example.com")];
    let resent = browser.form("/mcp/oauth/resend", &resent).await;
    let asks = browser.sign_in(&sign_in, "ada").await;
    assert!(asks.text.contains("client.example"), "{}", asks.text);
    let refused = browser.get(&program.authorize(client, &[("redirect_uri", "https://evil.example")])).await;
    let over = browser.get("/mcp/oauth/consent?request=x").await;
    let foreign = browser.form_with("/mcp/oauth/consent", &[], &[("sec-fetch-site", "cross-site")]).await;
    vec![sign_in, wrong, resent, asks, refused, over, foreign]
}

// Covers: RFC9700-4.16-frames, RFC6749-10.13-frames, RFC9700-4.2.4-referrer, RFC9700-4.2.4-no-others
// Covers: RFC6749-3.1.2.5-scripts, OIDCCore-3.1.2.3-clickjacking
#[tokio::test]
async fn every_page_is_in_no_frame_runs_nothing_and_tells_nobody_where_it_was() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let mut browser = Somebody::at(&hub);
    for page in pages(&mut program, &mut browser, &client).await {
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"), "{policy}");
        assert!(!policy.contains("script-src") && !policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("content-type", "text/html; charset=utf-8"),
        ] {
            let given: Vec<_> = page.headers.get_all(name).iter().collect();
            assert_eq!(given, [value], "{name} ({}): {}", page.status, page.text);
        }
        for loaded in ["<script", "<img", "<iframe", "<link", "@import", "url(", " src=", " onclick="] {
            assert!(!page.text.contains(loaded), "{loaded}: {}", page.text);
        }
    }
}

const PAYLOAD: &str = "\"'><svg/onload=alert(1)></title><script>alert(2)</script>";

fn assert_harmless(page: &Answer, what: &str) {
    assert!((200..500).contains(&page.status), "{what}: {}", page.status);
    let text = page.text.to_ascii_lowercase();
    for tag in ["<svg", "<script", "\"'>", "'><"] {
        assert!(!text.contains(tag), "{what}: {}", page.text);
    }
}

// Covers: RFC6749-10.14-sanitize, RFC7591-5-impersonation
#[tokio::test]
async fn nothing_that_somebody_else_wrote_becomes_part_of_a_page() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let named = json!({
        "client_name": PAYLOAD, "client_uri": "https://client.example/?\"><svg>",
        "redirect_uris": ["https://client.example/cb?x='();script-src%20*"],
    });
    let named = program.register_as(named).await;
    assert_eq!(named.status, 201, "{}", named.text);
    assert_eq!(named.header("content-type"), "application/json");
    let named = named.json();
    let client = text(&named, "client_id");
    let uri = ("redirect_uri", "https://client.example/cb?x='();script-src%20*");
    let mut browser = Somebody::at(&hub);
    let good = browser.get(&program.authorize(client, &[uri, ("state", PAYLOAD), ("nonce", PAYLOAD)])).await;
    assert_eq!(good.status, 200, "{}", good.text);
    assert_harmless(&good, "sign-in");
    assert!(good.text.contains("&lt;svg/onload=alert(1)&gt;"), "shown as it is: {}", good.text);
    assert!(!good.header("content-security-policy").contains("script-src"), "the policy stays ours");
    let request = good.hidden("request");
    for (path, fields) in [
        ("/mcp/auth/syfthub/login", vec![("username", PAYLOAD), ("password", PAYLOAD)]),
        ("/mcp/oauth/verify", vec![("email", PAYLOAD), ("code", PAYLOAD)]),
        ("/mcp/oauth/verify", vec![("email", "\"><svg>@example.com"), ("code", PAYLOAD)]),
        ("/mcp/oauth/resend", vec![("email", "\"><svg>@example.com")]),
    ] {
        let fields = [fields.as_slice(), &[("request", request.as_str())]].concat();
        assert_harmless(&browser.form(path, &fields).await, path);
    }
    let asks = browser.sign_in(&good, "ada").await;
    assert_harmless(&asks, "consent");
    assert!(asks.text.contains("&lt;script&gt;") && asks.text.contains("the program chose its name itself"));
    let answer = browser.decide(&asks, "deny").await;
    assert!(!answer.header("location").contains(['<', '>', '"']), "{}", answer.header("location"));
    for name in
        ["client_id", "redirect_uri", "scope", "resource", "response_type", "prompt", "max_age", "request"]
    {
        for payload in [PAYLOAD, "https://evil.example/\"><svg>"] {
            let page = browser.get(&program.authorize(client, &[uri, (name, payload)])).await;
            assert_harmless(&page, name);
        }
    }
    for path in [
        "/mcp/oauth/consent",
        "/mcp/oauth/sign-in",
        "/mcp/oauth/github",
        "/mcp/oauth/continue",
        "/mcp/oauth/token",
    ] {
        let query = crate::oauth_journey::form(&[("request", PAYLOAD), ("sign_in_error", PAYLOAD)]);
        assert_harmless(&browser.get(&format!("{path}?{query}")).await, path);
    }
    // The names of documents and clients that nobody has.
    let payload = "%22%3E%3Csvg%3E";
    for path in ["/.well-known/oauth-authorization-server/", "/mcp/oauth/register/", "/mcp/"] {
        assert_harmless(&browser.get(&format!("{path}{payload}")).await, path);
    }
}

// Covers: RFC6749-4.1.2-state, RFC6749-4.1.2.1-state
#[tokio::test]
async fn no_parameter_becomes_a_header() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let mut browser = Somebody::at(&hub);
    let split = "x\r\nSet-Cookie: evil=1\r\n\r\n<html>";
    let back = browser.agree(&program.authorize(&client, &[("state", split)]), "ada").await;
    assert_eq!(back.told()["state"], split, "it comes back as it was");
    let mut answers = vec![back];
    for name in ["scope", "prompt", "response_type", "nonce", "code_challenge", "max_age", "response_mode"] {
        answers.push(browser.get(&program.authorize(&client, &[(name, split), ("state", split)])).await);
    }
    for answer in &answers {
        let all: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
        assert!(!format!("{all:?}").contains("evil"), "{all:?}");
        assert!(!answer.header("location").contains(['\r', '\n']));
        assert_eq!(answer.told()["state"], split);
    }
    let by_form = browser.form("/mcp/oauth/authorize", &[("client_id", split)]).await;
    assert!(!by_form.header("location").contains(['\r', '\n']) && !by_form.headers.contains_key("evil"));
    assert!(!browser.cookies.contains_key("evil"));
}

// Covers: RFC9700-2.6-authorize-cors
#[tokio::test]
async fn scripts_of_other_sites_cannot_read_a_page() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    for (method, path) in [
        (Method::GET, program.authorize(&client, &[])),
        (Method::OPTIONS, "/mcp/oauth/authorize".to_owned()),
        (Method::OPTIONS, "/mcp/oauth/consent".to_owned()),
        (Method::OPTIONS, "/mcp/auth/syfthub/login".to_owned()),
    ] {
        let headers = [("origin", "https://evil.example"), ("access-control-request-method", "POST")];
        let answer = program.send(method.clone(), &path, &headers, String::new()).await;
        assert!(!answer.headers.contains_key("access-control-allow-origin"), "{method} {path}");
        assert!(!answer.headers.contains_key("access-control-allow-credentials"), "{method} {path}");
    }
}

#[tokio::test]
async fn a_session_that_somebody_planted_is_not_the_one_that_begins() {
    let hub = start();
    hub.register("ada").await;
    hub.register("eve").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let path = program.authorize(&client, &[]);
    let mut eve = Somebody::at(&hub);
    eve.code(&client, "eve", &issuer(&hub), "read").await;
    let session = eve.cookies.keys().find(|name| name.contains("session")).unwrap().clone();
    for planted in [eve.cookies[&session].clone(), format!("syft_ses_{}", "A".repeat(43))] {
        let mut ada = Somebody::at(&hub);
        ada.cookies.insert(session.clone(), planted.clone());
        let page = ada.get(&program.authorize(&client, &[("prompt", "login")])).await;
        let asks = ada.sign_in(&page, "ada").await;
        assert!(asks.text.contains("(ada)"), "{}", asks.text);
        assert_ne!(ada.cookies[&session], planted);
    }
    let mut again = Somebody::at(&hub);
    let asks = again.get(&path).await;
    again.sign_in(&asks, "ada").await;
    let first = again.cookies[&session].clone();
    let page = again.get(&program.authorize(&client, &[("prompt", "login")])).await;
    again.sign_in(&page, "ada").await;
    assert_ne!(again.cookies[&session], first, "each sign-in begins another session");

    // A page that was shown to one person is not answered by another.
    let mut both = Somebody::at(&hub);
    let page = both.get(&program.authorize(&client, &[("prompt", "consent")])).await;
    let asks = both.sign_in(&page, "ada").await;
    both.cookies.insert(session.clone(), eve.cookies[&session].clone());
    let shown = both.decide(&asks, "allow").await;
    assert_eq!(shown.status, 200, "{}", shown.header("location"));
    assert!(shown.text.contains("(eve)") && !shown.text.contains(CALLBACK));
}
