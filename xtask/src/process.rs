//! Programs that run beside us and end with us.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Longest that a program may take to drain; the services promise 30 s.
const GRACE: Duration = Duration::from_secs(35);
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// A program in a process group of its own, its output in a file. Ends when dropped.
pub(crate) struct Service {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts a program; stdout and stderr go to `{folder}/{name}.log`.
    pub(crate) fn start(name: &str, mut command: Command, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let out = File::options().create(true).append(true).open(&log)?;
        let error = out.try_clone()?;
        command.stdin(Stdio::null()).stdout(out).stderr(error).process_group(0);
        let child = command.spawn().with_context(|| format!("{name} does not start"))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// What it is called in messages.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Everything it wrote so far.
    pub(crate) fn output(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The end of what it wrote, for an error message.
    pub(crate) fn last_words(&self) -> String {
        let output = self.output();
        let lines: Vec<&str> = output.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// Waits until a condition holds, while the program is alive.
    pub(crate) fn wait_until(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
        let start = Instant::now();
        while !ready() {
            if let Some(status) = self.ended() {
                bail!("{} ended ({status}):\n{}", self.name, self.last_words());
            }
            if start.elapsed() > limit {
                bail!("{} was not ready after {} s:\n{}", self.name, limit.as_secs(), self.last_words());
            }
            thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    /// Asks it to end (SIGTERM) and waits; after the grace period its whole group is killed. Returns how
    /// long it took and its status, `None` when it had to be killed.
    pub(crate) fn stop(&mut self) -> (Duration, Option<ExitStatus>) {
        self.stop_with(Signal::TERM)
    }

    /// The same with another signal first.
    pub(crate) fn stop_with(&mut self, signal: Signal) -> (Duration, Option<ExitStatus>) {
        let start = Instant::now();
        if let Some(status) = self.ended() {
            return (start.elapsed(), Some(status));
        }
        let Some(pid) = self.pid() else { return (start.elapsed(), None) };
        // A program that ended this very moment cannot be signalled any more, which is what was wanted.
        let _gone = kill_process(pid, signal);
        while start.elapsed() < GRACE {
            if let Some(status) = self.ended() {
                // What it started and did not take along.
                let _gone = kill_process_group(pid, Signal::KILL);
                return (start.elapsed(), Some(status));
            }
            thread::sleep(LOOK_AGAIN);
        }
        self.kill();
        (start.elapsed(), None)
    }

    /// Ends the program and all that it started, at once.
    pub(crate) fn kill(&mut self) {
        if let Some(pid) = self.pid() {
            let _gone = kill_process_group(pid, Signal::KILL);
        }
        let _reaped = self.child.wait();
    }

    fn pid(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.child.id()).ok()?)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A TCP port of the loopback address that nobody uses at the moment.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Waits for something outside any one program.
pub(crate) fn eventually(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) -> Result<()> {
    let start = Instant::now();
    while !holds() {
        if start.elapsed() > limit {
            bail!("{what}: not within {} s", limit.as_secs());
        }
        thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_stopped_by_its_id_and_its_output_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "trap 'echo bye; exit 0' TERM; echo hello; while :; do sleep 0.05; done"]);
        let mut service = Service::start("probe", command, folder.path()).unwrap();
        let log = folder.path().join("probe.log");
        service
            .wait_until(Duration::from_secs(10), || fs::read_to_string(&log).unwrap().contains("hello"))
            .unwrap();
        let (_, status) = service.stop();
        assert!(status.unwrap().success());
        assert!(service.output().contains("bye"));
    }

    #[test]
    fn a_program_that_ends_early_is_reported_with_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo 'no room' >&2; exit 3"]);
        let mut service = Service::start("probe", command, folder.path()).unwrap();
        let error = service.wait_until(Duration::from_secs(10), || false).unwrap_err();
        assert!(error.to_string().contains("no room"), "{error}");
    }
}
