//! What happens when something goes away. These cases come last: the stack does not recover from all
//! of them.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::journey::ask_cli;
use crate::http::Request;
use crate::process::eventually;
use crate::stack::Stack;
use crate::stack::held_model::HeldModel;
use crate::workspace::Profile;

const QUESTION: &str = "How do I restore a backup?";

pub(super) fn redis(stack: &mut Stack, profile: Profile) -> Result<()> {
    stack.redis.kill();
    let without = ask_cli(stack, profile, &[QUESTION])?;
    ensure!(without.status.success(), "without Redis: {}", String::from_utf8_lossy(&without.stderr));
    ensure!(
        Request::new("GET", "/health/live").send(&stack.address)?.status == 200,
        "the backend is not alive"
    );
    stack.redis.restart()?;
    eventually("the backend is ready again", Duration::from_secs(30), || {
        Request::new("GET", "/health/ready").send(&stack.address).is_ok_and(|answer| answer.status == 200)
    })?;
    let again = ask_cli(stack, profile, &[QUESTION])?;
    ensure!(again.status.success(), "with Redis again: {}", String::from_utf8_lossy(&again.stderr));
    Ok(())
}

pub(super) fn service_gone(stack: &mut Stack, _: Profile) -> Result<()> {
    stack.mcp.kill();
    let answer = Request::new("GET", "/mcp/health").send(&stack.address)?.expect(503)?;
    ensure!(answer.json()?["error"]["code"] == "unavailable", "{}", answer.body);
    ensure!(answer.header("Retry-After").is_some(), "no Retry-After");
    Request::new("GET", "/health").send(&stack.address)?.expect(200).map(|_| ())
}

pub(super) fn drain(stack: &mut Stack, _: Profile) -> Result<()> {
    let model = HeldModel::start()?;
    let (said, hears) = std::sync::mpsc::channel();
    let request = Request::post("/aggregator/api/v1/chat/stream", &model.request());
    let address = stack.address.clone();
    let asking = thread::spawn(move || {
        request.send_watched(&address, |so_far| {
            if so_far.contains("first") {
                said.send(()).unwrap_or_default();
            }
        })
    });
    hears.recv_timeout(Duration::from_secs(30)).context("the answer did not begin")?;
    let aggregator = &mut stack.aggregator;
    let port = stack.ports.aggregator;
    let (took, status) = thread::scope(|scope| {
        let stopping = scope.spawn(|| aggregator.stop());
        // Once the drain has begun nothing new is accepted; then the answer in hand may end.
        let closed = eventually("the aggregator closes its door", Duration::from_secs(20), || {
            let ready = Request::new("GET", "/ready").send(&format!("127.0.0.1:{port}"));
            ready.map_or(true, |answer| answer.status == 503)
        });
        model.release();
        let ended = stopping.join();
        closed.and_then(|()| ended.map_err(|_| anyhow::anyhow!("stopping panicked")))
    })?;
    let answer = asking.join().map_err(|_| anyhow::anyhow!("asking panicked"))??;
    ensure!(
        answer.body.contains("second") && answer.body.contains("event: done"),
        "the answer was cut off:\n{}",
        answer.body
    );
    ensure!(
        status.is_some_and(|s| s.success()),
        "the aggregator ended with {status:?} after {} s",
        took.as_secs()
    );
    Ok(())
}

pub(super) fn clean_end(stack: &mut Stack, _: Profile) -> Result<()> {
    if let Some(mut node) = stack.node.take() {
        let (_, status) = node.stop();
        ensure!(status.is_some_and(|s| s.success()), "the node ended with {status:?}: {}", node.last_words());
    }
    let (took, status) = stack.backend.stop();
    ensure!(
        status.is_some_and(|s| s.success()),
        "backend ended with {status:?}: {}",
        stack.backend.last_words()
    );
    ensure!(took < Duration::from_secs(30), "backend took {} s", took.as_secs());
    Ok(())
}
