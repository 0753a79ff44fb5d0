//! A few plain threads with a bounded queue for work that keeps a core busy.

use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use syfthub_domain::{Error, ErrorCode, Result};
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// Runs closures on its own threads. When the queue is full the caller is told to come back later,
/// rather than being queued behind work that will not be done in time. The threads end when the
/// last clone is dropped.
#[derive(Clone)]
pub(crate) struct Pool {
    queue: SyncSender<Job>,
    busy: &'static str,
    retry_after: Duration,
}

/// How a pool is set up.
pub(crate) struct Shape {
    /// Name of the threads.
    pub(crate) name: &'static str,
    /// Number of threads; 0 means one per core, without those that are spared.
    pub(crate) threads: usize,
    /// Cores that are left to others when the number of threads follows from the cores. One thread there always is.
    pub(crate) spared_cores: usize,
    /// Most threads when their number follows from the cores.
    pub(crate) most: usize,
    /// How far the threads step back for others, 0 (not at all) to 19, as for nice(2).
    pub(crate) niceness: i32,
    /// Waiting jobs beyond those that run.
    pub(crate) max_queue: usize,
    /// Told to the client when the queue is full.
    pub(crate) busy: &'static str,
    /// When a retry makes sense.
    pub(crate) retry_after: Duration,
}

impl Pool {
    /// Starts the threads.
    pub(crate) fn start(shape: &Shape) -> Result<Self> {
        let (queue, jobs) = sync_channel::<Job>(shape.max_queue.max(1));
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 0..thread_count(shape, cores()) {
            let jobs = Arc::clone(&jobs);
            let niceness = shape.niceness;
            std::thread::Builder::new()
                .name(format!("{}-{number}", shape.name))
                .spawn(move || {
                    step_back(niceness);
                    work(&jobs);
                })
                .map_err(Error::internal)?;
        }
        Ok(Self { queue, busy: shape.busy, retry_after: shape.retry_after })
    }

    /// Runs `job` and waits for its result. Work whose caller has gone away is skipped.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, result) = oneshot::channel();
        let task: Job = Box::new(move || {
            if !reply.is_closed() {
                drop(reply.send(job()));
            }
        });
        self.queue.try_send(task).map_err(|refused| match refused {
            TrySendError::Full(_) => {
                Error::new(ErrorCode::Unavailable, self.busy).with_retry_after(self.retry_after)
            }
            TrySendError::Disconnected(_) => Error::internal("the worker threads have ended"),
        })?;
        result.await.map_err(|_| Error::internal("a worker thread dropped its job"))?
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn thread_count(shape: &Shape, cores: usize) -> usize {
    match shape.threads {
        0 => cores.saturating_sub(shape.spared_cores).min(shape.most).max(1),
        given => given,
    }
}

/// On Linux the priority belongs to the thread, so only this one steps back.
fn step_back(niceness: i32) {
    if niceness > 0
        && let Err(error) = rustix::process::nice(niceness)
    {
        tracing::debug!(%error, "a worker thread keeps its priority");
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        // The lock is held while waiting: one idle thread waits for work, the others for the lock.
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        // A panicking job loses its reply channel, so its caller gets an error; the thread lives on.
        if std::panic::catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("a job panicked on a worker thread");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn shape(threads: usize, max_queue: usize) -> Shape {
        let retry_after = Duration::from_secs(2);
        Shape {
            name: "test",
            threads,
            spared_cores: 0,
            most: 4,
            niceness: 7,
            max_queue,
            busy: "busy",
            retry_after,
        }
    }

    fn pool(threads: usize, max_queue: usize) -> Pool {
        Pool::start(&shape(threads, max_queue)).unwrap()
    }

    #[test]
    fn a_machine_of_many_cores_gets_no_more_threads_than_the_bound() {
        let counts = [0, 1, 2, 4, 64].map(|cores| thread_count(&shape(0, 1), cores));
        assert_eq!(counts, [1, 1, 2, 4, 4]);
        assert_eq!(thread_count(&shape(8, 1), 2), 8, "an explicit number counts");
        let sparing = Shape { spared_cores: 1, ..shape(0, 1) };
        assert_eq!([1, 2, 4, 64].map(|cores| thread_count(&sparing, cores)), [1, 1, 3, 4]);
    }

    #[tokio::test]
    async fn threads_step_back_for_others() {
        let pool = pool(1, 1);
        let priority = pool.run(|| rustix::process::getpriority_process(None).map_err(Error::internal));
        assert_eq!(priority.await.unwrap(), 7);
    }

    #[tokio::test]
    async fn results_and_errors_come_back() {
        let pool = pool(2, 4);
        assert_eq!(pool.run(|| Ok(1 + 1)).await.unwrap(), 2);
        let failed = pool.run(|| Err::<(), _>(Error::not_found("nothing"))).await.unwrap_err();
        assert_eq!(failed.message, "nothing");
    }

    #[tokio::test]
    async fn a_panicking_job_fails_its_caller_and_leaves_the_thread_alive() {
        let pool = pool(1, 4);
        let failed = pool.run(|| -> Result<()> { panic!("a fault in a job") }).await.unwrap_err();
        assert_eq!(failed.code, ErrorCode::Internal);
        assert_eq!(pool.run(|| Ok(5)).await.unwrap(), 5);
    }

    #[tokio::test]
    async fn a_full_queue_answers_at_once_with_a_time_to_retry() {
        let pool = pool(1, 1);
        let (started_tx, started) = oneshot::channel();
        let (release, gate) = mpsc::channel::<()>();
        let running = pool.run(move || {
            let _ = started_tx.send(());
            gate.recv().map_err(Error::internal)
        });
        tokio::pin!(running);
        tokio::select! {
            _ = &mut running => panic!("the job cannot end before it is released"),
            started = started => started.unwrap(),
        }
        let waiting = pool.run(|| Ok(()));
        tokio::pin!(waiting);
        assert!(poll_once(waiting.as_mut()).await.is_none());
        let refused = pool.run(|| Ok(())).await.unwrap_err();
        assert_eq!(refused.code.http_status(), 503);
        assert_eq!(refused.retry_after, Some(Duration::from_secs(2)));
        release.send(()).unwrap();
        running.await.unwrap();
        waiting.await.unwrap();
    }

    async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        std::future::poll_fn(|context| match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        })
        .await
    }
}
