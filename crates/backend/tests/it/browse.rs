//! What everybody may browse, star and search: checks 14 and 15 of the contract.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::actor::{Actor, TestApp};

async fn publish(app: &TestApp, actor: &Actor, body: Value) -> i64 {
    app.clock.advance(Duration::from_secs(1));
    actor.post("/api/v1/endpoints", &body).await.expect(StatusCode::CREATED)["id"].as_i64().unwrap()
}

fn slugs(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["slug"].as_str().unwrap()).collect()
}

async fn three(app: &TestApp, user: &Actor) -> [i64; 3] {
    [
        publish(app, user, json!({"name": "Rain history", "type": "data_source", "tags": ["weather"], "description": "Rain since 1900"})).await,
        publish(app, user, json!({"name": "Chatter", "type": "model", "readme": "Talks about the weather at length."})).await,
        publish(app, user, json!({"name": "Both ways", "type": "model_data_source", "policies": [{"type": "fee"}]})).await,
    ]
}

#[tokio::test]
async fn public_items_show_no_ids() {
    let (app, anon, user) = TestApp::start().await.with_user("bob").await;
    publish(&app, &user, json!({"name": "Rain history", "type": "data_source"})).await;
    insta::assert_json_snapshot!(anon.get("/api/v1/endpoints/public").await.expect(StatusCode::OK), @r#"
    [
      {
        "name": "Rain history",
        "slug": "rain-history",
        "description": "",
        "type": "data_source",
        "owner_username": "bob",
        "contributors_count": 1,
        "version": "0.1.0",
        "readme": "",
        "tags": [],
        "stars_count": 0,
        "policies": [],
        "connect": [],
        "created_at": "2027-01-15T08:00:01.000000Z",
        "updated_at": "2027-01-15T08:00:01.000000Z",
        "health_status": null,
        "health_checked_at": null,
        "archived": false
      }
    ]
    "#);
}

#[tokio::test]
async fn listings_filter_page_and_order() {
    let (app, anon, user) = TestApp::start().await.with_user("bob").await;
    three(&app, &user).await;
    publish(&app, &user, json!({"name": "Hidden", "type": "model", "visibility": "private"})).await;
    let list = |query: &str| format!("/api/v1/endpoints/public?{query}");
    assert_eq!(slugs(&anon.get(&list("")).await.json()), ["both-ways", "chatter", "rain-history"]);
    assert_eq!(slugs(&anon.get(&list("skip=1&limit=1")).await.json()), ["chatter"]);
    assert_eq!(slugs(&anon.get(&list("endpoint_type=model")).await.json()), ["both-ways", "chatter"]);
    assert_eq!(slugs(&anon.get(&list("search=WEATHER")).await.json()), ["rain-history"]);
    assert_eq!(slugs(&anon.get(&list("search=bob")).await.json()).len(), 3);
    assert_eq!(
        anon.get(&list("limit=0&skip=-1&endpoint_type=x")).await.refused_fields(),
        ["skip", "limit", "endpoint_type"]
    );
    let free = anon.get("/api/v1/endpoints/guest-accessible").await.json();
    assert_eq!(slugs(&free), ["chatter", "rain-history"]);
    let owners = anon.get("/api/v1/endpoints/public/owners").await.json();
    assert_eq!(
        owners,
        json!({"owners": [{"username": "bob", "endpoint_count": 3, "model_count": 1, "data_source_count": 1}], "total_count": 1})
    );
    let groups = anon.get("/api/v1/endpoints/public/grouped?max_per_owner=2").await.json();
    assert_eq!(groups["groups"][0]["total_count"], 3);
    assert_eq!(groups["groups"][0]["has_more"], true);
    assert_eq!(slugs(&groups["groups"][0]["endpoints"]), ["both-ways", "chatter"]);
    assert_eq!(slugs(&anon.get("/api/v1/endpoints/public/by-owner/BOB").await.json()).len(), 3);
    assert_eq!(anon.get("/api/v1/endpoints/public/by-owner/nobody").await.json(), json!([]));
    anon.get("/api/v1/endpoints/public/bob/hidden").await.refused(404);
}

#[tokio::test]
async fn stars_count_once_per_user_and_order_the_trending_list() {
    let (app, anon, user) = TestApp::start().await.with_user("bob").await;
    let [rain, chatter, _] = three(&app, &user).await;
    let eve = app.user("eve").await;
    let star = |id: i64| format!("/api/v1/endpoints/{id}/star");
    assert_eq!(eve.post(&star(rain), &json!({})).await.expect(StatusCode::CREATED), json!({"starred": true}));
    assert_eq!(
        eve.post(&star(rain), &json!({})).await.expect(StatusCode::CREATED),
        json!({"starred": false})
    );
    user.post(&star(rain), &json!({})).await.expect(StatusCode::CREATED);
    user.post(&star(chatter), &json!({})).await.expect(StatusCode::CREATED);
    let trending = anon.get("/api/v1/endpoints/trending?min_stars=1").await.json();
    assert_eq!(slugs(&trending), ["rain-history", "chatter"]);
    assert_eq!(trending[0]["stars_count"], 2);
    assert_eq!(slugs(&anon.get("/api/v1/endpoints/trending?skip=1&limit=1").await.json()), ["chatter"]);
    assert_eq!(eve.get(&format!("{}red", star(rain))).await.json(), json!({"starred": true}));
    assert_eq!(eve.delete(&star(rain)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(eve.delete(&star(999)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(eve.get(&format!("{}red", star(rain))).await.json(), json!({"starred": false}));
    assert_eq!(anon.get("/api/v1/endpoints/trending").await.json()[0]["stars_count"], 1);
}

#[tokio::test]
async fn search_ranks_and_forgives_a_slip() {
    let (app, anon, user) = TestApp::start().await.with_user("bob").await;
    three(&app, &user).await;
    publish(&app, &user, json!({"name": "Secret weather", "type": "model", "visibility": "private"})).await;
    let search =
        async |body: Value| anon.post("/api/v1/endpoints/search", &body).await.expect(StatusCode::OK);
    let found = search(json!({"query": "weather"})).await;
    assert_eq!(slugs(&found["results"]), ["rain-history", "chatter"]);
    assert_eq!((&found["total"], &found["query"]), (&json!(2), &json!("weather")));
    let scores: Vec<f64> =
        found["results"].as_array().unwrap().iter().map(|r| r["relevance_score"].as_f64().unwrap()).collect();
    assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)) && scores[0] > scores[1], "{scores:?}");
    assert!(found["results"][0].get("archived").is_none());
    assert_eq!(slugs(&search(json!({"query": "wether"})).await["results"])[0], "rain-history");
    assert_eq!(slugs(&search(json!({"query": "weather", "type": "model"})).await["results"]), ["chatter"]);
    assert_eq!(slugs(&search(json!({"query": "weather", "top_k": 1})).await["results"]).len(), 1);
    assert_eq!(search(json!({"query": "zzzzqqq"})).await["total"], 0);
    assert_eq!(
        anon.post("/api/v1/endpoints/search", &json!({"query": "", "top_k": 51})).await.refused_fields(),
        ["query", "top_k"]
    );
}

#[tokio::test]
async fn listings_carry_a_tag_and_change_with_every_write() {
    let (app, anon, user) = TestApp::start().await.with_user("bob").await;
    let [rain, ..] = three(&app, &user).await;
    let path = "/api/v1/endpoints/public";
    let first = anon.get(path).await;
    let tag = first.header("etag").to_owned();
    let again = anon.get_with(path, "if-none-match", &tag).await;
    assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
    user.patch(&format!("/api/v1/endpoints/{rain}"), &json!({"name": "Snow"})).await.expect(StatusCode::OK);
    let changed = anon.get_with(path, "if-none-match", &tag).await;
    assert_eq!(changed.status, StatusCode::OK);
    assert!(changed.text.contains("Snow"));
    user.delete(&format!("/api/v1/endpoints/{rain}")).await;
    assert!(!anon.get(path).await.text.contains("Snow"));
}
