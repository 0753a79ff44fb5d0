//! The documentation: its links lead somewhere, its shell blocks work.

pub(crate) mod blocks;
pub(crate) mod links;

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::workspace;

/// Every Markdown file of the repository with its text.
fn files() -> Result<Vec<(PathBuf, String)>> {
    let tracked = workspace::tracked_files()?.into_iter();
    let markdown = tracked.filter(|path| path.extension().is_some_and(|e| e == "md"));
    Ok(markdown
        .filter_map(|path| Some((path.clone(), fs::read_to_string(workspace::root().join(path)).ok()?)))
        .collect())
}
