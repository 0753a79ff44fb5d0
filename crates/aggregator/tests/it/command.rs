//! The program as an operator meets it.

use std::process::{Command, Output};

/// Runs the program in an empty directory with nothing but `settings` in its environment.
fn run(arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_syfthub-aggregator"))
        .args(arguments)
        .current_dir(directory.path())
        .env_clear()
        .env("SECRET_KEY", "a-secret-key-for-tests-of-at-least-32-bytes")
        .envs(settings.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn config_shows_what_is_in_force_without_secrets() {
    let output = run(&["config"], &[("AGGREGATOR_TOTAL_TIMEOUT", "77")]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        text.lines().any(|line| line.contains("AGGREGATOR_TOTAL_TIMEOUT") && line.contains("77")),
        "{text}"
    );
    assert!(!text.contains("a-secret-key-for-tests"), "{text}");
}

#[test]
fn a_setting_that_does_not_parse_is_named() {
    let output = run(&["config", "--check"], &[("AGGREGATOR_TOTAL_TIMEOUT", "soon")]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("AGGREGATOR_TOTAL_TIMEOUT"));
    assert!(run(&["config", "--check"], &[]).status.success());
}

#[test]
fn a_health_check_without_a_service_fails() {
    // Port 1 needs privileges to listen on, so nothing of ours is there.
    let output = run(&["healthcheck"], &[("AGGREGATOR_PORT", "1"), ("AGGREGATOR_HOST", "127.0.0.1")]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("is not healthy"));
}
