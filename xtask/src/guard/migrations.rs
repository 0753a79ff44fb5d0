//! Every migration exists for both databases, under one name and without a gap in the numbers.

use std::collections::BTreeSet;
use std::path::Path;

use super::Repository;

pub(super) fn check(repository: &Repository) -> Vec<String> {
    let names = |database: &str| -> BTreeSet<String> {
        let folder = format!("migrations/{database}");
        repository
            .files
            .iter()
            .filter(|(path, _)| path.parent().is_some_and(|p| p.to_string_lossy() == folder))
            .filter_map(|(path, _)| path.file_name()?.to_str().map(str::to_owned))
            .filter(|name| Path::new(name).extension().is_some_and(|e| e == "sql"))
            .collect()
    };
    let (postgres, sqlite) = (names("postgres"), names("sqlite"));
    let mut faults: Vec<String> = postgres
        .symmetric_difference(&sqlite)
        .map(|name| format!("{name} is there for one database only"))
        .collect();
    for (position, name) in postgres.iter().enumerate() {
        let expected = format!("{:04}_", position + 1);
        if !name.starts_with(&expected) {
            faults.push(format!("{name} should be number {:04}", position + 1));
        }
    }
    if postgres.is_empty() {
        faults.push("there is no migration at all".to_owned());
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lonely_migration_and_a_gap_are_found() {
        let bad = Repository::of(&[
            ("migrations/postgres/0001_start.sql", ""),
            ("migrations/postgres/0003_more.sql", ""),
            ("migrations/sqlite/0001_start.sql", ""),
        ]);
        let faults = check(&bad);
        assert!(faults.contains(&"0003_more.sql is there for one database only".to_owned()));
        assert!(faults.contains(&"0003_more.sql should be number 0002".to_owned()));
        assert!(!check(&Repository::of(&[])).is_empty());
    }

    #[test]
    fn pairs_pass() {
        let good =
            Repository::of(&[("migrations/postgres/0001_a.sql", ""), ("migrations/sqlite/0001_a.sql", "")]);
        assert!(check(&good).is_empty());
    }
}
