//! The proof on documents that nobody here wrote: those of the Debian packages on this machine.

use std::path::Path;

use serde_json::{Value, json};

use crate::world::{World, folder};

const DOCS: &str = "/usr/share/doc";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_about_debian_packages_are_answered_from_their_files() {
    let bash = Path::new(DOCS).join("bash/copyright");
    assert!(
        bash.exists(),
        "{} is missing: this test needs a Debian system with its package documentation",
        bash.display()
    );
    let world = World::with(|config| config.source = Some(folder(DOCS.as_ref()))).await;
    let summary = world.node.summary().unwrap();
    println!("{summary}");
    assert!(summary.documents > 500, "thousands of files: {summary}");

    // Packages that every Debian system has.
    for (question, file) in [
        ("Under which licence is bash distributed?", "bash/copyright"),
        ("What is the license of sed?", "sed/copyright"),
        ("Who holds the copyright of tar?", "tar/copyright"),
        ("Under what terms may I redistribute grep?", "grep/copyright"),
        ("Which licence does gzip have?", "gzip/copyright"),
    ] {
        let found = world.paths(question).await;
        assert!(found.iter().any(|path| path == file), "{question} found {found:?}");
        assert_eq!(found.first().map(String::as_str), Some(file), "{question} found {found:?}");
    }
    // No copyright file says "homepage": the address is what answers.
    for (question, file) in [
        ("What is the homepage of grep?", "grep/copyright"),
        ("What is the website of gzip?", "gzip/copyright"),
    ] {
        let found = world.paths(question).await;
        assert!(found.iter().take(3).any(|path| path == file), "{question} found {found:?}");
    }
    assert!(world.paths("best pizza recipe with mozzarella").await.is_empty());

    let answer = answer(&world, "Under which licence is bash distributed?").await;
    println!("{answer}");
    assert!(answer.contains("[cite:1]"), "{answer}");
    assert!(
        answer.to_lowercase().contains("bash") && answer.contains("GNU General Public License"),
        "{answer}"
    );
    world.node.stop().await;
}

/// Retrieval, then the model on a prompt of numbered documents, as an aggregator does it.
async fn answer(world: &World, question: &str) -> String {
    let search =
        json!({"messages": question, "limit": 5, "similarity_threshold": 0.5, "include_metadata": true});
    let (_, found) = world.ask("my-notes", &search).await;
    let documents = found["references"]["documents"].as_array().unwrap();
    let lines: Vec<String> = documents
        .iter()
        .zip(1..)
        .map(|(document, number)| {
            let words: Vec<&str> = document["content"].as_str().unwrap().split_whitespace().collect();
            format!("[{number}]: {}", words.join(" "))
        })
        .collect();
    let prompt = format!(
        "<<<DOCUMENTS a>>>\n{}\n<<<END DOCUMENTS a>>>\n\n<<<QUESTION a>>>\n{question}\n<<<END QUESTION a>>>\n",
        lines.join("\n")
    );
    let chat = json!({"messages": [{"role": "user", "content": prompt}], "stream": false});
    let (status, reply) = world.ask("extract", &chat).await;
    assert_eq!(status, 200, "{reply}");
    reply.pointer("/summary/message/content").and_then(Value::as_str).unwrap().to_owned()
}
