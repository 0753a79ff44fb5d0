//! The compose files say what the operations guide promises.

use std::collections::BTreeSet;
use std::fs;

use serde_yaml_ng::Value;

use crate::workspace;

fn file(name: &str) -> String {
    fs::read_to_string(workspace::root().join(name)).unwrap()
}

fn parsed(name: &str) -> Value {
    let mut value: Value = serde_yaml_ng::from_str(&file(name)).unwrap();
    // Anchors build on anchors; each round puts one more level in place.
    for _ in 0..3 {
        value.apply_merge().unwrap();
    }
    value
}

fn deploy() -> Value {
    parsed("docker-compose.deploy.yml")
}

fn dev() -> Value {
    parsed("docker-compose.dev.yml")
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| serde_yaml_ng::to_string(value).unwrap().trim().to_owned(), str::to_owned)
}

fn texts(value: &Value) -> Vec<String> {
    value.as_sequence().into_iter().flatten().map(text).collect()
}

fn service<'a>(compose: &'a Value, name: &str) -> &'a Value {
    let service = &compose["services"][name];
    assert!(service.is_mapping(), "there is no service {name}");
    service
}

/// The names in `${NAME…}`.
fn variables(text: &str) -> BTreeSet<String> {
    let uses = text.split("${").skip(1);
    uses.map(|rest| {
        rest.chars().take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == '_').collect()
    })
    .collect()
}

#[test]
fn every_variable_is_in_the_example_settings() {
    let example = file(".env.example");
    let named = |name: &str| {
        example.lines().any(|line| line.trim_start_matches(['#', ' ']).split('=').next() == Some(name))
    };
    for compose in ["docker-compose.dev.yml", "docker-compose.deploy.yml"] {
        let missing: Vec<_> = variables(&file(compose)).into_iter().filter(|name| !named(name)).collect();
        assert!(missing.is_empty(), "{compose} uses {missing:?}, .env.example does not name them");
    }
}

#[test]
fn every_setting_of_a_service_is_in_the_example_settings() {
    const OF_OTHERS: &[&str] = &[
        "POSTGRES_USER",
        "POSTGRES_DB",
        "POSTGRES_PASSWORD",
        "PGHOST",
        "PGUSER",
        "PGPASSWORD",
        "PGDATABASE",
    ];
    let example = file(".env.example");
    for compose in [dev(), deploy()] {
        for (name, service) in compose["services"].as_mapping().unwrap() {
            for (setting, _) in service["environment"].as_mapping().into_iter().flatten() {
                let setting = text(setting);
                let known = example.contains(&format!("{setting}=")) || OF_OTHERS.contains(&setting.as_str());
                assert!(known, "{} sets {setting}, which .env.example does not name", text(name));
            }
        }
    }
}

#[test]
fn containers_are_named_restarted_and_in_one_network() {
    for compose in [dev(), deploy()] {
        for name in ["proxy", "backend", "aggregator", "mcp", "db", "redis"] {
            let service = service(&compose, name);
            assert_eq!(text(&service["container_name"]), format!("syfthub-{name}"));
            assert_eq!(text(&service["restart"]), "unless-stopped", "{name}");
            assert_eq!(texts(&service["networks"]), ["syfthub"], "{name}");
        }
        for name in ["backend", "aggregator", "mcp"] {
            assert_eq!(text(&service(&compose, name)["working_dir"]), "/app", "{name}");
        }
    }
}

#[test]
fn services_believe_the_proxy_of_their_own_network_only() {
    for compose in [dev(), deploy()] {
        let subnet = text(&compose["networks"]["syfthub"]["ipam"]["config"][0]["subnet"]);
        assert!(subnet.ends_with("/24"), "{subnet}");
        for name in ["backend", "aggregator", "mcp"] {
            let trusted = text(&service(&compose, name)["environment"]["TRUSTED_PROXIES"]);
            assert_eq!(trusted, format!("${{TRUSTED_PROXIES:-{subnet}}}"), "{name}");
        }
    }
}

#[test]
fn only_the_proxy_is_exposed_and_the_database_in_development() {
    let ports = |compose: &Value, name: &str| texts(&compose["services"][name]["ports"]);
    let (dev, deploy) = (dev(), deploy());
    assert_eq!(ports(&dev, "proxy"), ["8080:80"]);
    assert_eq!(ports(&dev, "db"), ["5432:5432"]);
    assert_eq!(ports(&deploy, "proxy"), ["80:80", "443:443"]);
    for name in ["backend", "aggregator", "mcp", "db", "redis"] {
        assert!(ports(&deploy, name).is_empty(), "{name} is exposed in production");
    }
    for name in ["backend", "aggregator", "mcp", "redis"] {
        assert!(ports(&dev, name).is_empty(), "{name} is exposed in development");
    }
    for (name, port) in
        [("backend", "8000"), ("aggregator", "8001"), ("mcp", "8002"), ("db", "5432"), ("redis", "6379")]
    {
        assert!(texts(&service(&deploy, name)["expose"]).contains(&port.to_owned()), "{name}");
    }
}

#[test]
fn resource_limits_are_those_of_the_guide() {
    let deploy = deploy();
    for (name, cpus, memory, cpus_reserved, memory_reserved) in [
        ("proxy", "1", "256M", "0.1", "64M"),
        ("backend", "2", "1G", "0.5", "256M"),
        ("aggregator", "1", "512M", "0.25", "128M"),
        ("mcp", "1", "512M", "0.25", "128M"),
        ("db", "1", "512M", "0.25", "128M"),
        ("redis", "0.5", "256M", "0.1", "64M"),
    ] {
        let resources = &service(&deploy, name)["deploy"]["resources"];
        let found = |kind: &str| (text(&resources[kind]["cpus"]), text(&resources[kind]["memory"]));
        assert_eq!(found("limits"), (cpus.to_owned(), memory.to_owned()), "{name}");
        assert_eq!(found("reservations"), (cpus_reserved.to_owned(), memory_reserved.to_owned()), "{name}");
    }
}

#[test]
fn health_checks_are_those_of_the_guide() {
    let check = |compose: &Value, name: &str| {
        let check = &service(compose, name)["healthcheck"];
        (
            texts(&check["test"]).join(" "),
            text(&check["interval"]),
            text(&check["timeout"]),
            text(&check["retries"]),
        )
    };
    let expected = |test: &str, interval: &str, timeout: &str, retries: &str| {
        (test.to_owned(), interval.to_owned(), timeout.to_owned(), retries.to_owned())
    };
    let deploy = deploy();
    for (name, port) in [("backend", 8000), ("aggregator", 8001), ("mcp", 8002)] {
        let curl = format!("CMD curl -f http://localhost:{port}/health");
        assert_eq!(check(&deploy, name), expected(&curl, "30s", "10s", "3"));
    }
    assert_eq!(text(&service(&deploy, "backend")["healthcheck"]["start_period"]), "40s");
    assert_eq!(
        check(&deploy, "db"),
        expected("CMD-SHELL pg_isready -U syfthub -d syfthub", "10s", "5s", "5")
    );
    let redis = "CMD redis-cli --no-auth-warning -a ${REDIS_PASSWORD} ping";
    assert_eq!(check(&deploy, "redis"), expected(redis, "10s", "5s", "5"));
    let proxy = "CMD wget -q --spider http://127.0.0.1/nginx-health";
    assert_eq!(check(&deploy, "proxy"), expected(proxy, "30s", "10s", "3"));
}

#[test]
fn services_start_after_what_they_need_is_healthy() {
    let deploy = deploy();
    for (name, needs) in [
        ("backend", &["db", "redis"][..]),
        ("aggregator", &["backend"]),
        ("mcp", &["backend", "aggregator"]),
        ("proxy", &["backend", "aggregator", "mcp"]),
        ("migrate", &["db"]),
    ] {
        for need in needs {
            let condition = text(&service(&deploy, name)["depends_on"][*need]["condition"]);
            assert_eq!(condition, "service_healthy", "{name} needs {need}");
        }
    }
}

#[test]
fn volumes_are_those_of_the_guide() {
    let deploy = deploy();
    for volume in ["postgres_data", "redis_data", "frontend_dist"] {
        assert!(deploy["volumes"].get(volume).is_some(), "{volume}");
    }
    let mounts = |name: &str| texts(&service(&deploy, name)["volumes"]);
    for mount in [
        "./nginx/nginx.prod.conf:/etc/nginx/conf.d/default.conf:ro",
        "./nginx/ssl:/etc/nginx/ssl:ro",
        "frontend_dist:/usr/share/nginx/html:ro",
    ] {
        assert!(mounts("proxy").contains(&mount.to_owned()), "{mount}");
    }
    for mount in ["./data:/app/data", "./logs:/app/logs"] {
        assert!(mounts("backend").contains(&mount.to_owned()), "{mount}");
    }
    assert!(mounts("db").contains(&"postgres_data:/var/lib/postgresql/data".to_owned()));
    assert!(mounts("redis").contains(&"redis_data:/data".to_owned()));
    assert!(mounts("backup").contains(&"./backup:/backup".to_owned()));
}

#[test]
fn profiles_images_and_logging_are_those_of_the_guide() {
    let deploy = deploy();
    assert_eq!(texts(&service(&deploy, "migrate")["profiles"]), ["migrate"]);
    assert_eq!(texts(&service(&deploy, "migrate")["command"]), [".venv/bin/alembic", "upgrade", "head"]);
    assert_eq!(texts(&service(&deploy, "backup")["profiles"]), ["backup"]);
    for name in ["backend", "aggregator", "mcp"] {
        let image = text(&service(&deploy, name)["image"]);
        assert!(image.starts_with("ghcr.io/${GITHUB_REPOSITORY"), "{image}");
        assert!(image.ends_with(&format!("-{name}:${{IMAGE_TAG:-latest}}")), "{image}");
        let logging = &service(&deploy, name)["logging"];
        assert_eq!(text(&logging["driver"]), "json-file");
        assert_eq!(
            (text(&logging["options"]["max-size"]), text(&logging["options"]["max-file"])),
            ("50m".into(), "3".into())
        );
    }
    assert_eq!(text(&service(&deploy, "db")["image"]), "postgres:16-alpine");
    assert_eq!(text(&service(&deploy, "redis")["image"]), "redis:7-alpine");
}

/// The text of one stage of the Dockerfile.
fn stage(name: &str) -> String {
    let dockerfile = file("Dockerfile");
    let start = format!(" AS {name}\n");
    let rest = dockerfile.split(&start).nth(1).unwrap_or_else(|| panic!("no stage {name}"));
    rest.split("\nFROM ").next().unwrap().to_owned()
}

#[test]
fn the_images_hold_what_the_runbook_uses() {
    for target in ["aggregator", "mcp", "frontend", "syfthub"] {
        assert!(stage(target).contains("CMD "), "{target}");
    }
    let runtime = stage("runtime");
    assert!(runtime.contains("curl") && runtime.contains("USER 10001") && runtime.contains("WORKDIR /app"));
    assert!(stage("toolchain").contains("curl"), "the health checks of development need it");
    for target in ["backend", "dev"] {
        let shim = "COPY --chmod=0755 scripts/alembic.sh /app/.venv/bin/alembic";
        assert!(stage(target).contains(shim), "{target} has no migration command");
    }
    for service in ["backend", "aggregator", "mcp"] {
        let copied = format!("/out/syfthub-{service} /usr/local/bin/syfthub-{service}");
        assert!(stage(service).contains(&copied), "{service}");
    }
    // In development the binaries are where cargo puts them.
    assert!(stage("dev").contains("ENV PATH=\"/app/target/debug:${PATH}\""));
}

#[test]
fn development_mounts_every_folder_that_the_crates_embed() {
    let mut needed = embedded_folders();
    for known in ["assets", "docs", "frontend", "migrations", "proto"] {
        assert!(needed.contains(known), "the search for embedded files no longer finds {known}: {needed:?}");
    }
    needed.extend(["crates", "Cargo.toml", "Cargo.lock"].map(str::to_owned));
    let (dev, watch) = (dev(), file("scripts/watch-and-run.sh"));
    for name in ["backend", "aggregator", "mcp"] {
        let mounts = texts(&service(&dev, name)["volumes"]);
        for folder in &needed {
            let mount = format!("./{folder}:/app/{folder}:cached");
            assert!(mounts.contains(&mount), "{name} cannot be compiled without {folder}");
            assert!(watch.contains(&format!(" {folder}")), "a change in {folder} goes unnoticed");
        }
    }
}

/// The names below the root that crates take files from when they are compiled.
fn embedded_folders() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in workspace::tracked_files().unwrap() {
        let rust = path.extension().is_some_and(|extension| extension == "rs");
        if !rust || !path.starts_with("crates") || !workspace::root().join(&path).exists() {
            continue;
        }
        let text = file(path.to_str().unwrap());
        let package: std::path::PathBuf = path.iter().take(2).collect();
        let beside = path.parent().unwrap();
        let mut marks =
            vec![("include_str!(", beside), ("include_bytes!(", beside), ("#[folder =", &*package)];
        if path.ends_with("build.rs") {
            marks.push(("", &*package));
        }
        for (mark, base) in marks {
            let literals: Vec<&str> = if mark.is_empty() {
                text.split('"').skip(1).step_by(2).collect()
            } else {
                let after = text.split(mark).skip(1);
                after.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next()).collect()
            };
            found.extend(literals.into_iter().filter_map(|literal| outside(base, literal)));
        }
    }
    found
}

/// The first component of a path that leads out of `crates/`.
fn outside(base: &std::path::Path, literal: &str) -> Option<String> {
    let mut parts: Vec<&str> = base.iter().filter_map(|part| part.to_str()).collect();
    for part in literal.trim_start_matches('/').split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            name => parts.push(name),
        }
    }
    let first = parts.first().filter(|first| **first != "crates")?;
    literal.contains("..").then(|| (*first).to_owned())
}

#[test]
fn public_addresses_can_be_set() {
    let deploy = deploy();
    let environment = &service(&deploy, "mcp")["environment"];
    for name in ["OAUTH_ISSUER", "API_BASE_URL"] {
        assert_eq!(text(&environment[name]), format!("${{{name}:-}}"));
    }
}
