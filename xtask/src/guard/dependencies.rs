//! The third-party graph: banned libraries, doubled majors, licences.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Repository;

/// One TLS and one crypto library: aws-lc-rs through rustls.
const BANNED: &[&str] = &["ring", "openssl-sys", "native-tls"];
/// Types of these cross crate borders, so two majors would not fit together.
const SINGLE: &[&str] = &["axum", "tonic", "hyper", "prost", "http"];

/// The packages that are part of the build (the metadata lists optional ones too).
fn built(metadata: &Value) -> Vec<&Value> {
    let nodes = metadata["resolve"]["nodes"].as_array().into_iter().flatten();
    let ids: BTreeSet<&str> = nodes.filter_map(|node| node["id"].as_str()).collect();
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages.filter(|p| p["id"].as_str().is_some_and(|id| ids.contains(id))).collect()
}

pub(super) fn check_graph(repository: &Repository) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for package in built(&repository.metadata) {
        let version = package["version"].as_str().unwrap_or_default();
        versions.entry(package["name"].as_str().unwrap_or_default()).or_default().insert(major(version));
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
    let mut faults = Vec::new();
    for package in built(&repository.metadata) {
        if package["source"].is_null() {
            continue;
        }
        let licence = package["license"].as_str().unwrap_or("none stated");
        if !permitted(licence, &allowed) {
            faults.push(format!("{} has licence {licence}", package["name"].as_str().unwrap_or_default()));
        }
    }
    faults
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
    use serde_json::json;

    use super::*;

    fn graph(packages: &[(&str, &str, &str)]) -> Repository {
        let package = |(name, version, licence): &(&str, &str, &str)| json!({"id": format!("{name}{version}"), "name": name, "version": version, "license": licence, "source": "x"});
        let node = |(name, version, _): &(&str, &str, &str)| json!({"id": format!("{name}{version}")});
        let metadata = json!({
            "packages": packages.iter().map(package).collect::<Vec<_>>(),
            "resolve": {"nodes": packages.iter().map(node).collect::<Vec<_>>()},
        });
        let deny = "[licenses]\nallow = [\n  \"MIT\",\n  \"Apache-2.0\",\n]\n".to_owned();
        Repository { files: vec![("deny.toml".into(), deny)], metadata }
    }

    #[test]
    fn banned_and_doubled_libraries_are_found() {
        let bad = graph(&[("ring", "0.17.0", "MIT"), ("axum", "0.7.9", "MIT"), ("axum", "0.8.1", "MIT")]);
        let faults = check_graph(&bad);
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(check_graph(&graph(&[("http", "1.1.0", "MIT"), ("http", "1.5.0", "MIT")])).is_empty());
    }

    #[test]
    fn licences_off_the_list_are_found() {
        let bad = graph(&[
            ("a", "1.0.0", "GPL-3.0"),
            ("b", "1.0.0", "MIT AND GPL-3.0"),
            ("c", "1.0.0", "MIT OR GPL-3.0"),
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
