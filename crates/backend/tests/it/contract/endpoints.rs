//! Endpoints: creation, visibility, ownership, pages of owners, sync, listings.

use serde_json::{Value, json};

use crate::actor::TestApp;
use crate::shorthand::{each, endpoint};

const ROOT: &str = "/api/v1/endpoints";

on_both! {
    async fn a_new_endpoint_has_the_defaults_of_the_contract(app: TestApp) {
        let (bob, eve) = (app.user("bob").await, app.user("eve").await);
        let body = json!({"name": "My Notes!", "type": "data_source"});
        app.anon().post(ROOT, &body).await.is(401);
        let made = bob.post(ROOT, &body).await.is(201).json();
        assert_eq!((&made["slug"], &made["version"]), (&json!("my-notes"), &json!("0.1.0")));
        assert_eq!((&made["policies"], &made["connect"]), (&json!([]), &json!([])));
        assert_eq!((&made["stars_count"], &made["contributors"]), (&json!(0), &json!([bob.id])));
        for slug in ["Upper", "a--b", "-ab", "ab-", "admin", "ab"] {
            assert_eq!(bob.post(ROOT, &endpoint(slug, json!({}))).await.refused_fields(), ["slug"], "{slug}");
        }
        bob.post(ROOT, &endpoint("my-notes", json!({}))).await.is(400);
        eve.post(ROOT, &endpoint("my-notes", json!({}))).await.is(201);
    }

    async fn what_is_hidden_is_not_found_by_others(app: TestApp) {
        let (bob, eve, admin) = (app.user("bob").await, app.user("eve").await, app.admin().await);
        for visibility in ["private", "internal"] {
            let made = bob.publish(&format!("my-{visibility}"), json!({"visibility": visibility})).await;
            let path = format!("{ROOT}/{}", made["id"]);
            app.anon().get(&path).await.is(401);
            eve.get(&path).await.is(404);
            bob.get(&path).await.is(200);
            admin.get(&path).await.is(200);
        }
    }

    async fn only_its_owner_changes_an_endpoint(app: TestApp) {
        let (bob, eve) = (app.user("bob").await, app.user("eve").await);
        let path = format!("{ROOT}/{}", bob.publish("notes", json!({})).await["id"]);
        eve.patch(&path, &json!({"description": "mine"})).await.is(403);
        eve.delete(&path).await.is(403);
        eve.delete(&format!("{ROOT}/slug/notes")).await.is(404);
        bob.delete(&path).await.is(204);
        bob.get(&path).await.is(404);
        bob.publish("other", json!({})).await;
        bob.delete(&format!("{ROOT}/slug/OTHER")).await.is(204);
    }

    async fn an_owners_page_ignores_case_and_shows_what_is_public(app: TestApp) {
        let bob = app.user("bob").await;
        bob.publish("open", json!({})).await;
        bob.publish("closed", json!({"visibility": "private"})).await;
        assert_eq!(each(&app.anon().get("/BOB").await.is(200).json(), "slug"), ["open"]);
        app.anon().get("/nobody-here").await.is(404);
        app.anon().get("/bob/closed").await.is(401);
        bob.get("/bob/closed").await.is(200);
    }

    async fn versions_and_policies_are_checked_and_configuration_comes_back(app: TestApp) {
        let bob = app.user("bob").await;
        assert_eq!(bob.post(ROOT, &endpoint("one", json!({"version": "1.0"}))).await.refused_fields(), ["version"]);
        let bad = json!({"policies": [{"type": ""}, {"type": "x", "version": "1"}]});
        assert_eq!(bob.post(ROOT, &endpoint("one", bad)).await.refused_fields(), ["type", "version"]);
        let config = json!({"z": [1, {"deep": null}], "a": {"b": "c"}});
        let more = json!({"policies": [{"type": "p", "config": config}], "connect": [{"type": "x", "config": config}]});
        let made = bob.publish("one", more).await;
        assert_eq!((&made["policies"][0]["config"], &made["connect"][0]["config"]), (&config, &config));
    }

    async fn public_lists_have_no_ids(app: TestApp) {
        app.user("bob").await.publish("open", json!({})).await;
        let item = app.anon().get(&format!("{ROOT}/public")).await.json()[0].clone();
        for key in ["contributors_count", "owner_username", "policies", "connect", "stars_count"] {
            assert!(!item[key].is_null(), "{key}: {item}");
        }
        for key in ["id", "user_id", "contributors", "visibility"] {
            assert!(item.get(key).is_none(), "{key}: {item}");
        }
    }

    async fn stars_order_the_trending_list(app: TestApp) {
        let (bob, eve) = (app.user("bob").await, app.user("eve").await);
        let mut ids = Vec::new();
        for slug in ["none", "one", "two"] {
            ids.push(bob.publish(slug, json!({})).await["id"].as_i64().unwrap());
        }
        for (actor, id) in [(&bob, ids[2]), (&eve, ids[2]), (&eve, ids[1])] {
            let starred = actor.post(&format!("{ROOT}/{id}/star"), &json!({})).await.is(201).json();
            assert_eq!(starred, json!({"starred": true}));
        }
        let again = eve.post(&format!("{ROOT}/{}/star", ids[1]), &json!({})).await.is(201).json();
        assert_eq!(again, json!({"starred": false}));
        let slugs = |query: &str| {
            let (anon, path) = (app.anon(), format!("{ROOT}/trending?{query}"));
            async move { each(&anon.get(&path).await.is(200).json(), "slug") }
        };
        assert_eq!(slugs("").await, ["two", "one", "none"]);
        assert_eq!(slugs("min_stars=1").await, ["two", "one"]);
        assert_eq!(slugs("skip=1&limit=1").await, ["one"]);
    }

    async fn a_paid_endpoint_is_tagged_once(app: TestApp) {
        let bob = app.user("bob").await;
        let paid = json!([{"type": "Xendit", "config": {}}]);
        let made = bob.publish("paid", json!({"policies": paid, "tags": ["prepaid"]})).await;
        assert_eq!(made["tags"], json!(["prepaid"]));
        let path = format!("{ROOT}/{}", made["id"]);
        let without = bob.patch(&path, &json!({"policies": []})).await.is(200).json();
        assert_eq!(without["tags"], json!(["prepaid"]));
        let tags: Vec<String> = (0..10).map(|number| format!("t{number}")).collect();
        let full = bob.publish("full", json!({"policies": paid, "tags": tags})).await;
        assert_eq!(full["tags"].as_array().unwrap().len(), 10);
    }

    async fn uptime_is_read_for_ninety_days_at_most(app: TestApp) {
        let bob = app.user("bob").await;
        let read = |query: &str| {
            let (anon, path) = (app.anon(), format!("{ROOT}/bob/notes/uptime{query}"));
            async move { anon.get(&path).await }
        };
        for hours in ["720", "2160"] {
            let detail = read(&format!("?window_hours={hours}")).await.refused(404);
            assert_eq!(detail, "Endpoint not found");
        }
        for hours in ["2161", "0", "x"] {
            assert_eq!(read(&format!("?window_hours={hours}")).await.refused_fields(), ["window_hours"]);
        }
        let made = bob.publish("notes", json!({})).await;
        assert_eq!(
            read("?window_hours=2160").await.is(200).json(),
            json!({"endpoint_id": made["id"], "owner_username": "bob", "slug": "notes", "bucket_seconds": 1800,
                "window_hours": 2160, "buckets": []})
        );
    }

    async fn a_sync_replaces_everything_or_nothing(app: TestApp) {
        let (bob, eve) = (app.user("bob").await, app.user("eve").await);
        eve.publish("hers", json!({})).await;
        let old = bob.publish("old", json!({})).await;
        bob.post(&format!("{ROOT}/{}/star", old["id"]), &json!({})).await.is(201);
        let sync = |items: Value| {
            let bob = bob.clone();
            async move { bob.post(&format!("{ROOT}/sync"), &json!({"endpoints": items})).await }
        };
        let item = |slug: &str| json!({"name": "My Model", "type": "model", "slug": slug});
        let unnamed = json!({"name": "My Model", "type": "model"});
        let detail = sync(json!([item("same"), item("same")])).await.refused(400);
        assert_eq!((&detail["errors"][0]["index"], &detail["errors"][0]["field"]), (&json!(1), &json!("slug")));
        assert_eq!(sync(json!([item("admin"), unnamed, item("login")])).await.refused_fields(), ["slug", "slug"]);
        let many: Vec<Value> = (0..301).map(|_| unnamed.clone()).collect();
        sync(Value::Array(many)).await.is(422);
        assert_eq!(each(&bob.get(ROOT).await.json(), "slug"), ["old"]);
        let done = sync(json!([item("old"), unnamed, unnamed])).await.is(200).json();
        assert_eq!((&done["synced"], &done["deleted"]), (&json!(3), &json!(1)));
        assert_eq!(each(&done["endpoints"], "slug"), ["old", "my-model", "my-model-1"]);
        assert_eq!(done["endpoints"][0]["stars_count"], 0);
        assert_eq!(sync(json!([])).await.is(200).json()["deleted"], 3);
        assert_eq!(each(&eve.get(ROOT).await.json(), "slug"), ["hers"]);
    }
}
