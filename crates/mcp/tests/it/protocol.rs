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

/// A request of the present era, with headers of one's own choice.
fn present(
    name: &str,
    params: Value,
    headers: &[(&'static str, &str)],
) -> axum::http::Request<axum::body::Body> {
    let mut asked = post("/mcp", &modern(name, params));
    for (header, value) in headers {
        asked.headers_mut().insert(*header, HeaderValue::try_from(*value).unwrap());
    }
    asked
}

#[tokio::test]
async fn headers_and_body_of_the_present_era_have_to_agree() {
    let service = service();
    let version = ("mcp-protocol-version", "2026-07-28");
    let call = || json!({"name": "get_endpoint", "arguments": {"path": "bob/docs"}});
    for (name, params, headers) in [
        ("tools/list", json!({}), vec![("mcp-protocol-version", "2025-11-25"), ("mcp-method", "tools/list")]),
        ("tools/list", json!({}), vec![("mcp-method", "tools/list")]),
        ("tools/list", json!({}), vec![version]),
        ("tools/list", json!({}), vec![version, ("mcp-method", "prompts/list")]),
        ("tools/call", call(), vec![version, ("mcp-method", "tools/call")]),
        ("tools/call", call(), vec![version, ("mcp-method", "tools/call"), ("mcp-name", "other")]),
        (
            "resources/read",
            json!({"uri": "syfthub://bob/docs"}),
            vec![version, ("mcp-method", "resources/read")],
        ),
    ] {
        let answer = send(&service.router, present(name, params, &headers)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{name} {headers:?}: {}", answer.text);
        let answer = answer.json();
        assert_eq!(
            (&answer["error"]["code"], &answer["id"]),
            (&json!(-32020), &json!(1)),
            "{name} {headers:?}"
        );
    }
    let good = [version, ("mcp-method", "tools/call"), ("mcp-name", "get_endpoint")];
    let answer = send(&service.router, present("tools/call", call(), &good)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.json()["result"]["resultType"], "complete");
}

#[tokio::test]
async fn an_unknown_version_is_told_the_known_ones() {
    let service = service();
    let mut asked = modern("tools/list", json!({}));
    asked["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2031-01-01");
    let mut asked = post("/mcp", &asked);
    asked.headers_mut().insert("mcp-protocol-version", HeaderValue::from_static("2031-01-01"));
    asked.headers_mut().insert("mcp-method", HeaderValue::from_static("tools/list"));
    let answer = send(&service.router, asked).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let error = answer.json()["error"].clone();
    assert_eq!((&error["code"], &error["data"]["requested"]), (&json!(-32022), &json!("2031-01-01")));
    assert!(error["data"]["supported"].as_array().unwrap().contains(&json!("2026-07-28")), "{error}");
}

#[tokio::test]
async fn what_the_present_era_does_not_have_is_not_found() {
    let service = service();
    for name in ["no/such", "ping", "logging/setLevel", "resources/subscribe", "initialize"] {
        let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", name)];
        let answer = send(&service.router, present(name, json!({}), &headers)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{name}: {}", answer.text);
        assert_eq!(answer.json()["error"]["code"], -32601, "{name}");
    }
    for verb in ["GET", "DELETE", "PUT"] {
        let mut asked = post("/mcp", &json!({}));
        *asked.method_mut() = verb.parse().unwrap();
        let answer = send(&service.router, asked).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{verb}");
        assert_eq!(answer.headers["allow"], "POST");
        assert_eq!(answer.json()["error"]["code"], -32600, "{verb}");
    }
}

#[tokio::test]
async fn every_earlier_version_is_spoken_and_a_later_one_is_answered_with_the_newest() {
    let service = service();
    let hello = |version: &str| json!({"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let answer = send(&service.router, post("/mcp", &method("initialize", &hello(version)))).await;
        assert_eq!(answer.json()["result"]["protocolVersion"], version);
        let mut asked = post("/mcp", &method("tools/list", &json!({})));
        asked.headers_mut().insert("mcp-protocol-version", HeaderValue::try_from(version).unwrap());
        // Whatever session a client brings along from a server of before.
        asked.headers_mut().insert("mcp-session-id", HeaderValue::from_static("0123456789abcdef"));
        assert_eq!(send(&service.router, asked).await.status, StatusCode::OK, "{version}");
    }
    let answer = send(&service.router, post("/mcp", &method("initialize", &hello("2019-01-01")))).await;
    assert_eq!(answer.json()["result"]["protocolVersion"], "2025-11-25");
    let resources = answer.json()["result"]["capabilities"]["resources"].clone();
    assert_eq!(resources, json!({}), "there is no session to subscribe in");
    let mut odd = post("/mcp", &method("tools/list", &json!({})));
    odd.headers_mut().insert("mcp-protocol-version", HeaderValue::from_static("2019-01-01"));
    let answer = send(&service.router, odd).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (StatusCode::BAD_REQUEST, &json!(-32600)));
}

#[tokio::test]
async fn clients_may_be_brief_about_what_they_accept() {
    let service = service();
    let list = || post("/mcp", &method("tools/list", &json!({})));
    for accept in ["application/json", "*/*", "application/json;q=0.9, text/html"] {
        let mut asked = list();
        asked.headers_mut().insert("accept", HeaderValue::from_static(accept));
        assert_eq!(send(&service.router, asked).await.status, StatusCode::OK, "{accept}");
    }
    let mut bare = list();
    bare.headers_mut().remove("accept");
    assert_eq!(send(&service.router, bare).await.status, StatusCode::OK);
    let mut page = list();
    page.headers_mut().insert("accept", HeaderValue::from_static("text/html"));
    let answer = send(&service.router, page).await;
    assert_eq!(
        (answer.status, &answer.json()["error"]["code"]),
        (StatusCode::NOT_ACCEPTABLE, &json!(-32600))
    );
    let mut form = list();
    form.headers_mut().insert("content-type", HeaderValue::from_static("text/plain"));
    assert_eq!(send(&service.router, form).await.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn what_is_no_message_is_refused_in_the_shape_of_one() {
    let service = service();
    let batch = json!([method("tools/list", &json!({})), method("ping", &json!({}))]);
    for body in [batch, json!({}), json!("x"), json!({"jsonrpc": "1.0", "id": 1, "method": "ping"})] {
        let answer = send(&service.router, post("/mcp", &body)).await;
        assert!(answer.status.is_client_error(), "{body}: {}", answer.status);
        let code = answer.json()["error"]["code"].as_i64();
        assert!(matches!(code, Some(-32600 | -32700)), "{body}: {}", answer.text);
    }
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
