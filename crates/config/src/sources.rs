//! The sources of settings, in order of strength, with one way to look a name up.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::input::read_text;
use crate::{Input, Problem, dotenv, table};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// An option of the command line.
    CommandLine,
    /// The process environment.
    Environment,
    /// The `.env` file in the working directory.
    DotEnv,
    /// The settings file.
    File(PathBuf),
    /// A file that a `_FILE` or `_PATH` setting names.
    SecretFile(PathBuf),
    /// A secret that the hub generated.
    Generated(PathBuf),
    /// The default, or what follows from other settings.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("command line"),
            Self::Environment => f.write_str("environment"),
            Self::DotEnv => f.write_str(".env"),
            Self::File(path) | Self::SecretFile(path) => write!(f, "file {}", path.display()),
            Self::Generated(path) => write!(f, "generated in {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value as it was written.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) value: String,
    pub(crate) origin: Origin,
    /// The name it was found under, which may be an alias.
    pub(crate) name: String,
}

struct Layer {
    origin: Origin,
    values: BTreeMap<String, String>,
}

/// All sources, strongest first.
pub(crate) struct Sources {
    layers: Vec<Layer>,
}

impl Sources {
    /// Collects the sources; faults of `.env` and of the file go to `problems`.
    pub(crate) fn collect(input: &Input, problems: &mut Vec<Problem>) -> Self {
        let upper = |name: &str| name.to_ascii_uppercase();
        let overrides = input.overrides.iter().map(|(name, value)| (upper(name), value.clone())).collect();
        let env: BTreeMap<String, String> = env_layer(&input.env);
        let dotenv = input
            .dotenv
            .as_deref()
            .map_or_else(BTreeMap::new, |text| dotenv::parse(text, &|name| env.get(name).cloned(), problems));
        let mut layers = vec![
            Layer { origin: Origin::CommandLine, values: overrides },
            Layer { origin: Origin::Environment, values: env },
            Layer { origin: Origin::DotEnv, values: dotenv },
        ];
        if let Some(path) = &input.file {
            let values = read_file(path, problems);
            layers.push(Layer { origin: Origin::File(path.clone()), values });
        }
        Self { layers }
    }

    /// Returns the strongest value under a name (without aliases); empty values do not count.
    fn strongest(&self, names: &[String]) -> Option<Found> {
        self.layers.iter().find_map(|layer| {
            names.iter().find_map(|name| {
                let value = layer.values.get(name).filter(|value| !value.trim().is_empty())?;
                Some(Found {
                    value: value.trim().to_owned(),
                    origin: layer.origin.clone(),
                    name: name.clone(),
                })
            })
        })
    }

    /// Returns the strongest value of a setting, reading the file of a `_FILE` twin.
    pub(crate) fn find(&self, setting: &table::SettingDoc) -> Result<Option<Found>, Problem> {
        let plain: Vec<String> =
            std::iter::once(&setting.name).chain(setting.aliases).map(|name| (*name).to_owned()).collect();
        if !setting.secret {
            return Ok(self.strongest(&plain));
        }
        let mut names = plain.clone();
        names.extend(plain.iter().map(|name| format!("{name}_FILE")));
        let Some(found) = self.strongest(&names) else { return Ok(None) };
        if plain.contains(&found.name) {
            return Ok(Some(found));
        }
        let path = PathBuf::from(&found.value);
        let problem = |message: String| Problem { setting: found.name.clone(), message };
        match read_text(&path) {
            Ok(Some(text)) if !text.trim().is_empty() => Ok(Some(Found {
                value: text.trim().to_owned(),
                origin: Origin::SecretFile(path),
                name: found.name.clone(),
            })),
            Ok(Some(_)) => Err(problem(format!("names the file {}, which is empty", path.display()))),
            Ok(None) => Err(problem(format!("names the file {}, which does not exist", path.display()))),
            Err(fault) => Err(problem(format!("names the file {}, which {fault}", path.display()))),
        }
    }

    /// Tells whether a name is set anywhere.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.strongest(&[name.to_owned()]).is_some()
    }
}

/// On a clash of `log_level` and `LOG_LEVEL` the exact name wins.
fn env_layer(env: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in env {
        let upper = name.to_ascii_uppercase();
        if *name == upper || !env.contains_key(&upper) {
            values.insert(upper, value.clone());
        }
    }
    values
}

/// Reads the TOML file: keys are the names in lower case, and tables are joined with `_`, so
/// `[log] level` is `log_level`. Unknown keys are faults.
fn read_file(path: &Path, problems: &mut Vec<Problem>) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    let file = path.display().to_string();
    let text = match read_text(path) {
        Ok(Some(text)) => text,
        Ok(None) => {
            problems.push(Problem { setting: file, message: "does not exist; check --config".to_owned() });
            return values;
        }
        Err(message) => {
            problems.push(Problem { setting: file, message });
            return values;
        }
    };
    let source = config::File::from_str(&text, config::FileFormat::Toml);
    match config::Config::builder().add_source(source).build() {
        Ok(parsed) => flatten("", parsed.cache, &mut values),
        Err(error) => {
            problems.push(Problem { setting: file.clone(), message: toml_fault(&error.to_string()) });
        }
    }
    for name in values.keys() {
        let known = table::TABLE.iter().any(|setting| setting.is_named(name))
            || table::WITHOUT_EFFECT.iter().any(|(other, _)| other == name);
        if !known {
            let hint = table::nearest(name)
                .map_or_else(String::new, |near| format!("; did you mean {}?", near.to_ascii_lowercase()));
            let message = format!("has an unknown key {}{hint}", name.to_ascii_lowercase());
            problems.push(Problem { setting: file.clone(), message });
        }
    }
    values
}

/// The parser's message shows the line, which may hold a secret: only its place is kept.
fn toml_fault(message: &str) -> String {
    let place = message.lines().next().and_then(|first| first.find("line ").map(|at| &first[at..]));
    place.map_or_else(|| "is not valid TOML".to_owned(), |place| format!("is not valid TOML at {place}"))
}

fn flatten(prefix: &str, value: config::Value, out: &mut BTreeMap<String, String>) {
    use config::ValueKind;
    match value.kind {
        ValueKind::Table(entries) => {
            for (key, entry) in entries {
                let key = key.to_ascii_uppercase();
                let name = if prefix.is_empty() { key } else { format!("{prefix}_{key}") };
                flatten(&name, entry, out);
            }
        }
        ValueKind::Array(items) => {
            let texts: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
            out.insert(prefix.to_owned(), serde_json::Value::from(texts).to_string());
        }
        ValueKind::Nil => {}
        _ => {
            out.insert(prefix.to_owned(), value.to_string());
        }
    }
}
