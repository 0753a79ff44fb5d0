//! Replacing everything at once, and what only an admin sets.

use http::StatusCode;
use serde_json::{Value, json};

use crate::actor::{Actor, Answer, TestApp};
use crate::shorthand::each;

async fn sync(who: &Actor, items: &Value) -> Answer {
    who.post("/api/v1/endpoints/sync", &json!({ "endpoints": items })).await
}

#[tokio::test]
async fn a_sync_replaces_everything_of_the_caller_and_nothing_else() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let eve = app.user("eve").await;
    eve.publish("notes", json!({})).await;
    let old = bob.publish("old", json!({})).await;
    let kept = bob.publish("kept", json!({})).await;
    eve.post(&format!("/api/v1/endpoints/{}/star", kept["id"]), &json!({})).await.is(201);
    sync(&anon, &json!([])).await.refused(401);

    let items = json!([
        {"name": "Kept", "slug": "kept", "type": "model", "policies": [{"type": "xendit"}]},
        {"name": "My Model", "type": "model"},
        {"name": "My Model", "type": "agent", "archived": true},
        {"name": "Other", "slug": "my-model-1", "type": "model"},
    ]);
    let done = sync(&bob, &items).await.expect(StatusCode::OK);
    assert_eq!((&done["synced"], &done["deleted"]), (&json!(4), &json!(2)));
    assert_eq!(each(&done["endpoints"], "slug"), ["kept", "my-model", "my-model-2", "my-model-1"]);
    let first = &done["endpoints"][0];
    assert_eq!((&first["stars_count"], &first["tags"]), (&json!(0), &json!(["prepaid"])));
    assert_eq!(done["endpoints"][2]["visibility"], "private");
    bob.get(&format!("/api/v1/endpoints/{}", old["id"])).await.refused(404);
    anon.get("/api/v1/endpoints/public/eve/notes").await.is(200);
    let listed = anon.get("/api/v1/endpoints/public/by-owner/bob").await.expect(StatusCode::OK);
    assert_eq!(each(&listed, "slug"), ["my-model-1", "my-model", "kept"]);
    let found = anon.post("/api/v1/endpoints/search", &json!({"query": "old"})).await.expect(StatusCode::OK);
    assert_eq!(found["total"], 0, "the index forgot it");

    let none = sync(&bob, &json!([])).await.expect(StatusCode::OK);
    assert_eq!(none, json!({"synced": 0, "deleted": 4, "endpoints": []}));
}

#[tokio::test]
async fn a_bad_batch_changes_nothing() {
    let (_app, _anon, bob) = TestApp::start().await.with_user("bob").await;
    bob.publish("notes", json!({})).await;
    let twice =
        json!([{"name": "a", "slug": "abc", "type": "model"}, {"name": "b", "slug": "abc", "type": "model"}]);
    let detail = sync(&bob, &twice).await.refused(400);
    assert_eq!(detail["code"], "VALIDATION_ERROR");
    assert_eq!((&detail["errors"][0]["index"], &detail["errors"][0]["field"]), (&json!(1), &json!("slug")));
    let reserved = json!([{"name": "a", "slug": "api", "type": "model"}, {"name": "b", "type": "model"},
        {"name": "c", "slug": "docs", "type": "x"}]);
    let detail = sync(&bob, &reserved).await.refused(422);
    let places: Vec<String> =
        detail.as_array().unwrap().iter().map(|error| error["loc"].to_string()).collect();
    let expected = [
        r#"["body","endpoints",0,"slug"]"#,
        r#"["body","endpoints",2,"type"]"#,
        r#"["body","endpoints",2,"slug"]"#,
    ];
    assert_eq!(places, expected);
    let many = vec![json!({"name": "a", "type": "model"}); 301];
    assert_eq!(sync(&bob, &json!(many)).await.refused_fields(), ["endpoints"]);
    let own = bob.get("/api/v1/endpoints").await.expect(StatusCode::OK);
    assert_eq!(each(&own, "slug"), ["notes"]);
}

#[tokio::test]
async fn an_admin_switches_endpoints_off_and_on() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let root = app.admin().await;
    let made = bob.publish("notes", json!({})).await;
    let path = format!("/api/v1/endpoints/{}/admin", made["id"]);
    bob.patch(&path, &json!({"is_active": false})).await.refused(403);
    root.pat(&["write"]).await.patch(&path, &json!({})).await.refused(403);
    assert_eq!(root.patch(&path, &json!({"stars_count": -1})).await.refused_fields(), ["stars_count"]);
    root.patch("/api/v1/endpoints/999999/admin", &json!({})).await.refused(404);

    let off = root.patch(&path, &json!({"is_active": false, "stars_count": 7})).await.expect(StatusCode::OK);
    assert_eq!((&off["is_active"], &off["stars_count"]), (&json!(false), &json!(7)));
    assert_eq!(off["updated_at"], made["updated_at"], "it is not the owner's change");
    anon.get("/api/v1/endpoints/public/bob/notes").await.refused(404);
    let report =
        json!({"endpoints": [{"slug": "notes", "status": "healthy", "checked_at": "2027-01-15T08:00:00Z"}]});
    bob.post("/api/v1/endpoints/health", &report).await.is(200);
    anon.get("/api/v1/endpoints/public/bob/notes").await.refused(404);
    bob.patch("/api/v1/endpoints/slug/notes", &json!({"description": "still mine"})).await.is(200);
    root.patch(&path, &json!({"is_active": true})).await.is(200);
    anon.get("/api/v1/endpoints/public/bob/notes").await.is(200);
}
