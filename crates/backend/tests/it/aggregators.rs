//! The aggregators that users chose.

use http::StatusCode;
use serde_json::{Value, json};

use crate::actor::{Actor, TestApp};
use crate::shorthand::each;

const PATH: &str = "/api/v1/users/me/aggregators";

async fn add(user: &Actor, name: &str, more: Value) -> Value {
    let mut body = json!({"name": name, "url": "https://a.example.org"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    user.post(PATH, &body).await.expect(StatusCode::CREATED)
}

async fn default_of(user: &Actor) -> Value {
    let list = user.get(&format!("{PATH}?envelope=1")).await.expect(StatusCode::OK);
    let marked: Vec<&Value> =
        list["aggregators"].as_array().unwrap().iter().filter(|item| item["is_default"] == true).collect();
    assert!(marked.len() <= 1, "{list}");
    let id = marked.first().map_or(Value::Null, |item| item["id"].clone());
    assert_eq!(list["default_aggregator_id"], id);
    id
}

#[tokio::test]
async fn the_first_one_is_the_default_and_there_is_never_a_second() {
    let (_app, anon, bob) = TestApp::start().await.with_user("bob").await;
    anon.get(PATH).await.refused(401);
    assert_eq!(bob.get(PATH).await.json(), json!([]));
    let first = add(&bob, "first", json!({})).await;
    assert_eq!((&first["is_default"], &first["user_id"]), (&json!(true), &json!(bob.id)));
    let second = add(&bob, "second", json!({"is_default": true})).await;
    add(&bob, "third", json!({})).await;
    assert_eq!(default_of(&bob).await, second["id"]);
    assert_eq!(each(&bob.get(PATH).await.json(), "name"), ["third", "second", "first"]);
    let path = format!("{PATH}/{}", first["id"]);
    let chosen = bob.patch(&format!("{path}/default"), &json!({})).await.expect(StatusCode::OK);
    assert_eq!(chosen["is_default"], true);
    assert_eq!(default_of(&bob).await, first["id"]);
    bob.delete(&path).await.is(204);
    bob.get(&path).await.refused(404);
    let newest = bob.get(PATH).await.json()[0].clone();
    assert_eq!((&newest["name"], &newest["is_default"]), (&json!("third"), &json!(true)));
}

#[tokio::test]
async fn a_change_leaves_out_what_is_null() {
    let (_app, _, bob) = TestApp::start().await.with_user("bob").await;
    let made = add(&bob, "first", json!({})).await;
    let path = format!("{PATH}/{}", made["id"]);
    let body = json!({"name": null, "url": "http://127.0.0.1:8001/x", "is_default": null});
    let after = bob.put(&path, &body).await.expect(StatusCode::OK);
    assert_eq!((&after["name"], &after["is_default"]), (&json!("first"), &json!(true)));
    assert_eq!(after["url"], "http://127.0.0.1:8001/x");
    assert_eq!(bob.get(&path).await.json(), after);
    let off = bob.put(&path, &json!({"is_default": false})).await.expect(StatusCode::OK);
    assert_eq!(off["is_default"], false);
    assert_eq!(default_of(&bob).await, Value::Null);
}

#[tokio::test]
async fn those_of_others_are_refused_and_bad_fields_are_all_named() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let eve = app.user("eve").await;
    let path = format!("{PATH}/{}", add(&bob, "first", json!({})).await["id"]);
    for answer in [
        eve.get(&path).await,
        eve.put(&path, &json!({"name": "mine"})).await,
        eve.patch(&format!("{path}/default"), &json!({})).await,
        eve.delete(&path).await,
    ] {
        assert!(answer.refused(403).is_string());
    }
    anon.get(&path).await.refused(401);
    eve.get(&format!("{PATH}/999999")).await.refused(404);
    eve.get(&format!("{PATH}/abc")).await.refused(422);
    for url in ["not an address", "ftp://example.org", "https://", "http://user@host"] {
        assert_eq!(bob.post(PATH, &json!({"url": url})).await.refused_fields(), ["name", "url"], "{url}");
        assert_eq!(bob.put(&path, &json!({"name": "", "url": url})).await.refused_fields(), ["name", "url"]);
    }
    for number in 1..50 {
        add(&bob, &number.to_string(), json!({})).await;
    }
    assert!(bob.post(PATH, &json!({"name": "x", "url": "http://a"})).await.refused(400).is_string());
}

#[tokio::test]
async fn changes_at_the_same_time_leave_one_default() {
    let (_app, _, bob) = TestApp::start_on_postgres().await.with_user("bob").await;
    let more = json!({"is_default": true});
    let made =
        futures::future::join_all((0..6).map(|n| add(&bob, ["a", "b", "c", "d", "e", "f"][n], more.clone())))
            .await;
    assert_ne!(default_of(&bob).await, Value::Null);
    let paths: Vec<String> = made.iter().map(|item| format!("{PATH}/{}", item["id"])).collect();
    let changes = paths.iter().enumerate().map(async |(n, path)| match n % 2 {
        0 => bob.delete(path).await.is(204).status,
        _ => bob.patch(&format!("{path}/default"), &json!({})).await.is(200).status,
    });
    futures::future::join_all(changes).await;
    assert_ne!(default_of(&bob).await, Value::Null);
}
