//! The test vectors of the protocol between hub and node, from the hub's side: what is sent, and what is made of
//! the answer. The node's tests replay the same files from the other side.

use std::collections::BTreeMap;
use std::path::PathBuf;

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use crate::actor::{TestApp, endpoint, question};
use crate::upstream::{Call, Upstream};

fn page() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol/space-v1.md"))
}

/// The vectors by name, without that of tokens.
fn vectors() -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for file in std::fs::read_dir(page().with_extension("")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        found.insert(name, serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap());
    }
    assert!(found.remove("token").is_some() && found.len() > 30);
    found
}

/// A service that gives the answers of a vector in their order, and then the last one again.
async fn service(vector: &Value) -> Upstream {
    let answers = vector["responses"].as_array().unwrap().clone();
    Upstream::start(move |number, _| {
        let answer = &answers[number.min(answers.len() - 1)];
        let body = answer["text"].as_str().map_or_else(|| answer["body"].to_string(), str::to_owned);
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = answer["status"].to_string().parse::<StatusCode>().unwrap();
        for (name, value) in answer["headers"].as_object().unwrap() {
            let name: http::HeaderName = name.parse().unwrap();
            response.headers_mut().insert(name, value.as_str().unwrap().parse().unwrap());
        }
        std::future::ready(response)
    })
    .await
}

fn slug(vector: &Value) -> &str {
    let path = vector["request"]["path"].as_str().unwrap();
    path.strip_prefix("/api/v1/endpoints/").unwrap().strip_suffix("/query").unwrap()
}

fn token(vector: &Value) -> Option<&str> {
    vector["request"]["headers"].get("authorization")?.as_str()?.strip_prefix("Bearer ")
}

/// Whether everything that `part` says is in `whole`; lists must have equal lengths.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|other| contains(other, value)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| contains(whole, part))
        }
        _ => whole == part,
    }
}

fn assert_sent(name: &str, vector: &Value, call: &Call) {
    let request = &vector["request"];
    assert_eq!(request["path"], call.path, "{name}");
    for (header, value) in request["headers"].as_object().unwrap() {
        assert_eq!(call.header(header), value.as_str(), "{name}: {header}");
    }
    for header in ["authorization", "x-tenant-name"] {
        assert_eq!(call.header(header), request["headers"].get(header).and_then(Value::as_str), "{name}");
    }
    assert!(call.header("x-correlation-id").is_some_and(|id| !id.is_empty()), "{name}");
}

async fn replay_source(name: &str, vector: &Value) {
    let (app, model, service) = (TestApp::new(), Upstream::model("fine").await, service(vector).await);
    let other = Upstream::source(&[("Other", "Something else", 0.5)]).await;
    let asked = &vector["request"]["body"];
    let mut body = question(&model, &[("zoe/other", &other)]);
    let mut source = endpoint("ann", slug(vector), &service.url);
    source["tenant_name"] = vector["request"]["headers"]["x-tenant-name"].clone();
    body["data_sources"].as_array_mut().unwrap().insert(0, source);
    body["prompt"] = asked["messages"].clone();
    body["top_k"] = asked["limit"].clone();
    body["similarity_threshold"] = asked["similarity_threshold"].clone();
    if let Some(token) = token(vector) {
        body["endpoint_tokens"] = json!({"ann": token});
    }
    let answer = app.chat(&body).await;
    assert_eq!(answer.status, 200, "{name}: {}", answer.text);
    let (answer, hub) = (answer.json(), &vector["hub"]);
    for call in service.calls() {
        assert_sent(name, vector, &call);
        assert_eq!(&call.body, asked, "{name}");
    }
    assert_eq!(json!(service.calls().len()), hub["calls"], "{name}");
    assert!(contains(&answer["retrieval_info"][0], &hub["retrieval_info"]), "{name}: {answer}");
    let path = format!("ann/{}", slug(vector));
    let of_source =
        answer["sources"].as_object().unwrap().iter().filter(|(_, source)| source["slug"] == path);
    let documents: Value = of_source
        .map(|(title, source)| (title.clone(), source["content"].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let expected = hub.get("sources").cloned().unwrap_or_else(|| json!({}));
    assert_eq!(documents, expected, "{name}");
    let billing = hub.get("billing").unwrap_or(&Value::Null);
    assert!(contains(&answer["billing"], billing), "{name}: {}", answer["billing"]);
}

async fn replay_model(name: &str, vector: &Value) {
    let (app, service) = (TestApp::new(), service(vector).await);
    let (asked, hub) = (&vector["request"]["body"], &vector["hub"]);
    let turns = asked["messages"].as_array().unwrap();
    let (prompt, history) = (&turns[turns.len() - 1]["content"], &turns[1..turns.len() - 1]);
    let mut body = question(&service, &[]);
    body["model"] = endpoint("mia", slug(vector), &service.url);
    body["prompt"] = prompt.clone();
    body["custom_system_prompt"] = turns[0]["content"].clone();
    body["messages"] = history.into();
    body["max_tokens"] = asked["max_tokens"].clone();
    body["temperature"] = asked["temperature"].clone();
    if let Some(token) = token(vector) {
        body["endpoint_tokens"] = json!({"mia": token});
    }
    if asked["stream"] == true {
        let answer = app.stream(&body).await;
        let tokens: Vec<Value> = answer
            .events()
            .into_iter()
            .filter(|(event, _)| event == "token")
            .map(|(_, data)| data["content"].clone())
            .collect();
        assert_eq!(Value::from(tokens), hub["tokens"], "{name}");
        match hub.get("error") {
            Some(error) => assert_eq!(&answer.event("error")["message"], error, "{name}"),
            None => assert!(contains(&answer.event("done"), &hub["answer"]), "{name}: {}", answer.text),
        }
    } else {
        let answer = app.chat(&body).await;
        match hub.get("error") {
            Some(error) => {
                assert_eq!((answer.status.as_u16(), &answer.json()["message"]), (400, error), "{name}");
            }
            None => assert!(contains(&answer.json(), &hub["answer"]), "{name}: {}", answer.text),
        }
    }
    assert_eq!(json!(service.calls().len()), hub["calls"], "{name}");
    for call in service.calls() {
        assert_sent(name, vector, &call);
        let mut sent = call.body.clone();
        // The question stands in a text of the hub's own, with the documents.
        let last = sent["messages"].as_array().unwrap().len() - 1;
        let text = sent["messages"][last]["content"].take();
        assert!(text.as_str().unwrap().contains(prompt.as_str().unwrap()), "{name}: {text}");
        sent["messages"][last]["content"] = prompt.clone();
        assert_eq!(&sent, asked, "{name}");
    }
}

#[tokio::test]
async fn the_hub_sends_what_the_vectors_say_and_makes_of_the_answers_what_they_say() {
    for (name, vector) in vectors() {
        match vector["kind"].as_str().unwrap() {
            "data_source" => replay_source(&name, &vector).await,
            "model" => replay_model(&name, &vector).await,
            other => panic!("{name} is of the kind {other}"),
        }
    }
}

#[test]
fn the_page_names_every_vector_and_no_other() {
    let page = std::fs::read_to_string(page()).unwrap();
    let named: Vec<&str> =
        page.split("(space-v1/").skip(1).map(|rest| rest.split_once(".json)").unwrap().0).collect();
    let mut expected: Vec<String> = vectors().into_keys().chain(["token".to_owned()]).collect();
    expected.sort();
    let mut sorted = named.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted, expected);
}
