//! SQL text is in `store`, and in the node's document index, which is a file of its own.

use std::path::Path;

use super::Repository;
use crate::source::Source;

/// Test support makes databases, the bench has a bare handler to compare with, this tool looks into
/// the stack's database from outside, and integration tests may look behind the interface.
const ALLOWED: &[&str] =
    &["crates/store/", "crates/node/src/index/", "crates/testing/", "crates/bench/", "xtask/"];

/// Openings of statements. Upper case, as the house writes SQL; other text rarely looks like this.
const STATEMENTS: &[&str] = &[
    "SELECT ",
    "INSERT INTO ",
    "DELETE FROM ",
    "CREATE TABLE ",
    "CREATE INDEX ",
    "CREATE VIRTUAL ",
    "ALTER TABLE ",
    "DROP TABLE ",
    "PRAGMA ",
    "BEGIN IMMEDIATE",
    "WITH RECURSIVE ",
];

pub(super) fn check(repository: &Repository) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, text) in repository.rust_files() {
        let exempt = ALLOWED.iter().any(|prefix| path.starts_with(prefix))
            || path.components().any(|part| part.as_os_str() == "tests");
        if exempt {
            continue;
        }
        faults.extend(statements(path, text));
    }
    faults
}

fn statements(path: &Path, text: &str) -> Vec<String> {
    let source = Source::parse(text);
    let looks_like_sql = |s: &str| {
        let s = s.trim_start();
        STATEMENTS.iter().any(|opening| s.starts_with(opening))
            || (s.starts_with("UPDATE ") && s.contains(" SET "))
    };
    source
        .strings
        .iter()
        .filter(|(_, s)| looks_like_sql(s))
        .map(|(line, _)| format!("{}:{line} holds SQL text", path.display()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_outside_the_store_is_found() {
        let bad = Repository::of(&[(
            "crates/backend/src/users/mod.rs",
            "fn f() {\n  q(\"SELECT id FROM users\");\n}",
        )]);
        assert_eq!(check(&bad), ["crates/backend/src/users/mod.rs:2 holds SQL text"]);
        let update = Repository::of(&[("crates/mcp/src/lib.rs", "const Q: &str = r\"UPDATE x SET a = 1\";")]);
        assert_eq!(check(&update).len(), 1);
    }

    #[test]
    fn sql_at_home_and_words_in_prose_pass() {
        let good = Repository::of(&[
            ("crates/store/src/users.rs", "const Q: &str = \"SELECT 1\";"),
            ("crates/node/src/index/query.rs", "const Q: &str = \"SELECT 1\";"),
            ("crates/backend/src/lib.rs", "// SELECT is not ours\nconst M: &str = \"Select a model\";"),
        ]);
        assert!(check(&good).is_empty());
    }
}
