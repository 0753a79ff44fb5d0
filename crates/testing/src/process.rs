//! Servers that end with the test process, however that ends.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Starts the server and reads one line from the test process. The pipe ends when that process does, also when
/// it is killed; then the server is stopped and its folder removed. The line `keep` leaves the folder.
const SUPERVISOR: &str = r#"folder=$1; shift
"$@" </dev/null & server=$!
read -r order
kill -INT "$server" 2>/dev/null
wait "$server"
[ "$order" = keep ] || rm -rf "$folder""#;

/// A server under supervision.
#[derive(Debug)]
pub(crate) struct Server {
    supervisor: Child,
}

impl Server {
    /// Starts `command`; its output goes to `server.log` in `folder`.
    pub(crate) fn start(folder: &Path, command: &[String]) -> Self {
        let log = File::create(folder.join("server.log")).expect("cannot create the server's log");
        let errors = log.try_clone().expect("cannot share the server's log");
        let supervisor = Command::new("/bin/sh")
            .args(["-c", SUPERVISOR, "supervisor"])
            .arg(folder)
            .args(command)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            // Out of the test runner's group, so that a killed test still cleans up.
            .process_group(0)
            .spawn()
            .expect("cannot start /bin/sh");
        Self { supervisor }
    }

    /// Stops the server, keeps its folder, and waits until it has ended.
    pub(crate) async fn stop(mut self) {
        tokio::task::spawn_blocking(move || {
            if let Some(mut pipe) = self.supervisor.stdin.take() {
                pipe.write_all(b"keep\n").expect("the server's supervisor is gone");
            }
            self.supervisor.wait().expect("cannot wait for the server")
        })
        .await
        .expect("stopping a server panicked");
    }
}

/// Whether this process runs as root, which PostgreSQL refuses to.
pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// Runs a command to its end and gives its output; panics with what it said when it fails.
pub(crate) fn run(command: &mut Command) -> String {
    let done = command.stdin(Stdio::null()).output();
    let done = done.unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(
        done.status.success(),
        "{command:?} failed: {}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}
