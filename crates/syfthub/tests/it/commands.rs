//! The small commands.

use tempfile::TempDir;

use crate::hub::{Hub, program, run, stderr, stdout};

#[test]
fn config_shows_values_and_masks_secrets() {
    let directory = TempDir::new().unwrap();
    let output = program(directory.path())
        .arg("config")
        .env("SECRET_KEY", "0123456789abcdef0123456789abcdef-never-shown")
        .env("PORT", "9123")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("9123") && !text.contains("never-shown"), "{text}");
    assert!(!directory.path().join("data").exists(), "showing settings creates nothing");
}

#[test]
fn config_check_fails_on_a_fault() {
    let directory = TempDir::new().unwrap();
    for args in [&["config", "--check"][..], &["config", "check"][..]] {
        assert!(run(directory.path(), args).status.success());
        let output = program(directory.path()).args(args).env("PORT", "many").output().unwrap();
        assert!(!output.status.success() && stderr(&output).contains("PORT"));
    }
}

#[test]
fn migrate_creates_the_database_and_then_has_nothing_to_do() {
    let directory = TempDir::new().unwrap();
    let first = run(directory.path(), &["migrate"]);
    assert!(first.status.success() && stdout(&first).contains("applied"), "{}", stderr(&first));
    let second = run(directory.path(), &["migrate"]);
    assert!(stdout(&second).contains("up to date"), "{}", stdout(&second));
}

#[test]
fn doctor_is_content_with_a_fresh_machine_and_finds_a_taken_port() {
    let directory = TempDir::new().unwrap();
    let output = program(directory.path()).arg("doctor").env("PORT", "0").output().unwrap();
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = program(directory.path()).arg("doctor").env("PORT", &port).output().unwrap();
    assert!(!output.status.success());
    assert!(
        stdout(&output).contains("FAULT  address") && stdout(&output).contains("--port"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn doctor_looks_at_a_running_hub() {
    let hub = Hub::start(&["--no-demo"]);
    let output = run(hub.directory.path(), &["doctor", "--hub", &hub.url]);
    let text = stdout(&output);
    assert!(
        output.status.success() && text.contains("ok     hub") && text.contains("ok     signing key"),
        "{text}"
    );
}

#[test]
fn generated_files_are_up_to_date() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let output = run(TempDir::new().unwrap().path(), &["gen", "--check", "--root", root]);
    assert!(output.status.success(), "{}", stderr(&output));
}
