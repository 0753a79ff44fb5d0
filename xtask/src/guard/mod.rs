//! The rules of the house that no compiler checks. Each guard is a pure function over what it looks
//! at, with a test of its own that shows a bad input failing.

mod dependencies;
mod environment;
mod hosts;
mod layers;
mod matrix;
mod metrics;
mod migrations;
mod routes;
mod sizes;
mod sql;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::counts::Counts;
use crate::workspace;

/// One rule: its name in the output and the check, which returns what breaks the rule.
pub(crate) struct Guard {
    name: &'static str,
    check: fn(&Repository) -> Vec<String>,
}

const GUARDS: &[Guard] = &[
    Guard { name: "dependencies between crates point down", check: layers::check },
    Guard { name: "services do not import one another", check: layers::check_services },
    Guard { name: "SQL is in store and in the node's index only", check: sql::check },
    Guard { name: "the environment is read by config only", check: environment::check },
    Guard { name: "migrations come in pairs", check: migrations::check },
    Guard { name: "nginx and the route table agree", check: routes::check },
    Guard { name: "metrics are explained", check: metrics::check },
    Guard { name: "every requirement of OAuth has its test", check: matrix::check },
    Guard { name: "files and functions stay short", check: sizes::check },
    Guard { name: "no banned and no doubled libraries", check: dependencies::check_graph },
    Guard { name: "licences are on the list", check: dependencies::check_licences },
    Guard { name: "no package registry hosts in the text", check: hosts::check },
];

/// What the guards look at, read once.
pub(crate) struct Repository {
    /// Every file that git knows or would add, relative to the root, with its text (text files only).
    pub(crate) files: Vec<(PathBuf, String)>,
    /// `cargo metadata` of our own crates.
    pub(crate) metadata: serde_json::Value,
    /// What is built.
    packages: Vec<dependencies::Package>,
}

impl Repository {
    /// Reads the work tree.
    pub(crate) fn read() -> Result<Self> {
        let files = workspace::tracked_files()?
            .into_iter()
            .filter_map(|path| Some((path.clone(), fs::read_to_string(workspace::root().join(path)).ok()?)))
            .collect();
        let output = workspace::cargo()
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .output()
            .context("cargo metadata does not start")?;
        anyhow::ensure!(
            output.status.success(),
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let metadata = serde_json::from_slice(&output.stdout)?;
        Ok(Self { files, metadata, packages: dependencies::built()? })
    }

    /// The Rust files of our crates and tools.
    pub(crate) fn rust_files(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.files
            .iter()
            .filter(|(path, _)| path.extension().is_some_and(|e| e == "rs"))
            .map(|(path, text)| (path.as_path(), text.as_str()))
    }

    /// The text of one file.
    pub(crate) fn text(&self, path: &str) -> Result<&str> {
        let found = self.files.iter().find(|(p, _)| p == Path::new(path));
        found.map(|(_, text)| text.as_str()).with_context(|| format!("{path} is missing"))
    }
}

/// Runs every guard, prints each result, and counts them as tests.
pub(crate) fn run() -> Result<Counts> {
    let repository = Repository::read()?;
    let mut counts = Counts::default();
    for guard in GUARDS {
        let faults = (guard.check)(&repository);
        println!("guard: {} ... {}", guard.name, if faults.is_empty() { "ok" } else { "FAILED" });
        for fault in &faults {
            println!("    {fault}");
        }
        counts.add(faults.is_empty());
    }
    Ok(counts)
}

#[cfg(test)]
impl Repository {
    /// A made-up repository for the tests of the guards.
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        Self {
            files: files.iter().map(|(p, t)| (PathBuf::from(p), (*t).to_owned())).collect(),
            metadata: serde_json::Value::Null,
            packages: Vec::new(),
        }
    }
}
