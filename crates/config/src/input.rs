//! What settings are read from.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::{Problem, Problems};

/// A settings file larger than this is not one.
const LARGEST_FILE: u64 = 1024 * 1024;

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

impl Input {
    /// Reads the process environment and the `.env` file in the working directory. This is the only
    /// place of the product that reads the environment.
    pub fn from_process() -> Result<Self, Problems> {
        let env = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect();
        let dotenv = read_text(Path::new(".env"))
            .map_err(|message| Problems(vec![Problem { setting: ".env".to_owned(), message }]))?;
        Ok(Self { env, dotenv, ..Self::default() })
    }

    /// Builds an input from an environment only.
    pub fn from_env<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let env = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { env, ..Self::default() }
    }

    /// Returns a variable of the process environment that is no setting (such as `NOTIFY_SOCKET`);
    /// empty counts as not set.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// Reads a small text file; none when it does not exist.
pub(crate) fn read_text(path: &Path) -> Result<Option<String>, String> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot be read ({error}); check its permissions")),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot be read ({error})"))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err("is larger than 1 MiB, so it is not a settings file".to_owned());
    }
    String::from_utf8(bytes).map(Some).map_err(|_| "is not UTF-8 text".to_owned())
}
