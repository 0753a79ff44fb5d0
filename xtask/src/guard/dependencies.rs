//! The third-party graph: banned libraries, doubled majors, licences.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::Repository;
use crate::workspace;

/// One TLS and one crypto library: aws-lc-rs through rustls.
const BANNED: &[&str] = &["ring", "openssl-sys", "native-tls"];
/// Types of these cross crate borders, so two majors would not fit together.
const SINGLE: &[&str] = &["axum", "tonic", "hyper", "prost", "http"];

/// A package that is part of the build.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Package {
    name: String,
    version: String,
    licence: String,
    /// Whether it is one of our own, by its path.
    ours: bool,
}

/// What Cargo builds for tests and binaries (`cargo metadata` also lists what no feature asks for).
pub(super) fn built() -> Result<Vec<Package>> {
    let mut tree = workspace::cargo();
    tree.args(["tree", "--workspace", "--edges", "normal,build,dev", "--prefix", "none"]);
    let listing = workspace::read(tree.args(["--format", "{p}|{l}"]))?;
    let mut packages: Vec<Package> = listing.lines().filter_map(package).collect();
    packages.sort();
    packages.dedup();
    Ok(packages)
}

/// Reads `name v1.2.3 (path or remark)|LICENCE`.
fn package(line: &str) -> Option<Package> {
    let (package, licence) = line.split_once('|')?;
    let mut words = package.split(' ');
    Some(Package {
        name: words.next()?.to_owned(),
        version: words.next()?.trim_start_matches('v').to_owned(),
        licence: licence.trim_end_matches(" (*)").to_owned(),
        ours: words.any(|word| word.starts_with("(/")),
    })
}

pub(super) fn check_graph(repository: &Repository) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for package in &repository.packages {
        versions.entry(&package.name).or_default().insert(major(&package.version));
    }
    let banned = BANNED
        .iter()
        .filter(|name| versions.contains_key(**name))
        .map(|name| format!("{name} is in the build"));
    let doubled = SINGLE.iter().filter_map(|name| {
        let majors = versions.get(name).filter(|majors| majors.len() > 1)?;
        Some(format!("{name} is there in several majors: {majors:?}"))
    });
    banned.chain(doubled).collect()
}

/// What Cargo takes for compatible: `1`, `0.8`.
fn major(version: &str) -> String {
    let mut parts = version.split('.');
    match parts.next().unwrap_or_default() {
        "0" => format!("0.{}", parts.next().unwrap_or_default()),
        first => first.to_owned(),
    }
}

pub(super) fn check_licences(repository: &Repository) -> Vec<String> {
    let allowed = allow_list(repository.text("deny.toml").unwrap_or_default());
    repository
        .packages
        .iter()
        .filter(|package| !package.ours && !permitted(&package.licence, &allowed))
        .map(|package| format!("{} has licence {}", package.name, package.licence))
        .collect()
}

/// The strings of `allow = [ … ]` in the `[licenses]` table.
fn allow_list(deny: &str) -> Vec<String> {
    let table = deny.split("[licenses]").nth(1).unwrap_or_default();
    let list = table.split("allow = [").nth(1).and_then(|rest| rest.split(']').next()).unwrap_or_default();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// SPDX expressions: `OR` needs one side, `AND` both, `/` is an old spelling of `OR`.
fn permitted(expression: &str, allowed: &[String]) -> bool {
    let tokens: Vec<String> = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ")
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    let mut at = 0;
    let verdict = alternatives(&tokens, &mut at, allowed);
    verdict && at == tokens.len()
}

fn alternatives(tokens: &[String], at: &mut usize, allowed: &[String]) -> bool {
    let mut verdict = conjunction(tokens, at, allowed);
    while tokens.get(*at).is_some_and(|t| t == "OR") {
        *at += 1;
        verdict |= conjunction(tokens, at, allowed);
    }
    verdict
}

fn conjunction(tokens: &[String], at: &mut usize, allowed: &[String]) -> bool {
    let mut verdict = licence(tokens, at, allowed);
    while tokens.get(*at).is_some_and(|t| t == "AND") {
        *at += 1;
        verdict &= licence(tokens, at, allowed);
    }
    verdict
}

fn licence(tokens: &[String], at: &mut usize, allowed: &[String]) -> bool {
    let Some(token) = tokens.get(*at) else { return false };
    *at += 1;
    if token == "(" {
        let verdict = alternatives(tokens, at, allowed);
        *at += 1;
        return verdict;
    }
    let mut name = token.clone();
    if tokens.get(*at).is_some_and(|t| t == "WITH") {
        name = format!("{name} WITH {}", tokens.get(*at + 1).map_or("", String::as_str));
        *at += 2;
    }
    allowed.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(lines: &[&str]) -> Repository {
        let mut repository =
            Repository::of(&[("deny.toml", "[licenses]\nallow = [\n  \"MIT\",\n  \"Apache-2.0\",\n]\n")]);
        repository.packages = lines.iter().filter_map(|line| package(line)).collect();
        repository
    }

    #[test]
    fn banned_and_doubled_libraries_are_found() {
        let bad = graph(&["ring v0.17.0|MIT", "axum v0.7.9|MIT", "axum v0.8.1|MIT (*)"]);
        let faults = check_graph(&bad);
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(check_graph(&graph(&["http v1.1.0|MIT", "http v1.5.0|MIT"])).is_empty());
    }

    #[test]
    fn licences_off_the_list_are_found() {
        let bad = graph(&[
            "a v1.0.0|GPL-3.0",
            "b v1.0.0|MIT AND GPL-3.0",
            "c v1.0.0|MIT OR GPL-3.0",
            "own v1.0.0 (/here)|none",
        ]);
        assert_eq!(check_licences(&bad), ["a has licence GPL-3.0", "b has licence MIT AND GPL-3.0"]);
    }

    #[test]
    fn expressions_are_read_as_spdx_means_them() {
        let allowed = vec!["MIT".to_owned(), "Apache-2.0 WITH LLVM-exception".to_owned()];
        assert!(permitted("(GPL-2.0 OR MIT) AND MIT", &allowed));
        assert!(permitted("Apache-2.0 WITH LLVM-exception OR Apache-2.0", &allowed));
        assert!(permitted("MIT/Apache-2.0", &allowed));
        assert!(!permitted("Apache-2.0", &allowed));
        assert!(!permitted("", &allowed));
    }
}
