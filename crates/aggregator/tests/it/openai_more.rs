//! `/v1` beyond the question and its answer: markers in streams, requests that are taken up again, what is cut and
//! masked, and what is refused before a route is reached.

use http::Request;
use serde_json::{Value, json};
use syfthub_proto::common::EndpointType;
use syfthub_proto::conversations::AnswerStatus;
use syfthub_proto::directory::Endpoint;

use crate::actor::{Answer, TestApp, post, question};
use crate::upstream::Upstream;

const CHAT: &str = "/v1/chat/completions";
const KEY: &str = "7b0c9a52-2f0e-4d0c-9a3e-v1";

fn publish(app: &TestApp, path: &str, kind: EndpointType, connection: &str, upstream: &Upstream) {
    let endpoint = Endpoint {
        r#type: kind.into(),
        connection_type: connection.to_owned(),
        url: upstream.url.clone(),
        ..Endpoint::default()
    };
    app.hub.publish_as(path, endpoint);
}

fn asking(messages: &Value) -> Value {
    json!({"model": "mia/writer", "messages": messages})
}

async fn with_key(app: &TestApp, body: &Value, headers: &[(&'static str, &str)]) -> Answer {
    let mut request = post(CHAT, body);
    for (name, value) in [("idempotency-key", KEY)].iter().chain(headers) {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    app.send(request).await
}

/// The text that the chunks of a stream make, and the last frame.
fn text_of(answer: &Answer) -> (String, String) {
    let frames: Vec<&str> =
        answer.text.split_terminator("\n\n").filter(|frame| !frame.starts_with(':')).collect();
    let data = |frame: &&str| frame.lines().find_map(|line| line.strip_prefix("data: ")).unwrap().to_owned();
    let chunk = |frame: &&str| serde_json::from_str::<Value>(&data(frame)).ok();
    let texts = frames
        .iter()
        .filter_map(chunk)
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned));
    (texts.collect(), data(frames.last().unwrap()))
}

#[tokio::test]
async fn markers_without_a_document_are_in_no_stream() {
    let docs = Upstream::source(&[("Backups", "Restore a backup with `restore`.", 0.9)]).await;
    let model = Upstream::stream(&[
        r#"data: {"content":"Use restore [cite:1]. It is [ci"}"#,
        r#"data: {"content":"te:9"}"#,
        r#"data: {"content":", 1] easy [cite:4], is [it"}"#,
        "data: [DONE]",
    ])
    .await;
    let app = TestApp::new();
    publish(&app, "mia/writer", EndpointType::Model, "http", &model);
    publish(&app, "ann/docs", EndpointType::DataSource, "http", &docs);
    let expected = "Use restore [cite:1]. It is [cite:1] easy , is [it";
    let mut body = asking(&json!([{"role": "user", "content": "How do I restore a backup?"}]));
    body["model"] = json!("mia/writer+ann/docs");
    body["stream"] = json!(true);
    assert_eq!(text_of(&app.send(post(CHAT, &body)).await).0, expected);
    body["stream"] = json!(false);
    let whole = app.send(post(CHAT, &body)).await.json();
    assert_eq!(whole["choices"][0]["message"]["content"], expected);
    let events = app.stream(&question(&model, &[("ann/docs", &docs)])).await.events();
    let tokens = events.iter().filter(|(name, _)| name == "token");
    assert_eq!(tokens.map(|(_, data)| data["content"].as_str().unwrap()).collect::<String>(), expected);
    assert_eq!(events.last().unwrap().1["metadata"]["citations_removed"], 2);
}

#[tokio::test]
async fn an_answer_of_nothing_but_a_wrong_marker_still_has_a_token() {
    let docs = Upstream::source(&[("A", "Restore a backup", 0.9)]).await;
    let model = Upstream::model("[cite:7]").await;
    let names = TestApp::new().stream(&question(&model, &[("ann/docs", &docs)])).await.names();
    assert_eq!(names.iter().filter(|name| *name == "token").count(), 1, "{names:?}");
}

#[tokio::test]
async fn a_key_takes_the_same_answer_up_again() {
    let app = TestApp::new();
    let model = Upstream::model("Hello.").await;
    publish(&app, "mia/writer", EndpointType::Model, "http", &model);
    let mut body = asking(&json!([{"role": "user", "content": "Hi"}]));
    let first = with_key(&app, &body, &[]).await;
    assert_eq!(first.json()["choices"][0]["message"]["content"], "Hello.", "{}", first.text);
    assert_eq!(with_key(&app, &body, &[]).await.text, first.text);
    assert_eq!(model.calls().len(), 1);
    body["stream"] = json!(true);
    let other = with_key(&app, &body, &[]).await;
    assert_eq!((other.status.as_u16(), &other.json()["error"]["param"]), (422, &json!("Idempotency-Key")));
    let key = [("idempotency-key", "7b0c9a52-2f0e-4d0c-9a3e-stream")];
    let whole = with_key(&app, &body, &key).await;
    assert_eq!(text_of(&whole), ("Hello.".to_owned(), "[DONE]".to_owned()), "{}", whole.text);
    assert!(!whole.text.contains("event: "), "{}", whole.text);
    assert_eq!(with_key(&app, &body, &key).await.text, whole.text);
    let seen = whole.text.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    let rest = with_key(&app, &body, &[key[0], ("last-event-id", seen)]).await;
    assert!(whole.text.ends_with(&rest.text) && rest.text.len() < whole.text.len(), "{}", rest.text);
    assert_eq!(model.calls().len(), 2);
    let lost =
        with_key(&app, &body, &[key[0], ("last-event-id", "00000000000000000000000000000007:1")]).await;
    assert_eq!(lost.status, 200, "the key counts more: {}", lost.text);
    let unknown = [
        ("idempotency-key", "never-used-before-now"),
        ("last-event-id", "00000000000000000000000000000007:1"),
    ];
    let broken = with_key(&app, &body, &unknown).await;
    let error: Value = serde_json::from_str(&text_of(&broken).1).unwrap();
    assert_eq!(
        (&error["error"]["code"], &error["error"]["type"]),
        (&json!("interrupted"), &json!("server_error"))
    );
    for (key, code) in [("short", 422), ("another-key-of-length", 502)] {
        let down = Upstream::status(500, json!({"detail": "no"})).await;
        publish(&app, "mia/writer", EndpointType::Model, "http", &down);
        let refused = with_key(&app, &body, &[("idempotency-key", key)]).await;
        assert_eq!(refused.status.as_u16(), code, "{}", refused.text);
        assert!(refused.json()["error"]["type"].is_string(), "{}", refused.text);
        assert_eq!(with_key(&app, &body, &[("idempotency-key", key)]).await.json(), refused.json());
        assert!(down.calls().len() <= 3, "the model is not asked again");
    }
}

#[tokio::test]
async fn the_oldest_turns_give_way_and_what_the_system_says_stays() {
    let app = TestApp::with(|settings| settings.aggregator.rules.context_tokens = 4_000);
    let model = Upstream::model("ok").await;
    publish(&app, "mia/writer", EndpointType::Model, "http", &model);
    let turn = |role: &str, number: usize| json!({"role": role, "content": format!("{number} {}", "word ".repeat(500))});
    let mut messages = vec![json!({"role": "system", "content": "Be brief."})];
    messages.extend((0..5).flat_map(|number| [turn("user", number), turn("assistant", number)]));
    messages.push(json!({"role": "user", "content": "And now?"}));
    let answer = app.send(post(CHAT, &asking(&Value::from(messages.clone())))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let told = model.calls()[0].body["messages"].as_array().unwrap().clone();
    assert!((4..messages.len()).contains(&told.len()), "{}", told.len());
    assert_eq!((&told[0], told.last()), (&messages[0], messages.last()));
    assert_eq!(told[1..], messages[messages.len() - told.len() + 1..], "the latest, in their order");
    let short = asking(
        &json!([{"role": "assistant", "content": "x"}, {"role": "user", "content": "Hi", "name": "bo"}]),
    );
    app.send(post(CHAT, &short)).await;
    assert_eq!(model.calls()[1].body["messages"], short["messages"], "what fits goes as it came");
}

#[tokio::test]
async fn secrets_that_tools_return_do_not_reach_the_model() {
    let key = format!("ghp_{}", "aB3dE5fG7h".repeat(4));
    let answer =
        json!({"choices": [{"message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}]});
    let body = asking(&json!([
        {"role": "user", "content": "What is in the file?"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "read", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": format!("token = {key}")},
    ]));
    for is_masked in [true, false] {
        let app = TestApp::with(|settings| settings.aggregator.rules.mask_secrets = is_masked);
        let model = Upstream::json(answer.clone()).await;
        publish(&app, "mia/writer", EndpointType::Model, "openai", &model);
        let answered = app.send(post(CHAT, &body)).await;
        assert_eq!(answered.status, 200, "{}", answered.text);
        let told = model.calls()[0].body["messages"].clone();
        assert_eq!(told[2]["content"].as_str().unwrap().contains(&key), !is_masked, "{told}");
        assert_eq!(
            (&told[0], &told[1]["tool_calls"]),
            (&body["messages"][0], &body["messages"][1]["tool_calls"])
        );
    }
}

#[tokio::test]
async fn an_answer_can_be_kept_in_a_conversation() {
    const MINE: &str = "01980a3e-5d0c-7c52-b7a1-5f6f3f0f9f10";
    let (app, model) = (TestApp::new(), Upstream::model("All is well").await);
    publish(&app, "mia/writer", EndpointType::Model, "http", &model);
    let mut body = asking(&json!([{"role": "user", "content": "How is it?"}]));
    body["syfthub"] = json!({"conversation_id": MINE});
    assert_eq!(app.send(post(CHAT, &body)).await.status, 401, "a guest has none");
    assert!(model.calls().is_empty(), "nobody is asked before");
    let mut request = post(CHAT, &body);
    request.headers_mut().insert("authorization", "Bearer syft_pat_good".parse().unwrap());
    let answer = app.send(request).await.json();
    assert_eq!(answer["syfthub"]["metadata"]["conversation_saved"], true, "{answer}");
    let exchange = app.hub.told.exchanges.lock().unwrap()[0].clone();
    assert_eq!((exchange.question.as_str(), exchange.answer.as_str()), ("How is it?", "All is well"));
    assert_eq!((exchange.conversation_id.as_str(), exchange.status()), (MINE, AnswerStatus::Complete));
    body["syfthub"]["conversation_id"] = json!("mine");
    let refused = app.send(post(CHAT, &body)).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["error"]["param"]),
        (400, &json!("syfthub.conversation_id"))
    );
}

#[tokio::test]
async fn whatever_is_refused_below_v1_has_the_same_shape() {
    let app = TestApp::new();
    let huge = json!({"model": "mia/writer", "messages": [{"role": "user", "content": "x".repeat(3 << 20)}]});
    let get = |path: &str| Request::get(path).body(axum::body::Body::empty()).unwrap();
    for (request, status) in [
        (post(CHAT, &huge), 413),
        (get("/v1"), 404),
        (get("/v1/"), 404),
        (get("/v1/models/%00"), 404),
        (get("/v1/nothing"), 404),
        (get(CHAT), 405),
    ] {
        let named = format!("{} {}", request.method(), request.uri());
        let answer = app.send(request).await;
        assert_eq!(answer.status.as_u16(), status, "{named}: {}", answer.text);
        let error = &answer.json()["error"];
        assert!(error["message"].is_string() && error["type"] == "invalid_request_error", "{named}: {error}");
        assert!(
            error["code"].is_string() && answer.json().as_object().unwrap().len() == 1,
            "{named}: {error}"
        );
    }
    let other = app.get("/api/v1/nothing").await.json();
    assert!(other["detail"].is_string(), "elsewhere all is as it was: {other}");
}

#[tokio::test]
async fn what_takes_too_long_below_v1_has_the_same_shape() {
    let app =
        TestApp::with(|settings| settings.aggregator.total_timeout = std::time::Duration::from_millis(300));
    let hung = Upstream::start(|_, _| async {
        std::future::pending::<()>().await;
        unreachable!()
    })
    .await;
    publish(&app, "mia/writer", EndpointType::Model, "http", &hung);
    let answer = app.send(post(CHAT, &asking(&json!([{"role": "user", "content": "Hi"}])))).await;
    assert!(answer.status.is_server_error(), "{}", answer.text);
    assert_eq!(answer.json()["error"]["type"], "server_error", "{}", answer.text);
}
