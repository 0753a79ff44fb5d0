use std::fs;
use std::io::Write as _;
use std::path::Path;

use super::*;
use crate::config::{EmbeddedDocument, Quiet};
use crate::index::SearchLimits;

async fn indexer(corpus: Corpus, state: &Path) -> Indexer {
    let index = Index::open(&state.join("index.db")).await.unwrap();
    Indexer { index, corpus: Arc::new(corpus), progress: Arc::new(Quiet) }
}

async fn paths(indexer: &Indexer, question: &str) -> Vec<String> {
    let limits = SearchLimits { limit: 10, threshold: 0.5 };
    indexer.index.search(question, limits).await.unwrap().into_iter().map(|found| found.path).collect()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

#[tokio::test]
async fn a_folder_of_all_kinds_is_indexed_and_the_rest_is_counted() {
    let (docs, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = docs.path();
    fs::create_dir_all(root.join("sub/.hidden")).unwrap();
    fs::write(root.join("guide.md"), "# Guide\n\nPenguins are fed at noon.\n").unwrap();
    fs::write(root.join("sub/log.txt.gz"), gzip("The volcano erupted twice.")).unwrap();
    fs::write(root.join("page.html"), "<p>Tulips <b>bloom</b> in April</p>").unwrap();
    fs::write(root.join("latin.txt"), b"the caf\xe9 of Lisbon").unwrap();
    fs::write(root.join("NOTICE"), "A plain notice about walruses").unwrap();
    fs::write(root.join("sub/.hidden/secret.txt"), "penguins hidden").unwrap();
    fs::write(root.join("photo.png"), b"\x89PNG").unwrap();
    fs::write(root.join("core"), [0_u8, 1, 2, 3].repeat(99)).unwrap();
    fs::write(root.join("huge.txt"), vec![b'a'; 9 << 20]).unwrap();
    fs::write(root.join("bad.gz"), "not gzip").unwrap();
    fs::write(root.join("empty.txt"), "").unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("private.txt"), "penguins outside").unwrap();
    std::os::unix::fs::symlink(outside.path(), root.join("link")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("private.txt"), root.join("link.txt")).unwrap();

    let indexer = indexer(Corpus::Folder(root.to_owned()), state.path()).await;
    let summary = indexer.run().await.unwrap();
    assert_eq!(summary.documents, 5, "{summary}");
    assert_eq!(summary.skipped.get("not text"), Some(&2), "{summary}");
    assert_eq!(summary.skipped.get("damaged"), Some(&1), "{summary}");
    assert_eq!(summary.skipped.get("larger than 8 MiB"), Some(&1));
    assert_eq!(summary.skipped.get("empty"), Some(&1));
    assert_eq!(paths(&indexer, "when are penguins fed?").await, ["guide.md"]);
    assert_eq!(paths(&indexer, "volcano").await, ["sub/log.txt.gz"]);
    assert_eq!(paths(&indexer, "tulips blooming").await, ["page.html"]);
    assert_eq!(paths(&indexer, "café Lisbon").await, ["latin.txt"]);
    assert_eq!(paths(&indexer, "walruses").await, ["NOTICE"]);

    let again = indexer.run().await.unwrap();
    assert!(!again.changed(), "nothing changed, so nothing is read: {again:?}");
}

#[tokio::test]
async fn a_copy_takes_over_when_its_original_is_gone() {
    let (docs, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let paragraphs: Vec<String> =
        (0..60).map(|i| format!("Paragraph {i} {}\n\n", "about nothing much ".repeat(12))).collect();
    let text = format!("{}At the very end stands the word xylophone.\n", paragraphs.concat());
    fs::write(docs.path().join("one.txt"), &text).unwrap();
    fs::write(docs.path().join("two.txt"), &text).unwrap();
    let indexer = indexer(Corpus::Folder(docs.path().to_owned()), state.path()).await;
    let summary = indexer.run().await.unwrap();
    assert_eq!(summary.documents, 2);
    let found = paths(&indexer, "xylophone").await;
    assert_eq!(found.len(), 1, "the end is indexed once: {found:?}");
    fs::remove_file(docs.path().join(&found[0])).unwrap();
    indexer.run().await.unwrap();
    let after = paths(&indexer, "xylophone").await;
    assert_eq!(after.len(), 1);
    assert_ne!(after, found);
}

#[tokio::test]
async fn a_folder_that_is_away_leaves_the_index_alone() {
    let (docs, state) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = docs.path().join("mount");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("a.md"), "walruses").unwrap();
    let indexer = indexer(Corpus::Folder(root.clone()), state.path()).await;
    indexer.run().await.unwrap();
    fs::rename(&root, docs.path().join("elsewhere")).unwrap();
    assert!(matches!(indexer.run().await, Err(IndexingError::Folder { .. })));
    assert_eq!(paths(&indexer, "walruses").await, ["a.md"]);
}

#[tokio::test]
async fn documents_in_memory_are_replaced_by_those_of_the_next_release() {
    let state = tempfile::tempdir().unwrap();
    let document =
        |text: &'static str| EmbeddedDocument { path: "docs/a.md".into(), bytes: text.as_bytes().into() };
    let first = indexer(Corpus::Embedded(vec![document("walruses")]), state.path()).await;
    first.run().await.unwrap();
    assert_eq!(paths(&first, "walruses").await, ["docs/a.md"]);
    first.index.close().await;
    let second = indexer(Corpus::Embedded(vec![document("penguins")]), state.path()).await;
    second.run().await.unwrap();
    assert!(paths(&second, "walruses").await.is_empty());
    assert_eq!(paths(&second, "penguins").await, ["docs/a.md"]);
}
