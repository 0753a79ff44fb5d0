//! Publishing and changing endpoints: checks 9 to 13 and 16 of the contract.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use syfthub_domain::{Clock as _, UserId};

use crate::actor::{Actor, TestApp};
use crate::shorthand::new_endpoint;

const PATH: &str = "/api/v1/endpoints";

async fn publish(actor: &Actor, body: Value) -> Value {
    actor.post(PATH, &body).await.expect(StatusCode::CREATED)
}

#[tokio::test]
async fn an_endpoint_starts_with_the_defaults_of_the_contract() {
    let (_app, anon, user) = TestApp::start().await.with_user("bob").await;
    anon.post(PATH, &json!({"name": "x", "type": "model"})).await.refused(401);
    let made = publish(&user, json!({"name": "My  Model!", "type": "model"})).await;
    insta::assert_json_snapshot!(made, @r#"
    {
      "id": 1,
      "user_id": 1,
      "name": "My  Model!",
      "slug": "my-model",
      "description": "",
      "type": "model",
      "visibility": "public",
      "is_active": true,
      "archived": false,
      "contributors": [
        1
      ],
      "version": "0.1.0",
      "readme": "",
      "tags": [],
      "stars_count": 0,
      "policies": [],
      "connect": [],
      "created_at": "2027-01-15T08:00:00.000000Z",
      "updated_at": "2027-01-15T08:00:00.000000Z",
      "health_status": null,
      "health_checked_at": null,
      "health_ttl_seconds": null
    }
    "#);
}

#[tokio::test]
async fn slugs_are_unique_per_owner_and_follow_the_pattern() {
    let (app, _, user) = TestApp::start().await.with_user("bob").await;
    let body = |slug: &str| json!({"name": "n", "type": "model", "slug": slug});
    for bad in ["Upper", "a--b", "-ab", "ab-", "docs", "ab"] {
        assert_eq!(user.post(PATH, &body(bad)).await.refused_fields(), ["slug"], "{bad}");
    }
    publish(&user, body("good")).await;
    let taken = user.post(PATH, &body("good")).await.refused(400);
    assert!(taken.as_str().unwrap().starts_with("slug already exists - already taken"));
    publish(&app.user("eve").await, body("good")).await;
    let derived = publish(&user, json!({"name": "Good", "type": "model"})).await;
    assert_eq!(derived["slug"], "good-1");
}

#[tokio::test]
async fn hidden_endpoints_are_for_their_owner_and_admins() {
    let (app, anon, user) = TestApp::start().await.with_user("bob").await;
    let (eve, admin) = (app.user("eve").await, app.admin().await);
    for visibility in ["private", "internal"] {
        let made =
            publish(&user, json!({"name": visibility, "type": "model", "visibility": visibility})).await;
        let path = format!("{PATH}/{}", made["id"]);
        user.get(&path).await.expect(StatusCode::OK);
        admin.get(&path).await.expect(StatusCode::OK);
        eve.get(&path).await.refused(404);
        anon.get(&path).await.refused(401);
        eve.post(&format!("{path}/star"), &json!({})).await.refused(404);
        let page = format!("/bob/{}", made["slug"].as_str().unwrap());
        user.get(&page).await.expect(StatusCode::OK);
        anon.get(&page).await.refused(401);
        assert_eq!(eve.get(&page).await.refused(404), "Owner or endpoint not found");
    }
    assert_eq!(anon.get("/BOB").await.expect(StatusCode::OK), json!([]));
    assert_eq!(user.get("/bob").await.json().as_array().unwrap().len(), 2);
    assert_eq!(anon.get("/nobody").await.refused(404), "'nobody' not found");
    anon.get("/bob/nothing").await.refused(404);
}

#[tokio::test]
async fn only_the_owner_or_an_admin_changes_it() {
    let (app, _, user) = TestApp::start().await.with_user("bob").await;
    let (eve, admin) = (app.user("eve").await, app.admin().await);
    let made = publish(&user, json!({"name": "Mine", "type": "model"})).await;
    let path = format!("{PATH}/{}", made["id"]);
    assert_eq!(eve.patch(&path, &json!({"name": "Hers"})).await.refused(403)["code"], "PERMISSION_DENIED");
    eve.delete(&path).await.refused(403);
    eve.delete(&format!("{PATH}/slug/mine")).await.refused(404);
    app.clock.advance(Duration::from_secs(1));
    let changed =
        admin.patch(&path, &json!({"description": "by the admin", "type": "agent", "slug": "x"})).await;
    let changed = changed.expect(StatusCode::OK);
    assert_eq!((&changed["type"], &changed["slug"]), (&json!("model"), &json!("mine")));
    assert_eq!(changed["updated_at"], "2027-01-15T08:00:01.000000Z");
    assert_eq!(user.get(&format!("{PATH}/MINE/exists")).await.json(), json!(true));
    assert_eq!(user.delete(&format!("{PATH}/slug/MINE")).await.status, StatusCode::NO_CONTENT);
    user.get(&path).await.refused(404);
    assert_eq!(user.get(&format!("{PATH}/mine/exists")).await.json(), json!(false));
    user.get(&format!("{PATH}/abc")).await.refused(422);
}

#[tokio::test]
async fn bad_fields_are_all_named_and_nested_values_survive() {
    let (_app, _, user) = TestApp::start().await.with_user("bob").await;
    let bad = json!({"name": "", "type": "tool", "version": "1", "policies": [{"type": "", "version": "1"}]});
    let mut fields = user.post(PATH, &bad).await.refused_fields();
    fields.sort();
    assert_eq!(fields, ["name", "type", "type", "version", "version"]);
    let config = json!({"z": [1, {"deep": null}], "a": {"b": "ü\u{2028}"}});
    let body = json!({"name": "n", "type": "agent", "policies": [{"type": "p", "config": config}], "connect": [{"type": "mcp", "config": config}]});
    let made = publish(&user, body).await;
    assert_eq!(made["policies"][0]["config"].to_string(), config.to_string());
    assert_eq!(made["connect"][0]["config"].to_string(), config.to_string());
    let nul = user.post(PATH, &json!({"name": "a\u{0}b", "type": "model"})).await;
    nul.refused(422);
}

#[tokio::test]
async fn prepaid_is_added_once_and_kept() {
    let (_app, _, user) = TestApp::start().await.with_user("bob").await;
    let made = publish(
        &user,
        json!({"name": "n", "type": "model", "tags": ["A", "a"], "policies": [{"type": "Xendit"}]}),
    )
    .await;
    assert_eq!(made["tags"], json!(["a", "prepaid"]));
    let path = format!("{PATH}/{}", made["id"]);
    let changed = user.patch(&path, &json!({"policies": []})).await.expect(StatusCode::OK);
    assert_eq!(changed["tags"], json!(["a", "prepaid"]));
}

#[tokio::test]
async fn archiving_hides_and_unarchiving_does_not_publish() {
    let (_app, _, user) = TestApp::start().await.with_user("bob").await;
    let made = publish(&user, json!({"name": "n", "type": "model"})).await;
    let path = format!("{PATH}/{}", made["id"]);
    let archived = user.patch(&path, &json!({"archived": true})).await.json();
    assert_eq!((&archived["archived"], &archived["visibility"]), (&json!(true), &json!("private")));
    let back = user.patch(&path, &json!({"archived": false})).await.json();
    assert_eq!((&back["archived"], &back["visibility"]), (&json!(false), &json!("private")));
}

#[tokio::test]
async fn policies_are_picked_for_the_viewer_and_the_owner_sees_all() {
    let (app, anon, user) = TestApp::start().await.with_user("bob").await;
    let eve = app.user("eve").await;
    let policies =
        json!([{"type": "for-all"}, {"type": "for-eve", "config": {"applied_to": ["EVE@example.com"]}}]);
    publish(&user, json!({"name": "My Data", "type": "data_source", "policies": policies})).await;
    let types = |answer: Value| -> Vec<String> {
        answer["policies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["type"].as_str().unwrap().to_owned())
            .collect()
    };
    for path in ["/bob/my-data", "/api/v1/endpoints/public/Bob/my-data"] {
        assert_eq!(types(anon.get(path).await.json()), ["for-all"], "{path}");
        assert_eq!(types(eve.get(path).await.json()), ["for-eve"], "{path}");
        assert_eq!(types(user.get(path).await.json()), ["for-all", "for-eve"], "{path}");
    }
    for path in ["/bob", "/api/v1/endpoints/public"] {
        assert_eq!(types(eve.get(path).await.json()[0].clone()), ["for-eve"], "{path}");
        assert_eq!(types(anon.get(path).await.json()[0].clone()), ["for-all"], "{path}");
    }
}

#[tokio::test]
async fn a_health_report_sets_status_and_address_without_touching_the_order() {
    let (app, anon, user) = TestApp::start().await.with_user("bob").await;
    publish(&user, json!({"name": "Notes", "type": "data_source", "connect": [{"type": "http", "config": {"url": "/x"}}]})).await;
    let listed = anon.get("/api/v1/endpoints/public").await.json();
    assert_eq!(listed[0]["connect"][0]["config"]["url"], "/x");
    app.clock.advance(Duration::from_secs(9));
    let report = json!({"url": "http://127.0.0.1:8010/ignored", "ttl_seconds": 3600, "endpoints": [
        {"slug": "notes", "status": "healthy", "checked_at": "2099-01-01T00:00:00Z"},
        {"slug": "unknown", "status": "healthy", "checked_at": "2027-01-15T08:00:00Z"}]});
    let reported = user.post("/api/v1/endpoints/health", &report).await.expect(StatusCode::OK);
    assert_eq!(reported, json!({"updated": 1, "ignored": 1}));
    let listed = anon.get("/api/v1/endpoints/public").await.json();
    assert_eq!(listed[0]["connect"][0]["config"]["url"], "http://127.0.0.1:8010/x");
    assert_eq!(listed[0]["health_status"], "healthy");
    assert_eq!(listed[0]["health_checked_at"], "2027-01-15T08:00:09.000000Z");
    assert_eq!(listed[0]["updated_at"], "2027-01-15T08:00:00.000000Z");
    let own = user.get(PATH).await.json();
    assert_eq!(own[0]["health_ttl_seconds"], 1800);
    // A client that sends back what it read does not freeze the address into the row.
    let path = format!("{PATH}/{}", own[0]["id"]);
    user.patch(&path, &json!({"connect": own[0]["connect"]})).await.expect(StatusCode::OK);
    let moved = json!({"url": "http://127.0.0.1:9999", "endpoints": [{"slug": "notes", "status": "unhealthy", "checked_at": "2027-01-15T08:00:00Z"}]});
    user.post("/api/v1/endpoints/health", &moved).await.expect(StatusCode::OK);
    assert_eq!(user.get(&path).await.json()["connect"][0]["config"]["url"], "http://127.0.0.1:9999/x");
    let bad = json!({"url": "h.example", "endpoints": [], "ttl_seconds": 0});
    assert_eq!(
        user.post("/api/v1/endpoints/health", &bad).await.refused_fields(),
        ["endpoints", "ttl_seconds", "url"]
    );
}

#[tokio::test]
async fn contributors_are_active_users_and_the_owner() {
    let (app, _, user) = TestApp::start().await.with_user("bob").await;
    let eve = app.user("eve").await;
    let made =
        publish(&user, json!({"name": "n", "type": "model", "contributors": [eve.id, 4711, eve.id]})).await;
    assert_eq!(made["contributors"], json!([eve.id, user.id]));
}

#[tokio::test]
async fn an_account_has_at_most_a_thousand_endpoints() {
    let (app, _anon, bob) = TestApp::start().await.with_user("bob").await;
    let mut tx = app.db.begin().await.unwrap();
    for number in 1..1000 {
        let new = new_endpoint(UserId(bob.id), &format!("slug-{number}"));
        syfthub_store::endpoints::insert(&mut tx, &new, app.clock.now()).await.unwrap();
    }
    tx.commit().await.unwrap();
    bob.publish("the-last", json!({})).await;
    let refused = bob.post("/api/v1/endpoints", &json!({"name": "Too many", "type": "model"})).await;
    assert!(refused.refused(400).as_str().unwrap().contains("at most 1000 endpoints"));
}
