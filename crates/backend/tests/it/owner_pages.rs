//! `/{owner}` and `/{owner}/{slug}`.

use axum::body::Body;
use http::{Method, StatusCode};
use serde_json::json;

use crate::actor::TestApp;
use crate::shorthand::each;

#[tokio::test]
async fn an_owners_page_shows_what_the_viewer_may_see() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let eve = app.user("eve").await;
    for number in 0..12 {
        bob.publish(&format!("notes-{number}"), json!({})).await;
    }
    bob.publish("mine", json!({"visibility": "private"})).await;
    for who in [&anon, &eve] {
        let first = each(&who.get("/BOB").await.expect(StatusCode::OK), "slug");
        assert_eq!((first.len(), first[0].as_str()), (10, "notes-11"));
        let rest = each(&who.get("/bob?skip=10&limit=100").await.expect(StatusCode::OK), "slug");
        assert_eq!(rest, ["notes-1", "notes-0"]);
    }
    assert_eq!(each(&bob.get("/bob?limit=1").await.expect(StatusCode::OK), "slug"), ["mine"]);
    assert_eq!(anon.get("/nobody").await.refused(404), "'nobody' not found");
    anon.get("/bob?limit=101").await.refused(422);
}

#[tokio::test]
async fn hidden_endpoints_ask_guests_to_sign_in_and_tell_users_nothing() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let (eve, root) = (app.user("eve").await, app.admin().await);
    for visibility in ["private", "internal"] {
        bob.publish(visibility, json!({"visibility": visibility})).await;
        let path = format!("/bob/{visibility}");
        anon.get(&path).await.refused(401);
        assert_eq!(eve.get(&path).await.refused(404), "Owner or endpoint not found");
        for who in [&bob, &root] {
            assert!(who.get(&path).await.expect(StatusCode::OK)["id"].is_i64(), "in full");
        }
    }
    assert_eq!(anon.get("/bob/nothing").await.refused(404), "Owner or endpoint not found");
    anon.get("/nobody/nothing").await.refused(404);
}

#[tokio::test]
async fn guests_get_the_public_shape() {
    let (_app, anon, bob) = TestApp::start().await.with_user("bob").await;
    bob.publish("notes", json!({})).await;
    let shown = anon.get("/Bob/Notes").await.expect(StatusCode::OK);
    assert_eq!(shown["owner_username"], "bob");
    assert_eq!(shown.get("id"), None);
}

#[tokio::test]
async fn people_get_a_page_and_programs_json() {
    let (_app, anon, bob) = TestApp::start().await.with_user("bob").await;
    bob.publish("notes", json!({})).await;
    for (accept, agent, html) in [
        ("text/html", "curl/8", true),
        ("text/html,application/xhtml+xml", "Mozilla/5.0", true),
        ("*/*", "Mozilla/5.0", true),
        ("application/json", "Mozilla/5.0", false),
        ("*/*", "python-httpx/0.27", false),
    ] {
        let answer = anon
            .having(Method::GET, "/bob/notes", &[("accept", accept), ("user-agent", agent)], Body::empty())
            .await;
        let kind = answer.is(200).header("content-type");
        assert_eq!(kind.starts_with("text/html"), html, "{accept} {agent}: {kind}");
        let vary =
            answer.headers.get_all("vary").iter().map(|value| value.to_str().unwrap().to_ascii_lowercase());
        let vary = vary.collect::<Vec<_>>().join(",");
        assert!(vary.contains("accept") && vary.contains("user-agent"), "{vary}");
    }
}

#[tokio::test]
async fn people_are_told_in_words_that_there_is_nothing_for_them() {
    let (_app, anon, bob) = TestApp::start().await.with_user("bob").await;
    bob.publish("hidden", json!({"visibility": "private"})).await;
    for (path, status, words) in [
        ("/nobody", 404, "'nobody' not found"),
        ("/bob/nothing", 404, "Owner or endpoint not found"),
        ("/bob/hidden", 401, "Authentication required to access this endpoint"),
    ] {
        let page = anon.get_with(path, "accept", "text/html").await;
        let text = &page.is(status).text;
        assert!(
            text.contains("<!doctype html>") && text.contains(&words.replace('\'', "&#39;")),
            "{path}: {text}"
        );
        assert!(page.header("vary").to_ascii_lowercase().contains("accept"));
        let answer = anon.get_with(path, "accept", "application/json").await;
        assert_eq!(answer.is(status).json()["detail"], words, "{path}");
    }
}

#[tokio::test]
async fn nothing_that_an_owner_writes_becomes_markup() {
    let (_app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>";
    let more = json!({"name": evil, "description": evil, "readme": format!("# {evil}\n[x](javascript:alert(3))"),
        "connect": [{"type": evil.get(..40), "config": {"url": format!("javascript:{evil}")}}]});
    bob.publish("evil", more).await;
    for path in ["/bob/evil", "/bob"] {
        let page = anon.get_with(path, "accept", "text/html").await;
        let text = &page.is(200).text;
        assert!(text.contains("&lt;script&gt;"), "{path}");
        for forbidden in ["<script", "<img", "href=\"javascript", "onclick="] {
            assert!(!text.contains(forbidden), "{path} {forbidden}");
        }
        let policy = page.header("content-security-policy");
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert!(!policy.contains("script-src"), "nothing runs: {policy}");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
    }
}
