//! Follows changes in the folder: events of the system where there are any, and a look from time to time
//! where there are none (network file systems, too many folders for the system's limit).

use std::path::Path;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Indexer;
use crate::config::Corpus;

/// Changes come in bursts; the index is updated when it has been quiet for this long …
const QUIET: Duration = Duration::from_millis(400);
/// … or after this long at the latest.
const AT_LATEST: Duration = Duration::from_secs(5);
/// Events can be lost, so the folder is also looked at this often.
const WITH_EVENTS: Duration = Duration::from_mins(5);
/// How often without events.
const WITHOUT_EVENTS: Duration = Duration::from_secs(15);

/// Keeps the index up to date until `stop`. Returns at once for documents in memory.
pub(crate) async fn follow(indexer: Indexer, stop: CancellationToken) {
    let Corpus::Folder(folder) = &*indexer.corpus else { return };
    let (sender, events) = mpsc::channel(1);
    match watch(folder, sender.clone()) {
        Ok(watcher) => {
            keep_up(&indexer, events, WITH_EVENTS, &stop).await;
            drop(watcher);
        }
        Err(error) => {
            let every_seconds = WITHOUT_EVENTS.as_secs();
            tracing::warn!(%error, every_seconds, "node.folder.not_watched");
            keep_up(&indexer, events, WITHOUT_EVENTS, &stop).await;
        }
    }
    // Held until here: a channel without senders would report its end over and over.
    drop(sender);
}

/// Looks at the folder at each event, and at the latest when `every` has passed since the last look.
async fn keep_up(
    indexer: &Indexer,
    mut events: mpsc::Receiver<()>,
    every: Duration,
    stop: &CancellationToken,
) {
    // The watch begins after the first indexing: one look covers what happened in between.
    let mut due = Duration::ZERO;
    let mut was_well = true;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(due) => {}
            _ = events.recv() => settle(&mut events).await,
        }
        let pass = tokio::select! {
            // A pass that is cut short leaves the index as its last batch left it.
            () = stop.cancelled() => break,
            pass = indexer.run() => pass,
        };
        match pass {
            Ok(summary) => {
                if summary.changed() {
                    tracing::info!(%summary, read = summary.read, removed = summary.removed, "node.index.updated");
                }
                was_well = true;
            }
            // Said once: the folder may be away for hours.
            Err(error) if was_well => {
                tracing::error!(%error, "node.index.failed");
                was_well = false;
            }
            Err(_) => {}
        }
        due = every;
    }
}

fn watch(folder: &Path, events: mpsc::Sender<()>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Our own reading shows up as access; everything else, faults too, is a reason to look.
        if event.is_ok_and(|event| event.kind.is_access()) {
            return;
        }
        // A full channel already holds a reason to look.
        let _ = events.try_send(());
    })?;
    watcher.watch(folder, RecursiveMode::Recursive)?;
    Ok(watcher)
}

/// Waits until the burst is over.
async fn settle(events: &mut mpsc::Receiver<()>) {
    let quiet = async { while let Ok(Some(())) = tokio::time::timeout(QUIET, events.recv()).await {} };
    // Elapsing is not a fault: the burst just goes on.
    drop(tokio::time::timeout(AT_LATEST, quiet).await);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use syfthub_testing::wait;

    use super::*;
    use crate::config::Quiet;
    use crate::index::Index;

    #[tokio::test]
    async fn without_any_event_the_folder_is_looked_at_from_time_to_time() {
        let (docs, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let index = Index::open(&state.path().join("index.db")).await.unwrap();
        let corpus = Arc::new(Corpus::Folder(docs.path().to_owned()));
        let indexer = Indexer { index: index.clone(), corpus, progress: Arc::new(Quiet) };
        let (silent, events) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let changes = async {
            for number in 1..=3 {
                fs::write(docs.path().join(format!("{number}.md")), "walruses").unwrap();
                let is_there = async || index.count_documents().await.unwrap() == number;
                wait::until(is_there, "the look that finds the new file").await;
            }
            stop.cancel();
        };
        tokio::join!(keep_up(&indexer, events, Duration::from_millis(20), &stop), changes);
        drop(silent);
    }
}
