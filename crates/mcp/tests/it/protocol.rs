//! Both eras of the protocol, and a real client.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode};
use rmcp::ServiceExt;
use rmcp::model::{CallToolRequestParams, GetPromptRequestParams};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};
use syfthub_web::serve::Shutdown;

use crate::client::{method, post, send, service};
use crate::hub::TOKEN;

#[tokio::test]
async fn the_earlier_era_needs_no_session() {
    let service = service();
    let hello = json!({
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"},
    });
    for path in ["/mcp", "/mcp/", "/"] {
        let answer = send(&service.router, post(path, &method("initialize", &hello))).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text);
        assert!(!answer.headers.contains_key("mcp-session-id"));
        let result = answer.json()["result"].clone();
        assert_eq!(result["protocolVersion"], "2025-06-18");
        assert_eq!(result["serverInfo"]["name"], "SyftHub MCP Server");
    }
    let answer = send(&service.router, post("/mcp", &method("tools/list", &json!({})))).await;
    assert_eq!(answer.json()["result"]["tools"].as_array().map(Vec::len), Some(7));
    let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(send(&service.router, post("/mcp", &note)).await.status, StatusCode::ACCEPTED);
}

fn modern(name: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "t", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    method(name, &params)
}

#[tokio::test]
async fn the_present_era_is_stateless() {
    let service = service();
    let ask = |name: &'static str, params: Value| {
        let mut asked = post("/mcp", &modern(name, params));
        let headers = asked.headers_mut();
        headers.insert("mcp-protocol-version", HeaderValue::from_static("2026-07-28"));
        headers.insert("mcp-method", HeaderValue::from_static(name));
        asked
    };
    let answer = send(&service.router, ask("server/discover", json!({}))).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert!(answer.text.contains("2026-07-28"));
    let answer = send(&service.router, ask("tools/list", json!({}))).await;
    let result = answer.json()["result"].clone();
    assert_eq!((&result["resultType"], &result["cacheScope"]), (&json!("complete"), &json!("private")));
    assert!(result["ttlMs"].as_u64().is_some());
    let answer = send(&service.router, ask("no/such", json!({}))).await;
    assert_eq!(answer.json()["error"]["code"], -32601);
}

#[tokio::test]
async fn the_tools_are_those_that_clients_know() {
    let service = service();
    let answer = send(&service.router, post("/mcp", &method("tools/list", &json!({})))).await;
    let tools = answer.json()["result"]["tools"].clone();
    assert_eq!(tools[0]["name"], "discover_syfthub_endpoints");
    assert_eq!(tools[0]["title"], "Discover SyftHub Endpoints");
    assert_eq!(tools[0]["annotations"]["readOnlyHint"], true);
    assert_eq!(tools[0]["annotations"]["idempotentHint"], true);
    assert_eq!(tools[1]["name"], "chat_with_syfthub");
    assert_eq!(tools[1]["annotations"]["readOnlyHint"], false);
    assert_eq!(tools[1]["annotations"]["openWorldHint"], true);
    assert_eq!(tools[1]["inputSchema"]["required"], json!(["prompt", "model"]));
    assert_eq!(tools[1]["inputSchema"]["properties"]["prompt"]["maxLength"], 4000);
}

#[tokio::test]
async fn a_real_client_lists_calls_and_prompts() {
    // The client's HTTP library wants a cryptographic provider even for plain HTTP.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let service = service();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let shutdown = Shutdown::default();
    let serving =
        syfthub_web::serve::serve(listener, service.router, shutdown.clone(), Duration::from_secs(2));
    let using = async {
        let config = StreamableHttpClientTransportConfig::with_uri(url).auth_header(TOKEN);
        let client = ().serve(StreamableHttpClientTransport::from_config(config)).await.unwrap();
        assert_eq!(client.list_all_tools().await.unwrap().len(), 7);

        let arguments =
            json!({"prompt": "How are margins?", "model": "bob/llm", "data_sources": ["bob/docs"]});
        let call = CallToolRequestParams::new("chat_with_syfthub")
            .with_arguments(arguments.as_object().unwrap().clone());
        let result = client.call_tool(call).await.unwrap();
        assert_eq!(result.is_error, Some(false));
        assert_eq!(result.structured_content.unwrap()["response"], "Margins rose [bob/docs].");

        let ask = GetPromptRequestParams::new("ask")
            .with_arguments(json!({"query": "why?"}).as_object().unwrap().clone());
        let prompt = client.get_prompt(ask).await.unwrap();
        assert_eq!(prompt.messages.len(), 1);
        client.cancel().await.unwrap();
        shutdown.trigger();
    };
    let (served, ()) = tokio::join!(serving, using);
    served.unwrap();
    drop(service.app);
}
