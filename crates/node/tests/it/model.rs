//! Chats with the model.

use serde_json::{Value, json};
use syfthub_config::Secret;
use syfthub_egress::Response;
use syfthub_node::ModelConfig;
use syfthub_testing::wait;

use crate::fake_model_server::{FakeModelServer, Mood};
use crate::world::{World, client, read, slug};

const PROMPT: &str = "Answer from the documents.\n\n<<<DOCUMENTS f00d>>>\n\
    [1]: Lions sleep for twenty hours a day.\n[2]: The penguins are fed with herring at noon.\n\
    <<<END DOCUMENTS f00d>>>\n\n<<<QUESTION f00d>>>\nWhen are the penguins fed?\n<<<END QUESTION f00d>>>\n";

fn chat(stream: bool) -> Value {
    json!({
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": PROMPT}],
        "max_tokens": 500, "temperature": 0.7, "stream": stream, "stop_sequences": [],
    })
}

/// The head of a streamed answer.
async fn begin(world: &World, slug: &str) -> Response {
    let request = client()
        .post(world.url(slug))
        .bearer(&Secret::new(world.hub.token("guest")))
        .header("accept".parse().unwrap(), "text/event-stream".parse().unwrap())
        .json(&chat(true));
    request.send().await.unwrap()
}

/// The `data:` lines of a streamed answer, and how many network pieces it came in.
async fn streamed(world: &World, slug: &str) -> (Vec<String>, String) {
    let response = begin(world, slug).await;
    assert_eq!(response.media_type().as_deref(), Some("text/event-stream"));
    let body = response.text_capped(1 << 20).await.unwrap();
    let data: Vec<String> =
        body.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect();
    let text = data
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|chunk| chunk.pointer("/choices/0/delta/content")?.as_str().map(str::to_owned))
        .collect();
    (data, text)
}

async fn with_server(server: &FakeModelServer) -> World {
    let base_url = server.url.parse().unwrap();
    let key = Some(Secret::new("sk-test"));
    World::with(move |config| {
        let name = "Tiny".to_owned();
        config.model =
            Some(ModelConfig::OpenAi { slug: slug("tiny"), name, base_url, model: "tiny".to_owned(), key });
    })
    .await
}

#[tokio::test]
async fn extract_answers_with_citations_in_one_piece_and_as_a_stream() {
    let world = World::start().await;
    let expected = "The penguins are fed with herring at noon [cite:2].";
    let (status, answer) = world.ask("extract", &chat(false)).await;
    assert_eq!(status, 200, "{answer}");
    let summary = &answer["summary"];
    assert_eq!(summary["message"], json!({"role": "assistant", "content": expected}));
    assert_eq!((&summary["model"], &summary["finish_reason"]), (&json!("extract"), &json!("stop")));
    let usage = &summary["usage"];
    assert_eq!(usage["completion_tokens"], 13);
    let sum = usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], sum);

    let (data, text) = streamed(&world, "extract").await;
    assert_eq!(text, expected);
    assert!(data.len() > 9, "word by word: {data:?}");
    assert_eq!(data.last().unwrap(), "[DONE]");
    let usage_chunk: Value = serde_json::from_str(&data[data.len() - 2]).unwrap();
    assert_eq!(&usage_chunk["usage"], usage);
}

#[tokio::test]
async fn without_accepting_events_a_stream_is_given_in_one_piece() {
    let world = World::start().await;
    let (status, answer) = world.ask("extract", &chat(true)).await;
    assert_eq!(status, 200);
    assert!(answer["summary"]["message"]["content"].is_string(), "{answer}");
}

#[tokio::test]
async fn a_model_server_is_passed_through_with_key_and_usage() {
    let server = FakeModelServer::start().await;
    let world = with_server(&server).await;
    let (status, answer) = world.ask("tiny", &chat(false)).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["summary"]["message"]["content"], "Hello you");
    assert_eq!(answer["summary"]["usage"]["total_tokens"], 13);
    let (data, text) = streamed(&world, "tiny").await;
    assert_eq!(text, "Hello you");
    assert!(data.iter().any(|line| line.contains("\"total_tokens\":13")), "{data:?}");
    let requests = server.state.requests.lock().unwrap().clone();
    assert!(requests.iter().all(|(key, _)| key == "Bearer sk-test"));
    let body = &requests[1].1;
    assert_eq!((&body["model"], &body["stream_options"]), (&json!("tiny"), &json!({"include_usage": true})));
    assert_eq!((&body["max_tokens"], &body["messages"][1]["content"]), (&json!(500), &json!(PROMPT)));
    assert!(body.get("stop").is_none(), "an empty list is left out: {body}");
}

#[tokio::test]
async fn faults_of_the_model_server_are_told_without_its_secrets() {
    let server = FakeModelServer::start().await;
    let world = with_server(&server).await;
    let cases = [
        (400, r#"{"error":{"message":"context too long"}}"#, 400, "context too long"),
        (401, "sk-test is wrong", 502, "does not accept this node's key"),
        (404, r#"{"error":"no such model"}"#, 502, "no such model"),
        (429, "", 503, "busy"),
        (500, "<html>", 502, "status 500"),
        (200, "not json", 502, "not JSON"),
        (200, "{}", 502, "not a chat completion"),
    ];
    for (code, body, expected, words) in cases {
        server.is(Mood::Fail(code, body.to_owned()));
        let (status, answer) = world.ask("tiny", &chat(false)).await;
        assert_eq!(status, expected, "{code}: {answer}");
        let detail = answer["detail"].as_str().unwrap();
        assert!(detail.contains(words) && !detail.contains("sk-test"), "{detail}");
    }
    server.is(Mood::BreakOff);
    let (data, text) = streamed(&world, "tiny").await;
    assert_eq!(text, "Hello ");
    assert!(data.last().unwrap().contains("out of memory"), "{data:?}");
}

#[tokio::test]
async fn chats_that_do_not_fit_are_refused() {
    let world = World::start().await;
    for bad in [
        json!({"messages": []}),
        json!({"messages": [{"role": "wizard", "content": "x"}]}),
        json!({"messages": "x", "temperature": 9}),
        json!({"messages": "x", "stop_sequences": vec!["x"; 17]}),
        json!({"messages": "x", "max_tokens": -1}),
    ] {
        assert_eq!(world.ask("extract", &bad).await.0, 422, "{bad}");
    }
    let (status, answer) = world.ask("extract", &json!({"messages": "Why is the sky blue?"})).await;
    assert_eq!(status, 200);
    assert!(answer["summary"]["message"]["content"].as_str().unwrap().contains("no sources were selected"));
}

#[tokio::test]
async fn a_full_model_sends_callers_away_until_one_has_left() {
    let server = FakeModelServer::start().await;
    let world = with_server(&server).await;
    server.is(Mood::Linger);
    let mut taken = Vec::new();
    let refused = loop {
        assert!(taken.len() < 100, "there is a limit");
        let response = begin(&world, "tiny").await;
        if response.status() != 200 {
            break response;
        }
        taken.push(response);
    };
    assert_eq!((taken.len(), refused.status().as_u16()), (16, 503));
    assert_eq!(refused.headers()["retry-after"], "2");
    let (_, answer) = read(refused).await;
    assert!(answer["detail"].as_str().unwrap().contains("try again shortly"), "{answer}");

    server.is(Mood::Answer);
    drop(taken.pop());
    let has_room = async || world.ask("tiny", &chat(false)).await.0 == 200;
    wait::until(has_room, "the place of the caller that left").await;
}
