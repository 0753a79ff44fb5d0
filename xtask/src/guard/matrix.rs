//! Every requirement of OAuth has a test that proves it, and the table says so.

use std::collections::{BTreeMap, BTreeSet};

use super::Repository;
use crate::matrix::{Source, TABLE, claims, render, sources};

/// It names rows as answers to threats.
const THREATS: &str = "docs/security/threat-model.md";

pub(super) fn check(repository: &Repository) -> Vec<String> {
    let (sources, mut faults) = sources(&repository.files);
    let (claims, misplaced) = claims(&repository.files);
    faults.extend(misplaced);
    let rows: BTreeMap<_, _> =
        sources.iter().flat_map(|source| &source.requirements).map(|row| (row.id.as_str(), row)).collect();
    let mut proved = BTreeSet::new();
    for claim in &claims {
        let fault = match rows.get(claim.id.as_str()) {
            None => "which is no row of the matrix",
            Some(row) if row.not_applicable.is_some() => "of which its row says that it does not apply",
            Some(_) => {
                proved.insert(claim.id.as_str());
                continue;
            }
        };
        faults.push(format!("{}:{} claims {}, {fault}", claim.path.display(), claim.line, claim.id));
    }
    let unproved =
        rows.values().filter(|row| row.not_applicable.is_none() && !proved.contains(row.id.as_str()));
    faults
        .extend(unproved.map(|row| format!("{} has no test: add `// Covers: {}` above one", row.id, row.id)));
    let named = |id: &str| rows.contains_key(id);
    faults.extend(misnamed(repository.text(THREATS).unwrap_or_default(), &sources, named));
    if faults.is_empty() && repository.text(TABLE).ok() != Some(&render(&sources, &claims)) {
        faults.push(format!("{TABLE} is out of date; run `make gen` (or `xtask matrix`, which writes only this) and commit the result"));
    }
    faults
}

/// Rows that a text names in code font, and that do not exist.
fn misnamed(text: &str, sources: &[Source], exists: impl Fn(&str) -> bool) -> Vec<String> {
    let prefixes: Vec<String> =
        sources.iter().map(|source| format!("{}-", source.name.replace(' ', ""))).collect();
    let code = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let ids = code.filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix.as_str())));
    ids.filter(|id| !exists(id))
        .map(|id| format!("{THREATS} names {id}, which is no row of the matrix"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "docs/security/requirements/rfc1.toml";
    const ROWS: &str = "source = \"RFC 1\"\ntitle = \"T\"\nurl = \"https://x.example\"\n\
        [[requirement]]\nid = \"RFC1-2-a\"\nsection = \"2\"\nlevel = \"MUST\"\ntext = \"Is so.\"\n\
        [[requirement]]\nid = \"RFC1-2-b\"\nsection = \"2\"\nlevel = \"SHOULD\"\ntext = \"Is so.\"\n\
        not_applicable = \"Never.\"\n";
    const TEST: &str = "// Covers: RFC1-2-a\n#[test]\nfn it_holds() {}\n";

    fn with(rows: &str, test: &str) -> Vec<String> {
        let bare = Repository::of(&[(FILE, rows), ("crates/a/tests/b.rs", test)]);
        let table = render(&sources(&bare.files).0, &claims(&bare.files).0);
        check(&Repository::of(&[(FILE, rows), ("crates/a/tests/b.rs", test), (TABLE, &table)]))
    }

    #[test]
    fn rows_with_their_tests_pass() {
        assert_eq!(with(ROWS, TEST), Vec::<String>::new());
    }

    #[test]
    fn a_row_without_a_test_is_found() {
        assert_eq!(with(ROWS, ""), ["RFC1-2-a has no test: add `// Covers: RFC1-2-a` above one"]);
    }

    #[test]
    fn an_unknown_row_and_one_that_does_not_apply_cannot_be_claimed() {
        let unknown = with(ROWS, &TEST.replace("RFC1-2-a", "RFC1-2-a, RFC1-9-z"));
        assert_eq!(unknown, ["crates/a/tests/b.rs:1 claims RFC1-9-z, which is no row of the matrix"]);
        assert_eq!(with(ROWS, &TEST.replace("RFC1-2-a", "RFC1-2-a, RFC1-2-b")).len(), 1);
    }

    #[test]
    fn a_marker_above_what_is_no_test_and_a_broken_file_are_found() {
        let helper = format!("{TEST}// Covers: RFC1-2-a\nfn helper() {{}}\n");
        assert_eq!(with(ROWS, &helper).len(), 1);
        assert_eq!(with(&format!("{ROWS}nonsense = 1\n"), "").len(), 1);
    }

    #[test]
    fn a_threat_answered_by_a_row_that_is_gone_is_found() {
        let threats = "| a | `RFC1-2-a`, `other-x` |\n| b | `RFC1-9-z` |\n";
        let bare = [(FILE, ROWS), ("crates/a/tests/b.rs", TEST), (THREATS, threats)];
        let faults = check(&Repository::of(&bare));
        assert_eq!(faults, ["docs/security/threat-model.md names RFC1-9-z, which is no row of the matrix"]);
    }

    #[test]
    fn a_stale_table_is_found() {
        let stale = Repository::of(&[(FILE, ROWS), ("crates/a/tests/b.rs", TEST), (TABLE, "# Old\n")]);
        assert!(check(&stale)[0].contains("out of date"));
        let missing = Repository::of(&[(FILE, ROWS), ("crates/a/tests/b.rs", TEST)]);
        assert!(check(&missing)[0].contains("out of date"));
    }
}
