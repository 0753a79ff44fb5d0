//! What clients may send, field by field, and what operators may set.

use std::time::Duration;

use axum::body::Body;
use axum::response::IntoResponse;
use http::Request;
use serde_json::{Value, json};

use crate::actor::{TestApp, endpoint, post, question};
use crate::upstream::Upstream;

#[tokio::test]
async fn what_may_be_null_may_be_null_and_what_is_unknown_is_ignored() {
    let (app, model, source) =
        (TestApp::new(), Upstream::model("ok").await, Upstream::source(&[("A", "x", 0.5)]).await);
    let mut body = question(&model, &[("ann/a", &source)]);
    for key in ["user_token", "custom_system_prompt", "peer_token", "peer_channel", "conversation_id"] {
        body[key] = Value::Null;
    }
    for key in ["tenant_name", "query_override"] {
        body["model"][key] = Value::Null;
        body["data_sources"][0][key] = Value::Null;
    }
    body["stream"] = json!(true);
    body["transaction_tokens"] = json!({"ann": "tx"});
    body["endpoint_tokens"] = json!({});
    body["messages"] = json!([]);
    body["something_new"] = json!({"a": [1]});
    let answer = app.chat(&body).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["response"]),
        (200, &json!("ok")),
        "the route decides"
    );
    body["stream"] = json!(false);
    body["peer_token"] = json!("peer");
    body["peer_channel"] = json!("channel");
    assert_eq!(app.stream(&body).await.names().last().unwrap(), "done");
    for call in model.calls().into_iter().chain(source.calls()) {
        assert!(!call.body.to_string().contains("peer"), "{}", call.body);
    }
    body["model"]["owner_username"] = Value::Null;
    body["data_sources"][0]["owner_username"] = Value::Null;
    assert_eq!(app.chat(&body).await.json()["retrieval_info"][0]["path"], "a", "a slug without an owner");
}

#[tokio::test]
async fn every_limit_of_the_body_holds() {
    let (app, model) = (TestApp::new(), Upstream::model("ok").await);
    for (key, value) in [
        ("max_tokens", json!(0)),
        ("max_tokens", json!(1.5)),
        ("similarity_threshold", json!(-0.1)),
        ("similarity_threshold", json!(1.1)),
        ("temperature", json!("hot")),
        ("prompt", json!("a\u{0}b")),
        ("prompt", json!(null)),
        ("retrieval_only", json!("perhaps")),
        ("model", json!("mia/writer")),
        ("data_sources", json!({})),
        ("endpoint_tokens", json!(["x"])),
    ] {
        let mut body = question(&model, &[]);
        body[key] = value.clone();
        let answer = app.chat(&body).await;
        assert_eq!(answer.status, 422, "{key} {value}: {}", answer.text);
        let detail = &answer.json()["detail"][0];
        assert_eq!(detail["loc"][1], key, "{detail}");
        assert!(detail["msg"].is_string() && detail["type"].is_string(), "{detail}");
    }
    for role in ["tool", ""] {
        let mut body = question(&model, &[]);
        body["messages"] = json!([{"role": role, "content": "x"}]);
        assert_eq!(app.chat(&body).await.json()["detail"][0]["loc"], json!(["body", "messages", 0, "role"]));
    }
    for (key, value) in [
        ("temperature", 0.0),
        ("temperature", 2.0),
        ("similarity_threshold", 0.0),
        ("similarity_threshold", 1.0),
    ] {
        let mut body = question(&model, &[]);
        body[key] = json!(value);
        assert_eq!(app.chat(&body).await.status, 200, "{key} {value}");
    }
}

#[tokio::test]
async fn a_header_without_a_scheme_is_taken_whole_and_the_body_goes_before() {
    let (app, model, source) = (TestApp::new(), Upstream::model("ok").await, Upstream::source(&[]).await);
    app.hub.publish("ann/a", &source.url);
    let mut body = question(&model, &[("ann/a", &source)]);
    let mut request = post("/api/v1/chat", &body);
    request.headers_mut().insert("authorization", "syft_pat_good".parse().unwrap());
    app.send(request).await;
    assert_eq!(source.calls()[0].header("authorization"), Some("Bearer minted-0-for-ann"));
    body["user_token"] = json!("expired");
    let mut request = post("/api/v1/chat", &body);
    request.headers_mut().insert("authorization", "Bearer syft_pat_good".parse().unwrap());
    app.send(request).await;
    assert_eq!(source.calls()[1].header("authorization"), None);
}

#[tokio::test]
async fn settings_of_top_k_are_the_default_and_the_limit() {
    let app = TestApp::with(|settings| {
        settings.aggregator.default_top_k = 3;
        settings.aggregator.max_top_k = 4;
    });
    let (model, source) = (Upstream::model("ok").await, Upstream::source(&[]).await);
    let mut body = question(&model, &[("ann/a", &source)]);
    assert_eq!(app.chat(&body).await.status, 200);
    assert_eq!(source.calls()[0].body["limit"], 3);
    body["top_k"] = json!(4);
    assert_eq!(app.chat(&body).await.status, 200);
    body["top_k"] = json!(5);
    assert_eq!(app.chat(&body).await.status, 422);
}

#[tokio::test]
async fn a_model_has_so_much_time_and_no_more() {
    let app = TestApp::with(|settings| settings.aggregator.generation_timeout = Duration::from_millis(100));
    let model = Upstream::start(|_, _| async {
        std::future::pending::<()>().await;
        ().into_response()
    })
    .await;
    let body = question(&model, &[]);
    let answer = app.chat(&body).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["message"], "Generation failed: Model request timed out");
    assert_eq!(app.stream(&body).await.event("error")["message"], answer.json()["message"]);
    assert_eq!(model.calls().len(), 2, "a timeout is not tried again");
}

#[tokio::test]
async fn listed_origins_and_no_others_may_call() {
    let app = TestApp::with(|settings| {
        settings.aggregator.cors_origins = vec!["https://good.example".to_owned()];
    });
    for (origin, allowed) in [("https://good.example", true), ("https://evil.example", false)] {
        let request = Request::options("/api/v1/chat")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .body(Body::empty())
            .unwrap();
        let answer = app.send(request).await;
        let told = answer.headers.get("access-control-allow-origin").map(|value| value.to_str().unwrap());
        assert_eq!(told == Some(origin), allowed, "{origin}: {told:?}");
    }
}

#[tokio::test]
async fn sources_that_return_nothing_leave_nothing_to_rank() {
    let (app, model, empty) = (TestApp::new(), Upstream::model("x").await, Upstream::source(&[]).await);
    let answer = app.stream(&question(&model, &[("ann/a", &empty)])).await;
    let expected =
        ["retrieval_start", "source_complete", "retrieval_complete", "generation_start", "token", "done"];
    assert_eq!(answer.names(), expected);
    assert_eq!(answer.event("retrieval_complete")["total_documents"], 0);
    assert!(answer.event("retrieval_complete")["time_ms"].is_u64());
    assert_eq!(answer.event("source_complete")["documents"], 0);
}

#[tokio::test]
async fn citations_follow_the_vectors_of_the_contract() {
    let app = TestApp::new();
    let source = Upstream::source(&[("A", "restore backup", 0.9), ("B", "restore it", 0.5)]).await;
    for (said, expected) in [
        ("Python is a language [cite:1].", "Python is a language [cite:1-0:21]."),
        (
            "First claim [cite:1]. Second claim [cite:2].",
            "First claim [cite:1-0:12]. Second claim [cite:2-14:27].",
        ),
        ("A combined claim [cite:1,2].", "A combined claim [cite:1,2-0:17]."),
        ("Claim. [cite:1]", "Claim. [cite:1-0:7]"),
        ("Grüße 🎈 [cite:1].", "Grüße 🎈 [cite:1-0:8]."),
        ("No marker.", "No marker."),
        ("Beyond [cite:3].", "Beyond ."),
        ("Made up [cite:1-5:99].", "Made up [cite:1-0:8]."),
    ] {
        let model = Upstream::model(said).await;
        let body = question(&model, &[("ann/a", &source)]);
        assert_eq!(app.chat(&body).await.json()["response"], expected);
        assert_eq!(app.stream(&body).await.event("done")["response"], expected);
    }
}

#[tokio::test]
async fn a_tunnel_is_not_configured_and_that_is_said() {
    let (app, source) = (TestApp::new(), Upstream::source(&[("A", "x", 0.5)]).await);
    let mut body = question(&source, &[("ann/a", &source)]);
    body["model"] = endpoint("mia", "writer", "tunneling:mia");
    body["peer_channel"] = json!("channel");
    let answer = app.chat(&body).await;
    assert_eq!(answer.status, 400);
    assert!(answer.json()["message"].as_str().unwrap().contains("tunnelling is not configured"));
    assert_eq!(source.calls().len(), 1, "only the source was asked");
}

#[tokio::test]
async fn line_separators_are_escaped_wherever_they_come_from() {
    const ODD: &str = "a\u{2028}b\u{2029}c\u{85}d";
    let app = TestApp::new();
    let source = Upstream::source(&[(ODD, ODD, 0.5)]).await;
    let refusing = Upstream::status(404, json!({"detail": ODD})).await;
    let model = Upstream::model(ODD).await;
    let mut body = question(&model, &[("ann/a", &source), ("bob/b", &refusing)]);
    // `events` takes nothing beyond ASCII, and one data line per event.
    let done = app.stream(&body).await.event("done");
    assert_eq!(done["sources"][ODD]["content"], ODD);
    assert_eq!(done["retrieval_info"][1]["error_message"], format!("HTTP 404: {ODD}"));
    body["model"] = endpoint("mia", ODD, &refusing.url);
    let message = app.stream(&body).await.event("error")["message"].clone();
    assert_eq!(message, format!("Generation failed: HTTP 404: {ODD}"));
}

#[tokio::test]
async fn a_model_that_makes_no_sense_is_told_in_words() {
    let app = TestApp::new();
    for (body, words) in
        [("{\"summary\":", "Model returned invalid JSON"), ("<!DOCTYPE html><h1>Welcome</h1>", "web page")]
    {
        let model = Upstream::start(move |_, _| async move { body.into_response() }).await;
        let answer = app.chat(&question(&model, &[])).await;
        assert_eq!(answer.status, 400);
        assert!(answer.json()["message"].as_str().unwrap().contains(words), "{}", answer.text);
    }
}
