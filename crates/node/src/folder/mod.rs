//! From documents to the index: what is there, what changed, and writing it down.

mod read;
mod scan;
mod watch;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::config::{Corpus, Progress, Summary};
use crate::index::{Change, Entry, Index, Outcome};
use read::{Reading, read};
use scan::{Job, scan};

pub(crate) use watch::follow;

/// Files are read on this many threads.
const READERS: usize = 2;
/// A transaction is committed after this many passages.
const BATCH_PASSAGES: usize = 5_000;
/// … or this many files.
const BATCH_FILES: usize = 400;

/// Documents cannot be indexed.
#[derive(Debug, thiserror::Error)]
pub enum IndexingError {
    /// The folder is not there or cannot be read; the index is left as it is.
    #[error("the folder {} cannot be read: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The index refused a change, for example because the disk is full.
    #[error("the search index cannot be written: {0}")]
    Store(#[from] sqlx::Error),
    /// A thread of ours ended early.
    #[error("indexing was interrupted")]
    Interrupted,
}

/// Brings the index up to date with the documents.
#[derive(Debug, Clone)]
pub(crate) struct Indexer {
    pub(crate) index: Index,
    pub(crate) corpus: Arc<Corpus>,
    pub(crate) progress: Arc<dyn Progress>,
}

/// What the reading threads share.
struct Work {
    jobs: Vec<(Job, Option<Entry>)>,
    next: AtomicUsize,
    /// Hashes whose text is, or is about to be, in the index.
    claimed: Mutex<HashSet<[u8; 32]>>,
}

impl Indexer {
    /// One pass: reads what is new or changed, forgets what is gone.
    pub(crate) async fn run(&self) -> Result<Summary, IndexingError> {
        let mut summary = self.pass(true).await?;
        // The original of some copies may just have gone; one of them takes its place.
        if self.index.mark_orphans().await? > 0 {
            let second = self.pass(false).await?;
            summary.read += second.read;
        }
        summary.documents = u64::try_from(self.index.count_documents().await?).unwrap_or(0);
        summary.passages = u64::try_from(self.index.count_passages().await?).unwrap_or(0);
        self.progress.finish(&summary);
        Ok(summary)
    }

    async fn pass(&self, report: bool) -> Result<Summary, IndexingError> {
        let corpus = self.corpus.clone();
        let scanned = tokio::task::spawn_blocking(move || scan(&corpus))
            .await
            .map_err(|_| IndexingError::Interrupted)??;
        let known = self.index.entries().await?;
        let mut summary = Summary { skipped: scanned.skipped.clone(), ..Summary::default() };
        let compare = move || (scanned.gone(&known), scanned, known);
        let (gone, scanned, known) =
            tokio::task::spawn_blocking(compare).await.map_err(|_| IndexingError::Interrupted)?;
        for part in gone.chunks(BATCH_FILES) {
            self.index.remove(part).await?;
        }
        summary.removed = gone.len() as u64;
        let work = Arc::new(Work::new(scanned.jobs, known));
        if report {
            self.progress.start(work.jobs.len() as u64);
        }
        self.read_all(work, &mut summary, report).await?;
        Ok(summary)
    }

    async fn read_all(
        &self,
        work: Arc<Work>,
        summary: &mut Summary,
        report: bool,
    ) -> Result<(), IndexingError> {
        let (sender, mut readings) = mpsc::channel::<Reading>(64);
        let mut threads = Vec::new();
        for _ in 0..READERS.min(work.jobs.len()) {
            let (work, sender) = (work.clone(), sender.clone());
            threads.push(tokio::task::spawn_blocking(move || work.read_until_done(&sender)));
        }
        drop(sender);
        let mut batch: Vec<Change> = Vec::new();
        let mut passages = 0;
        let (mut done, mut skipped) = (0, 0);
        while let Some(reading) = readings.recv().await {
            done += 1;
            summary.read += u64::from(reading.change.outcome != Outcome::Unchanged);
            summary.in_part += u64::from(reading.cut);
            if let Some(reason) = reading.skipped {
                skipped += 1;
                *summary.skipped.entry(reason).or_default() += 1;
            }
            passages += reading.change.outcome.passages();
            batch.push(reading.change);
            if passages >= BATCH_PASSAGES || batch.len() >= BATCH_FILES {
                self.index.apply(&batch).await?;
                batch.clear();
                passages = 0;
            }
            if report {
                self.progress.advance(done, skipped);
            }
        }
        self.index.apply(&batch).await?;
        for thread in threads {
            thread.await.map_err(|_| IndexingError::Interrupted)?;
        }
        Ok(())
    }
}

impl Outcome {
    fn passages(&self) -> usize {
        match self {
            Self::Indexed(passages) | Self::Copy(passages) => passages.len(),
            Self::Skipped | Self::Unchanged => 0,
        }
    }
}

impl Work {
    /// Keeps the jobs whose size or time differs from what is known.
    fn new(jobs: Vec<Job>, mut known: HashMap<String, Entry>) -> Self {
        let mut claimed = HashSet::new();
        let mut changed = Vec::new();
        for job in jobs {
            match known.remove(&job.path) {
                Some(entry) if entry.size == job.size && entry.modified == job.modified => {
                    if entry.is_original {
                        claimed.insert(entry.hash);
                    }
                }
                previous => changed.push((job, previous)),
            }
        }
        Self { jobs: changed, next: AtomicUsize::new(0), claimed: Mutex::new(claimed) }
    }

    fn read_until_done(&self, sender: &mpsc::Sender<Reading>) {
        while let Some((job, previous)) = self.jobs.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let claim = |hash| self.claimed.lock().unwrap_or_else(PoisonError::into_inner).insert(hash);
            if sender.blocking_send(read(job, previous.as_ref(), claim)).is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
