//! Tells the hub which tools were called, in batches behind the requests: who, which tool, about what, how it ended and
//! how long it took. What it was called with is nobody's business.
//!
//! A call is only put into a queue, which never waits: when it is full the oldest goes, and is counted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use syfthub_domain::{EndpointPath, SharedClock};
use syfthub_proto::tools::{RecordCallsRequest, ToolCall, ToolOutcome};
use syfthub_rpc::{LinkedTask, Peer, spawn_apart, stubs, with_deadline};
use tokio::sync::Notify;
use tokio::time::Instant;
use tonic::Code;

use crate::access::Caller;
use crate::tools::Kind;

/// Calls that may wait; some megabytes.
const QUEUE: usize = 20_000;
/// Calls of one batch, as `tools.v1` has it.
const BATCH: usize = 500;
/// Longest wait of a call for others to be sent with, and pause after a failure.
const LINGER: Duration = Duration::from_millis(500);
const DEADLINE: Duration = Duration::from_secs(3);
/// Longest wait for what is left when the process stops.
const FLUSH: Duration = Duration::from_secs(3);

/// Takes calls. A clone leads to the same queue.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    queue: Arc<Queue>,
    /// Started by the first call, so that building the service needs no running tasks; ends with the last clone.
    sender: Arc<OnceLock<LinkedTask<()>>>,
}

#[derive(Debug)]
struct Queue {
    hub: Peer,
    clock: SharedClock,
    waiting: Mutex<VecDeque<ToolCall>>,
    /// Rung when a batch is full.
    full: Notify,
}

impl Calls {
    /// Reports to `hub`.
    pub(crate) fn new(hub: Peer, clock: SharedClock) -> Self {
        let queue = Queue { hub, clock, waiting: Mutex::default(), full: Notify::new() };
        Self { queue: Arc::new(queue), sender: Arc::default() }
    }

    /// Begins a call.
    pub(crate) fn begin(&self, caller: &Caller, kind: Kind, arguments: &Map<String, Value>) -> Call {
        let call = ToolCall {
            at_us: self.queue.clock.now().as_micros(),
            username: caller.username.clone(),
            tool: kind.name().to_owned(),
            target: target(arguments),
            outcome: ToolOutcome::Cancelled.into(),
            duration_ms: 0,
            correlation_id: caller.correlation.as_ref().map(ToString::to_string).unwrap_or_default(),
        };
        Call { calls: self.clone(), told: call, started: Instant::now() }
    }

    fn note(&self, call: ToolCall) {
        if self.queue.push(call) >= BATCH {
            self.queue.full.notify_one();
        }
        self.sender.get_or_init(|| spawn_apart(send_forever(Arc::clone(&self.queue))));
    }

    /// Sends everything noted so far, within a few seconds.
    pub(crate) async fn flush(&self) {
        let everything = async { while self.queue.send_batch().await {} };
        if tokio::time::timeout(FLUSH, everything).await.is_err() {
            tracing::warn!("mcp.calls.flush.overdue");
        }
    }
}

/// What a call is about, if its arguments name an endpoint.
fn target(arguments: &Map<String, Value>) -> String {
    let named = ["path", "model"].iter().find_map(|key| arguments.get(*key)?.as_str());
    let named = named.or_else(|| arguments.get("data_sources")?.get(0)?.as_str());
    named.and_then(EndpointPath::parse).map(|path| path.to_string()).unwrap_or_default()
}

/// A call under way. When it is dropped before its end, the client went away.
#[derive(Debug)]
#[must_use = "a call that is dropped is one that its client left"]
pub(crate) struct Call {
    calls: Calls,
    told: ToolCall,
    started: Instant,
}

impl Call {
    /// It did what it should.
    pub(crate) fn succeeded(&mut self, result: &Value) {
        // What was published has its path only now.
        if let Some(path) = result["path"].as_str().filter(|_| self.told.target.is_empty()) {
            path.clone_into(&mut self.told.target);
        }
        self.told.set_outcome(ToolOutcome::Success);
    }

    /// It could not.
    pub(crate) fn failed(&mut self) {
        self.told.set_outcome(ToolOutcome::Failed);
    }

    /// It was not begun.
    pub(crate) fn refused(&mut self) {
        self.told.set_outcome(ToolOutcome::Refused);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let took = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.calls.note(ToolCall { duration_ms: took, ..self.told.clone() });
    }
}

async fn send_forever(queue: Arc<Queue>) {
    loop {
        // Rung or not, after a moment whatever waits is sent.
        let _ = tokio::time::timeout(LINGER, queue.full.notified()).await;
        while queue.send_batch().await {}
    }
}

impl Queue {
    /// Adds a call and gives how many wait; the oldest gives way.
    fn push(&self, call: ToolCall) -> usize {
        let mut waiting = self.lock();
        if waiting.len() >= QUEUE {
            waiting.pop_front();
            dropped(1);
        }
        waiting.push_back(call);
        waiting.len()
    }

    /// Sends the next batch; whether there may be more to send at once.
    async fn send_batch(&self) -> bool {
        let calls: Vec<ToolCall> = {
            let mut waiting = self.lock();
            let count = waiting.len().min(BATCH);
            waiting.drain(..count).collect()
        };
        if calls.is_empty() {
            return false;
        }
        let count = calls.len() as u64;
        let request = RecordCallsRequest { calls: calls.clone() };
        let request = with_deadline(tonic::Request::new(request), DEADLINE);
        match stubs::tools_client(self.hub.clone()).record_calls(request).await {
            Ok(_) => true,
            // It did not get there, so it may be sent again; what is late was perhaps taken, and is not.
            Err(refused) if refused.code() == Code::Unavailable => {
                let mut waiting = self.lock();
                let room = QUEUE.saturating_sub(waiting.len());
                dropped(count.saturating_sub(room as u64));
                calls.into_iter().rev().take(room).for_each(|call| waiting.push_front(call));
                false
            }
            Err(refused) => {
                tracing::warn!(%refused, count, "mcp.calls.dropped");
                dropped(count);
                true
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<ToolCall>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn dropped(calls: u64) {
    if calls > 0 {
        metrics::counter!("syfthub_mcp_calls_dropped_total").increment(calls);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::target;

    #[test]
    fn only_what_a_call_is_about_is_taken_from_its_arguments() {
        let of = |arguments: serde_json::Value| target(arguments.as_object().unwrap());
        assert_eq!(of(json!({"model": "Bob/llm", "prompt": "secret"})), "bob/llm");
        assert_eq!(of(json!({"path": "bob/docs"})), "bob/docs");
        assert_eq!(of(json!({"query": "secret", "data_sources": ["bob/docs", "x/y"]})), "bob/docs");
        assert_eq!(of(json!({"path": "no path at all"})), "");
        assert_eq!(of(json!({"name": "secret"})), "");
    }
}
