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

#[test]
fn the_images_hold_what_the_runbook_uses() {
    let dockerfile = file("Dockerfile");
    for target in ["backend", "aggregator", "mcp", "frontend", "syfthub"] {
        assert!(dockerfile.contains(&format!(" AS {target}\n")), "no target {target}");
    }
    let runtime = dockerfile.split(" AS runtime\n").nth(1).unwrap().split("\nFROM ").next().unwrap();
    assert!(runtime.contains("curl") && runtime.contains("USER 10001") && runtime.contains("WORKDIR /app"));
    assert!(dockerfile.contains("/app/.venv/bin/alembic"));
}

#[test]
fn the_settings_script_writes_everything_once() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("env");
    let run = || {
        let mut script = std::process::Command::new("sh");
        script.current_dir(workspace::root()).arg("scripts/generate-env.sh").arg("--output").arg(&output);
        workspace::read(script.args(["--domain", "hub.example.org"]))
    };
    run().unwrap();
    let written = fs::read_to_string(&output).unwrap();
    for name in ["SECRET_KEY", "DB_PASSWORD", "REDIS_PASSWORD", "RSA_PRIVATE_KEY_PEM", "RSA_PUBLIC_KEY_PEM"] {
        let value = written.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).unwrap();
        assert!(value.len() >= 32, "{name} is short");
        assert!(!value.contains("$("), "{name} was not expanded");
    }
    assert!(written.contains("DOMAIN=hub.example.org\n"));
    assert!(written.contains("COMPOSE_FILE=docker-compose.deploy.yml\n"));
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&output).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    run().unwrap_err();
    assert_eq!(fs::read_to_string(&output).unwrap(), written);
}

#[test]
fn the_old_migration_command_leads_to_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let stand_in = folder.path().join("syfthub-backend");
    fs::write(&stand_in, "#!/bin/sh\necho \"$@\"\n").unwrap();
    fs::set_permissions(&stand_in, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let alembic = |arguments: &[&str]| {
        let mut script = std::process::Command::new("sh");
        script.arg(workspace::root().join("scripts/alembic.sh")).args(arguments);
        workspace::read(script.env("PATH", format!("{}:/usr/bin:/bin", folder.path().display())))
    };
    assert_eq!(alembic(&["upgrade", "head"]).unwrap(), "migrate\n");
    assert!(alembic(&["current"]).unwrap().contains("schema_migrations"));
    assert!(alembic(&["revision", "--autogenerate"]).unwrap_err().to_string().contains("make migration"));
}
