//! Limits of the process and words with the service manager.

use sd_notify::NotifyState;

/// Raises the number of open files to what the system allows: every stream of an answer holds several.
pub fn raise_open_files() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => tracing::debug!(limit, "process.open_files.raised"),
        Err(error) => tracing::warn!(%error, "process.open_files.unchanged"),
    }
}

/// Tells systemd that the process is ready. Without `NOTIFY_SOCKET` this does nothing.
pub fn notify_ready() {
    notify(&[NotifyState::Ready]);
}

/// Tells systemd that the process drains.
pub fn notify_stopping() {
    notify(&[NotifyState::Stopping]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "process.notify.failed");
    }
}
