//! Publishing a folder with the real program, and the questions that follow.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

use syfthub_testing::wait;
use tempfile::TempDir;

use crate::hub::{Hub, program, stderr, stdout};

/// A node that is killed when dropped.
struct RunningNode(Child);

impl Drop for RunningNode {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_node(directory: &Path, hub: &Hub, token: &str, args: &[&str]) -> RunningNode {
    let token_file = directory.join("token");
    fs::write(&token_file, token).unwrap();
    let child = program(directory)
        .args([
            "node",
            "--hub",
            &hub.url,
            "--listen",
            "127.0.0.1:0",
            "--state-dir",
            "state",
            "--token-file",
            "token",
        ])
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    RunningNode(child)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_published_followed_and_cited() {
    let hub = Hub::start(&["--no-demo"]);
    let token = hub.register("berta").await;
    let directory = TempDir::new().unwrap();
    let notes = directory.path().join("notes");
    fs::create_dir(&notes).unwrap();
    fs::write(
        notes.join("garden.md"),
        "# Garden\n\nThe walnut tree was planted in 1963 by my grandmother.\n",
    )
    .unwrap();
    let notes = notes.display().to_string();
    let _node = start_node(
        directory.path(),
        &hub,
        &token,
        &["--docs", &notes, "--name", "My notes", "--model", "extract"],
    );
    let published =
        async || hub.get("/api/v1/endpoints/public").await.1.as_array().is_some_and(|list| list.len() == 2);
    wait::until(published, "both endpoints to be published").await;

    let output = hub.ask(&["When was the walnut tree planted?"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let answer = stdout(&output);
    assert!(
        answer.contains("1963") && answer.contains("[1]") && answer.contains("berta/my-notes"),
        "{answer}"
    );

    fs::write(
        Path::new(&notes).join("pond.md"),
        "# Pond\n\nThe pond holds eleven goldfish and one old carp named Heinrich.\n",
    )
    .unwrap();
    let found = async || stdout(&hub.ask(&["What is the old carp in the pond named?"])).contains("Heinrich");
    wait::until(found, "the new file to be found").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_endpoint_is_not_there_for_guests() {
    let hub = Hub::start(&["--no-demo"]);
    let token = hub.register("berta").await;
    let directory = TempDir::new().unwrap();
    fs::create_dir(directory.path().join("notes")).unwrap();
    fs::write(directory.path().join("notes/secret.md"), "# Plan\n\nThe surprise party is on Friday.\n")
        .unwrap();
    let _node = start_node(
        directory.path(),
        &hub,
        &token,
        &["--docs", "notes", "--name", "Secrets", "--visibility", "private"],
    );
    let published = async || {
        let (_, own) = hub.call("GET", "/api/v1/endpoints", None, Some(&token)).await;
        own.as_array().is_some_and(|list| !list.is_empty())
    };
    wait::until(published, "the private endpoint to exist").await;
    assert_eq!(hub.get("/api/v1/endpoints/public").await.1.as_array().map(Vec::len), Some(0));
    assert_eq!(hub.get("/api/v1/endpoints/public/berta/secrets").await.0, 404);
}
