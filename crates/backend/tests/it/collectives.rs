//! Collectives: who may do what, how memberships change, what is shared and what it costs.

use http::StatusCode;
use serde_json::{Value, json};

use crate::actor::{Actor, TestApp};
use crate::shorthand::each;

pub(crate) const PATH: &str = "/api/v1/collectives";

/// A collective of `owner` and the path of its routes.
pub(crate) async fn found(owner: &Actor, name: &str, more: Value) -> (Value, String) {
    let mut body = json!({"name": name});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = owner.post(PATH, &body).await.expect(StatusCode::CREATED);
    let path = format!("{PATH}/{}", made["id"]);
    (made, path)
}

/// The id of a new data source.
pub(crate) async fn source(owner: &Actor, slug: &str, more: Value) -> i64 {
    let mut body = json!({"type": "data_source"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    owner.publish(slug, body).await["id"].as_i64().unwrap()
}

pub(crate) fn choice(endpoint: i64) -> Value {
    json!({"endpoint_id": endpoint})
}

/// A collective of ada's with one approved member of bob's.
struct Scene {
    app: TestApp,
    anon: Actor,
    ada: Actor,
    bob: Actor,
    eve: Actor,
    path: String,
    member: i64,
}

impl Scene {
    async fn new() -> Self {
        let (app, anon, ada) = TestApp::start().await.with_user("ada").await;
        let (bob, eve) = (app.user("bob").await, app.user("eve").await);
        let (_, path) = found(&ada, "Readers", json!({})).await;
        let member = source(&bob, "notes", json!({})).await;
        let scene = Self { app, anon, ada, bob, eve, path, member };
        scene.approve(member).await;
        scene
    }

    async fn approve(&self, endpoint: i64) {
        self.bob.post(&format!("{}/members", self.path), &choice(endpoint)).await.is(201);
        let review = format!("{}/members/{endpoint}/review", self.path);
        self.ada.post(&review, &json!({"decision": "approve"})).await.is(200);
    }
}

#[tokio::test]
async fn a_collective_is_made_found_changed_and_removed() {
    let (app, anon, ada) = TestApp::start().await.with_user("ada").await;
    let eve = app.user("eve").await;
    anon.post(PATH, &json!({"name": "x"})).await.refused(401);
    let more = json!({"description": "Über Wetter", "tags": ["Climate", "climate"], "icon_url": "https://a.b/i.png"});
    let (made, path) = found(&ada, "Open Data", more).await;
    assert_eq!(
        (&made["slug"], &made["shared_endpoint_path"]),
        (&json!("open-data"), &json!("collective/open-data"))
    );
    assert_eq!((&made["tags"], &made["owner_id"]), (&json!(["climate"]), &json!(ada.id)));
    assert_eq!(
        [&made["auto_approve"], &made["verified"], &made["member_count"], &made["owner_count"]],
        [&json!(false), &json!(false), &json!(0), &json!(0)]
    );
    assert_eq!(anon.get(&path).await.json(), made);
    assert_eq!(anon.get(&format!("{PATH}/by-slug/Open-Data")).await.json(), made);
    let (second, _) = found(&eve, "Open data", json!({})).await;
    let slug = second["slug"].as_str().unwrap();
    assert!(slug.starts_with("open-data-") && slug.len() == 16, "{slug}");
    ada.post(PATH, &json!({"name": "x", "slug": "open-data"})).await.refused(409);
    assert_eq!(each(&anon.get(PATH).await.json(), "slug"), [slug, "open-data"]);
    assert_eq!(
        each(&anon.get(&format!("{PATH}?owner_id={}&search=UBER", ada.id)).await.json(), "slug"),
        ["open-data"]
    );
    assert_eq!(each(&anon.get(&format!("{PATH}?skip=1&limit=1")).await.json(), "slug"), ["open-data"]);

    eve.patch(&path, &json!({"name": "Mine"})).await.refused(403);
    let after = ada.patch(&path, &json!({"name": "New", "icon_url": null, "auto_approve": true})).await;
    let after = after.expect(StatusCode::OK);
    assert_eq!(
        (&after["name"], &after["icon_url"], &after["auto_approve"]),
        (&json!("New"), &Value::Null, &json!(true))
    );
    assert_eq!(after["description"], "Über Wetter");
    assert_eq!(anon.get(&path).await.json(), after);
    let admin = app.admin().await;
    admin.patch(&path, &json!({"about": "by an admin"})).await.is(200);
    assert!(eve.delete(&path).await.refused(403).is_string());
    ada.delete(&path).await.is(204);
    anon.get(&path).await.refused(404);
    admin.delete(&format!("{PATH}/{}", second["id"])).await.is(204);
}

#[tokio::test]
async fn every_failing_field_is_named() {
    let (_app, anon, ada) = TestApp::start().await.with_user("ada").await;
    let bad = json!({"name": "", "slug": "members", "description": "x".repeat(501), "about": "x".repeat(50_001),
        "auto_approve": "perhaps", "icon_url": "javascript:alert(1)", "tags": ["a b"]});
    let all = ["name", "slug", "description", "about", "auto_approve", "icon_url", "tags"];
    assert_eq!(ada.post(PATH, &bad).await.refused_fields(), all);
    for slug in ["all-", "ab", "by-slug", "shared-endpoints", "Abc"] {
        assert_eq!(ada.post(PATH, &json!({"name": "x", "slug": slug})).await.refused_fields(), ["slug"]);
    }
    found(&ada, "x", json!({"slug": "blog"})).await;
    let (_, path) = found(&ada, "Readers", json!({})).await;
    let nulls = json!({"name": null, "description": null, "about": null, "auto_approve": null, "tags": null,
        "icon_url": null});
    assert_eq!(
        ada.patch(&path, &nulls).await.refused_fields(),
        ["name", "description", "about", "auto_approve", "tags"]
    );
    assert_eq!(
        anon.get(&format!("{PATH}?limit=101&skip=-1&owner_id=x&search=")).await.refused_fields().len(),
        4
    );
    assert_eq!(anon.get(&format!("{PATH}/abc")).await.refused_fields(), ["id"]);
    let shared = json!({"name": "", "slug": "all", "endpoint_ids": []});
    let shares = format!("{path}/shared-endpoints");
    assert_eq!(ada.post(&shares, &shared).await.refused_fields(), ["name", "slug", "endpoint_ids"]);
    assert_eq!(ada.post(&format!("{path}/members"), &json!({})).await.refused_fields(), ["endpoint_id"]);
    let review = format!("{path}/members/1/review");
    assert_eq!(ada.post(&review, &json!({"decision": "maybe"})).await.refused_fields(), ["decision"]);
}

#[tokio::test]
async fn asking_is_pending_until_the_owner_decides() {
    let Scene { app, anon, ada, bob, eve, path, .. } = &Scene::new().await;
    let members = format!("{path}/members");
    let id = source(bob, "more", json!({})).await;
    anon.post(&members, &choice(id)).await.refused(401);
    eve.post(&members, &choice(id)).await.refused(403);
    bob.post(&members, &choice(999_999)).await.refused(404);
    bob.post(&format!("{PATH}/999999/members"), &choice(id)).await.refused(404);
    let asked = bob.post(&members, &choice(id)).await.expect(StatusCode::CREATED);
    assert_eq!((&asked["status"], &asked["responded_at"]), (&json!("pending"), &Value::Null));
    assert_eq!(
        (&asked["endpoint_slug"], &asked["endpoint_owner_username"], &asked["endpoint_type"]),
        (&json!("more"), &json!("bob"), &json!("data_source"))
    );
    assert_eq!(bob.post(&members, &choice(id)).await.expect(StatusCode::CREATED), asked);

    let review = format!("{members}/{id}/review");
    let approve = json!({"decision": "approve"});
    for stranger in [bob, eve, &app.admin().await] {
        assert!(stranger.post(&review, &approve).await.refused(403).is_string());
    }
    let refused = ada.post(&review, &json!({"decision": "reject"})).await.expect(StatusCode::OK);
    assert_eq!((&refused["status"], &refused["reviewed_by_user_id"]), (&json!("rejected"), &json!(ada.id)));
    ada.post(&review, &approve).await.refused(409);
    bob.post(&members, &choice(id)).await.is(201);
    let approved = ada.post(&review, &approve).await.expect(StatusCode::OK);
    assert_eq!(approved["status"], "approved");
    bob.post(&members, &choice(id)).await.refused(409);
    let counted = anon.get(path).await.json();
    assert_eq!((&counted["member_count"], &counted["owner_count"]), (&json!(2), &json!(1)));
    let of = anon.get(&format!("{PATH}/by-endpoint/Bob/more")).await.json();
    assert_eq!(each(&of, "slug"), ["readers"]);
    assert_eq!(anon.get(&format!("{PATH}/by-endpoint/bob/nothing")).await.expect(StatusCode::OK), json!([]));

    eve.delete(&format!("{members}/{id}")).await.refused(403);
    bob.delete(&format!("{members}/{id}")).await.is(204);
    bob.delete(&format!("{members}/{id}")).await.refused(404);
}

#[tokio::test]
async fn only_data_sources_that_are_in_use_can_join() {
    let Scene { app, ada, bob, path, .. } = &Scene::new().await;
    let model = bob.publish("model", json!({})).await["id"].as_i64().unwrap();
    let agent = bob.publish("agent", json!({"type": "agent"})).await["id"].as_i64().unwrap();
    let archived = source(bob, "old", json!({"archived": true})).await;
    for id in [model, agent, archived] {
        assert!(bob.post(&format!("{path}/members"), &choice(id)).await.refused(400).is_string());
    }
    for id in [model, agent] {
        ada.post(&format!("{path}/invitations"), &choice(id)).await.refused(400);
    }
    let (_, open) = found(ada, "Open", json!({"auto_approve": true})).await;
    let both = source(bob, "both", json!({"type": "model_data_source"})).await;
    let joined = bob.post(&format!("{open}/members"), &choice(both)).await.expect(StatusCode::CREATED);
    assert_eq!(joined["status"], "approved");
    assert!(joined["responded_at"].is_string());
    assert_eq!(app.anon().get(&open).await.json()["member_count"], 1);
}

#[tokio::test]
async fn an_invitation_is_answered_by_the_endpoints_owner() {
    let Scene { app, anon, ada, bob, eve, path, .. } = &Scene::new().await;
    let (first, second) = (source(bob, "first", json!({})).await, source(bob, "second", json!({})).await);
    let hidden = source(bob, "hidden", json!({"visibility": "private"})).await;
    let invitations = format!("{path}/invitations");
    for stranger in [bob, eve] {
        stranger.post(&invitations, &choice(first)).await.refused(403);
    }
    ada.post(&invitations, &choice(hidden)).await.refused(404);
    let invited = ada.post(&invitations, &choice(first)).await.expect(StatusCode::CREATED);
    assert_eq!((&invited["status"], &invited["reviewed_by_user_id"]), (&json!("invited"), &json!(ada.id)));
    assert_eq!(ada.post(&invitations, &choice(first)).await.expect(StatusCode::CREATED), invited);
    let by_path = format!("{invitations}/by-path");
    ada.post(&by_path, &json!({"owner_username": "bob", "slug": "hidden"})).await.refused(404);
    let body = json!({"owner_username": "Bob", "slug": "second"});
    assert_eq!(ada.post(&by_path, &body).await.expect(StatusCode::CREATED)["status"], "invited");

    let one = format!("{invitations}/{first}");
    for reader in [ada, bob, &app.admin().await] {
        assert_eq!(reader.get(&one).await.expect(StatusCode::OK)["status"], "invited");
    }
    anon.get(&one).await.refused(401);
    eve.get(&one).await.refused(403);
    bob.get(&format!("{invitations}/{hidden}")).await.refused(404);

    let respond = format!("{one}/respond");
    ada.post(&respond, &json!({"decision": "accept"})).await.refused(403);
    let declined = bob.post(&respond, &json!({"decision": "decline"})).await.expect(StatusCode::OK);
    assert_eq!(declined["status"], "rejected");
    bob.post(&respond, &json!({"decision": "accept"})).await.refused(409);
    ada.post(&invitations, &choice(first)).await.is(201);
    assert_eq!(bob.post(&respond, &json!({"decision": "accept"})).await.json()["status"], "approved");
    ada.post(&invitations, &choice(first)).await.refused(409);
    // Asking to join accepts an invitation, inviting approves a request.
    let joined = bob.post(&format!("{path}/members"), &choice(second)).await.expect(StatusCode::CREATED);
    assert_eq!(joined["status"], "approved");
    let third = source(bob, "third", json!({})).await;
    bob.post(&format!("{path}/members"), &choice(third)).await.is(201);
    assert_eq!(ada.post(&invitations, &choice(third)).await.json()["status"], "approved");
}

#[tokio::test]
async fn members_and_paths_are_shown_to_whom_they_concern() {
    let scene = Scene::new().await;
    let Scene { app, anon, ada, bob, eve, path, member } = &scene;
    let hidden = source(bob, "hidden", json!({"visibility": "private"})).await;
    scene.approve(hidden).await;
    let asking = source(eve, "asking", json!({})).await;
    eve.post(&format!("{path}/members"), &choice(asking)).await.is(201);
    let members = format!("{path}/members");
    let slugs = async |who: &Actor, query: &str| {
        each(&who.get(&format!("{members}{query}")).await.json(), "endpoint_slug")
    };
    assert_eq!(slugs(anon, "").await, ["notes"]);
    assert_eq!(slugs(eve, "?status=approved").await, ["notes"]);
    assert_eq!(slugs(bob, "").await, ["notes", "hidden"]);
    for all in [ada, &app.admin().await] {
        assert_eq!(slugs(all, "").await, ["notes", "hidden", "asking"]);
        assert_eq!(slugs(all, "?status=pending").await, ["asking"]);
    }
    for who in [anon, eve, bob] {
        assert!(who.get(&format!("{members}?status=pending")).await.refused(403).is_string());
    }
    anon.get(&format!("{members}?status=other")).await.refused(422);

    let body = json!({"name": "Some", "slug": "x", "endpoint_ids": [hidden, member, hidden]});
    let made = ada.post(&format!("{path}/shared-endpoints"), &body).await.expect(StatusCode::CREATED);
    assert_eq!(
        (&made["shared_endpoint_path"], &made["member_count"]),
        (&json!("collective/readers/x"), &json!(2))
    );
    let by_slug = format!("{PATH}/by-slug/readers");
    for tail in
        ["/endpoint-paths", "/shared-endpoints/x/endpoint-paths", "/shared-endpoints/all/endpoint-paths"]
    {
        let paths = async |who: &Actor| who.get(&format!("{by_slug}{tail}")).await.expect(StatusCode::OK);
        assert_eq!((paths(anon).await, paths(eve).await), (json!(["bob/notes"]), json!(["bob/notes"])));
        assert_eq!(paths(bob).await, json!(["bob/notes", "bob/hidden"]));
    }
    let seen = anon.get(&format!("{by_slug}/shared-endpoints/x")).await.expect(StatusCode::OK);
    assert_eq!(
        (&seen["members"][0]["endpoint_name"], &seen["members"][0]["is_active"]),
        (&Value::Null, &json!(true))
    );
    assert_eq!(seen["members"][1]["endpoint_slug"], "notes");
    assert_eq!(anon.get(&format!("{PATH}/by-endpoint/bob/hidden")).await.json(), json!([]));
    anon.get(&format!("{PATH}/by-slug/nothing/endpoint-paths")).await.refused(404);
    anon.get(&format!("{by_slug}/shared-endpoints/nothing/endpoint-paths")).await.refused(404);
}

#[tokio::test]
async fn what_is_shared_is_decided_by_the_owner() {
    let Scene { anon, ada, bob, eve, path, member, .. } = &Scene::new().await;
    let shares = format!("{path}/shared-endpoints");
    let outside = source(bob, "outside", json!({})).await;
    let body = json!({"name": "Weather", "endpoint_ids": [member, outside, 999_999]});
    let told = ada.post(&shares, &body).await.refused(400);
    assert!(told.as_str().unwrap().ends_with(&format!("{outside}, 999999")), "{told}");
    let good = json!({"name": "Weather", "endpoint_ids": [member]});
    bob.post(&shares, &good).await.refused(403);
    let made = ada.post(&shares, &good).await.expect(StatusCode::CREATED);
    assert_eq!((&made["slug"], &made["active_member_count"]), (&json!("weather"), &json!(1)));
    let again = ada.post(&shares, &good).await.expect(StatusCode::CREATED);
    assert!(again["slug"].as_str().unwrap().starts_with("weather-"));
    let taken = json!({"name": "x", "slug": "weather", "endpoint_ids": [member]});
    ada.post(&shares, &taken).await.refused(409);

    let one = format!("{shares}/weather");
    eve.patch(&one, &json!({"name": "Mine"})).await.refused(403);
    assert_eq!(
        ada.patch(&one, &json!({"name": null, "description": null, "endpoint_ids": null}))
            .await
            .refused_fields(),
        ["name", "description", "endpoint_ids"]
    );
    ada.patch(&one, &json!({"endpoint_ids": [outside]})).await.refused(400);
    let after = ada.patch(&one, &json!({"description": "d", "slug": "other"})).await.expect(StatusCode::OK);
    assert_eq!(
        (&after["description"], &after["slug"], &after["name"]),
        (&json!("d"), &json!("weather"), &json!("Weather"))
    );
    assert_eq!(anon.get(&one).await.json(), after);
    assert_eq!(
        anon.get(&format!("{PATH}/by-slug/readers/shared-endpoints")).await.json().as_array().unwrap().len(),
        2
    );
    anon.get(&format!("{shares}/all")).await.refused(404);

    let (other, _) = found(ada, "Other", json!({})).await;
    let id = path.rsplit('/').next().unwrap();
    let bulk = format!("{PATH}/shared-endpoints/bulk");
    let asked = format!("{bulk}?collective_id={id}&collective_id={}&collective_id=999", other["id"]);
    assert_eq!(anon.get(&asked).await.json(), anon.get(&shares).await.json());
    assert_eq!(anon.get(&bulk).await.json(), json!([]));
    anon.get(&format!("{bulk}?collective_id=x")).await.refused(422);

    // Who leaves the collective stays in the list and is not active.
    bob.delete(&format!("{path}/members/{member}")).await.is(204);
    let left = anon.get(&one).await.json();
    assert_eq!((&left["member_count"], &left["active_member_count"]), (&json!(1), &json!(0)));
    assert_eq!(
        anon.get(&format!("{PATH}/by-slug/readers/shared-endpoints/weather/endpoint-paths")).await.json(),
        json!([])
    );
    eve.delete(&one).await.refused(403);
    ada.delete(&one).await.is(204);
    ada.delete(&one).await.refused(404);
}

#[tokio::test]
async fn billing_is_read_from_the_policies_that_apply_to_the_caller() {
    let scene = Scene::new().await;
    let Scene { anon, ada, bob, eve, .. } = &scene;
    let config = |more: Value| {
        let mut config =
            json!({"payment_url": "https://p.org", "credits_url": "https://c.org", "price": 100});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    let paid = json!({"policies": [{"type": "xendit", "config": config(json!({"applied_to": ["eve@example.com"]}))},
        {"type": "mpp", "config": {"price_per_call": 0.5}}]});
    scene.approve(source(bob, "paid", paid).await).await;
    let summary = format!("{PATH}/by-slug/readers/billing-summary");
    anon.get(&summary).await.refused(401);
    let of_eve = eve.get(&summary).await.expect(StatusCode::OK);
    assert_eq!(
        (&of_eve["prepaid_count"], &of_eve["mpp_count"], &of_eve["free_count"]),
        (&json!(1), &json!(0), &json!(1))
    );
    assert_eq!(of_eve["estimated_price"], json!([{"currency": "IDR", "amount": 100.0}]));
    assert_eq!(of_eve["members"][1]["billing"]["credits_url"], "https://c.org");
    let of_ada =
        ada.get(&format!("{PATH}/by-slug/readers/shared-endpoints/all/billing-summary")).await.json();
    assert_eq!(
        (&of_ada["mpp_count"], &of_ada["estimated_price"]),
        (&json!(1), &json!([{"currency": "USD", "amount": 0.5}]))
    );
    assert_eq!(of_ada["members"][1]["billing"]["kind"], "mpp");
    eve.get(&format!("{PATH}/by-slug/readers/shared-endpoints/x/billing-summary")).await.refused(404);
}

#[tokio::test]
async fn what_goes_takes_its_memberships_along() {
    let Scene { anon, ada, bob, path, member, .. } = &Scene::new().await;
    let body = json!({"name": "Some", "slug": "x", "endpoint_ids": [member]});
    ada.post(&format!("{path}/shared-endpoints"), &body).await.is(201);
    bob.delete(&format!("/api/v1/endpoints/{member}")).await.is(204);
    assert_eq!(anon.get(path).await.json()["member_count"], 0);
    assert_eq!(anon.get(&format!("{path}/shared-endpoints/x")).await.json()["members"], json!([]));
    let again = source(bob, "again", json!({})).await;
    bob.post(&format!("{path}/members"), &choice(again)).await.is(201);
    ada.delete(path).await.is(204);
    anon.get(&format!("{path}/members")).await.refused(404);
    anon.get(&format!("{PATH}/by-slug/readers/shared-endpoints/x")).await.refused(404);
}
