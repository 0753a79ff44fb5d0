//! Public listings: pages, filters, tags.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use crate::actor::{Actor, TestApp};
use crate::shorthand::each;

/// One endpoint of every type, oldest first.
async fn one_of_each(app: &TestApp, owner: &Actor) {
    for kind in ["model", "data_source", "model_data_source", "agent"] {
        owner.publish(&format!("my-{}", kind.replace('_', "-")), json!({"type": kind})).await;
        app.clock.advance(Duration::from_secs(1));
    }
}

async fn slugs(who: &Actor, path: &str) -> Vec<String> {
    each(&who.get(&format!("/api/v1/endpoints/{path}")).await.expect(StatusCode::OK), "slug")
}

#[tokio::test]
async fn type_filters_include_the_combined_type() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    one_of_each(&app, &bob).await;
    for (kind, expected) in [
        ("model", vec!["my-model-data-source", "my-model"]),
        ("data_source", vec!["my-model-data-source", "my-data-source"]),
        ("model_data_source", vec!["my-model-data-source"]),
        ("agent", vec!["my-agent"]),
    ] {
        for route in ["public", "guest-accessible", "trending"] {
            let path = format!("{route}?endpoint_type={kind}");
            assert_eq!(slugs(&anon, &path).await, expected, "{path}");
        }
    }
}

#[tokio::test]
async fn pages_join_without_gap_or_overlap() {
    let (_app, anon, bob) = TestApp::start().await.with_user("bob").await;
    for number in 0..7 {
        bob.publish(&format!("notes-{number}"), json!({})).await; // all at one moment of the clock
    }
    let expected: Vec<String> = (0..7).rev().map(|number| format!("notes-{number}")).collect();
    for route in ["public", "trending", "guest-accessible", "public/by-owner/bob"] {
        let mut seen = Vec::new();
        for skip in [0, 3, 6, 9] {
            seen.extend(slugs(&anon, &format!("{route}?skip={skip}&limit=3")).await);
        }
        assert_eq!(seen, expected, "{route}");
    }
    for bad in ["skip=-1", "limit=0", "limit=101", "limit=x", "limit=", "search="] {
        anon.get(&format!("/api/v1/endpoints/public?{bad}")).await.refused(422);
    }
    anon.get("/api/v1/endpoints/public/owners?limit=501").await.refused(422);
    anon.get("/api/v1/endpoints/public/grouped?max_per_owner=51").await.refused(422);
    anon.get("/api/v1/endpoints/trending?min_stars=-1").await.refused(422);
}

#[tokio::test]
async fn the_text_filter_knows_no_wildcards() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    app.user("ornithologist").await.publish("one", json!({"name": "Plain"})).await;
    bob.publish("two", json!({"name": "Albatross"})).await;
    bob.publish("three", json!({"description": "All about 100% ALBATROSSes"})).await;
    bob.publish("four", json!({"tags": ["albatross"]})).await;
    let found = async |text: &str| slugs(&anon, &format!("public?search={text}")).await;
    assert_eq!(found("albatros").await, ["four", "three", "two"]);
    assert_eq!(found("ORNITHO").await, ["one"]);
    assert_eq!(found("%25").await, ["three"]);
    assert_eq!(found("_").await, [""; 0]);
}

#[tokio::test]
async fn groups_say_how_much_they_leave_out() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    one_of_each(&app, &bob).await;
    bob.publish("hidden", json!({"visibility": "private"})).await;
    app.user("ann").await.publish("one", json!({})).await;
    let answer = anon.get("/api/v1/endpoints/public/grouped?max_per_owner=2").await.expect(StatusCode::OK);
    let groups = &answer["groups"];
    assert_eq!(each(groups, "owner_username"), ["bob", "ann"]);
    assert_eq!(each(&groups[0]["endpoints"], "slug"), ["my-agent", "my-model-data-source"]);
    assert_eq!((&groups[0]["total_count"], &groups[0]["has_more"]), (&json!(4), &json!(true)));
    assert_eq!((&groups[1]["total_count"], &groups[1]["has_more"]), (&json!(1), &json!(false)));
    let second = anon.get("/api/v1/endpoints/public/owners?skip=1&limit=1").await.expect(StatusCode::OK);
    assert_eq!(each(&second["owners"], "username"), ["ann"]);
    assert_eq!(second["total_count"], 2);
}

#[tokio::test]
async fn every_listing_has_a_tag_for_guests_and_users() {
    let (_app, anon, bob) = TestApp::start().await.with_user("bob").await;
    bob.publish("notes", json!({})).await;
    for path in
        ["public", "public/grouped", "public/owners", "public/by-owner/bob", "trending", "guest-accessible"]
    {
        let path = format!("/api/v1/endpoints/{path}");
        for who in [&anon, &bob] {
            let first = who.get(&path).await;
            let tag = first.is(200).header("etag");
            let same = who.get_with(&path, "if-none-match", tag).await;
            assert_eq!(
                (same.status.as_u16(), same.text.as_str(), same.header("etag")),
                (304, "", tag),
                "{path}"
            );
        }
    }
}
