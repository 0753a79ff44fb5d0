//! Presets: saved, shared, found by our own services.

use http::StatusCode;
use serde_json::{Value, json};
use syfthub_domain::{Error, ErrorCode};
use syfthub_proto::directory::{ListPresetsRequest, ResolvePresetRequest};
use syfthub_rpc::status::from_status;
use syfthub_rpc::{Caller, stubs};

use crate::actor::{Actor, TestApp};
use crate::shorthand::each;

const PATH: &str = "/api/v1/presets";

fn preset(slug: &str, more: Value) -> Value {
    let mut body = json!({"name": "Research", "slug": slug, "model": "mia/writer", "sources": ["ada/notes"]});
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body
}

async fn save(user: &Actor, slug: &str, more: Value) -> Value {
    user.post(PATH, &preset(slug, more)).await.expect(StatusCode::CREATED)
}

#[tokio::test]
async fn a_preset_is_saved_changed_and_removed() {
    let (_app, anon, bob) = TestApp::start().await.with_user("bob").await;
    anon.post(PATH, &preset("research", json!({}))).await.refused(401);
    let more = json!({"system_prompt": "Be brief.", "top_k": 3, "temperature": 0.25, "sources": ["ada/a", "ada/b", "ada/a"]});
    let made = save(&bob, "research", more).await;
    assert_eq!(made["path"], "bob/research");
    assert_eq!(made["sources"], json!(["ada/a", "ada/b"]));
    assert_eq!((&made["visibility"], &made["max_tokens"]), (&json!("private"), &Value::Null));
    let path = format!("{PATH}/bob/research");
    assert_eq!(bob.get(&path).await.expect(StatusCode::OK), made);
    assert_eq!(bob.get(&format!("{PATH}/BOB/Research")).await.expect(StatusCode::OK), made);
    let change =
        json!({"top_k": null, "max_tokens": 99, "name": null, "slug": "other", "visibility": "public"});
    let after = bob.patch(&path, &change).await.expect(StatusCode::OK);
    assert_eq!((&after["top_k"], &after["max_tokens"]), (&Value::Null, &json!(99)));
    assert_eq!((&after["name"], &after["slug"]), (&json!("Research"), &json!("research")));
    assert_eq!(after["system_prompt"], "Be brief.");
    assert_eq!(anon.get(&path).await.expect(StatusCode::OK), after);
    let derived = bob.post(PATH, &json!({"name": "Research", "model": "mia/writer"})).await;
    assert_eq!(derived.expect(StatusCode::CREATED)["slug"], "research-1");
    let list = bob.get(&format!("{PATH}?page_size=1")).await.expect(StatusCode::OK);
    assert_eq!((&list["total"], each(&list["items"], "slug")), (&json!(2), vec!["research".to_owned()]));
    bob.delete(&path).await.is(204);
    bob.get(&path).await.refused(404);
    bob.delete(&path).await.refused(404);
}

#[tokio::test]
async fn a_private_preset_is_nobody_elses_and_a_public_one_only_its_owners_to_change() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let eve = app.user("eve").await;
    save(&bob, "mine", json!({})).await;
    save(&bob, "ours", json!({"visibility": "public"})).await;
    save(&eve, "hers", json!({})).await;
    let (mine, ours) = (format!("{PATH}/bob/mine"), format!("{PATH}/bob/ours"));
    anon.get(&mine).await.refused(404);
    eve.get(&mine).await.refused(404);
    eve.patch(&mine, &json!({"name": "x"})).await.refused(404);
    eve.delete(&mine).await.refused(404);
    eve.get(&ours).await.is(200);
    eve.patch(&ours, &json!({"name": "x"})).await.refused(403);
    eve.delete(&ours).await.refused(403);
    let seen = async |who: &Actor| {
        let list = who.get(&format!("{PATH}/public")).await.expect(StatusCode::OK);
        assert_eq!(list["total"].as_u64().unwrap(), list["items"].as_array().unwrap().len() as u64);
        let mut paths = each(&list["items"], "path");
        paths.sort();
        paths
    };
    assert_eq!(seen(&anon).await, ["bob/ours"]);
    assert_eq!(seen(&eve).await, ["bob/ours", "eve/hers"]);
    app.admin().await.delete(&mine).await.is(204);
    eve.get(PATH).await.is(200);
    eve.delete(&format!("/api/v1/users/{}", eve.id)).await.is(204);
    assert_eq!(seen(&anon).await, ["bob/ours"]);
}

#[tokio::test]
async fn endpoints_and_presets_share_names() {
    let (_app, _, bob) = TestApp::start().await.with_user("bob").await;
    bob.publish("notes", json!({})).await;
    assert!(bob.post(PATH, &preset("notes", json!({}))).await.refused(409).is_string());
    save(&bob, "research", json!({})).await;
    let body = json!({"name": "Research", "slug": "research", "type": "model"});
    assert!(bob.post("/api/v1/endpoints", &body).await.refused(400).to_string().contains("already"));
    let derived = bob.post("/api/v1/endpoints", &json!({"name": "Research", "type": "model"})).await;
    assert_eq!(derived.expect(StatusCode::CREATED)["slug"], "research-1");
    // A replacement of all endpoints leaves presets alone, and their names taken.
    let sync = json!({"endpoints": [{"name": "R", "slug": "research", "type": "model"}]});
    bob.post("/api/v1/endpoints/sync", &sync).await.refused(400);
    bob.post("/api/v1/endpoints/sync", &json!({"endpoints": []})).await.is(200);
    bob.get(&format!("{PATH}/bob/research")).await.is(200);
    bob.delete(&format!("{PATH}/bob/research")).await.is(204);
    bob.publish("research", json!({})).await;
}

#[tokio::test]
async fn bad_fields_are_all_named_and_there_is_a_limit() {
    let (_app, _, bob) = TestApp::start().await.with_user("bob").await;
    let body = json!({
        "slug": "X", "model": "nobody", "sources": ["a/b", "c"], "system_prompt": 3, "top_k": 21, "max_tokens": 0,
        "temperature": 2.5, "similarity_threshold": -1, "visibility": "internal", "description": "x".repeat(501),
    });
    let mut named = bob.post(PATH, &body).await.refused_fields();
    named.sort();
    assert_eq!(
        named,
        [
            "description",
            "max_tokens",
            "model",
            "name",
            "similarity_threshold",
            "slug",
            "sources",
            "system_prompt",
            "temperature",
            "top_k",
            "visibility"
        ]
    );
    let many: Vec<String> = (0..11).map(|n| format!("ada/n{n}")).collect();
    assert_eq!(bob.post(PATH, &preset("much", json!({"sources": many}))).await.refused_fields(), ["sources"]);
    save(&bob, "good", json!({})).await;
    let path = format!("{PATH}/bob/good");
    assert_eq!(bob.patch(&path, &json!({"model": "X", "top_k": 0})).await.refused_fields().len(), 2);
    for number in 1..200 {
        save(&bob, &format!("p-{number}"), json!({})).await;
    }
    assert!(bob.post(PATH, &preset("more", json!({}))).await.refused(400).to_string().contains("200"));
}

#[tokio::test]
async fn our_services_resolve_what_the_caller_may_see() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let eve = app.user("eve").await;
    save(&bob, "mine", json!({"temperature": 0.5, "top_k": 4, "system_prompt": "Be brief."})).await;
    save(&bob, "ours", json!({"visibility": "public"})).await;
    let mut directory = stubs::directory_client(app.peer(Caller::Aggregator));
    let mut resolve = async |credential: Option<&Actor>, path: &str| {
        let credential = credential.and_then(|actor| actor.token.clone()).unwrap_or_default();
        let request = ResolvePresetRequest { credential, path: path.to_owned() };
        directory.resolve_preset(request).await.map(|answer| answer.into_inner().preset.unwrap())
    };
    let mine = resolve(Some(&bob), "Bob/mine").await.unwrap();
    assert_eq!(
        (mine.owner_username.as_str(), mine.slug.as_str(), mine.model.as_str()),
        ("bob", "mine", "mia/writer")
    );
    assert_eq!((mine.temperature, mine.top_k, mine.max_tokens), (Some(0.5), Some(4), None));
    assert_eq!((mine.sources, mine.system_prompt.as_str()), (vec!["ada/notes".to_owned()], "Be brief."));
    assert_eq!(resolve(None, "bob/ours").await.unwrap().system_prompt, "");
    for (who, path) in
        [(Some(&eve), "bob/mine"), (None, "bob/mine"), (None, "bob/no"), (None, "x"), (None, "a\0/b")]
    {
        let error: Error = from_status(&resolve(who, path).await.unwrap_err());
        assert_eq!(error.code, ErrorCode::NotFound, "{path:?}");
    }
    let mut directory = stubs::directory_client(app.peer(Caller::Aggregator));
    let mut list = async |credential: String, skip: u32, limit: u32| {
        let answer = directory.list_presets(ListPresetsRequest { credential, skip, limit }).await.unwrap();
        let answer = answer.into_inner();
        (answer.presets.into_iter().map(|preset| preset.slug).collect::<Vec<_>>(), answer.total)
    };
    assert_eq!(list(String::new(), 0, 100).await, (vec!["ours".to_owned()], 1));
    let (all, total) = list(bob.token.clone().unwrap(), 0, 0).await;
    assert_eq!((all.len(), total), (1, 2), "a page has one row at least");
}
