//! The rows: one TOML file for each standard.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

use super::Files;

/// Where the files are.
const FOLDER: &str = "docs/security/requirements";

/// One standard.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    /// `RFC 9449`.
    #[serde(rename = "source")]
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) url: String,
    #[serde(rename = "requirement")]
    pub(crate) requirements: Vec<Requirement>,
}

/// One thing that it asks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Requirement {
    /// Source, section and a word: `RFC9449-4.3-iat`.
    pub(crate) id: String,
    pub(crate) section: String,
    pub(crate) level: Level,
    /// What our server has to do, in our words.
    pub(crate) text: String,
    /// Why there is nothing to test here.
    pub(crate) not_applicable: Option<String>,
}

/// How much the standard insists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Level {
    Must,
    Should,
}

impl Level {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
        }
    }
}

/// All standards in the order of their files, and what is wrong with the files.
pub(crate) fn sources(files: &Files) -> (Vec<Source>, Vec<String>) {
    let (mut found, mut faults, mut ids) = (Vec::new(), Vec::new(), BTreeSet::new());
    let ours = |path: &Path| path.starts_with(FOLDER) && path.extension().is_some_and(|e| e == "toml");
    for (path, text) in files.iter().filter(|(path, _)| ours(path)) {
        let source: Source = match toml::from_str(text) {
            Ok(source) => source,
            Err(error) => {
                faults.push(format!("{}: {}", path.display(), error.to_string().trim()));
                continue;
            }
        };
        for requirement in &source.requirements {
            if let Some(fault) = fault(&source.name, requirement) {
                faults.push(format!("{}: {} {fault}", path.display(), requirement.id));
            }
            if !ids.insert(requirement.id.clone()) {
                faults.push(format!("{}: {} is there twice", path.display(), requirement.id));
            }
        }
        found.push(source);
    }
    (found, faults)
}

fn fault(source: &str, requirement: &Requirement) -> Option<&'static str> {
    let Requirement { id, section, text, not_applicable, .. } = requirement;
    let plain = id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
    let prefix = source.replace(' ', "");
    if !plain || !id.strip_prefix(&prefix).is_some_and(|rest| rest.starts_with('-')) {
        return Some("has to begin with its source, and to consist of letters, digits, dots and hyphens");
    }
    if section.trim().is_empty() || text.trim().is_empty() || text.contains('\n') {
        return Some("needs a section, and a text of one line");
    }
    let silent = not_applicable.as_ref().is_some_and(|why| why.trim().is_empty() || why.contains('\n'));
    silent.then_some("has to say in one line why it does not apply")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn read(rows: &str) -> Vec<String> {
        let text = format!("source = \"RFC 1\"\ntitle = \"T\"\nurl = \"https://x.example\"\n{rows}");
        sources(&[(PathBuf::from("docs/security/requirements/rfc1.toml"), text)]).1
    }

    fn row(id: &str, more: &str) -> String {
        format!(
            "[[requirement]]\nid = \"{id}\"\nsection = \"2\"\nlevel = \"MUST\"\ntext = \"Is so.\"\n{more}\n"
        )
    }

    #[test]
    fn good_rows_pass() {
        let rows = row("RFC1-2-a", "") + &row("RFC1-2.1-b", "not_applicable = \"There is no such thing.\"");
        assert!(read(&rows).is_empty(), "{:?}", read(&rows));
    }

    #[test]
    fn bad_rows_are_found() {
        let twice = row("RFC1-2-a", "") + &row("RFC1-2-a", "");
        for bad in [
            twice,
            row("RFC2-2-a", ""),
            row("RFC1-2 a", ""),
            row("RFC1-2-a", "not_applicable = \" \""),
            row("RFC1-2-a", "why = \"x\""),
            row("RFC1-2-a", "").replace("MUST", "MAY"),
            row("RFC1-2-a", "").replace("Is so.", " "),
        ] {
            assert_eq!(read(&bad).len(), 1, "{bad}");
        }
    }
}
