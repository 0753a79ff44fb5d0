//! What goes wrong here is told to the hub, with the id of its request.

use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use serde_json::json;

use crate::client::{method, post, send, service};

#[tokio::test]
async fn a_hub_that_cannot_verify_and_a_tool_that_failed_are_told() {
    let service = service();
    let ask = async |body: &serde_json::Value| {
        let mut request = post("/mcp", body);
        request.headers_mut().insert("x-correlation-id", "my-request-1".parse().unwrap());
        send(&service.router, request).await
    };
    let list = method("tools/list", &json!({}));
    assert_eq!(ask(&list).await.status, StatusCode::OK);
    service.seen.down.store(true, Ordering::SeqCst);
    assert_eq!(ask(&list).await.status, StatusCode::SERVICE_UNAVAILABLE);
    service.seen.told.notified().await;
    service.seen.down.store(false, Ordering::SeqCst);
    service.seen.directory_down.store(true, Ordering::SeqCst);
    let call = method("tools/call", &json!({"name": "discover_syfthub_endpoints", "arguments": {}}));
    assert_eq!(ask(&call).await.json()["result"]["isError"], true);
    service.seen.told.notified().await;
    let reported = service.seen.reported.lock().unwrap();
    let facts: Vec<_> =
        reported.iter().map(|report| (report.method.as_str(), report.path.as_str(), report.status)).collect();
    assert_eq!(facts, [("POST", "/mcp", 503), ("MCP", "discover_syfthub_endpoints", 500)]);
    assert!(reported.iter().all(|report| report.correlation_id == "my-request-1"));
}
