//! The main job: a question in, a cited answer out.

use serde_json::Value;
use tempfile::TempDir;

use crate::hub::{Hub, run, stderr, stdout};

#[test]
fn the_sample_node_answers_a_guest_with_citations_and_survives_a_restart() {
    let mut hub = Hub::start(&[]);
    assert!(
        hub.said("samples").is_some_and(|list| list.contains("samples/syfthub-docs")),
        "{:?}",
        hub.banner
    );
    for _ in 0..2 {
        let output = hub.ask(&["How do I restore a backup?"]);
        assert!(output.status.success(), "{}", stderr(&output));
        let answer = stdout(&output);
        assert!(answer.contains("[1]") && answer.contains("Sources"), "{answer}");
        assert!(
            answer.contains("samples/syfthub-docs") && answer.to_lowercase().contains("restor"),
            "{answer}"
        );
        let (directory, ended_well) = hub.stop();
        assert!(ended_well);
        hub = Hub::start_in(directory, &[], &[]);
    }
}

#[test]
fn json_output_is_one_object_with_answer_and_citations() {
    let hub = Hub::start(&[]);
    let output = hub.ask(&["How do I restore a backup?", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let value: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(value["response"].as_str().is_some_and(|text| text.contains("[cite:")), "{value}");
    assert!(value["citations"]["1"]["slug"] == "samples/syfthub-docs", "{value}");
}

#[test]
fn a_hub_that_is_not_there_is_said_so() {
    let directory = TempDir::new().unwrap();
    let output = run(directory.path(), &["ask", "anything", "--hub", "http://127.0.0.1:9"]);
    assert!(!output.status.success());
    let said = stderr(&output);
    assert!(said.contains("http://127.0.0.1:9") && said.contains("make run"), "{said}");
}

#[test]
fn an_unknown_model_or_an_empty_hub_is_no_answer() {
    let hub = Hub::start(&["--no-demo"]);
    let output = hub.ask(&["anything"]);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("syfthub node"), "{}", stderr(&output));
    let output = hub.ask(&["anything", "--model", "nobody/nothing"]);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("nobody/nothing"), "{}", stderr(&output));
}
