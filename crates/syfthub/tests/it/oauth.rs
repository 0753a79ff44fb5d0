//! A program signs its person in at a hub of one process, uses the tools, and is sent away again.

use futures::future::join_all;
use http::header;
use serde_json::json;

<<<<<<< HEAD
use crate::oauth_journey::{Somebody, claims, issuer, start, start_again, text};
=======
use crate::hub::Hub;

const SETTINGS: &[(&str, &str)] = &[("RATE_LIMIT_ENABLED", "false")];
const CALLBACK: &str = "https://client.example/cb";
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|_| panic!("not JSON ({}): {}", self.status, self.text))
    }

    pub(crate) fn location(&self) -> &str {
        let location = self.headers.get(header::LOCATION);
        location.unwrap_or_else(|| panic!("no redirect ({}): {}", self.status, self.text)).to_str().unwrap()
    }

    pub(crate) fn told(&self) -> BTreeMap<String, String> {
        let url: url::Url = self.location().parse().unwrap();
        url.query_pairs().into_owned().collect()
    }

    pub(crate) fn hidden(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let rest = self.text.split_once(&start).unwrap_or_else(|| panic!("no field {name}: {}", self.text)).1;
        rest.split('"').next().unwrap().to_owned()
    }
}

/// Somebody at the hub, with their cookies or a token.
pub(crate) struct Somebody<'h> {
    hub: &'h Hub,
    client: Client,
    cookies: BTreeMap<String, String>,
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
        for (name, value) in more.iter().copied().chain([("cookie", cookies.as_str())]) {
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

    pub(crate) async fn form(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let headers =
            [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
        self.send(Method::POST, path, &headers, body).await
    }

    async fn mcp(&mut self, token: &str, method: &str, params: Value) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ];
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.send(Method::POST, "/mcp", &headers, body.to_string()).await
    }

    pub(crate) async fn register(&mut self) -> String {
        let body = json!({
            "client_name": "A program", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none",
        });
        let json = [("content-type", "application/json")];
        let answer = self.send(Method::POST, "/mcp/oauth/register", &json, body.to_string()).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["client_id"].as_str().unwrap().to_owned()
    }

    /// The first page.
    pub(crate) async fn begin(&mut self, client: &str, resource: &str, scope: &str) -> Answer {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("response_type", "code"),
                ("client_id", client),
                ("redirect_uri", CALLBACK),
                ("state", "s-1"),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
                ("scope", scope),
                ("resource", resource),
            ])
            .finish();
        let page = self.get(&format!("/mcp/oauth/authorize?{query}")).await;
        assert_eq!(page.status, 200, "{}", page.text);
        page
    }

    /// From the first page to the code.
    async fn code(&mut self, client: &str, username: &str, resource: &str, scope: &str) -> String {
        let page = self.begin(client, resource, scope).await;
        let request = page.hidden("request");
        let password = "correct-horse-1";
        let fields = [("request", request.as_str()), ("username", username), ("password", "wrong")];
        let wrong = self.form("/mcp/auth/syfthub/login", &fields).await;
        assert_eq!(wrong.status, 401, "{}", wrong.text);
        let fields = [("request", request.as_str()), ("username", username), ("password", password)];
        let signed_in = self.form("/mcp/auth/syfthub/login", &fields).await;
        let asks = self.get(signed_in.location()).await;
        assert!(asks.text.contains("client.example"), "{}", asks.text);
        let (request, user) = (asks.hidden("request"), asks.hidden("user"));
        let fields = [("request", request.as_str()), ("user", user.as_str()), ("decision", "allow")];
        let answer = self.form("/mcp/oauth/consent", &fields).await;
        assert!(answer.location().starts_with(CALLBACK), "{}", answer.location());
        let told = answer.told();
        assert_eq!((told["state"].as_str(), told["iss"].as_str()), ("s-1", issuer(self.hub).as_str()));
        told["code"].clone()
    }

    pub(crate) async fn exchange(&mut self, client: &str, code: &str) -> Answer {
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.form("/mcp/oauth/token", &fields).await
    }

    async fn refresh(&mut self, client: &str, token: &str) -> Answer {
        let fields = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)];
        self.form("/mcp/oauth/token", &fields).await
    }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key}: {value}"))
}

fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// Who issues tokens, which is also the name of the MCP endpoint.
fn issuer(hub: &Hub) -> String {
    format!("{}/mcp", hub.url)
}

fn start() -> Hub {
    Hub::start_in(tempfile::TempDir::new().unwrap(), &["--no-demo"], SETTINGS)
}
>>>>>>> e7e3b4b (Let devices without a browser in, and the command line as one of them)

#[tokio::test]
async fn a_program_gets_from_a_refusal_to_a_tool_and_is_sent_away_again() {
    let hub = start();
    let pat = hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let refused = program.mcp(&pat, "tools/list", json!({})).await;
    assert_eq!(refused.status, 401, "hub tokens do not open /mcp: {}", refused.text);
    let challenge = refused.headers[header::WWW_AUTHENTICATE].to_str().unwrap().to_owned();
    assert!(challenge.contains("/.well-known/oauth-protected-resource/mcp\""), "{challenge}");
    for (path, key) in [
        ("/.well-known/oauth-protected-resource/mcp", "resource"),
        ("/.well-known/oauth-protected-resource", "resource"),
        ("/.well-known/oauth-authorization-server/mcp", "issuer"),
        ("/mcp/.well-known/oauth-authorization-server", "issuer"),
        ("/.well-known/openid-configuration/mcp", "issuer"),
        ("/mcp/.well-known/openid-configuration", "issuer"),
    ] {
        assert_eq!(program.get(path).await.json()[key], issuer(&hub), "{path}");
    }

    let client = program.register().await;
    let code = Somebody::at(&hub).code(&client, "ada", &issuer(&hub), "openid email read").await;
    let issued = program.exchange(&client, &code).await;
    assert_eq!(issued.status, 200, "{}", issued.text);
    let issued = issued.json();
    let access = text(&issued, "access_token").to_owned();
    assert_eq!(claims(&access)["email"], "ada@example.com");
    assert_eq!(claims(text(&issued, "id_token"))["aud"], json!(client));

    let hello = json!({
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"},
    });
    let hello = program.mcp(&access, "initialize", hello).await;
    assert_eq!(hello.status, 200, "{}", hello.text);
    let tools = program.mcp(&access, "tools/list", json!({})).await;
    assert!(tools.text.contains("discover_syfthub_endpoints"), "{}", tools.text);
    let call = json!({"name": "discover_syfthub_endpoints", "arguments": {}});
    let called = program.mcp(&access, "tools/call", call).await.json();
    assert_eq!(called["result"]["isError"], false, "{called}");
    let (status, _) = hub.call("GET", "/api/v1/auth/me", None, Some(&access)).await;
    assert_eq!(status, 401, "a token for MCP does not open the API");

    let refreshed = program.refresh(&client, text(&issued, "refresh_token")).await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.text);
    let refreshed = refreshed.json();
    let fields = [("client_id", client.as_str()), ("token", text(&refreshed, "refresh_token"))];
    assert_eq!(program.form("/mcp/oauth/revoke", &fields).await.status, 200);
    for token in [access.as_str(), text(&refreshed, "access_token")] {
        let refused = program.mcp(token, "tools/list", json!({})).await;
        assert_eq!(refused.status, 401, "revoked is over at once: {}", refused.text);
    }
    let over = program.refresh(&client, text(&refreshed, "refresh_token")).await;
    assert_eq!((over.status, text(&over.json(), "error")), (400, "invalid_grant"));
}

#[tokio::test]
async fn a_restart_changes_nothing_for_clients_and_tokens() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let code = Somebody::at(&hub).code(&client, "ada", &issuer(&hub), "read").await;
    let issued = program.exchange(&client, &code).await.json();
    let port = hub.url.rsplit(':').next().unwrap().to_owned();
    let (directory, ended_well) = hub.stop();
    assert!(ended_well);

    let hub = start_again(&port, directory, &[]);
    let mut program = Somebody::at(&hub);
    let tools = program.mcp(text(&issued, "access_token"), "tools/list", json!({})).await;
    assert_eq!(tools.status, 200, "{}", tools.text);
    assert_eq!(program.refresh(&client, text(&issued, "refresh_token")).await.status, 200);
    Somebody::at(&hub).code(&client, "ada", &issuer(&hub), "read write").await;
}

#[tokio::test]
async fn fifty_refreshes_at_once_leave_one_family_with_one_successor() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let code = Somebody::at(&hub).code(&client, "ada", &issuer(&hub), "read").await;
    let issued = program.exchange(&client, &code).await.json();
    let token = text(&issued, "refresh_token");
    let all = join_all((0..50).map(|_| async {
        let answer = Somebody::at(&hub).refresh(&client, token).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        text(&answer.json(), "refresh_token").to_owned()
    }));
    let mut next = all.await;
    next.sort();
    next.dedup();
    assert_eq!(next.len(), 1, "one successor");
    let again = program.refresh(&client, &next[0]).await;
    assert_eq!(again.status, 200, "the family lives: {}", again.text);
}

#[tokio::test]
async fn a_replayed_code_ends_what_it_began() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let code = Somebody::at(&hub).code(&client, "ada", &issuer(&hub), "read").await;
    let issued = program.exchange(&client, &code).await.json();
    assert_eq!(program.mcp(text(&issued, "access_token"), "tools/list", json!({})).await.status, 200);
    let again = program.exchange(&client, &code).await;
    assert_eq!((again.status, text(&again.json(), "error")), (400, "invalid_grant"));
    assert_eq!(program.mcp(text(&issued, "access_token"), "tools/list", json!({})).await.status, 401);
}

#[tokio::test]
async fn a_token_for_the_api_opens_the_api_and_not_the_tools() {
    let hub = start();
    hub.register("ada").await;
    let mut program = Somebody::at(&hub);
    let client = program.register().await;
    let api = format!("{}/api", hub.url);
    let code = Somebody::at(&hub).code(&client, "ada", &api, "read").await;
    let issued = program.exchange(&client, &code).await.json();
    let access = text(&issued, "access_token");
    assert_eq!(program.mcp(access, "tools/list", json!({})).await.status, 401);
    let (status, me) = hub.call("GET", "/api/v1/auth/me", None, Some(access)).await;
    assert_eq!((status, me["username"].as_str()), (200, Some("ada")), "{me}");
    let new = json!({"name": "more"});
    let (status, refused) = hub.call("POST", "/api/v1/auth/tokens", Some(new), Some(access)).await;
    assert_eq!(status, 403, "read is not full: {refused}");
}
