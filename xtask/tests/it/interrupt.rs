//! A command that is told to end takes along everything that it started.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// Says where the server listens and its own and its child's number, and stays.
const STAYS: &str = "sleep 600 & echo \"$SYFTHUB_TEST_POSTGRES_URL $$ $!\"; wait";

fn ended_by(signal: Signal) {
    let temporary = tempfile::tempdir().unwrap();
    // The server of the test runs as another user where we are root.
    std::fs::set_permissions(temporary.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    xtask.args(["databases", "--", "sh", "-c", STAYS]).env("TMPDIR", temporary.path());
    let mut xtask = xtask.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(xtask.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    let words: Vec<&str> = said.split_whitespace().collect();
    assert_eq!(words.len(), 3, "this test needs PostgreSQL; `make test` installs it");
    let mut processes = vec![process(words[1]), process(words[2])];
    processes.extend(server(temporary.path()));
    assert_eq!(processes.len(), 3, "the server is not there");

    kill_process(process(&xtask.id().to_string()), signal).unwrap();
    let output = xtask.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("interrupted"));
    for process in processes {
        assert!(gone(process), "{process} is left");
    }
    assert_eq!(temporary.path().read_dir().unwrap().count(), 0, "a folder is left");
}

fn process(number: &str) -> Pid {
    Pid::from_raw(number.parse().unwrap()).unwrap()
}

/// The number of the server, from its own file.
fn server(temporary: &Path) -> Option<Pid> {
    let folder = temporary.read_dir().unwrap().next()?.unwrap().path();
    let file = std::fs::read_to_string(folder.join("data/postmaster.pid")).unwrap();
    Some(process(file.lines().next()?))
}

/// Whether a process has ended. One that nobody has fetched the end of yet has ended too.
fn gone(process: Pid) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    test_kill_process(process).is_err() || state.contains(") Z ")
}

#[test]
fn by_a_time_limit() {
    ended_by(Signal::TERM);
}

#[test]
fn by_the_keyboard() {
    ended_by(Signal::INT);
}

#[test]
fn by_a_terminal_that_closes() {
    ended_by(Signal::HUP);
}
