//! Requests that outlive their client: with an `Idempotency-Key` a question is worked on to its end, its events are
//! numbered and kept for a minute after the last one, and whoever sends the same request again takes it up where it
//! is, on any replica. The model is never asked twice for one key.

mod log;
mod replica;
#[cfg(test)]
mod tests;
mod wish;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use syfthub_cache::Cache;
use syfthub_domain::{Error, ErrorCode, Result};
use syfthub_rpc::{LinkedTask, spawn_apart, spawn_linked};
use syfthub_web::sse;
use uuid::Uuid;

use log::RunLog;
use replica::Shelf;
pub(crate) use wish::Wish;

use crate::measure::{self, Active};

/// How long a run can be taken up after its last event.
pub(crate) const KEPT: Duration = Duration::from_mins(1);
/// Most runs of this process at once, those that are kept after their end among them.
const MAX_RUNS: usize = 1_000;
/// Most runs of one account.
const MAX_RUNS_OF_ONE: usize = 32;
/// Most bytes that all runs of this process may have said when another one begins.
const MAX_BYTES: usize = 128 * 1024 * 1024;
/// Whose the runs of guests are. Their keys are secrets, so they need no other protection from one another.
pub(crate) const GUEST: &str = "guest";

/// Frames of an event stream.
pub(crate) type Frames = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// Whose a run is, and what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    /// Digest of the caller's credential, or [`GUEST`].
    owner: String,
    /// Digest of the route and the body.
    asked: String,
}

/// The runs of this process, and the way to those of the others.
#[derive(Debug)]
pub(crate) struct Runs {
    shelf: Arc<Shelf>,
    here: Mutex<HashMap<Uuid, Run>>,
    bytes: Arc<AtomicUsize>,
}

/// A run of this process. Whoever works on it stops when this is dropped.
#[derive(Debug)]
struct Run {
    log: Arc<RunLog>,
    /// Absent for the moment until it is known that nobody else has the key.
    task: Option<LinkedTask<()>>,
    _counted: Active,
}

impl Run {
    fn new(log: Arc<RunLog>) -> Self {
        Self { log, task: None, _counted: Active::at(measure::detached_runs()) }
    }
}

/// A request that came with a wish.
#[derive(Debug)]
pub(crate) struct Request {
    pub wish: Wish,
    /// Digest of the caller's credential, or [`GUEST`].
    pub owner: String,
    pub route: &'static str,
    pub body: Bytes,
}

/// What becomes of it.
enum Place {
    /// It is worked on for the first time.
    New(Arc<RunLog>, Option<String>),
    /// It is, or was, worked on here.
    Here(Arc<RunLog>),
    /// It is, or was, worked on by another process.
    Elsewhere(Uuid),
    /// It was, and nobody knows any more what came of it.
    Lost,
}

impl Runs {
    /// `longest_run` is the total time that a question may take; a process that gave no sign of life for `silence` is
    /// gone.
    pub(crate) fn new(cache: Cache, longest_run: Duration, silence: Duration) -> Arc<Self> {
        let shelf = Arc::new(Shelf::new(cache, longest_run, silence));
        Arc::new(Self { shelf, here: Mutex::default(), bytes: Arc::default() })
    }

    /// The events of a request: from its beginning, or after the one that the client has seen. `work` makes them if
    /// nobody does so already; it gives name and data of each, the last one last.
    pub(crate) async fn take_up<S>(
        self: &Arc<Self>,
        request: Request,
        work: impl FnOnce() -> S,
    ) -> Result<Frames>
    where
        S: Stream<Item = (&'static str, Value)> + Send + 'static,
    {
        let after = request.wish.after.map_or(0, |id| id.number);
        match self.place(&request).await? {
            Place::New(log, name) => {
                self.start(&log, name, work());
                Ok(Box::pin(log.follow(0)))
            }
            Place::Here(log) => Ok(Box::pin(log.follow(after))),
            Place::Elsewhere(run) => {
                let frames = Arc::clone(&self.shelf).follow(run, after);
                Ok(Box::pin(frames.map(|frame| frame.unwrap_or_else(broken_off))))
            }
            Place::Lost => Ok(Box::pin(futures::stream::once(async { broken_off() }))),
        }
    }

    async fn place(&self, request: &Request) -> Result<Place> {
        let head = Head { owner: request.owner.clone(), asked: asked(request.route, &request.body) };
        let name = request.wish.key.as_ref().map(|key| format!("chat-key:{}:{key}", head.owner));
        let Some(name) = name else {
            return match request.wish.after {
                Some(id) => self.found(id.run, &head).await,
                None => Ok(Place::Lost),
            };
        };
        if let Some(after) = request.wish.after {
            // Its client has seen events of it, so it is not worked on for a second time, whatever became of it.
            let run = self.shelf.named(&name).await.unwrap_or_default().unwrap_or(after.run);
            return self.found(run, &head).await;
        }
        self.admit(&head.owner)?;
        let log = Arc::new(RunLog::new(Uuid::new_v4(), head.clone(), Arc::clone(&self.bytes)));
        // Here before it is announced: who finds the name finds the run.
        self.here().insert(log.run, Run::new(Arc::clone(&log)));
        match self.shelf.claim(&name, &log).await {
            Ok(Ok(())) => Ok(Place::New(log, Some(name))),
            Ok(Err(run)) => {
                self.here().remove(&log.run);
                self.found(run, &head).await
            }
            Err(error) => {
                self.here().remove(&log.run);
                // Without the name nobody could tell a repetition from a first request.
                let text = "Requests that can be taken up again cannot be accepted right now; leave the Idempotency-Key out, or try again shortly";
                let error = Error::new(ErrorCode::Unavailable, text).with_source(error);
                Err(error.with_retry_after(Duration::from_secs(2)))
            }
        }
    }

    /// A run that has begun. The same key with another question is an error of the client.
    async fn found(&self, run: Uuid, asked: &Head) -> Result<Place> {
        let here = self.here().get(&run).map(|run| Arc::clone(&run.log));
        let head = match &here {
            Some(log) => Some(log.head.clone()),
            None => self.shelf.head(run).await.unwrap_or_default(),
        };
        match head {
            Some(head) if head.owner != asked.owner => Ok(Place::Lost),
            Some(head) if head.asked != asked.asked => {
                Err(wish::refused("was used with another request; take a new key for a new question"))
            }
            Some(_) => Ok(here.map_or(Place::Elsewhere(run), Place::Here)),
            None => Ok(Place::Lost),
        }
    }

    fn admit(&self, owner: &str) -> Result<()> {
        let (all, own) = {
            let here = self.here();
            (here.len(), here.values().filter(|run| run.log.head.owner == owner).count())
        };
        let is_full = all >= MAX_RUNS || self.bytes.load(Ordering::Relaxed) >= MAX_BYTES;
        if is_full || (own >= MAX_RUNS_OF_ONE && owner != GUEST) {
            let text = "Too many requests with an Idempotency-Key are under way or were a minute ago; try again shortly";
            return Err(Error::new(ErrorCode::RateLimited, text).with_retry_after(Duration::from_secs(10)));
        }
        Ok(())
    }

    /// Works on a run to its end, whoever listens.
    fn start<S>(self: &Arc<Self>, log: &Arc<RunLog>, name: Option<String>, events: S)
    where
        S: Stream<Item = (&'static str, Value)> + Send + 'static,
    {
        let (runs, shelf, run) = (Arc::downgrade(self), Arc::clone(&self.shelf), log.run);
        let (said, copied_to) = (Arc::clone(log), Arc::clone(&self.shelf));
        let working = spawn_linked(async move {
            let work = async {
                let mut events = std::pin::pin!(events);
                while let Some((name, data)) = events.next().await {
                    if !said.say(name, &data) {
                        said.say("error", &too_long());
                        break;
                    }
                }
                said.end();
            };
            if copied_to.is_shared() {
                tokio::join!(work, copied_to.copy(&said));
            } else {
                work.await;
            }
        });
        // Not a part of the request any more, so that its span ends with the work.
        let task = spawn_apart(async move {
            working.join().await;
            tokio::time::sleep(KEPT).await;
            shelf.forget(name.as_deref(), run).await;
            if let Some(runs) = runs.upgrade() {
                runs.here().remove(&run);
            }
        });
        if let Some(run) = self.here().get_mut(&run) {
            run.task = Some(task);
        }
    }

    fn here(&self) -> MutexGuard<'_, HashMap<Uuid, Run>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fields of a body that say who asks and not what: a client that comes back may have fresh tokens.
const WHO_ASKS: &[&str] =
    &["endpoint_tokens", "transaction_tokens", "user_token", "peer_token", "peer_channel"];

/// Digest of what is asked.
fn asked(route: &str, body: &[u8]) -> String {
    let mut body: Value = serde_json::from_slice(body).unwrap_or_default();
    if let Value::Object(fields) = &mut body {
        for name in WHO_ASKS {
            fields.remove(*name);
        }
    }
    wish::hex(&Sha256::digest(format!("{route}\n{body}")))
}

/// Name and data of a frame.
pub(crate) fn read(frame: &Bytes) -> Option<(&str, Value)> {
    let text = std::str::from_utf8(frame).ok()?;
    let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    Some((line("event: ")?, serde_json::from_str(line("data: ")?).ok()?))
}

/// The last event of a run whose process is gone.
fn broken_off() -> Bytes {
    let error = interrupted();
    let data = json!({"message": error.message, "code": error.code.name(), "billing": null});
    sse::frame("error", &data)
}

/// What became of a run whose process is gone.
pub(crate) fn interrupted() -> Error {
    let text =
        "The hub was interrupted while it worked on this request; send it again with a new Idempotency-Key";
    Error::new(ErrorCode::Interrupted, text)
}

fn too_long() -> Value {
    let text = "The answer is too long to be kept; ask again without an Idempotency-Key";
    json!({"message": text, "code": ErrorCode::PayloadTooLarge.name(), "billing": null})
}
