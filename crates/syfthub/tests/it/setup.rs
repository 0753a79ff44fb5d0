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
