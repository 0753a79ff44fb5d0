//! Questions to the data source.

use serde_json::json;
use syfthub_config::Secret;

use crate::world::{World, client, read};

#[tokio::test]
async fn a_question_finds_the_passage_with_its_place() {
    let world = World::start().await;
    let question = json!({"messages": "When are the penguins fed?", "limit": 3, "similarity_threshold": 0.5, "include_metadata": true});
    let (status, answer) = world.ask("my-notes", &question).await;
    assert_eq!(status, 200, "{answer}");
    let documents = answer["references"]["documents"].as_array().unwrap();
    assert_eq!(documents.len(), 1, "{answer}");
    let document = &documents[0];
    assert_eq!(document["document_id"], "zoo/penguins.md#L1-L3");
    assert!(document["content"].as_str().unwrap().contains("fed with herring at noon"));
    let expected = json!({"title": "Penguins", "path": "zoo/penguins.md", "heading": "Penguins", "line_start": 1, "line_end": 3});
    assert_eq!(document["metadata"], expected);
    let score = document["similarity_score"].as_f64().unwrap();
    assert!((0.8..=1.0).contains(&score), "{score}");
    assert_eq!((&answer["summary"], &answer["cost"]), (&json!(null), &json!(0.0)));
    world.node.stop().await;
}

#[tokio::test]
async fn limits_thresholds_and_metadata_are_respected() {
    let world = World::start().await;
    let (_, none) = world.ask("my-notes", &json!({"messages": "Who won the chess match?"})).await;
    assert_eq!(none["references"]["documents"], json!([]));
    let weak = json!({"messages": "penguins lions", "similarity_threshold": 0.0, "limit": 1, "include_metadata": false});
    let (_, one) = world.ask("my-notes", &weak).await;
    assert_eq!(one["references"]["documents"].as_array().unwrap().len(), 1);
    assert_eq!(one["references"]["documents"][0]["metadata"], json!({}));
    let strict = json!({"messages": "penguins lions", "similarity_threshold": 0.9});
    let (_, strict) = world.ask("my-notes", &strict).await;
    assert_eq!(strict["references"]["documents"], json!([]));
}

#[tokio::test]
async fn hostile_requests_get_a_plain_answer() {
    let world = World::start().await;
    for bad in [
        json!({}),
        json!({"messages": 7}),
        json!({"messages": "x", "limit": -1}),
        json!({"messages": "x", "limit": 0}),
        json!({"messages": "x", "similarity_threshold": 1.5}),
        json!([]),
    ] {
        let (status, answer) = world.ask("my-notes", &bad).await;
        assert_eq!(status, 422, "{bad}");
        assert!(answer["detail"].is_string(), "{answer}");
    }
    for odd in ["\u{0}", "\" OR 1 NEAR(", &"long ".repeat(50_000), "💥", ""] {
        let (status, answer) = world.ask("my-notes", &json!({"messages": odd})).await;
        assert_eq!(status, 200, "{answer}");
    }
    let (status, answer) = world.ask("my-notes", &json!({"messages": "x".repeat(2 << 20)})).await;
    assert_eq!(status, 413, "{answer}");
    let (status, answer) = world.ask("not-here", &json!({"messages": "x"})).await;
    assert_eq!(status, 404);
    assert_eq!(answer["detail"], "No endpoint of this name is served here");
}

#[tokio::test]
async fn broken_json_is_not_a_crash_and_the_correlation_id_comes_back() {
    let world = World::start().await;
    let request = client()
        .post(world.url("my-notes"))
        .bearer(&Secret::new(world.hub.token("guest")))
        .header("x-correlation-id".parse().unwrap(), "abc-123".parse().unwrap())
        .body("{\"messages\": ");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["x-correlation-id"], "abc-123");
    assert_eq!(read(response).await.0, 422);
}

#[tokio::test]
async fn health_is_open_to_everybody() {
    let world = World::start().await;
    let url = format!("http://{}/api/v1/health", world.node.addr()).parse().unwrap();
    let (status, health) = read(client().get(url).send().await.unwrap()).await;
    assert_eq!(status, 200);
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["endpoints"], json!(["my-notes", "extract"]));
}
