//! The API documents are complete in themselves.

use axum::Router;
use http::StatusCode;
use serde_json::json;

use crate::client::{get, stack};

fn router() -> Router {
    stack().wrap(syfthub_web::docs::router_of_json(&json!({"openapi": "3.1.0"})).unwrap())
}

#[tokio::test]
async fn pages_load_only_what_this_server_has() {
    for page in ["/docs", "/docs/", "/redoc"] {
        let answer = get(&router(), page).await;
        assert_eq!(answer.status, StatusCode::OK, "{page}");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"));
        let mut assets = 0;
        for part in answer.text.split(['"', '\'']).filter(|part| part.starts_with('/')) {
            let asset = get(&router(), part).await;
            assert_eq!(asset.status, StatusCode::OK, "{page} loads {part}");
            assert!(!asset.text.is_empty());
            assets += 1;
        }
        assert!(assets >= 2, "{page}");
        assert!(!answer.text.contains("://"), "{page} names another host");
    }
    assert_eq!(get(&router(), "/openapi.json").await.json(), json!({"openapi": "3.1.0"}));
    assert_eq!(get(&router(), "/docs/nothing.js").await.status, StatusCode::NOT_FOUND);
}
