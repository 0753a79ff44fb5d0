//! Ctrl-C, a time limit, a closed terminal: everything that we started ends before we do.
//!
//! A signal only sets a mark and ends the commands that we are waiting for. Whoever waits for something
//! else looks at the mark and returns an error, and on the way back each program is stopped by its owner,
//! in the order that it likes, and each temporary folder is removed.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// One request can arrive as several signals: from the terminal, from make, from a time limit.
const SAME: Duration = Duration::from_secs(1);

/// How often somebody asked us to end. Signals belong to the process, so this does too.
static REQUESTS: AtomicUsize = AtomicUsize::new(0);
/// The process groups of the commands that we wait for.
static WAITED_FOR: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// Listens from now on, instead of just ending.
pub(crate) fn listen() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        let mut last: Option<Instant> = None;
        for _ in signals.forever() {
            if last.is_some_and(|last| last.elapsed() < SAME) {
                continue;
            }
            last = Some(Instant::now());
            let before = REQUESTS.fetch_add(1, Ordering::SeqCst);
            let signal = if before == 0 { Signal::TERM } else { Signal::KILL };
            for group in WAITED_FOR.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                // One that ended this very moment is what was wanted.
                let _gone = kill_process_group(*group, signal);
            }
        }
    });
    Ok(())
}

/// Whether we are to end.
pub(crate) fn requested() -> bool {
    REQUESTS.load(Ordering::SeqCst) > 0
}

/// How long a program may take to drain: as long as it likes, shortly, or not at all when somebody asked
/// twice.
pub(crate) fn grace(longest: Duration) -> Duration {
    match REQUESTS.load(Ordering::SeqCst) {
        0 => longest,
        1 => longest.min(Duration::from_secs(10)),
        _ => Duration::ZERO,
    }
}

/// Fails when we are to end.
pub(crate) fn check() -> Result<()> {
    if requested() {
        bail!("interrupted");
    }
    Ok(())
}

/// A command that we wait for: in a process group of its own, which ends when we are asked to.
pub(crate) struct Waited {
    child: Child,
    group: Option<Pid>,
}

impl Waited {
    /// Starts it.
    pub(crate) fn start(command: &mut Command) -> std::io::Result<Self> {
        // Held while it starts: a signal in between finds it in the list.
        let mut groups = WAITED_FOR.lock().unwrap_or_else(PoisonError::into_inner);
        if requested() {
            return Err(std::io::Error::other("interrupted"));
        }
        let child = command.process_group(0).spawn()?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        groups.extend(group);
        Ok(Self { child, group })
    }

    /// Its output, if it is piped.
    pub(crate) fn stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> std::io::Result<ExitStatus> {
        let status = self.child.wait();
        self.forget();
        status
    }

    fn forget(&mut self) {
        if let Some(group) = self.group.take() {
            WAITED_FOR.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| *other != group);
        }
    }
}

impl Drop for Waited {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            let _gone = kill_process_group(group, Signal::KILL);
            let _reaped = self.child.wait();
            self.forget();
        }
    }
}

/// Runs a command and collects what it writes.
pub(crate) fn output(command: &mut Command) -> std::io::Result<Output> {
    use std::io::Read as _;

    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut waited = Waited::start(command)?;
    let mut errors = waited.child.stderr.take();
    let reader = thread::spawn(move || {
        let mut text = Vec::new();
        errors.as_mut().map_or(Ok(0), |errors| errors.read_to_end(&mut text)).map(|_| text)
    });
    let mut stdout = Vec::new();
    if let Some(mut pipe) = waited.stdout() {
        pipe.read_to_end(&mut stdout)?;
    }
    let status = waited.wait()?;
    let stderr = reader.join().map_err(|_| std::io::Error::other("reading a pipe panicked"))??;
    Ok(Output { status, stdout, stderr })
}
