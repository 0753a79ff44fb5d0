//! Long texts of endpoints: raw in JSON, safe on the page.

use http::StatusCode;
use serde_json::json;

use crate::actor::TestApp;

const README: &str = "# Tides\n\nAsk about **tides**.\n\n<script>alert(1)</script>\n\n\
    <a href=\"javascript:x()\" onclick=\"y()\">bad</a> [good](https://tides.example)\n\n\
    ![spy](https://spy.example/p.png)\n\n```\nfenced <b>\n```\n";

#[tokio::test]
async fn the_page_shows_markdown_and_no_tag_that_is_not_on_the_list() {
    let (_app, anon, bob) = TestApp::start().await.with_user("bob").await;
    bob.publish("tides", json!({"readme": README})).await;
    let page = anon.get_with("/bob/tides", "accept", "text/html").await;
    let text = &page.is(200).text;
    for part in [
        "<h1>Tides</h1>",
        "<strong>tides</strong>",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "<a href=\"https://tides.example\"",
        "fenced &lt;b&gt;",
        ">bad</a>",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    for part in ["<script", "javascript:", "onclick", "<img", "spy.example"] {
        assert!(!text.contains(part), "{part} is in {text}");
    }
}

#[tokio::test]
async fn json_has_it_as_it_was_written() {
    let (_app, anon, bob) = TestApp::start().await.with_user("bob").await;
    bob.publish("tides", json!({"readme": README})).await;
    assert_eq!(anon.get("/bob/tides").await.expect(StatusCode::OK)["readme"], README);
}

#[tokio::test]
async fn the_page_says_how_the_endpoint_is() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let connect = json!([{"type": "http", "config": {"url": "/x"}}, {"type": "mcp", "enabled": false, "config": {"url": "/y"}}]);
    let made =
        bob.publish("tides", json!({"connect": connect, "tags": ["sea"], "visibility": "private"})).await;
    let star = format!("/api/v1/endpoints/{}/star", made["id"]);
    bob.post(&star, &json!({})).await.is(201);
    let page = bob.get_with("/bob/tides", "accept", "text/html").await;
    for part in [
        "health unknown",
        ">private<",
        "1 star ·",
        "1 contributor<",
        "version 0.1.0",
        ">sea<",
        "<code>/x</code>",
        "(switched off)",
    ] {
        assert!(page.is(200).text.contains(part), "{part} is not in {}", page.text);
    }
    anon.get_with("/bob/tides", "accept", "text/html").await.is(401);
    for state in ["unhealthy", "unhealthy", "inactive"] {
        app.clock.advance(std::time::Duration::from_secs(31));
        app.app.check_endpoints().await.unwrap();
        let page = bob.get_with("/bob/tides", "accept", "text/html").await;
        assert!(page.text.contains(&format!("badge {state}")), "{}", page.text);
    }
}

#[tokio::test]
async fn an_owners_page_leads_to_the_next() {
    let (_app, anon, bob) = TestApp::start().await.with_user("bob").await;
    for number in 0..3 {
        bob.publish(&format!("notes-{number}"), json!({})).await;
    }
    let first = anon.get_with("/bob?limit=2", "accept", "text/html").await;
    assert!(first.is(200).text.contains("/bob?skip=2&amp;limit=2"), "{}", first.text);
    let second = anon.get_with("/bob?skip=2&limit=2", "accept", "text/html").await;
    assert!(
        second.text.contains("/bob?skip=0&amp;limit=2") && second.text.contains("notes-0"),
        "{}",
        second.text
    );
    assert!(!second.text.contains("older"), "{}", second.text);
}
