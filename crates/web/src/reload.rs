//! SIGHUP: log files are opened anew, and what can change at run time is read again. A reload that
//! cannot be read changes nothing.

use syfthub_config::{Problems, Settings};
use syfthub_logging::Handle;
use tokio::signal::unix::{SignalKind, signal};

use crate::serve::Shutdown;

/// Follows SIGHUP until `shutdown`. `read` reads the settings the way the process read them at its start;
/// of these the log level takes effect, everything else does at the next start.
pub async fn on_hangup(
    handle: Handle,
    read: impl Fn() -> Result<Settings, Problems>,
    shutdown: Shutdown,
) -> std::io::Result<()> {
    let mut hangups = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            () = shutdown.wait() => return Ok(()),
            received = hangups.recv() => if received.is_none() { return Ok(()) },
        }
        reload(&handle, &read);
    }
}

fn reload(handle: &Handle, read: &impl Fn() -> Result<Settings, Problems>) {
    if let Err(error) = handle.reopen() {
        tracing::error!(%error, "log.reopen.failed");
    }
    match read() {
        Ok(settings) => match handle.set_level(settings.log.level) {
            Ok(()) => tracing::info!(level = settings.log.level.as_str(), "config.reloaded"),
            Err(error) => tracing::error!(%error, "config.reload.failed"),
        },
        Err(problems) => tracing::error!(%problems, "config.reload.refused"),
    }
}
