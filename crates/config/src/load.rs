//! Loading.

use std::fmt;
use std::path::PathBuf;

use crate::{Input, Role, Settings};

/// Something wrong with a setting. Never contains the value of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The setting or source it is about.
    pub setting: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// Everything wrong with the settings, reported at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}: {}", problem.setting, problem.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// A secret made by this load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedSecret {
    /// Name of the setting it stands for.
    pub setting: &'static str,
    /// File it was written to, readable by the owner only.
    pub path: PathBuf,
}

/// The result of a load.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Which process they are for.
    pub role: Role,
    /// Secrets made by this load.
    pub generated: Vec<GeneratedSecret>,
    /// Things an operator should know.
    pub warnings: Vec<String>,
}

/// Loads the settings of one process.
pub fn load(_role: Role, _input: &Input) -> Result<Loaded, Problems> {
    unreachable!("being written")
}
