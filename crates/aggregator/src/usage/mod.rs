//! Tells the hub who used what, in batches behind the requests.
//!
//! A request only puts its calls into a queue, which never waits: when it is full the oldest call goes, and is
//! counted. A call that waits is sent within a second; what is lost when the process is killed is younger than five.

mod batch;
mod call;
mod callers;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use syfthub_domain::SharedClock;
use syfthub_proto::usage::RecordRequest;
use syfthub_rpc::{LinkedTask, Peer, spawn_apart, status, stubs, with_deadline};
use tokio::sync::Notify;
use uuid::Uuid;

pub(crate) use call::Call;
use callers::Callers;

const TARGET: &str = "syfthub.aggregator.usage";
/// Calls that may wait; some megabytes.
const QUEUE: usize = 20_000;
/// Calls of one batch.
const BATCH: usize = 500;
/// Longest wait of a call for others to be sent with, and pause after a failure.
const LINGER: Duration = Duration::from_secs(1);
/// Longest wait for the hub to take a batch.
const DEADLINE: Duration = Duration::from_secs(3);
/// Longest wait for what is left when the process stops.
const FLUSH: Duration = Duration::from_secs(3);
/// Times that one batch is sent before it is given up.
const TRIES: u32 = 60;

/// Takes calls. A clone leads to the same queue.
#[derive(Debug, Clone)]
pub(crate) struct Recorder {
    shared: Arc<Shared>,
    /// Started by the first call, so that building the service needs no running tasks; ends with the last clone.
    sender: Arc<OnceLock<LinkedTask<()>>>,
}

#[derive(Debug)]
struct Shared {
    hub: Peer,
    clock: SharedClock,
    callers: Callers,
    waiting: Mutex<VecDeque<Call>>,
    /// Rung when a batch is full.
    full: Notify,
    /// What is on its way. Whoever sends holds it, so that batches go one after the other.
    sending: tokio::sync::Mutex<Option<Unsent>>,
}

/// A batch that the hub has not confirmed.
#[derive(Debug)]
struct Unsent {
    request: RecordRequest,
    calls: usize,
    tries: u32,
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// There is nothing left.
    Empty,
    /// There may be more.
    Batch,
    /// The hub does not answer; try again later.
    Later,
}

impl Recorder {
    /// Reports to `hub`.
    pub(crate) fn new(hub: Peer, clock: SharedClock) -> Self {
        let shared = Shared {
            callers: Callers::new(hub.clone()),
            hub,
            clock,
            waiting: Mutex::default(),
            full: Notify::new(),
            sending: tokio::sync::Mutex::default(),
        };
        Self { shared: Arc::new(shared), sender: Arc::default() }
    }

    /// The present, for calls.
    pub(crate) fn now(&self) -> syfthub_domain::Timestamp {
        self.shared.clock.now()
    }

    /// Notes a call. Never waits.
    pub(crate) fn note(&self, call: Call) {
        if self.shared.push(call) >= BATCH {
            self.shared.full.notify_one();
        }
        self.sender.get_or_init(|| spawn_apart(send_forever(Arc::clone(&self.shared))));
    }

    /// Sends everything noted so far, within a few seconds.
    pub(crate) async fn flush(&self) {
        let everything = async { while self.shared.send_batch().await == Sent::Batch {} };
        if tokio::time::timeout(FLUSH, everything).await.is_err() {
            tracing::warn!(target: TARGET, "usage.flush.overdue");
        }
    }
}

async fn send_forever(shared: Arc<Shared>) {
    loop {
        // Rung or not, after a second whatever waits is sent.
        let _ = tokio::time::timeout(LINGER, shared.full.notified()).await;
        while shared.send_batch().await == Sent::Batch {}
    }
}

impl Shared {
    /// Adds a call and gives how many wait; the oldest gives way.
    fn push(&self, call: Call) -> usize {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= QUEUE {
            waiting.pop_front();
            dropped(1);
        }
        waiting.push_back(call);
        waiting.len()
    }

    fn take(&self) -> Vec<Call> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.len().min(BATCH);
        waiting.drain(..count).collect()
    }

    /// Puts calls back where they were; what has come too much meanwhile gives way.
    fn put_back(&self, calls: Vec<Call>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let room = QUEUE.saturating_sub(waiting.len());
        let lost = calls.len().saturating_sub(room);
        for call in calls.into_iter().skip(lost).rev() {
            waiting.push_front(call);
        }
        dropped(lost as u64);
    }

    /// Sends what is on its way, or else the next batch.
    async fn send_batch(&self) -> Sent {
        let mut sending = self.sending.lock().await;
        if sending.is_none() {
            let calls = self.take();
            if calls.is_empty() {
                return Sent::Empty;
            }
            let count = calls.len();
            let Some(entries) = batch::entries(&calls, &self.callers).await else {
                self.put_back(calls);
                return Sent::Later;
            };
            // The id is made once: the hub counts a batch once, however often it arrives.
            let request = RecordRequest { batch_id: Uuid::now_v7().to_string(), entries };
            *sending = Some(Unsent { request, calls: count, tries: 0 });
        }
        let Some(unsent) = sending.as_mut() else { return Sent::Empty };
        unsent.tries += 1;
        let request = with_deadline(tonic::Request::new(unsent.request.clone()), DEADLINE);
        let Err(refusal) = stubs::usage_client(self.hub.clone()).record(request).await else {
            *sending = None;
            return Sent::Batch;
        };
        let error = status::from_status(&refusal);
        let (code, calls, tries) = (error.code.name(), unsent.calls, unsent.tries);
        // What the hub refuses it refuses again; what did not reach it may arrive later.
        let is_final = error.code.http_status() < 500 || refusal.code() == tonic::Code::Unimplemented;
        if is_final || tries >= TRIES {
            tracing::warn!(target: TARGET, code, calls, tries, "usage.batch.dropped");
            dropped(calls as u64);
            *sending = None;
            return Sent::Batch;
        }
        tracing::debug!(target: TARGET, code, calls, tries, "usage.batch.delayed");
        Sent::Later
    }
}

fn dropped(calls: u64) {
    metrics::counter!("syfthub_usage_dropped_total").increment(calls);
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;
    use syfthub_domain::{FixedClock, Timestamp};
    use syfthub_proto::usage::{Outcome, Part};
    use syfthub_rpc::{Caller, InternalKey};

    use super::*;

    fn recorder() -> Recorder {
        let hub = syfthub_rpc::local(
            tonic::service::Routes::default(),
            Caller::Aggregator,
            &InternalKey::new([7; 32]),
        );
        Recorder::new(hub, FixedClock::new(Timestamp::from_secs(1)))
    }

    fn call(number: usize) -> Call {
        Call {
            at: Timestamp::from_secs(1),
            path: format!("ada/n{number}"),
            url: "https://node.example".to_owned(),
            part: Part::Source,
            outcome: Outcome::Success,
            credential: None,
            prompt_tokens: 0,
            completion_tokens: 0,
            documents: 1,
            latency: Duration::from_millis(3),
        }
    }

    #[test]
    fn a_full_queue_drops_the_oldest_and_never_waits() {
        let recorder = recorder();
        let figures = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&figures, || {
            for number in 0..QUEUE + 3 {
                recorder.shared.push(call(number));
            }
        });
        let told = figures.handle().render();
        assert!(told.contains("syfthub_usage_dropped_total 3"), "{told}");
        let first = recorder.shared.take();
        assert_eq!((first.len(), first[0].path.as_str()), (BATCH, "ada/n3"));
    }

    #[tokio::test]
    async fn what_the_hub_does_not_take_at_all_is_given_up() {
        let recorder = recorder();
        recorder.note(call(1));
        recorder.flush().await;
        assert!(recorder.shared.take().is_empty());
        assert!(recorder.shared.sending.lock().await.is_none());
    }
}
