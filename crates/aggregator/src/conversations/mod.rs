//! Adds questions and answers to conversations that the caller named with `conversation_id`.
//!
//! An answer waits a moment for its conversation and never fails with it. When the client goes away, what had arrived
//! is kept behind its back.

mod keeping;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use syfthub_domain::{Error, Result};
use syfthub_logging::correlation::{self, CorrelationId};
use syfthub_proto::conversations::{AppendRequest, CheckRequest};
use syfthub_rpc::{LinkedTask, Peer, spawn_apart, status, stubs, with_deadline};
use tokio::sync::{Notify, mpsc, oneshot};

pub(crate) use keeping::Keeping;

use crate::chat::Ask;

const TARGET: &str = "syfthub.aggregator.conversations";
/// Exchanges that may wait for the hub.
const QUEUE: usize = 256;
/// Exchanges that are written at once.
const AT_ONCE: usize = 16;
/// Longest wait for the hub, for each attempt.
const DEADLINE: Duration = Duration::from_secs(5);
/// Longest wait of an answer for its conversation.
const PATIENCE: Duration = Duration::from_secs(1);
/// Pauses before further attempts.
const PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];
/// Longest wait for what is left when the process stops.
const FLUSH: Duration = Duration::from_secs(3);

/// Writes exchanges behind the requests. A clone leads to the same queue.
#[derive(Debug, Clone)]
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Job>,
    /// Started by the first exchange, so that building the service needs no running tasks; ends with the last clone.
    writer: Arc<OnceLock<LinkedTask<()>>>,
}

#[derive(Debug)]
struct Shared {
    hub: Peer,
    /// Taken by the writer when it starts.
    jobs: Mutex<Option<mpsc::Receiver<Job>>>,
    pending: AtomicUsize,
    idle: Notify,
}

#[derive(Debug)]
struct Job {
    request: AppendRequest,
    /// Told whether it is kept; whoever waited may have given up.
    done: oneshot::Sender<bool>,
    /// The request that it belongs to.
    id: Option<CorrelationId>,
}

impl Keeper {
    /// Writes to `hub`.
    pub(crate) fn new(hub: Peer) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let jobs = Mutex::new(Some(jobs));
        let shared = Shared { hub, jobs, pending: AtomicUsize::new(0), idle: Notify::new() };
        Self { shared: Arc::new(shared), queue, writer: Arc::default() }
    }

    /// Refuses a conversation that is not the caller's, before anything is asked of anybody.
    pub(crate) async fn check(&self, ask: &Ask) -> Result<()> {
        let Some(id) = &ask.conversation_id else { return Ok(()) };
        let Some(credential) = &ask.credential else {
            return Err(Error::unauthenticated(
                "A conversation belongs to an account: send a hub token with it",
            ));
        };
        let request =
            CheckRequest { credential: credential.expose().to_owned(), conversation_id: id.clone() };
        let request = with_deadline(tonic::Request::new(request), DEADLINE);
        let answer = stubs::conversations_client(self.shared.hub.clone()).check(request).await;
        answer.map(drop).map_err(|refusal| status::from_status(&refusal))
    }

    /// Begins to keep a question, when it belongs to a conversation.
    pub(crate) fn begin(&self, ask: &Ask) -> Option<Keeping> {
        Keeping::of(ask, self)
    }

    /// Waits until what is left is written, a few seconds at most.
    pub(crate) async fn flush(&self) {
        let written = async {
            loop {
                let idle = self.shared.idle.notified();
                if self.shared.pending.load(Ordering::SeqCst) == 0 {
                    return;
                }
                idle.await;
            }
        };
        if tokio::time::timeout(FLUSH, written).await.is_err() {
            tracing::warn!(target: TARGET, "conversation.flush.overdue");
        }
    }

    /// Puts an exchange into the queue; `None` when there is no room.
    fn send(&self, request: AppendRequest) -> Option<oneshot::Receiver<bool>> {
        let (done, answer) = oneshot::channel();
        self.shared.pending.fetch_add(1, Ordering::SeqCst);
        if self.queue.try_send(Job { request, done, id: correlation::current() }).is_err() {
            self.shared.ended();
            tracing::warn!(target: TARGET, "conversation.append.no_room");
            return None;
        }
        let shared = Arc::clone(&self.shared);
        self.writer.get_or_init(|| spawn_apart(write_forever(shared)));
        Some(answer)
    }
}

async fn write_forever(shared: Arc<Shared>) {
    let jobs = shared.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(jobs) = jobs else { return };
    let jobs = futures::stream::unfold(jobs, |mut jobs| async move { Some((jobs.recv().await?, jobs)) });
    jobs.for_each_concurrent(AT_ONCE, |Job { request, done, id }| {
        let shared = &shared;
        async move {
            let work = append(&shared.hub, &request);
            let kept = match id {
                Some(id) => correlation::scope(id, work).await,
                None => work.await,
            };
            // Whoever waited may have given up.
            let _ = done.send(kept);
            shared.ended();
        }
    })
    .await;
}

impl Shared {
    fn ended(&self) {
        if self.pending.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.idle.notify_waiters();
        }
    }
}

/// Writes an exchange. One that arrives twice is added once, so a lost answer does no harm.
async fn append(hub: &Peer, request: &AppendRequest) -> bool {
    let mut pauses = PAUSES.into_iter();
    loop {
        let call = with_deadline(tonic::Request::new(request.clone()), DEADLINE);
        let Err(refusal) = stubs::conversations_client(hub.clone()).append(call).await else { return true };
        let error = status::from_status(&refusal);
        let pause = if error.code.http_status() < 500 { None } else { pauses.next() };
        let Some(pause) = pause else {
            let (code, conversation_id) = (error.code.name(), request.conversation_id.as_str());
            tracing::warn!(target: TARGET, code, conversation_id, "conversation.append.failed");
            metrics::counter!("syfthub_conversation_append_failed_total").increment(1);
            return false;
        };
        tokio::time::sleep(pause).await;
    }
}
