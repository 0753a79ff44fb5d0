//! Says once that the server is gone and once that it is back, and now and then that it refuses.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Time between two lines about refusals. A full or read-only server refuses every write and answers the
/// reads between them, so that lines about a change of state would flood the log.
const BETWEEN_REFUSALS: Duration = Duration::from_mins(1);

/// Remembers whether the last call failed.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    gone: AtomicBool,
    told_refusal: Mutex<Option<Instant>>,
}

impl Outage {
    /// A call failed because the server could not be reached.
    pub(crate) fn failed(&self, service: &str, error: &str) {
        if !self.gone.swap(true, Ordering::Relaxed) {
            tracing::warn!(target: "syfthub.cache", service, error, "cache.redis.unavailable");
        }
    }

    /// A call went well.
    pub(crate) fn succeeded(&self, service: &str) {
        // The plain load keeps the ordinary case free of writes to shared memory.
        if self.gone.load(Ordering::Relaxed) && self.gone.swap(false, Ordering::Relaxed) {
            tracing::warn!(target: "syfthub.cache", service, "cache.redis.recovered");
        }
    }

    /// The server answered with an error (out of memory, read-only, cannot save): it is there, but it
    /// does not do its work.
    pub(crate) fn refused(&self, service: &str, error: &str) {
        let now = Instant::now();
        let mut told = self.told_refusal.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if told.is_none_or(|at| now.duration_since(at) >= BETWEEN_REFUSALS) {
            *told = Some(now);
            drop(told);
            tracing::warn!(target: "syfthub.cache", service, error, "cache.redis.refused");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::{BETWEEN_REFUSALS, Outage};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_are_told_once_a_minute() {
        syfthub_testing::log::listen_on_every_thread();
        let lines = Lines::default();
        let writer = lines.clone();
        let log = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
        let _guard = tracing::subscriber::set_default(log);
        let outage = Outage::default();
        for round in 1..=2 {
            for _ in 0..3 {
                outage.refused("test", "OOM");
                outage.succeeded("test");
            }
            let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
            assert_eq!(text.matches("cache.redis.refused").count(), round, "{text}");
            tokio::time::advance(BETWEEN_REFUSALS).await;
        }
    }
}
