//! The program itself, without any setting of the machine it runs on.

use std::process::{Command, Output};

fn run(arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_syfthub-mcp"));
    command.env_clear().envs(settings.iter().copied()).args(arguments).current_dir(directory.path());
    command.output().unwrap()
}

const SECRET: (&str, &str) =
    ("SECRET_KEY", "2f1d6b0a9c8e7f5d4b3a29180716253443526170899807f6e5d4c3b2a1908172");

#[test]
fn without_the_shared_secret_it_says_which_one_is_missing() {
    let output = run(&["serve"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("SECRET_KEY"));
}

#[test]
fn config_shows_what_is_in_force_and_no_secret() {
    let output = run(&["config"], &[SECRET, ("MCP_PORT", "18999")]);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(shown.contains("18999") && !shown.contains(SECRET.1), "{shown}");
}

#[test]
fn a_health_check_of_nothing_fails_and_names_the_port() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let output = run(&["healthcheck"], &[SECRET, ("MCP_PORT", &port)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&port));
}
