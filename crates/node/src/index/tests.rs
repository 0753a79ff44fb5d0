use super::*;
use crate::passages::Passage;

fn change(path: &str, texts: &[&str]) -> Change {
    let passages = texts
        .iter()
        .zip(1_u32..)
        .map(|(text, line)| Passage {
            heading: String::new(),
            line_start: line,
            line_end: line,
            text: (*text).to_owned(),
        })
        .collect();
    Change {
        path: path.to_owned(),
        title: path.to_owned(),
        entry: Entry { size: 1, modified: 2, hash: [3; 32], is_original: true },
        outcome: Outcome::Indexed(passages),
    }
}

async fn paths(index: &Index, question: &str) -> Vec<String> {
    let limits = SearchLimits { limit: 5, threshold: 0.5 };
    index.search(question, limits).await.unwrap().into_iter().map(|found| found.path).collect()
}

#[tokio::test]
async fn documents_are_found_replaced_and_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let index = Index::open(&dir.path().join("i.db")).await.unwrap();
    index
        .apply(&[
            change(
                "backup.md",
                &["To restore a backup, stop the hub and copy the file back.", "Backups run at night."],
            ),
            change("zoo.txt", &["Penguins are fed at noon.", "Le café est fermé. 'quoted\" -- ; DROP TABLE"]),
        ])
        .await
        .unwrap();
    assert_eq!(paths(&index, "How do I restore a backup?").await, ["backup.md"]);
    assert_eq!(paths(&index, "when are the penguins fed").await, ["zoo.txt"]);
    assert_eq!(paths(&index, "CAFE").await, ["zoo.txt"], "diacritics and case do not matter");
    assert!(paths(&index, "How do I cook rice?").await.is_empty(), "junk stays out");
    assert!(paths(&index, "\" OR * NEAR( :) path:x ^ ").await.is_empty(), "no syntax of the engine leaks");

    index.apply(&[change("zoo.txt", &["Lions sleep."])]).await.unwrap();
    assert!(paths(&index, "when are the penguins fed").await.is_empty());
    index.remove(&["zoo.txt".to_owned(), "never-there".to_owned()]).await.unwrap();
    assert!(paths(&index, "do lions sleep").await.is_empty());
    assert_eq!(index.count_documents().await.unwrap(), 1);
}

#[tokio::test]
async fn one_document_does_not_fill_the_answer() {
    let dir = tempfile::tempdir().unwrap();
    let index = Index::open(&dir.path().join("i.db")).await.unwrap();
    index
        .apply(&[
            change("a.md", &["gold one", "gold two", "gold three", "gold four"]),
            change("b.md", &["gold five"]),
            change("copy-of-b.md", &["gold five"]),
        ])
        .await
        .unwrap();
    let found = paths(&index, "gold").await;
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found.iter().filter(|path| *path == "a.md").count(), 2);
}

#[tokio::test]
async fn a_damaged_index_is_built_again() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("i.db");
    std::fs::write(&file, b"this is not a database, not at all, and long enough to be looked at").unwrap();
    let index = Index::open(&file).await.unwrap();
    index.apply(&[change("a.md", &["gold"])]).await.unwrap();
    index.close().await;
    let index = Index::open(&file).await.unwrap();
    assert_eq!(paths(&index, "gold").await, ["a.md"]);
}
