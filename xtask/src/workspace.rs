//! Where things are, and how other programs are started.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::interrupt;

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The Cargo that started us, in the repository's root.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root());
    command
}

/// Where a profile's binaries are.
pub(crate) fn binary(profile: Profile, name: &str) -> Result<PathBuf> {
    let path = target_directory()?.join(profile.folder()).join(name);
    ensure!(path.exists(), "{} was not built", path.display());
    Ok(path)
}

/// Cargo's target directory, wherever the user put it.
pub(crate) fn target_directory() -> Result<PathBuf> {
    let output = read(cargo().args(["metadata", "--format-version", "1", "--no-deps"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&output)?;
    Ok(PathBuf::from(
        metadata["target_directory"].as_str().context("cargo metadata names no target directory")?,
    ))
}

/// How the product is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// As the tests build it.
    Dev,
    /// As `make run` builds it.
    Quick,
    /// As it is measured.
    Release,
}

impl Profile {
    /// Cargo's name of it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Quick => "quick",
            Self::Release => "release",
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Quick => "quick",
            Self::Release => "release",
        }
    }
}

/// The packages of the product's four binaries.
pub(crate) const BINARIES: &[&str] = &["syfthub", "syfthub-backend", "syfthub-aggregator", "syfthub-mcp"];

/// Builds packages in a profile; Cargo's own progress is what the user sees.
pub(crate) fn build(profile: Profile, packages: &[&str]) -> Result<()> {
    let mut command = cargo();
    command.args(["build", "--profile", profile.name()]);
    for package in packages {
        command.args(["--package", package]);
    }
    run(&mut command)
}

/// Builds an example of a package: a program for tests.
pub(crate) fn build_example(profile: Profile, package: &str, name: &str) -> Result<()> {
    run(cargo().args(["build", "--profile", profile.name(), "--package", package, "--example", name]))
}

/// Runs a command to its end; a failure names it.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    // In a group of its own it may not read from the terminal.
    command.stdin(Stdio::null());
    let waited =
        interrupt::Waited::start(command).with_context(|| format!("{} does not start", shown(command)))?;
    let status = waited.wait()?;
    interrupt::check()?;
    ensure!(status.success(), "{} failed ({status})", shown(command));
    Ok(())
}

/// Runs a command and returns what it wrote to stdout; a failure shows what it wrote to stderr.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let output = interrupt::output(command).with_context(|| format!("{} does not start", shown(command)))?;
    ensure!(
        output.status.success(),
        "{} failed ({}): {}",
        shown(command),
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Files that git tracks or would add, relative to the root.
pub(crate) fn tracked_files() -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.current_dir(root()).args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let mut files: Vec<PathBuf> = read(&mut git)?.lines().map(PathBuf::from).collect();
    files.sort();
    files.dedup();
    Ok(files)
}
