//! What a credential allows, how often, and what is taken down of it.

use axum::http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use syfthub_config::Rule;
use syfthub_proto::tools::ToolOutcome;
use tower::ServiceExt;

use crate::client::{Answer, Service, method, post, send, service, service_with};
use crate::hub::{NOBODY, READER};

async fn ask(service: &Service, token: Option<&str>, name: &str, params: &Value) -> Answer {
    let mut asked = post("/mcp", &method(name, params));
    if let Some(token) = token {
        let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
        asked.headers_mut().insert(header::AUTHORIZATION, value);
    }
    send(&service.router, asked).await
}

fn publish() -> Value {
    json!({"name": "publish_endpoint", "arguments": {"name": "Notes", "type": "data_source"}})
}

#[tokio::test]
async fn a_list_shows_what_the_credential_allows() {
    let service = service();
    let names = async |token| {
        let answer = ask(&service, token, "tools/list", &json!({})).await.json();
        let tools = answer["result"]["tools"].as_array().unwrap().clone();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let looking = [
        "discover_syfthub_endpoints",
        "chat_with_syfthub",
        "get_endpoint",
        "search_documents",
        "endpoint_health",
    ];
    assert_eq!(names(Some(READER)).await, looking);
    assert_eq!(names(None).await, [&looking[..], &["publish_endpoint", "update_endpoint"]].concat());
    assert!(names(Some(NOBODY)).await.is_empty());
}

#[tokio::test]
async fn what_needs_more_is_refused_with_every_scope_that_it_needs() {
    let service = service_with(|settings| settings.mcp.api_base_url = "https://hub.example/mcp".to_owned());
    for (token, name, params, scopes) in [
        (READER, "tools/call", publish(), "read write"),
        (READER, "tools/call", json!({"name": "update_endpoint", "arguments": {}}), "read write"),
        (NOBODY, "tools/call", json!({"name": "get_endpoint", "arguments": {}}), "read"),
        (NOBODY, "resources/list", json!({}), "read"),
        (NOBODY, "resources/read", json!({"uri": "syfthub://bob/docs"}), "read"),
        (NOBODY, "prompts/get", json!({"name": "ask", "arguments": {"query": "why"}}), "read"),
    ] {
        let answer = ask(&service, Some(token), name, &params).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name} {params}: {}", answer.text);
        let challenge = answer.headers["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
        assert!(challenge.contains(&format!("scope=\"{scopes}\"")), "{challenge}");
        let metadata = "https://hub.example/.well-known/oauth-protected-resource/mcp";
        assert!(challenge.contains(&format!("resource_metadata=\"{metadata}\"")), "{challenge}");
        let body = answer.json();
        assert_eq!((&body["id"], &body["error"]["code"]), (&json!(1), &json!(-32004)));
        let needed: Vec<&str> = scopes.split(' ').collect();
        assert_eq!(body["error"]["data"]["required_scopes"], json!(needed));
    }
    assert!(service.seen.published.lock().unwrap().is_empty());
    assert_eq!(ask(&service, None, "tools/call", &publish()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn each_tool_has_a_limit_of_its_own_that_says_when_to_come_back() {
    let service = service_with(|settings| settings.rate_limits.chat = Rule::per_seconds(12, 60));
    for expected in [StatusCode::OK, StatusCode::OK, StatusCode::TOO_MANY_REQUESTS] {
        let answer = ask(&service, None, "tools/call", &publish()).await;
        assert_eq!(answer.status, expected, "{}", answer.text);
        if expected == StatusCode::TOO_MANY_REQUESTS {
            let seconds: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
            let body = answer.json();
            assert_eq!((&body["id"], &body["error"]["code"]), (&json!(1), &json!(-32003)));
            assert_eq!(body["error"]["data"]["retry_after_seconds"], json!(seconds));
            assert!((1..=60).contains(&seconds));
        }
    }
    let other = json!({"name": "get_endpoint", "arguments": {"path": "bob/docs"}});
    assert_eq!(ask(&service, None, "tools/call", &other).await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_call_is_taken_down_without_its_arguments() {
    let service = service();
    let call = |name: &str, arguments: Value| json!({"name": name, "arguments": arguments});
    ask(
        &service,
        None,
        "tools/call",
        &call("chat_with_syfthub", json!({"prompt": "secret", "model": "bob/llm"})),
    )
    .await;
    service.seen.chat_started.notified().await;
    ask(&service, None, "tools/call", &call("get_endpoint", json!({"path": "bob/none"}))).await;
    ask(&service, Some(READER), "tools/call", &publish()).await;
    ask(&service, None, "tools/call", &publish()).await;
    ask(&service, None, "tools/call", &call("no_such_tool", json!({}))).await;
    {
        let params = call("chat_with_syfthub", json!({"prompt": "hang", "model": "bob/llm"}));
        let mut left = Box::pin(service.router.clone().oneshot(post("/mcp", &method("tools/call", &params))));
        tokio::select! {
            answer = &mut left => panic!("a hanging chat answered: {answer:?}"),
            () = service.seen.chat_started.notified() => {}
        }
    }
    let all = loop {
        service.seen.calls_came.notified().await;
        let calls = service.seen.calls.lock().unwrap().clone();
        if calls.len() >= 5 {
            break calls;
        }
    };
    let told: Vec<(&str, &str, ToolOutcome)> =
        all.iter().map(|call| (call.tool.as_str(), call.target.as_str(), call.outcome())).collect();
    assert_eq!(
        told,
        [
            ("chat_with_syfthub", "bob/llm", ToolOutcome::Success),
            ("get_endpoint", "bob/none", ToolOutcome::Failed),
            ("publish_endpoint", "", ToolOutcome::Refused),
            ("publish_endpoint", "ada/notes", ToolOutcome::Success),
            ("chat_with_syfthub", "bob/llm", ToolOutcome::Cancelled),
        ]
    );
    assert!(all.iter().all(|call| call.username == "ada" && call.at_us == 1_700_000_000_000_000));
    assert!(!format!("{all:?}").contains("secret"));
}
