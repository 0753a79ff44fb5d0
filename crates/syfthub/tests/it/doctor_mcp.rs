//! `syfthub doctor mcp`: what a proxy does to the way of an MCP client.

use axum::Router;
use axum::response::{Html, IntoResponse as _, Redirect};
use axum::routing::any;
use tempfile::TempDir;

use crate::hub::{Hub, run, stderr, stdout};

#[test]
fn a_hub_without_a_proxy_is_in_order() {
    let hub = Hub::start(&["--no-demo"]);
    let output = run(hub.directory.path(), &["doctor", "mcp", &hub.url]);
    let text = stdout(&output);
    assert!(output.status.success(), "{text}{}", stderr(&output));
    let good = text.lines().filter(|line| line.starts_with("ok ")).count();
    assert_eq!(good, 14, "address, nine documents, keys, two calls, web pages: {text}");
}

/// A proxy that gives its web app for everything it does not know, and sends `/mcp` elsewhere.
fn proxy_of_a_web_app() -> Router {
    Router::new()
        .route("/mcp", any(|| async { Redirect::temporary("/mcp/") }))
        .fallback(|| async { Html("<title>app</title>").into_response() })
}

#[tokio::test]
async fn a_proxy_that_answers_itself_is_told_of_path_by_path() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asking =
        tokio::task::spawn_blocking(move || run(TempDir::new().unwrap().path(), &["doctor", "mcp", &url]));
    let output = tokio::select! {
        ended = axum::serve(listener, proxy_of_a_web_app()).into_future() => panic!("the proxy ended: {ended:?}"),
        output = asking => output.unwrap(),
    };
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for said in [
        "/.well-known/oauth-protected-resource/mcp answers 200 OK with `text/html` instead of JSON",
        "/mcp/.well-known/openid-configuration answers 200 OK with `text/html` instead of JSON",
        "POST /mcp answers 307 Temporary Redirect instead of 401",
        "POST /mcp/ answers 200 OK instead of 401",
        "OPTIONS /mcp/oauth/token does not let other origins in",
    ] {
        assert!(text.contains(said), "{said}:\n{text}");
    }
    let faults = text.lines().filter(|line| line.starts_with("FAULT")).count();
    let fixes = text.lines().filter(|line| line.trim_start().starts_with("fix:")).count();
    assert_eq!((faults, fixes), (13, 13), "each fault says what to do: {text}");
}
