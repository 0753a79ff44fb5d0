//! A run in the cache that all replicas share: written in slices by the process that works on it, followed by others.
//!
//! `chat-key:{owner}:{key}` names the run, `chat-run:{run}:head` says whose it is, `…:{n}` are its slices, `…:end` says
//! how many there are, and `…:alive` is there for as long as somebody works on it.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::Stream;
use syfthub_cache::{Cache, MAX_VALUE};
use tokio::time::{Instant, MissedTickBehavior, interval};
use uuid::Uuid;

use super::log::RunLog;
use super::{Head, KEPT};

/// Time between two slices.
const SLICE: Duration = Duration::from_millis(250);
/// The runs that all replicas know.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    cache: Cache,
    /// Longest time from the beginning of a run until nobody can ask for it any more.
    kept: Duration,
    /// A run whose process gave no sign of life for so long is over.
    silence: Duration,
}

impl Shelf {
    pub(super) fn new(cache: Cache, longest_run: Duration, silence: Duration) -> Self {
        Self { cache, kept: longest_run + KEPT, silence }
    }

    /// Whether other processes see it.
    pub(super) fn is_shared(&self) -> bool {
        self.cache.is_shared()
    }

    /// Announces a run under a key; `Err` names the run that has it already.
    pub(super) async fn claim(&self, name: &str, log: &RunLog) -> syfthub_cache::Result<Result<(), Uuid>> {
        let run = log.run;
        self.cache.put_json(&head_key(run), &log.head, self.kept).await?;
        self.sign(run).await?;
        if self.cache.put_new(name, run.as_bytes().to_vec(), self.kept).await? {
            return Ok(Ok(()));
        }
        let taken = self.cache.get(name).await?.and_then(|bytes| Uuid::from_slice(&bytes).ok());
        self.cache.delete(&head_key(run)).await?;
        self.cache.delete(&alive_key(run)).await?;
        // Gone in between: its time was over this very moment. Nobody is asked twice for that.
        Ok(Err(taken.unwrap_or(Uuid::nil())))
    }

    pub(super) async fn named(&self, name: &str) -> syfthub_cache::Result<Option<Uuid>> {
        Ok(self.cache.get(name).await?.and_then(|bytes| Uuid::from_slice(&bytes).ok()))
    }

    pub(super) async fn head(&self, run: Uuid) -> syfthub_cache::Result<Option<Head>> {
        self.cache.get_json(&head_key(run)).await
    }

    /// Copies a run for the other replicas until its end. What the cache does not take is lost for them only.
    pub(super) async fn copy(&self, log: &RunLog) {
        let mut writer = Writer { shelf: self, run: log.run, slices: 0 };
        let (mut copied, mut signed) = (0, Instant::now());
        let mut ticks = interval(SLICE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let (frames, has_ended) = log.since(copied);
            copied += frames.len();
            if let Err(error) = writer.write(&frames).await {
                tracing::warn!(%error, "chat.run.uncopied");
                return;
            }
            if has_ended && frames.is_empty() {
                writer.end().await;
                return;
            }
            if signed.elapsed() >= self.silence / 5 {
                signed = Instant::now();
                let _ = self.sign(log.run).await;
            }
        }
    }

    async fn sign(&self, run: Uuid) -> syfthub_cache::Result<()> {
        self.cache.put(&alive_key(run), Bytes::from_static(b"1"), self.silence).await
    }

    /// Takes a run off before its time.
    pub(super) async fn forget(&self, name: Option<&str>, run: Uuid) {
        if let Some(name) = name {
            let _ = self.cache.delete(name).await;
        }
        let _ = self.cache.delete(&head_key(run)).await;
        let Ok(Some(slices)) = self.cache.get_json::<usize>(&end_key(run)).await else { return };
        for slice in 0..slices {
            let _ = self.cache.delete(&slice_key(run, slice)).await;
        }
        let _ = self.cache.delete(&end_key(run)).await;
    }

    /// The frames of another process's run after the first `after`; `None` at the end of one that was broken off.
    pub(super) fn follow(
        self: Arc<Self>,
        run: Uuid,
        after: usize,
    ) -> impl Stream<Item = Option<Bytes>> + Send {
        async_stream::stream! {
            let (mut slice, mut passed) = (0, 0);
            let mut unread = BytesMut::new();
            loop {
                let bytes = match self.next(run, slice).await {
                    Next::Slice(bytes) => bytes,
                    Next::Later => {
                        tokio::time::sleep(SLICE).await;
                        continue;
                    }
                    Next::End => break,
                    Next::BrokenOff => {
                        yield None;
                        break;
                    }
                };
                slice += 1;
                unread.extend_from_slice(&bytes);
                while let Some(end) = unread.windows(2).position(|pair| pair == b"\n\n") {
                    let frame = unread.split_to(end + 2).freeze();
                    passed += 1;
                    if passed > after {
                        yield Some(frame);
                    }
                }
            }
        }
    }

    async fn next(&self, run: Uuid, slice: usize) -> Next {
        // Signs of life first: whoever ends in between has written all slices by then.
        let alive = self.cache.get(&alive_key(run)).await;
        let end = self.cache.get_json::<usize>(&end_key(run)).await;
        match self.cache.get(&slice_key(run, slice)).await {
            Ok(Some(bytes)) => Next::Slice(bytes),
            Ok(None) => match (end, alive) {
                (Ok(Some(slices)), _) if slices <= slice => Next::End,
                (Ok(Some(_)), _) | (Ok(None), Ok(None)) => Next::BrokenOff,
                _ => Next::Later,
            },
            Err(error) => {
                tracing::debug!(%error, "chat.run.unreadable");
                Next::Later
            }
        }
    }
}

enum Next {
    Slice(Bytes),
    Later,
    End,
    BrokenOff,
}

struct Writer<'a> {
    shelf: &'a Shelf,
    run: Uuid,
    slices: usize,
}

impl Writer<'_> {
    /// Writes frames in as few slices as the cache takes; a long frame is spread over several.
    async fn write(&mut self, frames: &[Bytes]) -> syfthub_cache::Result<()> {
        for slice in frames.concat().chunks(MAX_VALUE) {
            self.shelf.cache.put(&slice_key(self.run, self.slices), slice.to_vec(), self.shelf.kept).await?;
            self.slices += 1;
        }
        Ok(())
    }

    async fn end(&self) {
        let cache = &self.shelf.cache;
        if let Err(error) = cache.put_json(&end_key(self.run), &self.slices, self.shelf.kept).await {
            tracing::warn!(%error, "chat.run.uncopied");
        }
        let _ = cache.delete(&alive_key(self.run)).await;
    }
}

fn head_key(run: Uuid) -> String {
    format!("chat-run:{}:head", run.simple())
}

fn alive_key(run: Uuid) -> String {
    format!("chat-run:{}:alive", run.simple())
}

fn end_key(run: Uuid) -> String {
    format!("chat-run:{}:end", run.simple())
}

fn slice_key(run: Uuid, slice: usize) -> String {
    format!("chat-run:{}:{slice}", run.simple())
}
