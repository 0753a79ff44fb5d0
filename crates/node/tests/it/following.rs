//! Changes in the folder.

use std::fs;

use syfthub_testing::wait;

use crate::world::{World, folder};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_changed_and_deleted_files_are_followed() {
    let docs = tempfile::tempdir().unwrap();
    fs::write(docs.path().join("zoo.md"), "Penguins are fed at noon.").unwrap();
    let path = docs.path().to_owned();
    let world = World::with(move |config| config.source = Some(folder(&path))).await;
    assert_eq!(world.node.summary().unwrap().documents, 1);
    assert_eq!(world.paths("penguins").await, ["zoo.md"]);

    fs::create_dir(docs.path().join("new")).unwrap();
    fs::write(docs.path().join("new/opera.txt"), "The tenor sings on Tuesday.").unwrap();
    fs::write(docs.path().join("zoo.md"), "Lions sleep all day, every day.").unwrap();
    wait::until(async || world.paths("tenor singing").await == ["new/opera.txt"], "the new file").await;
    wait::until(async || world.paths("lions").await == ["zoo.md"], "the changed file").await;
    assert!(world.paths("penguins").await.is_empty());

    fs::remove_dir_all(docs.path().join("new")).unwrap();
    wait::until(async || world.paths("tenor").await.is_empty(), "the deleted file").await;
    world.node.stop().await;
}
