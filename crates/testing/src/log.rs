//! For tests that read the log of their own thread.

use std::sync::OnceLock;

use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;

static SECOND: OnceLock<Dispatch> = OnceLock::new();

/// Call this before `set_default` or `with_default`. While only one subscriber exists, `tracing` asks the
/// thread that comes to an event first whether anybody listens, and remembers the answer for all threads:
/// another test on another thread, where nobody does, would silence the event here. With a second one it
/// asks all of them.
pub fn listen_on_every_thread() {
    SECOND.get_or_init(|| Dispatch::new(NoSubscriber::default()));
}
