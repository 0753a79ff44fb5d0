//! Relative links of the documentation, and the source files that it names.

use std::path::Path;

use anyhow::Result;

use crate::workspace;

/// Links that lead nowhere.
pub(crate) fn check() -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for (file, text) in super::files()? {
        let exists = |path: &Path| workspace::root().join(path).exists();
        faults.extend(broken(&file, &text, exists));
        faults.extend(misnamed(&file, &text, exists));
    }
    Ok(faults)
}

fn broken(file: &Path, text: &str, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let folder = file.parent().unwrap_or(Path::new(""));
    targets(text)
        .into_iter()
        .filter(|target| {
            !target.contains("://") && !target.starts_with('#') && !target.starts_with("mailto:")
        })
        .filter(|target| {
            let path = target.split('#').next().unwrap_or_default();
            !exists(&folder.join(path))
        })
        .map(|target| format!("{}: {target} leads nowhere", file.display()))
        .collect()
}

/// Source files named in full (`crate/src/….rs`) that do not exist.
fn misnamed(file: &Path, text: &str, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let code = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let sources = code.filter(|word| {
        word.contains("/src/")
            && Path::new(word).extension().is_some_and(|e| e == "rs")
            && !word.contains(['*', '…'])
    });
    sources
        .filter(|word| !exists(Path::new(word)) && !exists(&Path::new("crates").join(word)))
        .map(|word| format!("{}: there is no {word}", file.display()))
        .collect()
}

/// The targets of `[text](target)`, outside code.
fn targets(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // Inline code is every second part between backticks.
        let prose: String = line.split('`').step_by(2).collect();
        for rest in prose.split("](").skip(1) {
            if let Some(target) = rest.split(')').next() {
                found.push(target.to_owned());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_file_that_moved_is_found() {
        let text = "see `web/src/gone.rs` and `web/src/here.rs` and `mod.rs`";
        let faults = misnamed(Path::new("a.md"), text, |path| path == Path::new("crates/web/src/here.rs"));
        assert_eq!(faults, ["a.md: there is no web/src/gone.rs"]);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let text =
            "[a](there.md#x) [b](gone.md) [`c`](https://example.org) [d](#here)\n```\n[e](no.md)\n```\n";
        let faults = broken(Path::new("docs/x.md"), text, |path| path == Path::new("docs/there.md"));
        assert_eq!(faults, ["docs/x.md: gone.md leads nowhere"]);
    }
}
