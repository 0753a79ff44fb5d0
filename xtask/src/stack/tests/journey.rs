//! What people do with a hub.

use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::http::Request;
use crate::interrupt;
use crate::process::{Service, free_port};
use crate::stack::held_model::HeldModel;
use crate::stack::{DATABASE, Stack};
use crate::workspace::{self, Profile};

/// Indexing thousands of files takes its time on a busy machine.
const INDEXED: Duration = Duration::from_mins(5);

pub(super) fn account(stack: &mut Stack, _: Profile) -> Result<()> {
    let (_, refresh) = stack.register("ada", "ada@example.org")?;
    let form = "username=ada&password=Correct-horse-9-battery";
    let login = Request::form("/api/v1/auth/login", form).send(&stack.address)?.expect(200)?.json()?;
    let access = login["access_token"].as_str().context("login gave no token")?;
    let me =
        Request::new("GET", "/api/v1/auth/me").bearer(access).send(&stack.address)?.expect(200)?.json()?;
    ensure!(me["username"] == "ada", "me is {me}");
    let body = json!({"refresh_token": refresh});
    let rotated = Request::post("/api/v1/auth/refresh", &body).send(&stack.address)?.expect(200)?.json()?;
    ensure!(rotated["refresh_token"].is_string(), "refresh gave {rotated}");
    let wrong = Request::form("/api/v1/auth/login", "username=ada&password=wrong").send(&stack.address)?;
    wrong.expect(401).map(|_| ())
}

/// Runs `syfthub ask` against the stack.
pub(super) fn ask_cli(stack: &Stack, profile: Profile, arguments: &[&str]) -> Result<Output> {
    let mut ask = Command::new(workspace::binary(profile, "syfthub")?);
    ask.args(["ask", "--hub", &format!("http://{}", stack.address)]).args(arguments);
    Ok(interrupt::output(&mut ask)?)
}

pub(super) fn ask(stack: &mut Stack, profile: Profile) -> Result<()> {
    let output = ask_cli(stack, profile, &["How do I restore a backup?"])?;
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {text}\n{errors}", output.status);
    ensure!(text.contains("Runbook"), "the runbook is not among the sources:\n{text}\n{errors}");
    let nobody = ask_cli(stack, profile, &["Hello?", "--model", "nobody/nothing"])?;
    ensure!(!nobody.status.success(), "asking a model that does not exist succeeds");
    Ok(())
}

/// A chat request to what the stack's own node publishes.
fn chat(question: &str, stack: &Stack) -> Result<serde_json::Value> {
    let listed = Request::new("GET", "/api/v1/endpoints/public").send(&stack.address)?.expect(200)?.json()?;
    let reference = |kind: &str| -> Result<serde_json::Value> {
        let all = listed.as_array().context("the listing is no array")?;
        let endpoint =
            all.iter().find(|e| e["type"] == kind).with_context(|| format!("no {kind} is published"))?;
        Ok(json!({
            "url": endpoint["connect"][0]["config"]["url"], "slug": endpoint["slug"], "name": endpoint["name"],
            "owner_username": endpoint["owner_username"],
        }))
    };
    let owner = "librarian";
    let tokens = Request::new("GET", format!("/api/v1/token/guest?aud={owner}"))
        .send(&stack.address)?
        .expect(200)?
        .json()?;
    Ok(json!({
        "prompt": question, "model": reference("model")?, "data_sources": [reference("data_source")?],
        "endpoint_tokens": {owner: tokens["target_token"]}, "similarity_threshold": 0.1,
    }))
}

pub(super) fn events(stack: &mut Stack, _: Profile) -> Result<()> {
    let body = chat("How do I restore a backup?", stack)?;
    let answer = Request::post("/aggregator/api/v1/chat/stream", &body).send(&stack.address)?.expect(200)?;
    ensure!(
        answer.header("Content-Type").is_some_and(|t| t.starts_with("text/event-stream")),
        "no event stream"
    );
    let mut names: Vec<&str> = answer.body.lines().filter_map(|l| l.strip_prefix("event: ")).collect();
    names.retain(|name| *name != "generation_heartbeat");
    names.dedup();
    let expected = [
        "retrieval_start",
        "source_complete",
        "reranking_start",
        "reranking_complete",
        "retrieval_complete",
        "generation_start",
        "token",
        "done",
    ];
    ensure!(names == expected, "events are {names:?}:\n{}", answer.body);
    Ok(())
}

pub(super) fn debian_documents(stack: &mut Stack, profile: Profile) -> Result<()> {
    let (access, _) = stack.register("debian", "debian@example.org")?;
    let token = stack.folder.path().join("debian-token");
    std::fs::write(&token, stack.mint(&access)?)?;
    let mut node = Command::new(workspace::binary(profile, "syfthub")?);
    node.args([
        "node",
        "--hub",
        &format!("http://{}", stack.address),
        "--name",
        "Debian documents",
        "--slug",
        "documents",
    ]);
    node.arg("--token-file").arg(&token).args(["--docs", "/usr/share/doc"]);
    node.args(["--listen", &format!("127.0.0.1:{}", free_port()?)]);
    node.arg("--state-dir").arg(stack.folder.path().join("debian-node"));
    let mut node = Service::start("debian-node", node, stack.folder.path())?;
    let address = stack.address.clone();
    node.wait_until(INDEXED, || {
        Request::new("GET", "/api/v1/endpoints/public")
            .send(&address)
            .is_ok_and(|a| a.body.contains("\"debian\""))
    })?;
    let question = "Under which licence is bash distributed?";
    let output = ask_cli(
        stack,
        profile,
        &[question, "--source", "debian/documents", "--model", "librarian/documentation-model"],
    )?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    ensure!(text.contains("bash/copyright"), "bash's own file is not cited:\n{text}");
    ensure!(
        text.contains("GPL") || text.contains("General Public License"),
        "no licence in the answer:\n{text}"
    );
    Ok(())
}

pub(super) fn unbuffered(stack: &mut Stack, _: Profile) -> Result<()> {
    let model = HeldModel::start()?;
    let mut held = None;
    let answer = Request::post("/aggregator/api/v1/chat/stream", &model.request())
        .send_watched(&stack.address, |so_far| {
            // The model goes on only after its first word came through the aggregator and the proxy.
            if held.is_none() && so_far.contains("first") {
                held = Some(!so_far.contains("second"));
                model.release();
            }
        })?
        .expect(200)?;
    ensure!(held == Some(true), "the first word did not come by itself:\n{}", answer.body);
    ensure!(
        answer.body.contains("second") && answer.body.contains("event: done"),
        "no end:\n{}",
        answer.body
    );
    Ok(())
}

pub(super) fn application_name(stack: &mut Stack, _: Profile) -> Result<()> {
    let sql = format!("SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = '{DATABASE}'");
    let names = stack.postgres.query(DATABASE, &sql)?;
    ensure!(names.lines().any(|name| name == "syfthub-backend"), "connected are: {names}");
    Ok(())
}
