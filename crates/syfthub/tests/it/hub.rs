//! A hub started as its own process, and the program run to its end.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use syfthub_egress::{Client, Limits};
use tempfile::TempDir;

/// Longest time that a start or a stop may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Settings of the outer environment that would change what a test sees.
const FOREIGN: &[&str] = &[
    "ENVIRONMENT",
    "NODE_ENV",
    "HIVE_ENV",
    "DATABASE_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "DOMAIN",
    "HOST",
    "PORT",
    "LOG_LEVEL",
    "LOG_FORMAT",
    "LOG_DIR",
    "SYFTHUB_PUBLIC_URL",
    "SYFTHUB_DATA_DIR",
    "SYFTHUB_API_TOKEN",
];

/// The program with a clean environment, in an empty working directory of its own.
pub(crate) fn program(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syfthub"));
    command.current_dir(directory).env("METRICS_LISTEN", "127.0.0.1:0");
    // No sign-in of whoever runs the tests.
    command.env("XDG_CONFIG_HOME", directory).stdin(Stdio::null());
    for name in FOREIGN {
        command.env_remove(name);
    }
    command
}

/// Runs the program to its end.
pub(crate) fn run(directory: &Path, args: &[&str]) -> Output {
    program(directory).args(args).output().unwrap()
}

/// Runs the program with text on standard input.
pub(crate) fn run_with_input(directory: &Path, args: &[&str], input: &str) -> Output {
    let mut child = program(directory)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Standard output as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A running hub; it is killed when dropped.
pub(crate) struct Hub {
    child: Child,
    pub(crate) url: String,
    /// The lines of the start banner.
    pub(crate) banner: Vec<String>,
    pub(crate) directory: TempDir,
}

impl Hub {
    /// Starts on an empty directory.
    pub(crate) fn start(args: &[&str]) -> Self {
        Self::start_in(TempDir::new().unwrap(), args, &[])
    }

    /// Starts in `directory`, whose `data` is the data directory.
    pub(crate) fn start_in(directory: TempDir, args: &[&str], settings: &[(&str, &str)]) -> Self {
        Self::start_on("0", directory, args, settings)
    }

    /// The same on a port that a hub had before.
    pub(crate) fn start_on(port: &str, directory: TempDir, args: &[&str], settings: &[(&str, &str)]) -> Self {
        let mut child = program(directory.path())
            .args(["serve", "--port", port])
            .args(args)
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = follow(child.stderr.take().unwrap());
        let mut banner = Vec::new();
        // The banner is one write, and an empty line follows it.
        loop {
            match lines.recv_timeout(PATIENCE) {
                Ok(line) if line.is_empty() && !banner.is_empty() => break,
                Ok(line) => banner.push(line),
                Err(_) => {
                    let _ = child.kill();
                    panic!("the hub did not start; it said: {banner:#?}");
                }
            }
        }
        let url = value_of(&banner, "address").expect("an address in the banner");
        Self { child, url, banner, directory }
    }

    /// A value of the banner.
    pub(crate) fn said(&self, name: &str) -> Option<String> {
        value_of(&self.banner, name)
    }

    /// Path of the data directory.
    pub(crate) fn data(&self) -> std::path::PathBuf {
        self.directory.path().join("data")
    }

    /// Sends SIGTERM, waits for the end and hands back the directory and whether it ended well.
    pub(crate) fn stop(mut self) -> (TempDir, bool) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let success = self.child.wait().unwrap().success();
        let directory = std::mem::replace(&mut self.directory, TempDir::new().unwrap());
        (directory, success)
    }

    /// GET a path and read its JSON.
    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.call("GET", path, None, None).await
    }

    /// Any call with an optional body and token.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<Value>,
        token: Option<&str>,
    ) -> (u16, Value) {
        let client = Client::operator(Limits::default()).unwrap();
        let url = format!("{}{path}", self.url).parse().unwrap();
        let mut request = client.request(method.parse().unwrap(), url);
        if let Some(token) = token {
            request = request.bearer(&token.into());
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.bytes_capped(4 * 1024 * 1024).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Registers a user and returns a personal access token of theirs.
    pub(crate) async fn register(&self, username: &str) -> String {
        let user = serde_json::json!({
            "username": username, "email": format!("{username}@example.com"), "full_name": username,
            "password": "correct-horse-1",
        });
        let (status, registered) = self.call("POST", "/api/v1/auth/register", Some(user), None).await;
        assert_eq!(status, 201, "{registered}");
        let token = registered["access_token"].as_str().unwrap().to_owned();
        let wanted = serde_json::json!({ "name": "test" });
        let (status, created) = self.call("POST", "/api/v1/auth/tokens", Some(wanted), Some(&token)).await;
        assert_eq!(status, 201, "{created}");
        created["token"].as_str().unwrap().to_owned()
    }

    /// Runs `syfthub ask` against this hub.
    pub(crate) fn ask(&self, args: &[&str]) -> Output {
        let mut all = vec!["ask"];
        all.extend_from_slice(args);
        all.extend_from_slice(&["--hub", &self.url]);
        run(self.directory.path(), &all)
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn value_of(banner: &[String], name: &str) -> Option<String> {
    let line = banner.iter().find(|line| line.trim_start().starts_with(name))?;
    Some(line.trim_start()[name.len()..].trim().to_owned())
}

/// The lines of a stream as they come. Reading goes on to the end, so that the writer never blocks.
pub(crate) fn follow(stream: impl std::io::Read + Send + 'static) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            // Nobody listens any more once the hub has started.
            let _ = send.send(line);
        }
    });
    receive
}
