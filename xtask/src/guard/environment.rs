//! Settings come through `config`, so that they are documented, checked and shown in one place.

use super::Repository;
use crate::source::Source;

/// Test support and this tool run outside the product and are told where to find a shared database.
const ALLOWED: &[&str] = &["crates/config/", "crates/testing/", "crates/bench/", "xtask/"];

const READS: &[&str] = &["env::var(", "env::var_os(", "env::vars(", "env::vars_os("];

pub(super) fn check(repository: &Repository) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, text) in repository.rust_files() {
        let build_script = path.file_name().is_some_and(|name| name == "build.rs");
        if build_script || ALLOWED.iter().any(|prefix| path.starts_with(prefix)) {
            continue;
        }
        for (number, line) in Source::parse(text).code.lines().enumerate() {
            if READS.iter().any(|read| line.contains(read)) {
                faults.push(format!("{}:{} reads the environment", path.display(), number + 1));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_outside_config_is_found() {
        let bad = Repository::of(&[("crates/web/src/lib.rs", "\nlet home = std::env::var(\"HOME\");")]);
        assert_eq!(check(&bad), ["crates/web/src/lib.rs:2 reads the environment"]);
    }

    #[test]
    fn config_build_scripts_and_comments_pass() {
        let good = Repository::of(&[
            ("crates/config/src/input.rs", "std::env::vars()"),
            ("crates/proto/build.rs", "std::env::var(\"OUT_DIR\")"),
            ("crates/web/src/lib.rs", "// std::env::var( is banned"),
        ]);
        assert!(check(&good).is_empty());
    }
}
