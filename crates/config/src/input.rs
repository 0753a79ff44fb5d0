//! What settings are read from.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The raw sources of settings, strongest first: `overrides`, `env`, `dotenv`, `file`.
/// Names are case-insensitive and an empty value counts as not set.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// Values from the command line, by setting name.
    pub overrides: BTreeMap<&'static str, String>,
    /// The process environment.
    pub env: BTreeMap<String, String>,
    /// Text of the `.env` file in the working directory, if there is one.
    pub dotenv: Option<String>,
    /// A TOML file (`--config`), if one was named.
    pub file: Option<PathBuf>,
    /// Load without writing anything: a secret that would be generated is only made up for this run.
    pub dry_run: bool,
}
