//! Which crate may depend on which.

use serde_json::Value;

use super::Repository;

const L0: &[&str] = &["domain", "config", "proto"];
const L1: &[&str] = &["store", "cache", "auth", "logging"];
const L2: &[&str] = &["web", "rpc", "egress"];
const SERVICES: &[&str] = &["backend", "aggregator", "mcp", "node"];

/// What a crate may depend on besides third-party libraries. `None` for a crate that is not in the plan.
fn allowed(name: &str) -> Option<Vec<&'static str>> {
    let below = || [L0, L1, L2].concat();
    Some(match name {
        "proto" | "config" => vec!["domain"],
        "logging" | "cache" | "store" | "auth" => vec!["domain", "config"],
        "egress" => vec!["config", "logging", "domain"],
        "rpc" => vec!["domain", "proto", "config", "logging"],
        "web" => vec!["domain", "auth", "cache", "config", "logging"],
        "aggregator" | "mcp" | "node" => below().into_iter().filter(|c| *c != "store").collect(),
        "backend" | "testing" => below(),
        "syfthub" => [below(), SERVICES.to_vec()].concat(),
        "bench" => [below(), SERVICES.to_vec(), vec!["testing", "syfthub"]].concat(),
        "domain" | "xtask" => vec![],
        _ => return None,
    })
}

/// `(crate, kind, dependency, rename)` for every dependency between our own crates.
fn edges(metadata: &Value) -> Vec<(String, String, String, Option<String>)> {
    let packages = members(metadata);
    let names: Vec<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    let mut found = Vec::new();
    for package in &packages {
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let name = dependency["name"].as_str().unwrap_or_default();
            if names.contains(&name) {
                found.push((
                    directory(package["name"].as_str().unwrap_or_default()).to_owned(),
                    dependency["kind"].as_str().unwrap_or("normal").to_owned(),
                    directory(name).to_owned(),
                    dependency["rename"].as_str().map(str::to_owned),
                ));
            }
        }
    }
    found
}

/// The packages of the workspace itself.
fn members(metadata: &Value) -> Vec<&Value> {
    let ids: Vec<&str> =
        metadata["workspace_members"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages.filter(|p| p["id"].as_str().is_some_and(|id| ids.contains(&id))).collect()
}

fn directory(package: &str) -> &str {
    package.strip_prefix("syfthub-").unwrap_or(package)
}

/// Directions, unknown crates and renames.
pub(super) fn check(repository: &Repository) -> Vec<String> {
    let mut faults = Vec::new();
    for package in members(&repository.metadata) {
        let name = directory(package["name"].as_str().unwrap_or_default());
        if allowed(name).is_none() {
            faults.push(format!("crate {name} has no place in the plan (xtask/src/guard/layers.rs)"));
        }
    }
    for (from, kind, to, rename) in edges(&repository.metadata) {
        let permitted = allowed(&from).unwrap_or_default();
        let for_tests = kind == "dev" && to == "testing";
        if !permitted.contains(&to.as_str()) && !for_tests {
            faults.push(format!("{from} depends on {to} ({kind})"));
        }
        if rename.as_deref() == Some("config") {
            faults.push(format!("{from} renames {to} to config"));
        }
    }
    faults
}

/// No service names another one, in a manifest of any kind or in a path of its source.
pub(super) fn check_services(repository: &Repository) -> Vec<String> {
    let mut faults = Vec::new();
    for (from, kind, to, _) in edges(&repository.metadata) {
        if SERVICES.contains(&from.as_str()) && SERVICES.contains(&to.as_str()) {
            faults.push(format!("service {from} depends on service {to} ({kind})"));
        }
    }
    for (path, text) in repository.rust_files() {
        let code = crate::source::Source::parse(text).code;
        for own in SERVICES.iter().filter(|s| path.starts_with(format!("crates/{s}"))) {
            let others = SERVICES.iter().filter(|other| *other != own);
            for other in others.filter(|other| code.contains(&format!("syfthub_{other}"))) {
                faults.push(format!("{} names syfthub_{other}", path.display()));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with_edge(from: &str, to: &str, kind: &Value) -> Repository {
        let package =
            |name: &str, dependencies: Value| json!({"id": name, "name": name, "dependencies": dependencies});
        let metadata = json!({
            "workspace_members": [from, to],
            "packages": [
                package(from, json!([{"name": to, "kind": kind, "rename": null}])),
                package(to, json!([])),
            ],
        });
        Repository { metadata, ..Repository::of(&[]) }
    }

    #[test]
    fn an_arrow_that_points_up_is_found() {
        let repository = with_edge("syfthub-domain", "syfthub-store", &Value::Null);
        assert_eq!(check(&repository), ["domain depends on store (normal)"]);
        assert_eq!(
            check(&with_edge("syfthub-mcp", "syfthub-store", &Value::Null)),
            ["mcp depends on store (normal)"]
        );
    }

    #[test]
    fn arrows_that_point_down_and_test_support_pass() {
        assert!(check(&with_edge("syfthub-store", "syfthub-domain", &Value::Null)).is_empty());
        assert!(check(&with_edge("syfthub-store", "syfthub-testing", &json!("dev"))).is_empty());
    }

    #[test]
    fn a_crate_without_a_place_is_found() {
        let faults = check(&with_edge("syfthub-utils", "syfthub-domain", &Value::Null));
        assert!(faults[0].contains("utils has no place"));
    }

    #[test]
    fn a_service_that_imports_another_is_found() {
        let faults = check_services(&with_edge("syfthub-mcp", "syfthub-backend", &json!("dev")));
        assert_eq!(faults, ["service mcp depends on service backend (dev)"]);
        let source = Repository::of(&[("crates/node/src/lib.rs", "use syfthub_mcp::App;")]);
        assert_eq!(check_services(&source), ["crates/node/src/lib.rs names syfthub_mcp"]);
    }
}
