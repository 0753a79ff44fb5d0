//! Files under 400 lines and functions under 60, with a short list of reasoned exceptions.

use std::path::Path;

use super::Repository;
use crate::source::{Source, functions};

const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 60;
const EXCEPTIONS: &str = "xtask/size-exceptions.txt";

pub(super) fn check(repository: &Repository) -> Vec<String> {
    let exceptions = exceptions(repository.text(EXCEPTIONS).unwrap_or_default());
    let mut faults: Vec<String> = exceptions
        .iter()
        .filter(|(path, reason)| {
            reason.is_empty() || !repository.files.iter().any(|(p, _)| p == Path::new(path))
        })
        .map(|(path, _)| format!("{EXCEPTIONS}: {path} has no reason or does not exist"))
        .collect();
    for (path, text) in repository.rust_files() {
        if exceptions.iter().any(|(exempt, _)| Path::new(exempt) == path) {
            continue;
        }
        let lines = text.lines().count();
        if lines >= FILE_LINES {
            faults.push(format!("{} has {lines} lines", path.display()));
        }
        for function in functions(&Source::parse(text)) {
            if function.lines >= FUNCTION_LINES {
                faults.push(format!(
                    "{}:{} `{}` has {} lines",
                    path.display(),
                    function.line,
                    function.name,
                    function.lines
                ));
            }
        }
    }
    faults
}

/// `path: reason`, one per line; `#` starts a comment.
fn exceptions(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (path, reason) = line.split_once(':').unwrap_or((line, ""));
            (path.trim().to_owned(), reason.trim().to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_and_a_long_function_are_found() {
        let long = "// x\n".repeat(400);
        let function = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(60));
        let bad = Repository::of(&[("crates/a/src/lib.rs", &long), ("crates/b/src/lib.rs", &function)]);
        let faults = check(&bad);
        assert_eq!(faults, ["crates/a/src/lib.rs has 400 lines", "crates/b/src/lib.rs:1 `f` has 60 lines"]);
    }

    #[test]
    fn an_exception_needs_a_reason_and_a_file() {
        let long = "// x\n".repeat(400);
        let excused = Repository::of(&[
            ("crates/a/src/lib.rs", &long),
            (EXCEPTIONS, "# why\ncrates/a/src/lib.rs: one table\n"),
        ]);
        assert!(check(&excused).is_empty());
        let unreasoned =
            Repository::of(&[("crates/a/src/lib.rs", ""), (EXCEPTIONS, "crates/a/src/lib.rs:\n")]);
        assert_eq!(check(&unreasoned).len(), 1);
    }
}
