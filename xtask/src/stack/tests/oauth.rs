//! An MCP client through nginx: it finds the way, signs its person in, and nothing of that ends with a process.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::browser::{Browser, path_of};
use crate::http::{Request, Response};
use crate::interrupt;
use crate::process::eventually;
use crate::stack::Stack;
use crate::stack::members::Member;
use crate::workspace::{self, Profile};

const CALLBACK: &str = "https://client.example/callback";
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(super) fn doctor(stack: &mut Stack, profile: Profile) -> Result<()> {
    let mut doctor = Command::new(workspace::binary(profile, "syfthub")?);
    // The name that the services are told in SYFTHUB_PUBLIC_URL.
    doctor.args(["doctor", "mcp", &stack.settings.address]);
    let output = interrupt::output(&mut doctor)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}

pub(super) fn from_sign_in_to_revocation(stack: &mut Stack, _: Profile) -> Result<()> {
    stack.register("grace", "grace@example.org")?;
    let client = json!({
        "client_name": "A program", "redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none",
    });
    let client = Request::post("/mcp/oauth/register", &client).send(&stack.address)?.expect(201)?.json()?;
    let id = text(&client, "client_id")?;
    let page = format!(
        "/mcp/oauth/authorize?response_type=code&client_id={id}&redirect_uri={CALLBACK}&scope=read&state=s\
         &code_challenge={CHALLENGE}&code_challenge_method=S256"
    );
    let url = format!("{}{page}", stack.settings.address);
    let back = Browser::new(&stack.address).agree(&url, "grace", "Correct-horse-9-battery")?;
    let code = path_of(&back)?.split(['?', '&']).find_map(|part| part.strip_prefix("code="));
    let code = code.with_context(|| format!("no code in {back}"))?;
    let form = format!(
        "grant_type=authorization_code&code={code}&client_id={id}&redirect_uri={CALLBACK}&code_verifier={VERIFIER}"
    );
    let first = tokens(stack, &form)?.expect(200)?.json()?;
    listed(stack, &text(&first, "access_token")?)?.expect(200)?;

    // Nothing of it is in a process: not of the one that made it, nor of the one that keeps it.
    stack.crash(Member::Mcp)?;
    stack.crash(Member::Backend)?;
    eventually("the backend is back", Duration::from_secs(30), || {
        Request::new("GET", "/health/ready").send(&stack.address).is_ok_and(|answer| answer.status == 200)
    })?;
    listed(stack, &text(&first, "access_token")?)?.expect(200)?;
    let form =
        format!("grant_type=refresh_token&refresh_token={}&client_id={id}", text(&first, "refresh_token")?);
    let next = tokens(stack, &form)?.expect(200)?.json()?;
    let access = text(&next, "access_token")?;
    let tools = listed(stack, &access)?.expect(200)?.json()?;
    let tools = tools["result"]["tools"].as_array().context("no list of tools")?;
    let writes = tools.iter().any(|tool| tool["name"] == "publish_endpoint");
    ensure!(!tools.is_empty() && !writes, "the scope `read` lists {tools:?}");
    Request::new("GET", "/api/v1/auth/me").bearer(&access).send(&stack.address)?.expect(401)?;

    let form = format!("token={}&client_id={id}", text(&next, "refresh_token")?);
    Request::form("/mcp/oauth/revoke", &form).send(&stack.address)?.expect(200)?;
    eventually("the access token is refused", Duration::from_secs(15), || {
        listed(stack, &access).is_ok_and(|answer| answer.status == 401)
    })
}

fn tokens(stack: &Stack, form: &str) -> Result<Response> {
    Request::form("/mcp/oauth/token", form).send(&stack.address)
}

fn listed(stack: &Stack, access: &str) -> Result<Response> {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}});
    let request = Request::post("/mcp", &call).bearer(access);
    request.header("Accept", "application/json, text/event-stream").send(&stack.address)
}

fn text(body: &Value, key: &str) -> Result<String> {
    body[key].as_str().map(str::to_owned).with_context(|| format!("no {key} in {body}"))
}
