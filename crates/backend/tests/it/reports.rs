//! Health reports of nodes, and where endpoints are served.

use http::StatusCode;
use serde_json::{Value, json};

use crate::actor::TestApp;

fn report(url: &str, slugs: &[&str]) -> Value {
    let endpoints: Vec<Value> = slugs
        .iter()
        .map(|slug| json!({"slug": slug, "status": "healthy", "checked_at": "2027-01-15T08:00:00Z"}))
        .collect();
    json!({"url": url, "ttl_seconds": 60, "endpoints": endpoints})
}

#[tokio::test]
async fn a_report_says_how_endpoints_are_and_where() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let eve = app.user("eve").await;
    let connect = json!([{"type": "http", "config": {"url": "/v1/ask"}}, {"type": "ws", "config": {"url": "live"}},
        {"type": "http", "config": {"url": "https://fixed.example/x"}}]);
    let made = bob.publish("notes", json!({"connect": connect})).await;
    eve.publish("notes", json!({})).await;
    anon.post("/api/v1/endpoints/health", &report("http://h.example", &["notes"])).await.refused(401);
    assert_eq!(
        anon.get("/api/v1/endpoints/public/bob/notes").await.expect(StatusCode::OK)["health_status"],
        Value::Null
    );

    let answer = bob
        .post("/api/v1/endpoints/health", &report("https://h.example:8443/path", &["notes", "unknown"]))
        .await;
    assert_eq!(answer.expect(StatusCode::OK), json!({"updated": 1, "ignored": 1}));
    let shown = anon.get("/api/v1/endpoints/public/bob/notes").await.expect(StatusCode::OK);
    let listed = anon.get("/api/v1/endpoints/public/by-owner/bob").await.expect(StatusCode::OK);
    for shown in [&shown, &listed[0]] {
        assert_eq!((&shown["health_status"], &shown["updated_at"]), (&json!("healthy"), &made["updated_at"]));
        let urls: Vec<&Value> =
            shown["connect"].as_array().unwrap().iter().map(|c| &c["config"]["url"]).collect();
        let expected =
            ["https://h.example:8443/v1/ask", "wss://h.example:8443/live", "https://fixed.example/x"];
        assert_eq!(urls, expected);
    }
    let path = format!("/api/v1/endpoints/{}", made["id"]);
    let mine = bob.get(&path).await.expect(StatusCode::OK);
    assert_eq!(mine["health_ttl_seconds"], 60);
    assert_eq!(
        anon.get("/api/v1/endpoints/public/eve/notes").await.expect(StatusCode::OK)["health_status"],
        Value::Null
    );

    // Reading and sending back must not freeze today's address into the endpoint.
    bob.patch(&path, &json!({"connect": mine["connect"]})).await.expect(StatusCode::OK);
    bob.post("/api/v1/endpoints/health", &report("http://moved.example", &["notes"]))
        .await
        .expect(StatusCode::OK);
    let moved = anon.get("/api/v1/endpoints/public/bob/notes").await.expect(StatusCode::OK);
    assert_eq!(moved["connect"][0]["config"]["url"], "http://moved.example/v1/ask");
    assert_eq!(bob.get("/api/v1/auth/me").await.expect(StatusCode::OK)["domain"], "http://moved.example");
}

#[tokio::test]
async fn bad_reports_name_every_field() {
    let (_app, _anon, bob) = TestApp::start().await.with_user("bob").await;
    let bad = json!({"url": "ftp://x", "ttl_seconds": 0, "endpoints": [{"slug": "x", "status": "fine", "checked_at": "soon"}]});
    let answer = bob.post("/api/v1/endpoints/health", &bad).await;
    assert_eq!(answer.refused_fields(), ["slug", "status", "checked_at", "ttl_seconds", "url"]);
    let many: Vec<&str> = vec!["notes"; 301];
    assert_eq!(
        bob.post("/api/v1/endpoints/health", &report("http://h", &many)).await.refused_fields(),
        ["endpoints"]
    );
    assert_eq!(
        bob.post("/api/v1/endpoints/health", &report("http://u:p@h", &["notes"])).await.refused_fields(),
        ["url"]
    );
    assert_eq!(
        bob.post("/api/v1/endpoints/health", &report("http://h", &[])).await.refused_fields(),
        ["endpoints"]
    );
}

#[tokio::test]
async fn a_tunnel_has_the_name_of_its_user() {
    let (app, _anon, bob) = TestApp::start().await.with_user("bob").await;
    app.user("eve").await;
    let answer = bob.post("/api/v1/endpoints/health", &report("tunneling:eve", &["notes"])).await;
    assert_eq!(answer.refused_fields(), ["url"]);
    bob.post("/api/v1/endpoints/health", &report("tunneling:bob", &["notes"])).await.expect(StatusCode::OK);
    assert_eq!(bob.get("/api/v1/auth/me").await.expect(StatusCode::OK)["domain"], "tunneling:bob");
}

#[tokio::test]
async fn a_move_is_shown_whichever_endpoints_the_report_names() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    bob.publish("notes", json!({"connect": [{"type": "http", "config": {"url": "/a"}}]})).await;
    let listed =
        async || anon.get("/api/v1/endpoints/public").await.json()[0]["connect"][0]["config"]["url"].clone();
    assert_eq!(listed().await, "/a");
    bob.post("/api/v1/endpoints/health", &report("http://h.example", &["unknown"]))
        .await
        .expect(StatusCode::OK);
    assert_eq!(listed().await, "http://h.example/a");
    let changed = async || bob.get("/api/v1/auth/me").await.json()["updated_at"].clone();
    let before = changed().await;
    app.clock.advance(std::time::Duration::from_secs(5));
    bob.post("/api/v1/endpoints/health", &report("http://h.example", &["notes"]))
        .await
        .expect(StatusCode::OK);
    assert_eq!(changed().await, before, "a report from the same place changes no account");
}
