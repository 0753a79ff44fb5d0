//! Starting, stopping, and everything that can be in the way.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use tempfile::TempDir;

use crate::hub::{Hub, program, run, stderr};

#[tokio::test]
async fn the_first_start_creates_everything_and_later_starts_take_three_lines() {
    let hub = Hub::start(&["--no-demo"]);
    assert!(hub.said("created").is_some(), "{:?}", hub.banner);
    let link = hub.said("set up").unwrap();
    assert!(link.starts_with(&format!("{}/api/v1/setup?token=", hub.url)), "{link}");
    for file in ["syfthub.db", "setup-url", "admin.sock"] {
        let mode = std::fs::metadata(hub.data().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    assert_eq!(std::fs::metadata(hub.data()).unwrap().permissions().mode() & 0o777, 0o700);
    let written = std::fs::read_to_string(hub.data().join("setup-url")).unwrap();
    assert_eq!(written.trim(), link);
    let (status, health) = hub.get("/health").await;
    assert_eq!((status, health["status"].as_str()), (200, Some("healthy")));
    let (_, jwks) = hub.get("/.well-known/jwks.json").await;

    let (directory, ended_well) = hub.stop();
    assert!(ended_well);
    let hub = Hub::start_in(directory, &["--no-demo"], &[]);
    assert_eq!(hub.banner.len(), 3, "{:?}", hub.banner);
    let (_, again) = hub.get("/.well-known/jwks.json").await;
    assert_eq!(jwks, again, "keys survive a restart");
}

#[test]
fn a_second_hub_on_the_same_data_directory_is_refused_by_name() {
    let hub = Hub::start(&["--no-demo"]);
    let output = run(hub.directory.path(), &["serve", "--port", "0", "--no-demo"]);
    assert!(!output.status.success());
    let said = stderr(&output);
    assert!(said.contains("already uses the data directory") && said.contains("--data-dir"), "{said}");
}

#[test]
fn a_taken_port_is_named_with_a_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let directory = TempDir::new().unwrap();
    let output = run(directory.path(), &["serve", "--port", &port, "--no-demo"]);
    assert!(!output.status.success());
    let said = stderr(&output);
    assert!(said.contains(&port) && said.contains("--port"), "{said}");
}

#[test]
fn a_broken_env_file_is_reported_with_every_fault_at_once() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join(".env"), "PORT=eighty\nLOG_LEVEL=loud\n").unwrap();
    let output = run(directory.path(), &["serve", "--no-demo"]);
    assert!(!output.status.success());
    let said = stderr(&output);
    assert!(said.contains("PORT") && said.contains("LOG_LEVEL"), "{said}");
    assert!(!directory.path().join("data").join("syfthub.db").exists());
}

#[test]
fn a_placeholder_secret_is_refused_in_production() {
    let directory = TempDir::new().unwrap();
    let output = program(directory.path())
        .args(["serve", "--port", "0"])
        .env("ENVIRONMENT", "production")
        .env("SECRET_KEY", "your-super-secret-key-change-this-in-production")
        .stdout(Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let said = stderr(&output);
    assert!(said.contains("SECRET_KEY") && said.contains("openssl rand -hex 32"), "{said}");
    assert!(!said.contains("your-super-secret"), "{said}");
}

#[test]
fn a_database_that_is_no_database_is_not_overwritten() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let file = data.join("syfthub.db");
    std::fs::write(&file, "these are somebody's notes, and they are longer than a header of a database file")
        .unwrap();
    let output = run(directory.path(), &["serve", "--port", "0", "--no-demo"]);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("syfthub.db"), "{}", stderr(&output));
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("these are somebody's notes"));
}

#[tokio::test]
async fn one_router_serves_all_three_services_and_hides_what_is_internal() {
    let hub = Hub::start(&["--no-demo"]);
    for (path, status) in [
        ("/health", 200),
        ("/health/live", 200),
        ("/health/ready", 200),
        ("/openapi.json", 200),
        ("/.well-known/jwks.json", 200),
        ("/aggregator/health", 200),
        ("/mcp/health", 200),
        ("/metrics", 404),
        ("/internal/anything", 404),
        ("/api/v1/nothing", 404),
        ("/aggregator/nothing", 404),
    ] {
        assert_eq!(hub.get(path).await.0, status, "{path}");
    }
    let (_, missing) = hub.get("/api/v1/nothing").await;
    assert_eq!(missing["detail"], "Not Found");
    assert!(missing["correlation_id"].is_string());
}
