//! Waiting for something outside this process, which cannot tell us when it is ready.

use std::time::Duration;

use tokio::time::Instant;

/// How long [`until`] waits before it gives up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks again and again, every few milliseconds, until the answer is yes. Panics with `what` when that takes
/// longer than [`PATIENCE`]. Only for outside processes and sockets: inside a process there is always a better signal.
pub async fn until<F, Fut>(mut ready: F, what: &str)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let deadline = Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(2);
    while !ready().await {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain for: {what}");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
