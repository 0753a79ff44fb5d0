//! Programs that run beside us and end with us.

use std::collections::hash_map::RandomState;
use std::fs::{self, File};
use std::hash::{BuildHasher as _, Hasher as _};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::interrupt;

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

    /// Waits until it listens on a port and a condition holds. Another program that answers at the same
    /// port, because it was there first, does not count.
    pub(crate) fn wait_at(
        &mut self,
        port: u16,
        limit: Duration,
        mut ready: impl FnMut() -> bool,
    ) -> Result<()> {
        let id = self.child.id();
        self.wait_until(limit, || listens(id, port) && ready())
    }

    /// Waits until a condition holds, while the program is alive.
    pub(crate) fn wait_until(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
        let start = Instant::now();
        loop {
            let holds = ready();
            // Looked at after the condition: one that holds without the program is worth nothing.
            if let Some(status) = self.ended() {
                bail!("{} ended ({status}):\n{}", self.name, self.last_words());
            }
            if holds {
                return Ok(());
            }
            interrupt::check()?;
            if start.elapsed() > limit {
                bail!("{} was not ready after {} s:\n{}", self.name, limit.as_secs(), self.last_words());
            }
            thread::sleep(LOOK_AGAIN);
        }
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
        while start.elapsed() < interrupt::grace(GRACE) {
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

/// A TCP port of the loopback address that nobody uses at the moment. Below the range that systems give to
/// outgoing connections and to who binds port 0, so that hardly anybody takes it before our program does.
pub(crate) fn free_port() -> Result<u16> {
    for _ in 0..100 {
        let port = 20_000 + u16::try_from(RandomState::new().build_hasher().finish() % 12_000)?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port between 20000 and 32000")
}

/// Whether a process holds a listening socket on a port. Where the system does not tell, an answer is
/// taken for that of the process.
fn listens(process: u32, port: u16) -> bool {
    let tables: Vec<String> = ["tcp", "tcp6"]
        .iter()
        .filter_map(|name| fs::read_to_string(format!("/proc/net/{name}")).ok())
        .collect();
    let Ok(files) = fs::read_dir(format!("/proc/{process}/fd")) else { return tables.is_empty() };
    let sockets: Vec<String> = files
        .flatten()
        .filter_map(|file| fs::read_link(file.path()).ok()?.to_str().map(str::to_owned))
        .collect();
    tables
        .iter()
        .flat_map(|table| listening(table, port))
        .any(|inode| sockets.contains(&format!("socket:[{inode}]")))
}

/// The sockets that listen on a port, by the kernel's table of TCP.
fn listening(table: &str, port: u16) -> impl Iterator<Item = &str> {
    const LISTEN: &str = "0A";
    let end = format!(":{port:04X}");
    table.lines().filter_map(move |line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let ours = fields.get(1)?.ends_with(&end) && *fields.get(3)? == LISTEN;
        ours.then(|| fields.get(9).copied()).flatten()
    })
}

/// Waits for something outside any one program.
pub(crate) fn eventually(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) -> Result<()> {
    let start = Instant::now();
    while !holds() {
        interrupt::check()?;
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

    #[test]
    fn a_condition_that_holds_without_the_program_is_no_readiness() {
        let folder = tempfile::tempdir().unwrap();
        let mut service = Service::start("probe", Command::new("false"), folder.path()).unwrap();
        while service.ended().is_none() {
            thread::yield_now();
        }
        service.wait_until(Duration::from_secs(10), || true).unwrap_err();
    }

    #[test]
    fn the_answer_of_another_program_at_the_port_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let other = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = other.local_addr().unwrap().port();
        assert!(listens(std::process::id(), port));
        let mut command = Command::new("sleep");
        command.arg("600");
        let mut service = Service::start("probe", command, folder.path()).unwrap();
        let answers = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        service.wait_at(port, Duration::from_millis(200), answers).unwrap_err();
    }
}
