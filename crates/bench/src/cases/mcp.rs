//! The MCP endpoint and the authorization server in front of it: calls of a tool, sign-ins, refreshes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::Plan;
use crate::load::{self, Outcome, Sender, Shot};
use crate::report::Report;
use crate::seed;

/// A program on the same machine, so every sign-in shows the page that asks.
const REDIRECT: &str = "http://127.0.0.1/callback";
/// A verifier of RFC 7636; one is enough, since nobody here attacks.
const VERIFIER: &str = "a-verifier-that-is-as-long-as-the-standard-asks";
const FORM: &str = "application/x-www-form-urlencoded";

/// Runs every figure against the all-in-one.
pub(super) async fn run(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    let data = TempDir::new()?;
    let hub = plan.hub(data.path()).await?;
    seed::endpoints(hub.addr, 1).await?;
    let client = Program::new(hub.addr).await?;
    let mut sender = load::connect(hub.addr).await?;
    let token = text_of(&client.sign_in(&mut sender).await?, "access_token")?;

    let list = message("tools/list", &json!({})).with_bearer(&token);
    let listed = load::run(hub.addr, &list, plan.connections, plan.seconds).await?;
    report.note("tools/list", listed.describe());
    let calm = load::paced(hub.addr, &[list], listed.rate() / 2.0, plan.connections, plan.seconds).await?;
    report.at_most("tools/list: p99 at half load", calm.quantile_ms(0.99), 5.0, "ms");

    let arguments = json!({"name": "get_endpoint", "arguments": {"path": "bench/endpoint-0"}});
    let call = message("tools/call", &arguments).with_bearer(&token);
    let answer: Value = serde_json::from_slice(&load::send(&mut sender, &call).await?)?;
    anyhow::ensure!(answer["result"]["isError"] == false, "the tool does not work: {answer}");
    let called = load::run(hub.addr, &call, plan.connections, plan.seconds).await?;
    report.note("tools/call get_endpoint", called.describe());
    report.at_least_per_second("tools/call get_endpoint", called.rate(), 4000.0);
    let half = called.rate() / 2.0;
    let calm = load::paced(hub.addr, &[call], half, plan.connections, plan.seconds).await?;
    report.note("tools/call at half load", calm.describe());
    // What the same process takes for an answer that is nothing: the rest is what the call adds.
    let nothing = [Shot::get("/health/live")];
    let bare = load::paced(hub.addr, &nothing, half, plan.connections, plan.seconds).await?;
    report.note("an empty answer at that rate", bare.describe());
    let added = calm.quantile_ms(0.99) - bare.quantile_ms(0.99);
    report.at_most("tools/call: p99 added at half load", added, 2.0, "ms");

    let flows = client.every(plan, Turn::SignIn).await?;
    report.note("authorize, consent, code for tokens", flows.describe());
    report.at_least_per_second("authorize, consent, code for tokens", flows.rate(), 600.0);
    let refreshes = client.every(plan, Turn::Refresh).await?;
    report.note("refresh", refreshes.describe());
    report.at_least_per_second("refresh", refreshes.rate(), 1500.0);
    hub.stop().await
}

/// A call of the MCP endpoint.
fn message(method: &str, params: &Value) -> Shot {
    Shot::post_json("/mcp", &json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
}

/// What is done again and again.
#[derive(Debug, Clone, Copy)]
enum Turn {
    /// The whole way of a browser that is signed in at the hub: request, consent, code, tokens.
    SignIn,
    /// The next tokens for the last refresh token.
    Refresh,
}

/// A program that signs somebody in.
#[derive(Debug, Clone)]
struct Program {
    addr: SocketAddr,
    /// The session cookie of the person, `name=value`.
    session: String,
    id: String,
    authorize: String,
}

impl Program {
    /// Signs in at the hub as `bench`, and registers.
    async fn new(addr: SocketAddr) -> anyhow::Result<Self> {
        let mut sender = load::connect(addr).await?;
        let form = "username=bench&password=benchmark-1";
        let (status, headers, body) =
            post(&mut sender, addr, "/api/v1/auth/session", FORM, form.to_owned(), "").await?;
        let session = cookie(&headers).with_context(|| format!("no session: {status} {body}"))?;
        let metadata = json!({
            "client_name": "bench", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none",
        });
        let metadata = metadata.to_string();
        let (_, _, body) =
            post(&mut sender, addr, "/mcp/oauth/register", "application/json", metadata, "").await?;
        let client_id = text_of(&serde_json::from_str(&body)?, "client_id")?;
        let challenge = base64url(digest(&SHA256, VERIFIER.as_bytes()).as_ref());
        let authorize = format!(
            "/mcp/oauth/authorize?response_type=code&client_id={client_id}&redirect_uri={REDIRECT}&state=s\
             &scope=read%20write%20offline_access&code_challenge={challenge}&code_challenge_method=S256"
        );
        Ok(Self { addr, session, id: client_id, authorize })
    }

    /// One way from the request to tokens.
    async fn sign_in(&self, sender: &mut Sender) -> anyhow::Result<Value> {
        let (status, headers, page) = get(sender, &self.authorize, &self.session).await?;
        let bound = cookie(&headers).with_context(|| format!("authorize answered {status}: {page}"))?;
        let (request, user) = (hidden(&page, "request")?, hidden(&page, "user")?);
        let form = format!("request={request}&user={user}&decision=allow");
        let cookies = format!("{}; {bound}", self.session);
        let (status, headers, body) =
            post(sender, self.addr, "/mcp/oauth/consent", FORM, form, &cookies).await?;
        let back = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
        let back = back.with_context(|| format!("consent answered {status}: {body}"))?;
        let code = back.split(['?', '&']).find_map(|part| part.strip_prefix("code="));
        let code = code.with_context(|| format!("no code in {back}"))?;
        let form = format!(
            "grant_type=authorization_code&code={code}&client_id={}&redirect_uri={REDIRECT}&code_verifier={VERIFIER}",
            self.id
        );
        self.tokens(sender, form).await
    }

    async fn refresh(&self, sender: &mut Sender, tokens: &Value) -> anyhow::Result<Value> {
        let token = text_of(tokens, "refresh_token")?;
        let form = format!("grant_type=refresh_token&refresh_token={token}&client_id={}", self.id);
        self.tokens(sender, form).await
    }

    async fn tokens(&self, sender: &mut Sender, form: String) -> anyhow::Result<Value> {
        let (status, _, body) = post(sender, self.addr, "/mcp/oauth/token", FORM, form, "").await?;
        anyhow::ensure!(status == StatusCode::OK, "token answered {status}: {body}");
        Ok(serde_json::from_str(&body)?)
    }

    /// Takes turns on every connection for the time of the plan.
    async fn every(&self, plan: &Plan, turn: Turn) -> anyhow::Result<Outcome> {
        let mut tasks = JoinSet::new();
        let started = Instant::now();
        for _ in 0..plan.connections {
            let (client, length) = (self.clone(), plan.seconds);
            tasks.spawn(async move { client.turns(turn, length).await });
        }
        let mut latencies = Vec::new();
        while let Some(joined) = tasks.join_next().await {
            latencies.extend(joined??);
        }
        Ok(Outcome::new(latencies, started.elapsed()))
    }

    async fn turns(&self, turn: Turn, length: Duration) -> anyhow::Result<Vec<u64>> {
        let mut sender = load::connect(self.addr).await?;
        let mut tokens = self.sign_in(&mut sender).await?;
        let mut latencies = Vec::with_capacity(4096);
        let end = Instant::now() + length;
        while Instant::now() < end {
            let began = Instant::now();
            tokens = match turn {
                Turn::SignIn => self.sign_in(&mut sender).await?,
                Turn::Refresh => self.refresh(&mut sender, &tokens).await?,
            };
            latencies.push(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
        Ok(latencies)
    }
}

type Answer = (StatusCode, HeaderMap, String);

async fn get(sender: &mut Sender, path: &str, cookies: &str) -> anyhow::Result<Answer> {
    let request = Request::get(path).header(header::HOST, "localhost").header(header::COOKIE, cookies);
    answer(sender, request.body(Full::default())?).await
}

/// What a page of the hub sends.
async fn post(
    sender: &mut Sender,
    addr: SocketAddr,
    path: &str,
    kind: &str,
    body: String,
    cookies: &str,
) -> anyhow::Result<Answer> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, "localhost")
        .header(header::ORIGIN, format!("http://{addr}"))
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, kind);
    if !cookies.is_empty() {
        request = request.header(header::COOKIE, cookies);
    }
    answer(sender, request.body(Full::new(Bytes::from(body)))?).await
}

async fn answer(sender: &mut Sender, request: Request<Full<Bytes>>) -> anyhow::Result<Answer> {
    sender.ready().await?;
    let (parts, body) = sender.send_request(request).await?.into_parts();
    let body = body.collect().await?.to_bytes();
    Ok((parts.status, parts.headers, String::from_utf8_lossy(&body).into_owned()))
}

/// The cookie that an answer sets, `name=value`.
fn cookie(headers: &HeaderMap) -> Option<String> {
    let set = headers.get(header::SET_COOKIE)?.to_str().ok()?;
    Some(set.split(';').next()?.to_owned())
}

/// The value of a hidden field of a form.
fn hidden(page: &str, name: &str) -> anyhow::Result<String> {
    let after = page.split_once(&format!("name=\"{name}\" value=\"")).map(|(_, after)| after);
    let value = after.and_then(|after| after.split('"').next());
    Ok(value.with_context(|| format!("no field {name} in the page"))?.to_owned())
}

fn text_of(body: &Value, key: &str) -> anyhow::Result<String> {
    Ok(body[key].as_str().with_context(|| format!("no {key} in {body}"))?.to_owned())
}

fn base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
