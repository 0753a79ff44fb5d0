//! A person's browser and a program that sends them there, in front of the service's router.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use serde_json::{Value, json};
use syfthub_egress::Outside;
use url::form_urlencoded::Serializer;

use crate::client::{Answer, Service, send, service_in};
use crate::oauth_hub::PASSWORD;

/// RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// Where the program of these tests is sent back to.
pub(crate) const CALLBACK: &str = "https://client.example/cb";

/// The service as a hub on this machine has it: no hub tokens at the MCP endpoint.
pub(crate) fn hub() -> Service {
    hub_in(&Outside::default())
}

/// The same in a world of its own.
pub(crate) fn hub_in(outside: &Outside) -> Service {
    service_in(outside, |settings| {
        settings.mcp.accept_hub_tokens = false;
        settings.mcp.public_url = "http://localhost:8080".parse().unwrap();
    })
}

pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// A browser with its cookies.
pub(crate) struct Browser<'r> {
    router: &'r Router,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl<'r> Browser<'r> {
    pub(crate) fn new(router: &'r Router) -> Self {
        Self { router, cookies: BTreeMap::new() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(inner(path)), Body::empty()).await
    }

    /// Sends a form as a page of the hub does.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = Request::post(inner(path)).header("sec-fetch-site", "same-origin");
        self.send(request, Body::from(form(fields))).await
    }

    async fn send(&mut self, request: axum::http::request::Builder, body: Body) -> Answer {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request
            .header("host", "localhost:8080")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", cookies.join("; "));
        let answer = send(self.router, request.body(body).unwrap()).await;
        for cookie in answer.headers.get_all(header::SET_COOKIE) {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), rest.split(';').next().unwrap().to_owned());
        }
        answer
    }

    /// Signs in on a page and gives the page that asks.
    pub(crate) async fn sign_in(&mut self, page: &Answer) -> Answer {
        let fields = [("request", hidden(page, "request")), ("username", "ada".to_owned())];
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let fields = [fields.as_slice(), &[("password", PASSWORD)]].concat();
        let signed_in = self.post("/auth/syfthub/login", &fields).await;
        assert_eq!(signed_in.status, StatusCode::SEE_OTHER, "{}", signed_in.text);
        self.get(&location(&signed_in)).await
    }

    /// Answers the page that asks.
    pub(crate) async fn decide(&mut self, page: &Answer, decision: &str) -> Answer {
        let (request, user) = (hidden(page, "request"), hidden(page, "user"));
        let fields = [("request", request.as_str()), ("user", user.as_str()), ("decision", decision)];
        self.post("/oauth/consent", &fields).await
    }

    /// The whole way to a code.
    pub(crate) async fn code(&mut self, authorize: &str) -> String {
        let page = self.get(authorize).await;
        let page = if page.text.contains("current-password") { self.sign_in(&page).await } else { page };
        let answer = self.decide(&page, "allow").await;
        told(&answer)["code"].clone()
    }
}

/// The path that the service sees behind the proxy.
fn inner(path: &str) -> String {
    path.strip_prefix("/mcp").unwrap_or(path).to_owned()
}

pub(crate) fn location(answer: &Answer) -> String {
    let location = answer.headers.get("location").unwrap_or_else(|| panic!("no redirect: {}", answer.text));
    location.to_str().unwrap().to_owned()
}

/// What a redirect back to the program tells it.
pub(crate) fn told(answer: &Answer) -> BTreeMap<String, String> {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    let location: url::Url = location(answer).parse().unwrap();
    location.query_pairs().into_owned().collect()
}

/// The value of a hidden field of a page.
pub(crate) fn hidden(page: &Answer, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let rest = page.text.split_once(&start).unwrap_or_else(|| panic!("no field {name}: {}", page.text)).1;
    rest.split('"').next().unwrap().to_owned()
}

/// A program that registered.
pub(crate) struct Program {
    pub(crate) id: String,
    pub(crate) secret: Option<String>,
    pub(crate) registered: Value,
}

pub(crate) async fn register(router: &Router, more: Value) -> Program {
    let mut body = json!({
        "client_name": "A program", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none",
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = json_post(router, "/oauth/register", &body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let registered = answer.json();
    Program {
        id: registered["client_id"].as_str().unwrap().to_owned(),
        secret: registered["client_secret"].as_str().map(str::to_owned),
        registered,
    }
}

pub(crate) async fn json_post(router: &Router, path: &str, body: &Value) -> Answer {
    let request = Request::post(path).header("content-type", "application/json");
    send(router, request.body(Body::from(body.to_string())).unwrap()).await
}

impl Program {
    /// The address of a good request, with some parameters changed; an empty value takes one away.
    pub(crate) fn authorize(&self, changes: &[(&str, &str)]) -> String {
        let mut fields = BTreeMap::from([
            ("response_type", "code"),
            ("client_id", self.id.as_str()),
            ("redirect_uri", CALLBACK),
            ("state", "st\"><script>alert(1)</script>"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("scope", "openid profile email read write"),
            ("resource", "http://localhost:8080/mcp"),
            ("nonce", "n-1"),
        ]);
        fields.extend(changes.iter().copied());
        let fields: Vec<(&str, &str)> = fields.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        format!("/oauth/authorize?{}", form(&fields))
    }

    /// Asks the token endpoint, with its id.
    pub(crate) async fn token(&self, router: &Router, fields: &[(&str, &str)]) -> Answer {
        let mut all = vec![("client_id", self.id.as_str())];
        all.extend(self.secret.as_deref().map(|secret| ("client_secret", secret)));
        all.extend(fields);
        form_post(router, "/oauth/token", &all, HeaderMap::new()).await
    }

    /// Exchanges a code, with some parameters changed; an empty value takes one away.
    pub(crate) async fn exchange(&self, router: &Router, code: &str, changes: &[(&str, &str)]) -> Answer {
        let mut fields = BTreeMap::from([
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ]);
        fields.extend(changes.iter().copied());
        let fields: Vec<(&str, &str)> = fields.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        self.token(router, &fields).await
    }

    pub(crate) async fn refresh(&self, router: &Router, token: &str) -> Answer {
        self.token(router, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }
}

pub(crate) async fn form_post(
    router: &Router,
    path: &str,
    fields: &[(&str, &str)],
    headers: HeaderMap,
) -> Answer {
    let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    request.headers_mut().unwrap().extend(headers);
    send(router, request.body(Body::from(form(fields))).unwrap()).await
}
