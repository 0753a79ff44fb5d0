//! `/v1`, as programs that speak OpenAI's protocol see it.

use std::time::Duration;

use axum::response::IntoResponse;
use http::Request;
use serde_json::{Value, json};
use syfthub_config::Rule;
use syfthub_proto::common::EndpointType;
use syfthub_proto::directory::{Endpoint, Preset};

use crate::actor::{Answer, TestApp, post};
use crate::upstream::Upstream;

const CHAT: &str = "/v1/chat/completions";

fn published(kind: EndpointType, connection_type: &str, url: &str) -> Endpoint {
    Endpoint {
        r#type: kind.into(),
        connection_type: connection_type.to_owned(),
        url: url.to_owned(),
        created_at_us: 1_700_000_000_000_000,
        ..Endpoint::default()
    }
}

/// A hub with a model at `mia/writer` that speaks this protocol.
fn hub_with(connection_type: &str, model: &Upstream) -> TestApp {
    let app = TestApp::new();
    app.hub.publish_as("mia/writer", published(EndpointType::Model, connection_type, &model.url));
    app
}

fn request(content: &str) -> Value {
    json!({"model": "mia/writer", "messages": [{"role": "user", "content": content}]})
}

async fn ask(app: &TestApp, body: &Value, token: Option<&str>) -> Answer {
    let mut request = post(CHAT, body);
    if let Some(token) = token {
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    app.send(request).await
}

/// The data of every frame, `[DONE]` as a text.
fn chunks(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    let frames = answer.text.split_terminator("\n\n").filter(|frame| !frame.starts_with(':'));
    let data = frames.map(|frame| frame.strip_prefix("data: ").unwrap());
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|_| data.into())).collect()
}

const COMPLETION: &str = r#"{"choices":[{"message":{"role":"assistant","content":"Hello."},"finish_reason":"length"}],
    "usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;

async fn openai_model() -> Upstream {
    Upstream::json(serde_json::from_str(COMPLETION).unwrap()).await
}

#[tokio::test]
async fn a_completion_has_the_shape_that_clients_read() {
    let model = openai_model().await;
    let app = hub_with("openai", &model);
    let answer = ask(&app, &request("Hi"), Some("syft_pat_good")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let mut json = answer.json();
    assert!(json["id"].as_str().unwrap().starts_with("chatcmpl-"));
    json["id"] = "[id]".into();
    json["syfthub"]["metadata"] = "[times]".into();
    insta::assert_json_snapshot!(json, @r#"
    {
      "id": "[id]",
      "object": "chat.completion",
      "created": 1800000000,
      "model": "mia/writer",
      "choices": [
        {
          "index": 0,
          "message": {
            "role": "assistant",
            "content": "Hello.",
            "refusal": null
          },
          "logprobs": null,
          "finish_reason": "length"
        }
      ],
      "usage": {
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "total_tokens": 5
      },
      "syfthub": {
        "sources": {},
        "retrieval_info": [],
        "metadata": "[times]",
        "profit_share": null,
        "billing": null,
        "citations": {}
      }
    }
    "#);
}

#[tokio::test]
async fn a_model_of_that_protocol_gets_everything_that_it_takes() {
    let model = openai_model().await;
    let app = TestApp::new();
    let mut endpoint = published(EndpointType::Model, "openai", &format!("{}/v1/", model.url));
    endpoint.upstream_model = "small".to_owned();
    app.hub.publish_as("mia/writer", endpoint);
    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    let mut body = request("Hi");
    body["messages"] = json!([
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "What is the time?"},
        {"role": "assistant", "content": null,
         "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "noon"},
    ]);
    let more = json!({
        "tools": tools, "tool_choice": "auto", "response_format": {"type": "json_object"}, "seed": 7, "user": "u1",
        "stop": "END", "top_p": 0.5, "temperature": 0, "max_completion_tokens": 50, "unknown": {"a": 1},
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = ask(&app, &body, Some("syft_pat_good")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let call = &model.calls()[0];
    assert_eq!(call.path, "/v1/chat/completions");
    assert_eq!(call.header("authorization"), Some("Bearer minted-0-for-mia"));
    let mut sent = call.body.clone();
    assert_eq!(sent["messages"][0], json!({"role": "system", "content": "Be brief."}));
    assert_eq!(sent["messages"][2]["tool_calls"][0]["id"], "c1");
    assert_eq!(sent["messages"][3], json!({"role": "tool", "content": "noon", "tool_call_id": "c1"}));
    sent.as_object_mut().unwrap().remove("messages");
    let expected = json!({
        "model": "small", "max_tokens": 50, "temperature": 0.0, "stream": false, "top_p": 0.5, "seed": 7,
        "response_format": {"type": "json_object"}, "stop": ["END"], "user": "u1", "tools": tools,
        "tool_choice": "auto",
    });
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn sources_in_the_name_of_the_model_are_asked_and_cited() {
    let docs = Upstream::source(&[("Backups", "Restore a backup with `restore`. Cats purr.", 0.9)]).await;
    let model = Upstream::model("Use restore [cite:1]. It is easy [cite:7].").await;
    let app = hub_with("http", &model);
    app.hub.publish_as("ann/docs", published(EndpointType::DataSource, "http", &docs.url));
    let mut body = request("How do I restore a backup?");
    body["model"] = json!("mia/writer+ann/docs");
    body["syfthub"] = json!({"top_k": 3});
    let answer = ask(&app, &body, Some("syft_pat_good")).await.json();
    assert_eq!(answer["model"], "mia/writer+ann/docs");
    assert_eq!(answer["choices"][0]["message"]["content"], "Use restore [cite:1]. It is easy .");
    let more = &answer["syfthub"];
    assert_eq!(more["response"], "Use restore [cite:1-0:12]. It is easy .");
    let cited = json!({
        "slug": "ann/docs", "title": "Backups", "passage": "Restore a backup with `restore`.", "span": [0, 32],
    });
    assert_eq!(more["citations"], json!({"1": cited}));
    assert_eq!(more["metadata"]["citations_removed"], 1);
    assert_eq!(more["retrieval_info"][0]["status"], "success");
    assert_eq!(more["profit_share"], json!({"ann/docs": 1.0}));
    assert_eq!(docs.calls()[0].body["limit"], 3);
    assert_eq!(docs.calls()[0].header("authorization"), Some("Bearer minted-0-for-ann"));
    assert_eq!(model.calls()[0].path, "/api/v1/endpoints/writer/query");
    assert!(model.last_user_message().contains("[1]: Restore a backup"));
}

#[tokio::test]
async fn chunks_come_in_the_order_that_clients_know() {
    let model = Upstream::stream(&[
        r#"data: {"choices":[{"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
        r#"data: {"choices":[{"delta":{"content":"Hel"},"finish_reason":null}]}"#,
        r#"data: {"choices":[{"delta":{"content":"lo\u2028"},"finish_reason":null}]}"#,
        r#"data: {"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
        r#"data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#,
        "data: [DONE]",
    ])
    .await;
    let app = hub_with("openai", &model);
    let mut body = request("Hi");
    body["stream"] = json!(true);
    body["stream_options"] = json!({"include_usage": true});
    let chunks = chunks(&ask(&app, &body, None).await);
    let (done, chunks) = chunks.split_last().unwrap();
    assert_eq!(done, "[DONE]");
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk["object"] == "chat.completion.chunk" && chunk["id"] == chunks[0]["id"])
    );
    let deltas: Vec<&Value> = chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]).collect();
    assert_eq!(deltas[0], &json!({"role": "assistant", "content": ""}));
    assert_eq!(deltas[1..4], [&json!({"content": "Hel"}), &json!({"content": "lo\u{2028}"}), &json!({})]);
    assert_eq!(chunks[3]["choices"][0]["finish_reason"], "stop");
    assert_eq!(chunks[3]["syfthub"]["retrieval_info"], json!([]));
    assert_eq!(chunks[4]["choices"], json!([]));
    assert_eq!(chunks[4]["usage"]["total_tokens"], 5);
    assert!(chunks[..4].iter().all(|chunk| chunk["usage"].is_null()));
    assert_eq!(model.calls()[0].body["stream_options"], json!({"include_usage": true}));
    assert_eq!(model.calls()[0].header("authorization"), Some("Bearer minted-0-for-mia"), "a guest's token");
}

#[tokio::test]
async fn calls_of_functions_are_passed_on() {
    let model = Upstream::stream(&[
        r#"data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":""}}]}}]}"#,
        r#"data: {"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}}]}"#,
        r#"data: {"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#,
        "data: [DONE]",
    ])
    .await;
    let app = hub_with("openai", &model);
    let mut body = request("Hi");
    body["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
    body["stream"] = json!(true);
    let parts = chunks(&ask(&app, &body, None).await);
    assert_eq!(parts[1]["choices"][0]["delta"]["tool_calls"][0]["function"]["name"], "f");
    assert_eq!(
        parts[2]["choices"][0]["delta"]["tool_calls"],
        json!([{"index": 0, "function": {"arguments": "{}"}}])
    );
    assert_eq!(parts[3]["choices"][0]["finish_reason"], "tool_calls");
    body["stream"] = json!(false);
    let whole = ask(&app, &body, None).await.json();
    let message = &whole["choices"][0]["message"];
    assert_eq!(message["content"], Value::Null);
    assert_eq!(message["tool_calls"][0]["function"], json!({"name": "f", "arguments": "{}"}));
    let space = Upstream::model("never").await;
    let refused = ask(&hub_with("http", &space), &body, None).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["error"]["param"]), (400, &json!("tools")));
    assert!(space.calls().is_empty());
}

#[tokio::test]
async fn refusals_have_openais_shape_and_the_right_status() {
    let model = openai_model().await;
    let app = hub_with("openai", &model);
    let told = |answer: Answer| {
        let error = answer.json()["error"].clone();
        assert!(error["message"].is_string() && error["type"].is_string(), "{error}");
        (answer.status.as_u16(), error["code"].as_str().unwrap().to_owned(), error["param"].clone())
    };
    let wrong_key = ask(&app, &request("Hi"), Some("expired")).await;
    assert_eq!(wrong_key.headers["www-authenticate"], "Bearer");
    assert_eq!(told(wrong_key), (401, "invalid_api_key".into(), Value::Null));
    let mut body = request("Hi");
    body["model"] = json!("mia/nobody");
    assert_eq!(told(ask(&app, &body, None).await), (404, "model_not_found".into(), json!("model")));
    body["model"] = json!("gpt-4o");
    assert_eq!(told(ask(&app, &body, None).await), (400, "invalid_value".into(), json!("model")));
    body["messages"] = json!([{"role": "user", "content": 3}]);
    let both = ask(&app, &body, None).await;
    let message = both.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("model: ") && message.contains("messages[0].content: "), "{message}");
    let broken = Request::post(CHAT).body("{".into()).unwrap();
    assert_eq!(told(app.send(broken).await).0, 400);
    assert_eq!(told(app.get("/v1/embeddings").await).0, 404);
    assert_eq!(told(app.get(CHAT).await).0, 405);
    assert_eq!(told(ask(&app, &request("Hi"), Some("syft_ses_good")).await).0, 401);
    assert!(model.calls().is_empty());
}

#[tokio::test]
async fn what_a_model_refuses_is_told_with_a_status_of_its_own_even_for_streams() {
    for (answered, expected) in [(429, 429), (500, 502), (422, 400), (403, 403)] {
        let model = Upstream::status(answered, json!({"error": {"message": "not today"}})).await;
        let app = hub_with("openai", &model);
        for stream in [false, true] {
            let mut body = request("Hi");
            body["stream"] = json!(stream);
            let answer = ask(&app, &body, None).await;
            assert_eq!(answer.status, expected, "{answered} {stream}: {}", answer.text);
            assert!(
                answer.json()["error"]["message"].as_str().unwrap().contains("not today"),
                "{}",
                answer.text
            );
        }
    }
}

#[tokio::test]
async fn a_model_that_gives_up_in_the_middle_ends_the_stream_with_an_error() {
    let model = Upstream::stream(&[
        r#"data: {"choices":[{"delta":{"content":"Hel"}}]}"#,
        r#"data: {"error":{"message":"no memory"}}"#,
    ])
    .await;
    let app = hub_with("openai", &model);
    let mut body = request("Hi");
    body["stream"] = json!(true);
    let chunks = chunks(&ask(&app, &body, None).await);
    let last = chunks.last().unwrap();
    assert!(last["error"]["message"].as_str().unwrap().contains("no memory"), "{last}");
    assert_eq!(last["error"]["type"], "server_error");
}

#[tokio::test]
async fn models_are_listed_by_path_without_those_that_cannot_be_used() {
    let model = openai_model().await;
    let app = hub_with("openai", &model);
    let also = |kind| published(kind, "http", &model.url);
    app.hub.publish_as("ann/both", also(EndpointType::ModelDataSource));
    app.hub.publish_as("ann/docs", also(EndpointType::DataSource));
    app.hub
        .publish_as("bob/down", Endpoint { health_status: "unhealthy".into(), ..also(EndpointType::Model) });
    app.hub.publish_as("bob/old", Endpoint { archived: true, ..also(EndpointType::Model) });
    let listed = app.get("/v1/models").await.json();
    let ids: Vec<&str> =
        listed["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!((ids, &listed["object"]), (vec!["ann/both", "mia/writer"], &json!("list")));
    let expected = json!({
        "id": "mia/writer", "object": "model", "created": 1_700_000_000, "owned_by": "mia",
        "syfthub": {"name": "", "description": ""},
    });
    for path in ["/v1/models/mia/writer", "/v1/models/mia%2Fwriter"] {
        assert_eq!(app.get(path).await.json(), expected, "{path}");
    }
    for path in ["/v1/models/ann/docs", "/v1/models/ann", "/v1/models/a/b/c"] {
        assert_eq!(app.get(path).await.status, 404, "{path}");
    }
    let wrong = Request::get("/v1/models").header("authorization", "Bearer expired");
    assert_eq!(app.send(wrong.body(axum::body::Body::empty()).unwrap()).await.status, 401);
}

#[tokio::test]
async fn the_limits_and_doors_are_those_of_chat() {
    let app = TestApp::with(|settings| settings.rate_limits.chat = Rule::per_seconds(1, 60));
    assert_eq!(ask(&app, &request("Hi"), None).await.status, 404);
    let limited = ask(&app, &request("Hi"), None).await;
    assert_eq!(
        (limited.status.as_u16(), &limited.json()["error"]["code"]),
        (429, &json!("rate_limit_exceeded"))
    );
    assert!(limited.headers.contains_key("retry-after"));
    let closed = TestApp::with(|settings| settings.aggregator.require_auth = true);
    assert_eq!(ask(&closed, &request("Hi"), None).await.status, 401);
}

#[tokio::test]
async fn a_slow_model_does_not_hold_the_head_of_a_stream_for_ever() {
    let model = Upstream::start(|_, _| async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        axum::Json(json!({"summary": {"message": {"content": "late"}}})).into_response()
    })
    .await;
    let app = hub_with("http", &model);
    let mut body = request("Hi");
    body["stream"] = json!(true);
    let chunks = chunks(&ask(&app, &body, None).await);
    assert_eq!(chunks[1]["choices"][0]["delta"]["content"], "late");
    let sent = &model.calls()[0].body["messages"];
    assert_eq!(sent, &json!([{"role": "user", "content": "Hi"}]), "without sources nothing is added");
}

#[tokio::test]
async fn a_preset_stands_for_its_model_sources_and_parameters() {
    let docs = Upstream::source(&[("Backups", "Restore a backup.", 0.9)]).await;
    let model = Upstream::model("Use restore [cite:1].").await;
    let app = hub_with("http", &model);
    app.hub.publish_as("ann/docs", published(EndpointType::DataSource, "http", &docs.url));
    app.hub.presets.lock().unwrap().push(Preset {
        owner_username: "zoe".to_owned(),
        slug: "helper".to_owned(),
        model: "mia/writer".to_owned(),
        sources: vec!["ann/docs".to_owned()],
        system_prompt: "Talk like a pirate.".to_owned(),
        top_k: Some(2),
        temperature: Some(0.1),
        created_at_us: 1_700_000_000_000_000,
        ..Preset::default()
    });
    let mut body = request("How do I restore a backup?");
    body["model"] = json!("zoe/helper");
    body["temperature"] = json!(0.9);
    let answer = ask(&app, &body, Some("syft_pat_good")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["model"], "zoe/helper");
    assert_eq!(docs.calls()[0].body["limit"], 2);
    let sent = &model.calls()[0].body;
    assert_eq!(
        (&sent["temperature"], &sent["messages"][0]["content"]),
        (&json!(0.9), &json!("Talk like a pirate."))
    );
    let listed = app.get("/v1/models").await.json();
    assert_eq!(listed["data"].as_array().unwrap().last().unwrap()["id"], "zoe/helper");
    assert_eq!(
        app.get("/v1/models/zoe/helper").await.json()["syfthub"]["preset"]["sources"],
        json!(["ann/docs"])
    );
}
