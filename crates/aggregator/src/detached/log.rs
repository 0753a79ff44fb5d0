//! What a run has said so far, for whoever follows it in this process.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::Stream;
use serde_json::Value;
use syfthub_web::sse;
use tokio::sync::watch;
use uuid::Uuid;

use super::wish::EventId;

/// Most that one run may say, in bytes.
const MAX_RUN: usize = 16 * 1024 * 1024;

/// The log of one run. It ends with its process, or a while after its last event.
#[derive(Debug)]
pub(crate) struct RunLog {
    pub(super) run: Uuid,
    /// Whose it is, and the digest of what was asked.
    pub(super) head: super::Head,
    state: Mutex<State>,
    /// How many frames there are, and whether the last one is among them.
    said: watch::Sender<(usize, bool)>,
    /// Bytes of all logs of this process.
    all: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct State {
    frames: Vec<Bytes>,
    bytes: usize,
}

impl RunLog {
    pub(super) fn new(run: Uuid, head: super::Head, all: Arc<AtomicUsize>) -> Self {
        let said = watch::Sender::new((0, false));
        Self { run, head, state: Mutex::default(), said, all }
    }

    /// Numbers an event and keeps it; `false` when the run has said more than is kept, which ends it.
    pub(super) fn say(&self, name: &str, data: &Value) -> bool {
        let mut state = self.state();
        let number = state.frames.len() + 1;
        let id = EventId { run: self.run, number };
        let frame = [format!("id: {id}\n").as_bytes(), &sse::frame(name, data)].concat();
        // The word that it was too much is always kept.
        let fits = state.bytes + frame.len() <= MAX_RUN;
        if fits || name == "error" {
            state.bytes += frame.len();
            self.all.fetch_add(frame.len(), Ordering::Relaxed);
            state.frames.push(frame.into());
            drop(state);
            self.said.send_replace((number, false));
        }
        fits
    }

    /// There is no more to come.
    pub(super) fn end(&self) {
        self.said.send_modify(|said| said.1 = true);
    }

    /// The frames after the first `after`, and whether there are no more to come.
    pub(super) fn since(&self, after: usize) -> (Vec<Bytes>, bool) {
        // Asked before the frames are read: what is said in between is found the next time.
        let has_ended = self.said.borrow().1;
        (self.state().frames.get(after..).unwrap_or_default().to_vec(), has_ended)
    }

    /// Waits until there are more than `known` frames, or no more to come.
    pub(super) async fn more_than(&self, known: usize) {
        let _ = self.said.subscribe().wait_for(|said| said.0 > known || said.1).await;
    }

    /// The frames after the first `after`, to the last one.
    pub(super) fn follow(self: Arc<Self>, after: usize) -> impl Stream<Item = Bytes> + Send + 'static {
        async_stream::stream! {
            let mut seen = after;
            loop {
                self.more_than(seen).await;
                let (frames, has_ended) = self.since(seen);
                seen += frames.len();
                let is_all = has_ended && frames.is_empty();
                for frame in frames {
                    yield frame;
                }
                if is_all {
                    break;
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RunLog {
    fn drop(&mut self) {
        self.all.fetch_sub(self.state().bytes, Ordering::Relaxed);
    }
}
