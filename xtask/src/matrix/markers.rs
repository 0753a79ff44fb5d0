//! The claims of tests: `// Covers: ID, ID` above the attributes of a test.

use std::path::{Path, PathBuf};

use super::Files;
use crate::source::Source;

/// How a claim begins.
const MARKER: &str = "// Covers:";

/// A test that claims a row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) id: String,
    pub(crate) test: String,
    pub(crate) path: PathBuf,
    pub(crate) line: usize,
}

/// All claims of the crates, and the markers that claim nothing.
pub(crate) fn claims(files: &Files) -> (Vec<Claim>, Vec<String>) {
    let (mut found, mut faults) = (Vec::new(), Vec::new());
    let rust = |path: &Path| path.starts_with("crates") && path.extension().is_some_and(|e| e == "rs");
    for (path, text) in files.iter().filter(|(path, text)| rust(path) && text.contains(MARKER)) {
        let source = Source::parse(text);
        let (lines, code) = (text.lines().collect::<Vec<_>>(), source.code.lines().collect::<Vec<_>>());
        for (line, comment) in &source.comments {
            let Some(ids) = comment.strip_prefix(MARKER) else { continue };
            let mut ids = ids.split(',').map(str::trim).filter(|id| !id.is_empty()).peekable();
            let test = test_below(&lines, &code, *line);
            let (Some(test), Some(_)) = (test, ids.peek()) else {
                faults
                    .push(format!("{}:{line} claims rows of the matrix for what is no test", path.display()));
                continue;
            };
            let claim =
                |id: &str| Claim { id: id.to_owned(), test: test.clone(), path: path.clone(), line: *line };
            found.extend(ids.map(claim));
        }
    }
    (found, faults)
}

/// The name of the test that follows a line without a gap: comments, attributes of which one makes it a test that runs,
/// and a function.
fn test_below(lines: &[&str], code: &[&str], line: usize) -> Option<String> {
    let (mut depth, mut is_test) = (0_i32, false);
    for (raw, code) in lines.iter().zip(code).skip(line) {
        let (raw, code) = (raw.trim(), code.trim());
        if depth == 0 && raw.starts_with("//") {
            continue;
        }
        if depth == 0 && !code.starts_with("#[") {
            // The tests of the store are written once and made for each database by a macro.
            is_test |= code.starts_with("async fn ") && code.contains("(db: Db)");
            let name = code.split_once("fn ").map(|(_, rest)| rest)?;
            let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            return (is_test && !name.is_empty()).then_some(name);
        }
        if code.starts_with("#[ignore") {
            return None;
        }
        is_test |= code.starts_with("#[test]") || code.starts_with("#[tokio::test");
        for byte in code.bytes() {
            depth += i32::from(matches!(byte, b'[' | b'(')) - i32::from(matches!(byte, b']' | b')'));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<String>, usize) {
        let (claims, faults) = claims(&[(PathBuf::from("crates/a/tests/it/b.rs"), text.to_owned())]);
        (claims.iter().map(|claim| format!("{} {}", claim.id, claim.test)).collect(), faults.len())
    }

    #[test]
    fn tests_of_both_kinds_claim_rows() {
        let text = "// Covers: A-1, B-2\n// Covers: C-3\n/// Why.\n#[test]\nfn one() {}\n\nmod m {\n    \
            // Covers: A-1\n    #[tokio::test(\n        flavor = \"multi_thread\"\n    )]\n    async fn two() {}\n}\n";
        let expected = ["A-1 one", "B-2 one", "C-3 one", "A-1 two"].map(str::to_owned).to_vec();
        assert_eq!(read(text), (expected, 0));
    }

    #[test]
    fn a_test_for_each_database_claims_rows() {
        let text = "contract! {\n    // Covers: A-1\n    async fn one(db: Db) {\n    }\n}\n";
        assert_eq!(read(text), (vec!["A-1 one".to_owned()], 0));
        assert_eq!(read(&text.replace("(db: Db)", "(db: &Db)")), (vec![], 1));
    }

    #[test]
    fn markers_above_something_else_are_found() {
        for bad in [
            "// Covers: A-1\nfn no_test() {}\n",
            "// Covers: A-1\n#[derive(Debug)]\nstruct NoTest;\n",
            "// Covers: A-1\n\n#[test]\nfn far_away() {}\n",
            "// Covers: A-1\n#[test]\n#[ignore = \"never\"]\nfn never_runs() {}\n",
            "// Covers:\n#[test]\nfn claims_nothing() {}\n",
            "#[test]\n// Covers: A-1\nfn too_late() {}\n",
            "fn f() {\n    // Covers: A-1\n    g();\n}\n",
            "fn f() {}\n// Covers: A-1\n",
        ] {
            assert_eq!(read(bad), (vec![], 1), "{bad}");
        }
    }

    #[test]
    fn text_in_a_literal_is_no_marker() {
        assert_eq!(read("const A: &str = \"\n// Covers: A-1\n\";\n"), (vec![], 0));
    }
}
