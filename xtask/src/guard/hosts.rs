//! Nothing in the repository points at a package registry: where packages come from is the business
//! of whoever builds it.

use super::Repository;

/// In two parts each, so that this list does not find itself.
const HOSTS: &[(&str, &str)] = &[
    ("index.", "crates.io"),
    ("static.", "crates.io"),
    ("registry.", "npmjs.org"),
    ("registry.", "yarnpkg.com"),
    ("files.", "pythonhosted.org"),
    ("pypi.", "org"),
    ("proxy.", "golang.org"),
    ("deb.", "debian.org"),
];

pub(super) fn check(repository: &Repository) -> Vec<String> {
    let hosts: Vec<String> = HOSTS.iter().map(|(a, b)| format!("{a}{b}")).collect();
    let mut faults = Vec::new();
    for (path, text) in &repository.files {
        for (number, line) in text.lines().enumerate() {
            if hosts.iter().any(|host| line.contains(host.as_str())) {
                faults.push(format!("{}:{} names a package registry", path.display(), number + 1));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_host_is_found() {
        let line = format!("registry = \"https://{}{}/x\"", HOSTS[0].0, HOSTS[0].1);
        let bad = Repository::of(&[(".cargo/config.toml", &line)]);
        assert_eq!(check(&bad), [".cargo/config.toml:1 names a package registry"]);
        assert!(check(&Repository::of(&[("a", "crates and tools")])).is_empty());
    }
}
