//! The one-time link, and administrators from the shell.

use serde_json::json;
use tempfile::TempDir;

use crate::hub::{Hub, run, run_with_input, stderr, stdout};

#[tokio::test]
async fn the_link_creates_the_first_administrator_once() {
    let hub = Hub::start(&["--no-demo"]);
    let link = hub.said("set up").unwrap();
    let path = link.strip_prefix(&hub.url).unwrap().to_owned();
    let admin = json!({
        "username": "root1", "email": "root1@example.com", "full_name": "Root", "password": "correct-horse-1",
    });
    let (status, refused) = hub.call("POST", "/api/v1/setup?token=wrong", Some(admin.clone()), None).await;
    assert!(matches!(status, 401 | 403 | 404), "{status} {refused}");
    let (status, created) = hub.call("POST", &path, Some(admin.clone()), None).await;
    assert_eq!(status, 201, "{created}");
    let (status, _) = hub.call("POST", &path, Some(admin), None).await;
    assert_eq!(status, 410);
    assert_eq!(hub.get(&path).await.0, 410);
    let listed = run(hub.directory.path(), &["admin", "list"]);
    assert_eq!(stdout(&listed).trim(), "root1", "{}", stderr(&listed));
}

#[test]
fn administrators_can_be_created_with_and_without_a_running_hub() {
    let directory = TempDir::new().unwrap();
    let create = ["admin", "create", "alice", "--email", "alice@example.com", "--password-stdin"];
    let output = run_with_input(directory.path(), &create, "correct-horse-1\n");
    assert!(output.status.success(), "{}", stderr(&output));

    let hub = Hub::start_in(directory, &["--no-demo"], &[]);
    assert!(hub.said("set up").is_none(), "no link once an administrator exists: {:?}", hub.banner);
    let create = ["admin", "create", "berta", "--email", "berta@example.com", "--password-stdin"];
    let output = run_with_input(hub.directory.path(), &create, "correct-horse-2\n");
    assert!(output.status.success(), "{}", stderr(&output));
    let listed = stdout(&run(hub.directory.path(), &["admin", "list"]));
    assert_eq!(listed.lines().collect::<Vec<_>>(), ["alice", "berta"]);

    let create = ["admin", "create", "x", "--email", "nonsense", "--password-stdin"];
    let output = run_with_input(hub.directory.path(), &create, "short\n");
    assert!(!output.status.success() && !stderr(&output).contains("short\n"), "{}", stderr(&output));
}

#[test]
fn the_hubs_settings_are_changed_with_and_without_a_running_hub() {
    let directory = TempDir::new().unwrap();
    let settings = |directory: &std::path::Path, args: &[&str]| {
        let output = run(directory, &[&["admin", "settings"], args].concat());
        (output.status.success(), stdout(&output) + &stderr(&output))
    };
    let (_, before) = settings(directory.path(), &["list"]);
    assert!(before.contains("registration = open  (default)"), "{before}");
    assert!(settings(directory.path(), &["set", "registration", "invitation"]).0);
    let hub = Hub::start_in(directory, &["--no-demo"], &[]);
    let path = hub.directory.path();
    assert_eq!(settings(path, &["get", "registration"]).1.trim(), "invitation");
    assert!(settings(path, &["set", "instance_name", "Ada's hub"]).0);
    let (_, after) = settings(path, &["list"]);
    assert!(after.contains("instance_name = Ada's hub\n"), "{after}");
    assert!(settings(path, &["reset", "registration"]).0);
    assert_eq!(settings(path, &["get", "registration"]).1.trim(), "open");
    for wrong in [&["set", "registration", "maybe"][..], &["get", "nonsense"], &["set", "nonsense", "1"]] {
        let (good, text) = settings(path, wrong);
        assert!(!good && text.contains("registration"), "{wrong:?}: {text}");
    }
}

#[test]
fn the_last_administrator_stays_with_and_without_a_running_hub() {
    let directory = TempDir::new().unwrap();
    for name in ["alice", "berta"] {
        let create = ["admin", "create", name, "--email", &format!("{name}@example.com"), "--password-stdin"];
        assert!(run_with_input(directory.path(), &create, "correct-horse-1\n").status.success());
    }
    assert!(run(directory.path(), &["admin", "demote", "alice"]).status.success());
    let hub = Hub::start_in(directory, &["--no-demo"], &[]);
    let path = hub.directory.path();
    let refused = run(path, &["admin", "demote", "berta"]);
    assert!(
        !refused.status.success() && stderr(&refused).contains("last administrator"),
        "{}",
        stderr(&refused)
    );
    assert!(run(path, &["admin", "promote", "alice"]).status.success());
    assert!(run(path, &["admin", "demote", "berta"]).status.success());
    assert_eq!(stdout(&run(path, &["admin", "list"])).trim(), "alice");
}
