//! Shell blocks of the documentation. Each says in its info string what it is:
//!
//! * ` ```sh test `: run, in order, in a copy of the repository's root with a hub of its own;
//! * ` ```sh test stays `: the same, but the program stays until the end, and publishes something;
//! * ` ```sh norun REASON `: not run here, for the reason given (Docker, root, a remote machine).

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::counts::Counts;
use crate::http::Request;
use crate::interrupt;
use crate::process::{Service, free_port};
use crate::workspace::{self, Profile};

/// Longest that one block may take.
const LIMIT: &str = "120";
/// What stands before the port of a node.
const LISTEN: &str = "--listen 127.0.0.1:";
/// The address that the documentation names.
const WRITTEN: &str = "localhost:8080";
/// The address of the metrics that it names.
const METRICS: &str = "127.0.0.1:9464";

#[derive(Debug, PartialEq, Eq)]
struct Block {
    line: usize,
    info: String,
    script: String,
}

/// Runs every block that can run. Blocks that say neither what they are nor why they do not run fail.
pub(crate) fn run() -> Result<Counts> {
    let mut counts = Counts::default();
    let mut sandbox = Sandbox::start()?;
    for (file, text) in super::files()? {
        for block in blocks(&text) {
            interrupt::check()?;
            let place = format!("{}:{}", file.display(), block.line);
            match block.info.split_whitespace().nth(1) {
                Some("test") => {
                    let stays = block.info.split_whitespace().nth(2) == Some("stays");
                    let outcome =
                        if stays { sandbox.keep(&block.script) } else { sandbox.run(&block.script) };
                    counts.add(outcome.is_ok());
                    match outcome {
                        Ok(()) => println!("docs: {place} ... ok"),
                        Err(error) => println!("docs: {place} ... FAILED\n{}\n{error:#}", block.script),
                    }
                }
                Some("norun") if block.info.split_whitespace().count() > 2 => {}
                _ => {
                    counts.add(false);
                    println!("docs: {place} ... FAILED: say `sh test`, or `sh norun` with the reason");
                }
            }
        }
    }
    Ok(counts)
}

/// The blocks of a text whose language is `sh` or `bash`.
fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    let mut foreign = false;
    for (number, line) in text.lines().enumerate() {
        let fence = line.trim_start().strip_prefix("```");
        match (fence, open.take()) {
            (Some(_), Some(block)) => found.push(block),
            (Some(_), None) if foreign => foreign = false,
            (Some(info), None) => {
                let language = info.split_whitespace().next().unwrap_or_default();
                if language == "sh" || language == "bash" {
                    open =
                        Some(Block { line: number + 1, info: info.trim().to_owned(), script: String::new() });
                } else {
                    foreign = true;
                }
            }
            (None, Some(mut block)) => {
                block.script.push_str(line);
                block.script.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    found
}

/// A folder that looks like the repository's root, and a hub that runs on it.
struct Sandbox {
    address: String,
    metrics: String,
    // What stays ends before the hub, the hub before its folder goes.
    staying: Vec<Service>,
    _hub: Service,
    folder: TempDir,
}

impl Sandbox {
    fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("syfthub-docs-").tempdir()?;
        link_tree(folder.path())?;
        let binary = workspace::binary(Profile::Dev, "syfthub")?;
        let port = free_port()?;
        let address = format!("localhost:{port}");
        wrapper(folder.path(), &binary, &address)?;
        let mut command = Command::new(&binary);
        command.args(["serve", "--listen", &address.replace("localhost", "127.0.0.1")]);
        let metrics = format!("127.0.0.1:{}", free_port()?);
        command.args(["--data-dir", "data"]).current_dir(folder.path()).env("METRICS_LISTEN", &metrics);
        command.env("LOG_DIR", "logs");
        // The blocks of all pages come from one address, in seconds; a reader takes one page at a time.
        command.env("AUTH_RATE_LIMIT_MAX", "1000");
        let mut hub = Service::start("hub", command, folder.path())?;
        let listed = || {
            let answer = Request::new("GET", "/api/v1/endpoints/public").send(&address);
            answer.is_ok_and(|answer| answer.status == 200 && answer.body.contains("syfthub-docs"))
        };
        hub.wait_at(port, Duration::from_mins(2), listed).context("the hub for the documentation")?;
        Ok(Self { address, metrics, staying: Vec::new(), _hub: hub, folder })
    }

    /// Starts what stays and waits until the hub lists more than before.
    fn keep(&mut self, script: &str) -> Result<()> {
        let before = self.listed()?;
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", &self.adapted(script)]).current_dir(self.folder.path());
        let name = format!("stays-{}", free_port()?);
        let mut service = Service::start(&name, shell, self.folder.path())?;
        service.wait_until(Duration::from_mins(2), || self.listed().is_ok_and(|now| now > before))?;
        self.staying.push(service);
        Ok(())
    }

    /// The block with this hub's address, and nodes on free ports.
    fn adapted(&self, script: &str) -> String {
        let script = script.replace(WRITTEN, &self.address).replace(METRICS, &self.metrics);
        let mut parts = script.split(LISTEN);
        let mut adapted = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            adapted = adapted + LISTEN + "0" + part.trim_start_matches(|c: char| c.is_ascii_digit());
        }
        adapted
    }

    /// How many public endpoints there are.
    fn listed(&self) -> Result<usize> {
        let answer =
            Request::new("GET", "/api/v1/endpoints/public?limit=100").send(&self.address)?.expect(200)?;
        Ok(answer.json()?.as_array().map_or(0, Vec::len))
    }

    fn run(&self, script: &str) -> Result<()> {
        let script = self.adapted(script);
        let mut shell = Command::new("timeout");
        shell.args([LIMIT, "bash", "-euo", "pipefail", "-c", &script]).current_dir(self.folder.path());
        workspace::read(&mut shell).map(|_| ())
    }
}

/// Links what the repository's root holds, except what belongs to one installation.
fn link_tree(folder: &Path) -> Result<()> {
    const OWN: &[&str] = &["bin", "data", "logs", "target", ".env", ".git", "backup"];
    for entry in fs::read_dir(workspace::root())? {
        let entry = entry?;
        let name = entry.file_name();
        if !OWN.iter().any(|own| name == *own) {
            symlink(fs::canonicalize(entry.path())?, folder.join(name))?;
        }
    }
    Ok(())
}

/// `bin/syfthub` that asks this hub where the real one would ask port 8080.
fn wrapper(folder: &Path, binary: &Path, address: &str) -> Result<PathBuf> {
    let path = folder.join("bin/syfthub");
    fs::create_dir_all(folder.join("bin"))?;
    let script = format!(
        "#!/bin/sh\ncase \"$1 $*\" in\n*--hub*) ;;\nask*|node*--listen*) set -- \"$@\" --hub http://{address} ;;\nnode*) set -- \"$@\" --hub http://{address} --listen 127.0.0.1:0 ;;\nesac\nexec \"{0}\" \"$@\"\n",
        binary.display()
    );
    fs::write(&path, script)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_blocks_are_found_with_their_tags() {
        let text = "a\n```sh test\necho 1\n```\n```text\n```\n```sh norun needs Docker\ndocker\n```\n```rust\nfn x() {}\n```\n";
        let found = blocks(text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], Block { line: 2, info: "sh test".into(), script: "echo 1\n".into() });
        assert_eq!(found[1].info, "sh norun needs Docker");
    }
}
