//! What administrators do with accounts, and what nobody can do to the last of them.

use http::StatusCode;
use serde_json::json;
use syfthub_domain::ErrorCode;

use crate::actor::{Actor, PASSWORD, TestApp};

fn path(user: &Actor, end: &str) -> String {
    format!("/api/v1/users/{}{end}", user.id)
}

#[tokio::test]
async fn accounts_are_listed_for_administrators_and_read_by_themselves() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let (eve, root) = (app.user("eve").await, app.admin().await);
    let names = |answer: serde_json::Value| -> Vec<String> {
        answer.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(root.get("/api/v1/users/").await.json()), ["bob", "eve", "root-1"]);
    assert_eq!(names(root.get("/api/v1/users?skip=1&limit=1").await.json()), ["eve"]);
    bob.get("/api/v1/users").await.refused(403);
    anon.get("/api/v1/users").await.refused(401);
    bob.get(&path(&bob, "")).await.expect(StatusCode::OK);
    root.get(&path(&bob, "")).await.expect(StatusCode::OK);
    assert_eq!(eve.get(&path(&bob, "")).await.refused(403)["code"], "PERMISSION_DENIED");
    eve.put(&path(&bob, ""), &json!({"bio": "x"})).await.refused(403);
    eve.delete(&path(&bob, "")).await.refused(403);
    root.get("/api/v1/users/999").await.refused(404);
    assert_eq!(root.put(&path(&bob, ""), &json!({"bio": "x"})).await.expect(StatusCode::OK)["bio"], "x");
}

#[tokio::test]
async fn a_deactivated_account_is_out_at_once_and_hidden() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let root = app.admin().await;
    bob.publish("weather", json!({})).await;
    let token = bob.post("/api/v1/auth/tokens", &json!({"name": "t"})).await.expect(StatusCode::CREATED);
    let holder = app.with_token(token["token"].as_str().unwrap());
    holder.get("/api/v1/auth/me").await.expect(StatusCode::OK);
    assert!(anon.get("/api/v1/endpoints/public").await.text.contains("weather"));

    bob.patch(&path(&bob, "/deactivate"), &json!({})).await.refused(403);
    let after = root.send(http::Method::PATCH, &path(&bob, "/deactivate"), None).await.expect(StatusCode::OK);
    assert_eq!(after["is_active"], false);
    bob.get("/api/v1/auth/me").await.refused(401);
    holder.get("/api/v1/auth/me").await.refused(401);
    anon.post("/api/v1/auth/refresh", &json!({"refresh_token": bob.refresh})).await.refused(401);
    anon.get("/api/v1/users/public/bob").await.refused(404);
    assert_eq!(anon.get("/api/v1/endpoints/public").await.json(), json!([]));
    assert_eq!(anon.get("/api/v1/endpoints/public/owners").await.json()["total_count"], 0);
    let found = anon.post("/api/v1/endpoints/search", &json!({"query": "weather"})).await.json();
    assert_eq!(found["total"], 0, "{found}");
    anon.get("/bob/weather").await.refused(404);

    root.patch(&path(&bob, "/activate"), &json!({})).await.expect(StatusCode::OK);
    assert!(anon.get("/api/v1/endpoints/public").await.text.contains("weather"));
    bob.get("/api/v1/auth/me").await.refused(401);
    holder.get("/api/v1/auth/me").await.expect(StatusCode::OK);
    let form = format!("username=bob&password={}", PASSWORD.replace(' ', "+"));
    anon.form("/api/v1/auth/login", &form).await.expect(StatusCode::OK);
    root.patch("/api/v1/users/999/activate", &json!({})).await.refused(404);
    root.patch("/api/v1/users/999/deactivate", &json!({})).await.refused(404);
}

#[tokio::test]
async fn is_active_is_for_administrators_and_never_about_oneself() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let root = app.admin().await;
    bob.put("/api/v1/users/me", &json!({"is_active": false})).await.refused(403);
    bob.put("/api/v1/users/me", &json!({"is_active": true})).await.expect(StatusCode::OK);
    let detail = root.patch(&path(&root, "/deactivate"), &json!({})).await.refused(422);
    assert_eq!(detail["code"], "VALIDATION_ERROR");
    assert_eq!(
        root.put("/api/v1/users/me", &json!({"is_active": false})).await.refused(422)["code"],
        "VALIDATION_ERROR"
    );
    root.put(&path(&bob, ""), &json!({"is_active": false})).await.expect(StatusCode::OK);
    bob.get("/api/v1/auth/me").await.refused(401);
}

#[tokio::test]
async fn a_deleted_account_leaves_nothing() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let eve = app.user("eve").await;
    bob.publish("weather", json!({})).await;
    let notes = eve.publish("notes", json!({})).await;
    bob.post(&format!("/api/v1/endpoints/{}/star", notes["id"]), &json!({}))
        .await
        .expect(StatusCode::CREATED);
    assert_eq!(anon.get("/api/v1/endpoints/public/eve/notes").await.json()["stars_count"], 1);
    bob.get("/api/v1/auth/me").await.expect(StatusCode::OK);
    assert_eq!(bob.delete(&path(&bob, "")).await.status, StatusCode::NO_CONTENT);
    bob.get("/api/v1/auth/me").await.refused(401);
    anon.post("/api/v1/auth/refresh", &json!({"refresh_token": bob.refresh})).await.refused(401);
    anon.get("/api/v1/users/public/bob").await.refused(404);
    anon.get("/bob").await.refused(404);
    assert_eq!(anon.get("/api/v1/endpoints/public/eve/notes").await.json()["stars_count"], 0);
    assert!(!anon.get("/api/v1/endpoints/public").await.text.contains("weather"));
    let found = anon.post("/api/v1/endpoints/search", &json!({"query": "weather"})).await.json();
    assert_eq!(found["total"], 0);
    let root = app.admin().await;
    assert_eq!(root.delete(&path(&eve, "")).await.status, StatusCode::NO_CONTENT);
    root.delete(&path(&eve, "")).await.refused(404);
}

#[tokio::test]
async fn the_last_administrator_cannot_be_taken_away() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let root = app.admin().await;
    assert_eq!(root.delete(&path(&root, "")).await.refused(409)["code"], "CONFLICT");
    assert_eq!(app.app.demote("root-1").await.unwrap_err().code, ErrorCode::Conflict);
    assert_eq!(app.app.demote("bob").await.unwrap_err().code, ErrorCode::Conflict, "bob is none");
    app.app.promote("bob").await.unwrap();
    root.get("/api/v1/users").await.expect(StatusCode::OK);
    app.app.demote("ROOT-1").await.unwrap();
    root.get("/api/v1/users").await.refused(403);
    root.get("/api/v1/auth/me").await.expect(StatusCode::OK);
    bob.delete(&path(&bob, "")).await.refused(409);
    app.app.promote("root-1").await.unwrap();
    root.patch(&path(&bob, "/deactivate"), &json!({})).await.expect(StatusCode::OK);
    assert_eq!(app.app.demote("root-1").await.unwrap_err().code, ErrorCode::Conflict, "bob is switched off");
    assert_eq!(app.app.list_admins().await.unwrap(), ["root-1"]);
}

async fn somebody_stays(app: &TestApp) {
    for _ in 0..5 {
        app.app.promote("bob").await.unwrap();
        app.app.promote("root-1").await.unwrap();
        let (first, second) = tokio::join!(app.app.demote("bob"), app.app.demote("root-1"));
        assert!(first.is_ok() != second.is_ok(), "one of two: {first:?} {second:?}");
        assert_eq!(app.app.list_admins().await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn of_two_administrators_who_demote_each_other_one_stays() {
    let (app, _, _) = TestApp::start().await.with_user("bob").await;
    app.admin().await;
    Box::pin(somebody_stays(&app)).await;
}

#[tokio::test]
async fn of_two_administrators_who_demote_each_other_one_stays_on_postgres() {
    let (app, _, _) = TestApp::start_on_postgres().await.with_user("bob").await;
    app.admin().await;
    Box::pin(somebody_stays(&app)).await;
}

#[tokio::test]
async fn of_two_administrators_who_delete_or_deactivate_each_other_one_stays() {
    let (app, _, bob) = TestApp::start_on_postgres().await.with_user("bob").await;
    let root = app.admin().await;
    app.app.promote("bob").await.unwrap();
    let (gone, off) = (path(&bob, ""), path(&root, "/deactivate"));
    let nothing = json!({});
    let (first, second) = tokio::join!(root.delete(&gone), bob.patch(&off, &nothing));
    assert!(first.status.is_success() != second.status.is_success(), "{} {}", first.text, second.text);
    assert_eq!(app.app.list_admins().await.unwrap().len(), 1);
}
