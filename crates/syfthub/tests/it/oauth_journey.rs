//! A program and its person at a hub of one process: the way to a token, step by step.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{HeaderName, HeaderValue, Method, header};
use serde_json::{Value, json};
use syfthub_egress::{Client, Limits};

use crate::hub::Hub;

const SETTINGS: &[(&str, &str)] = &[("RATE_LIMIT_ENABLED", "false")];
/// Where the program of these tests is sent back to.
pub(crate) const CALLBACK: &str = "https://client.example/cb";
/// Of everybody here; see [`Hub::register`].
pub(crate) const PASSWORD: &str = "correct-horse-1";
/// RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A hub without limits on how often somebody may ask.
pub(crate) fn start() -> Hub {
    start_with(&[])
}

/// The same with more settings.
pub(crate) fn start_with(more: &[(&str, &str)]) -> Hub {
    let settings = [SETTINGS, more].concat();
    Hub::start_in(tempfile::TempDir::new().unwrap(), &["--no-demo"], &settings)
}

/// A hub that goes on where another one stopped.
pub(crate) fn start_again(port: &str, directory: tempfile::TempDir, more: &[(&str, &str)]) -> Hub {
    Hub::start_on(port, directory, &["--no-demo"], &[SETTINGS, more].concat())
}

/// Who issues tokens, which is also the name of the MCP endpoint.
pub(crate) fn issuer(hub: &Hub) -> String {
    format!("{}/mcp", hub.url)
}

/// The other resource.
pub(crate) fn api(hub: &Hub) -> String {
    format!("{}/api", hub.url)
}

pub(crate) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key}: {value}"))
}

/// A part of a JWT, decoded: 0 is its header, 1 what it claims.
pub(crate) fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

pub(crate) fn claims(token: &str) -> Value {
    part(token, 1)
}

/// Pairs as the body of a form or a query.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// Pairs with some replaced or added; an empty value takes one away.
fn changed<'v>(fields: &[(&'v str, &'v str)], changes: &[(&'v str, &'v str)]) -> Vec<(&'v str, &'v str)> {
    let mut all: BTreeMap<&str, &str> = fields.iter().copied().collect();
    all.extend(changes.iter().copied());
    all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|_| panic!("not JSON ({}): {}", self.status, self.text))
    }

    /// A header, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub(crate) fn location(&self) -> &str {
        assert!(self.headers.contains_key(header::LOCATION), "no redirect ({}): {}", self.status, self.text);
        self.header("location")
    }

    /// What a redirect tells the program.
    pub(crate) fn told(&self) -> BTreeMap<String, String> {
        let url: url::Url = self.location().parse().unwrap();
        url.query_pairs().into_owned().collect()
    }

    /// Status and word of a refusal.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status, self.json()["error"].as_str().unwrap_or_default().to_owned())
    }

    pub(crate) fn hidden(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let rest = self.text.split_once(&start).unwrap_or_else(|| panic!("no field {name}: {}", self.text)).1;
        rest.split('"').next().unwrap().to_owned()
    }
}

/// Somebody at the hub, with their cookies or a token.
pub(crate) struct Somebody<'h> {
    pub(crate) hub: &'h Hub,
    client: Client,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl<'h> Somebody<'h> {
    pub(crate) fn at(hub: &'h Hub) -> Self {
        Self { hub, client: Client::operator(Limits::default()).unwrap(), cookies: BTreeMap::new() }
    }

    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        more: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let url = format!("{}{path}", self.hub.url).parse().unwrap();
        let mut request = self.client.request(method, url);
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let cookies = [("cookie", cookies.as_str())];
        let cookies = cookies.into_iter().filter(|(_, value)| !value.is_empty());
        for (name, value) in more.iter().copied().chain(cookies) {
            let name: HeaderName = name.parse().unwrap();
            request = request.header(name, HeaderValue::from_str(value).unwrap());
        }
        let response = request.body(body).send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        for cookie in headers.get_all(header::SET_COOKIE) {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), rest.split(';').next().unwrap().to_owned());
        }
        Answer { status, headers, text: response.text_capped(1024 * 1024).await.unwrap() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], String::new()).await
    }

    /// Sends a form as a page of the hub does.
    pub(crate) async fn form(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.form_with(path, fields, &[("sec-fetch-site", "same-origin")]).await
    }

    /// Sends a form with these headers.
    pub(crate) async fn form_with(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let headers = [headers, &[("content-type", "application/x-www-form-urlencoded")]].concat();
        self.send(Method::POST, path, &headers, form(fields)).await
    }

    pub(crate) async fn mcp(&mut self, token: &str, method: &str, params: Value) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.send(Method::POST, "/mcp", &headers, body.to_string()).await
    }

    /// The status with which the MCP endpoint answers a token.
    pub(crate) async fn tools(&mut self, token: &str) -> u16 {
        self.mcp(token, "tools/list", json!({})).await.status
    }

    /// Registers, with more keys or other values.
    pub(crate) async fn register_as(&mut self, more: Value) -> Answer {
        let mut body = json!({
            "client_name": "A program", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none",
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let json = [("content-type", "application/json")];
        self.send(Method::POST, "/mcp/oauth/register", &json, body.to_string()).await
    }

    /// Registers a public client and gives its id.
    pub(crate) async fn register(&mut self) -> String {
        let answer = self.register_as(json!({})).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        text(&answer.json(), "client_id").to_owned()
    }

    /// The address of a good request with some parameters changed; an empty value takes one away.
    pub(crate) fn authorize(&self, client: &str, changes: &[(&str, &str)]) -> String {
        let resource = issuer(self.hub);
        let good = [
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", CALLBACK),
            ("state", "s-1"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("scope", "read"),
            ("resource", resource.as_str()),
        ];
        format!("/mcp/oauth/authorize?{}", form(&changed(&good, changes)))
    }

    /// The first page of a request.
    pub(crate) async fn begin(&mut self, client: &str, resource: &str, scope: &str) -> Answer {
        let path = self.authorize(client, &[("resource", resource), ("scope", scope)]);
        let page = self.get(&path).await;
        assert_eq!(page.status, 200, "{}", page.text);
        page
    }

    /// Signs in on a page and gives the one that asks.
    pub(crate) async fn sign_in(&mut self, page: &Answer, username: &str) -> Answer {
        let request = page.hidden("request");
        let fields = [("request", request.as_str()), ("username", username), ("password", PASSWORD)];
        let signed_in = self.form("/mcp/auth/syfthub/login", &fields).await;
        self.get(signed_in.location()).await
    }

    /// Answers the page that asks.
    pub(crate) async fn decide(&mut self, page: &Answer, decision: &str) -> Answer {
        let (request, user) = (page.hidden("request"), page.hidden("user"));
        let fields = [("request", request.as_str()), ("user", user.as_str()), ("decision", decision)];
        self.form("/mcp/oauth/consent", &fields).await
    }

    /// Goes on from a request, signing in and agreeing where a page asks for it, until the browser is sent back.
    pub(crate) async fn agree(&mut self, path: &str, username: &str) -> Answer {
        let mut answer = self.get(path).await;
        if answer.text.contains("current-password") {
            answer = self.sign_in(&answer, username).await;
        }
        if answer.status == 200 {
            answer = self.decide(&answer, "allow").await;
        }
        answer
    }

    /// From the first page to the code.
    pub(crate) async fn code(&mut self, client: &str, username: &str, resource: &str, scope: &str) -> String {
        let path = self.authorize(client, &[("resource", resource), ("scope", scope)]);
        let answer = self.agree(&path, username).await;
        assert!(answer.location().starts_with(CALLBACK), "{}", answer.location());
        let told = answer.told();
        assert_eq!((told["state"].as_str(), told["iss"].as_str()), ("s-1", issuer(self.hub).as_str()));
        told["code"].clone()
    }

    pub(crate) async fn exchange(&mut self, client: &str, code: &str) -> Answer {
        self.exchange_with(client, code, &[]).await
    }

    /// Exchanges a code with some parameters changed; an empty value takes one away.
    pub(crate) async fn exchange_with(
        &mut self,
        client: &str,
        code: &str,
        changes: &[(&str, &str)],
    ) -> Answer {
        let good = [
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.form_with("/mcp/oauth/token", &changed(&good, changes), &[]).await
    }

    pub(crate) async fn refresh(&mut self, client: &str, token: &str) -> Answer {
        self.refresh_with(client, token, &[]).await
    }

    /// Refreshes with more parameters.
    pub(crate) async fn refresh_with(
        &mut self,
        client: &str,
        token: &str,
        changes: &[(&str, &str)],
    ) -> Answer {
        let good = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)];
        self.form_with("/mcp/oauth/token", &changed(&good, changes), &[]).await
    }

    /// What the token endpoint issues to a public client for this person.
    pub(crate) async fn issued(
        &mut self,
        client: &str,
        username: &str,
        resource: &str,
        scope: &str,
    ) -> Value {
        let code = self.code(client, username, resource, scope).await;
        let issued = self.exchange(client, &code).await;
        assert_eq!(issued.status, 200, "{}", issued.text);
        issued.json()
    }
}
