//! Single endpoints: the tools about them, resources, completion, and prompts of presets.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::client::{Service, call, method, post, send, service};

async fn ask(service: &Service, name: &str, params: Value) -> Value {
    send(&service.router, post("/mcp", &method(name, &params))).await.json()
}

#[tokio::test]
async fn an_endpoint_is_shown_with_its_readme_and_without_private_addresses() {
    let service = service();
    let answer = call(&service.router, "get_endpoint", json!({"path": "bob/docs"})).await;
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    let content = &answer["result"]["structuredContent"];
    assert_eq!((&content["path"], &content["resource"]), (&json!("bob/docs"), &json!("syfthub://bob/docs")));
    assert_eq!(content["readme"], "## Inside\n\nQuarterly reports.");
    assert_eq!(content["connections"][0]["url"], Value::Null);
    let missing = call(&service.router, "get_endpoint", json!({"path": "bob/none"})).await;
    assert_eq!(missing["result"]["isError"], true);
    assert_eq!(missing["result"]["structuredContent"]["error_type"], "endpoint_not_found");
    let wrong = call(&service.router, "get_endpoint", json!({"path": "nonsense"})).await;
    assert_eq!(wrong["error"]["code"], -32602);
}

#[tokio::test]
async fn health_is_told_with_the_share_of_the_last_day() {
    let service = service();
    let answer = call(&service.router, "endpoint_health", json!({"path": "bob/docs"})).await;
    let content = &answer["result"]["structuredContent"];
    assert_eq!((&content["state"], &content["uptime"]["uptime_pct"]), (&json!("healthy"), &json!(91.67)));
    assert_eq!(content["checked_at"], "2023-11-14T22:13:20.000000Z");
}

#[tokio::test]
async fn documents_are_found_without_a_model() {
    let service = service();
    let arguments = json!({"query": "documents", "data_sources": ["bob/docs"], "top_k": 3});
    let answer = call(&service.router, "search_documents", arguments).await;
    let content = &answer["result"]["structuredContent"];
    let found = json!([{"path": "bob/docs", "title": "Q3", "content": "Margins rose"}]);
    assert_eq!(content["documents"], found, "{answer}");
    assert_eq!(content["sources"][0]["status"], "success");
    let asked = service.seen.asked.lock().unwrap().take().unwrap();
    assert!(asked.retrieval_only);
    assert_eq!((asked.top_k, asked.data_sources.len()), (3, 1));
    assert_eq!(asked.model.unwrap().url, "");
    for arguments in [json!({"query": "x"}), json!({"query": "x", "data_sources": []})] {
        let wrong = call(&service.router, "search_documents", arguments).await;
        assert!(wrong["error"]["message"].as_str().unwrap().contains("data_sources"), "{wrong}");
    }
}

#[tokio::test]
async fn publishing_and_changing_are_the_hubs_to_judge() {
    let service = service();
    let endpoint = json!({"name": "Notes", "type": "data_source", "tags": ["a"]});
    let answer = call(&service.router, "publish_endpoint", endpoint.clone()).await;
    let content = &answer["result"]["structuredContent"];
    assert_eq!(
        (&content["path"], &content["endpoint"]["name"]),
        (&json!("ada/notes"), &json!("Notes")),
        "{answer}"
    );
    assert!(!answer.to_string().contains("hush"), "secrets of connections stay at the hub");
    let wrong = call(&service.router, "publish_endpoint", json!({"name": "x", "type": "robot"})).await;
    assert_eq!(wrong["error"]["code"], -32602);
    assert!(wrong["error"]["message"].as_str().unwrap().starts_with("type: "), "{wrong}");

    let change = json!({"path": "bob/docs", "description": "New"});
    let answer = call(&service.router, "update_endpoint", change).await;
    assert_eq!(answer["result"]["structuredContent"]["path"], "bob/docs", "{answer}");
    for arguments in [json!({"description": "x"}), json!({"path": "bob/docs", "slug": "other"})] {
        let wrong = call(&service.router, "update_endpoint", arguments).await;
        assert_eq!(wrong["error"]["code"], -32602, "{wrong}");
    }
    let unknown = call(&service.router, "update_endpoint", json!({"path": "bob/none"})).await;
    assert_eq!(unknown["result"]["isError"], true);
    let sent: Vec<Value> =
        service.seen.published.lock().unwrap().iter().map(|s| s.parse().unwrap()).collect();
    assert_eq!(sent, [endpoint, json!({"description": "New"})]);
}

#[tokio::test]
async fn every_tool_says_what_goes_in_and_what_comes_out() {
    let service = service();
    let tools = ask(&service, "tools/list", json!({})).await["result"]["tools"].clone();
    for tool in tools.as_array().unwrap() {
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
        assert_eq!(tool["outputSchema"]["required"], json!(["success"]), "{tool}");
        assert!(tool["annotations"]["readOnlyHint"].is_boolean() && tool["title"].is_string(), "{tool}");
    }
}

#[tokio::test]
async fn endpoints_are_resources_that_page() {
    let service = service();
    let first = ask(&service, "resources/list", json!({})).await["result"].clone();
    let resources = first["resources"].as_array().unwrap();
    assert_eq!(resources.len(), 5);
    assert_eq!(resources[1]["uri"], "syfthub://bob/docs");
    assert_eq!(resources[1]["mimeType"], "text/markdown");
    assert_eq!(first["nextCursor"], "5");
    let second = ask(&service, "resources/list", json!({"cursor": "5"})).await["result"].clone();
    assert_eq!(second["resources"][0]["uri"], "syfthub://bob/late");
    assert_eq!(second["nextCursor"], Value::Null);
    let odd = ask(&service, "resources/list", json!({"cursor": "x"})).await;
    assert_eq!(odd["error"]["code"], -32602);

    let read = ask(&service, "resources/read", json!({"uri": "syfthub://bob/docs"})).await["result"].clone();
    let text = read["contents"][0]["text"].as_str().unwrap();
    assert!(text.starts_with("# Docs\n\n* Path: bob/docs") && text.contains("Quarterly reports."), "{text}");
    let facts: Value = read["contents"][1]["text"].as_str().unwrap().parse().unwrap();
    assert_eq!(facts["stars_count"], 3);
    for uri in ["syfthub://bob/none", "syfthub://bob", "file:///etc/passwd"] {
        let missing = ask(&service, "resources/read", json!({"uri": uri})).await;
        assert_eq!(
            (&missing["error"]["code"], &missing["error"]["data"]["uri"]),
            (&json!(-32002), &json!(uri))
        );
    }
}

#[tokio::test]
async fn owners_and_slugs_are_completed() {
    let service = service();
    let templates = ask(&service, "resources/templates/list", json!({})).await;
    let template = templates["result"]["resourceTemplates"][0]["uriTemplate"].clone();
    assert_eq!(template, "syfthub://{owner}/{slug}");
    let complete = async |name: &str, value: &str, owner: Option<&str>| {
        let mut params = json!({
            "ref": {"type": "ref/resource", "uri": template},
            "argument": {"name": name, "value": value},
        });
        if let Some(owner) = owner {
            params["context"] = json!({"arguments": {"owner": owner}});
        }
        ask(&service, "completion/complete", params).await["result"]["completion"]["values"].clone()
    };
    assert_eq!(complete("owner", "b", None).await, json!(["bob", "bert"]));
    assert_eq!(complete("slug", "", Some("bob")).await, json!(["docs", "llm"]));
    assert_eq!(complete("slug", "d", Some("bob")).await, json!(["docs"]));
    assert_eq!(complete("other", "", None).await, json!([]));
    let prompt =
        json!({"ref": {"type": "ref/prompt", "name": "ask"}, "argument": {"name": "query", "value": "x"}});
    let answer = ask(&service, "completion/complete", prompt).await;
    assert_eq!(answer["result"]["completion"]["values"], json!([]));
}

#[tokio::test]
async fn presets_are_prompts() {
    let service = service();
    let list = ask(&service, "prompts/list", json!({})).await["result"]["prompts"].clone();
    let names: Vec<&str> = list.as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["ask", "bob/briefing"]);
    assert_eq!(list[1]["arguments"][0]["required"], true);
    let params = json!({"name": "bob/briefing", "arguments": {"query": "say \"hi\""}});
    let got = ask(&service, "prompts/get", params).await;
    let text = got["result"]["messages"][0]["content"]["text"].as_str().unwrap();
    assert!(text.contains(r#""model":"bob/llm""#) && text.contains(r#"["bob/docs"]"#), "{text}");
    assert!(text.contains(r#""say \"hi\"""#) && text.contains(r#""Be \"brief\"""#), "{text}");
    for name in ["bob/none", "nonsense"] {
        let missing = ask(&service, "prompts/get", json!({"name": name, "arguments": {"query": "x"}})).await;
        assert_eq!(missing["error"]["code"], -32602, "{missing}");
    }
}

#[tokio::test]
async fn a_hub_that_is_down_is_an_error_without_details() {
    let service = service();
    service.seen.directory_down.store(true, std::sync::atomic::Ordering::SeqCst);
    let answer = send(&service.router, post("/mcp", &method("resources/list", &json!({})))).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["error"]["code"], -32603);
    assert!(!answer.text.contains("database"), "{}", answer.text);
}
