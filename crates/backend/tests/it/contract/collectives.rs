//! Collectives: joining, what others see, what is shared.

use serde_json::json;

use crate::actor::{Actor, TestApp};
use crate::collectives::{PATH, choice, found, source};
use crate::shorthand::each;

async fn approve(owner: &Actor, path: &str, endpoint: i64) {
    let review = format!("{path}/members/{endpoint}/review");
    assert_eq!(
        owner.post(&review, &json!({"decision": "approve"})).await.is(200).json()["status"],
        "approved"
    );
}

on_both! {
    async fn joining_waits_for_the_owner_unless_the_collective_is_open(app: TestApp) {
        let (ada, bob, eve) = (app.user("ada").await, app.user("bob").await, app.user("eve").await);
        let (_, path) = found(&ada, "Readers", json!({})).await;
        let (_, open) = found(&ada, "Open", json!({"auto_approve": true})).await;
        let notes = source(&bob, "notes", json!({})).await;
        let members = format!("{path}/members");
        app.anon().post(&members, &choice(notes)).await.refused(401);
        assert_eq!(bob.post(&members, &choice(notes)).await.is(201).json()["status"], "pending");
        assert_eq!(bob.post(&format!("{open}/members"), &choice(notes)).await.is(201).json()["status"], "approved");
        for kind in ["model", "agent"] {
            let id = bob.publish(&format!("a-{kind}"), json!({"type": kind})).await["id"].as_i64().unwrap();
            assert!(bob.post(&members, &choice(id)).await.refused(400).is_string());
        }
        let review = format!("{members}/{notes}/review");
        for stranger in [&bob, &eve] {
            stranger.post(&review, &json!({"decision": "approve"})).await.refused(403);
        }
        eve.post(&members, &choice(notes)).await.refused(403);
        approve(&ada, &path, notes).await;
        ada.post(&review, &json!({"decision": "approve"})).await.refused(409);
    }

    async fn only_the_endpoints_owner_answers_an_invitation(app: TestApp) {
        let (ada, bob, eve) = (app.user("ada").await, app.user("bob").await, app.user("eve").await);
        let (_, path) = found(&ada, "Readers", json!({})).await;
        let notes = source(&bob, "notes", json!({})).await;
        let invitations = format!("{path}/invitations");
        eve.post(&invitations, &choice(notes)).await.refused(403);
        assert_eq!(ada.post(&invitations, &choice(notes)).await.is(201).json()["status"], "invited");
        let respond = format!("{invitations}/{notes}/respond");
        for other in [&ada, &eve] {
            other.post(&respond, &json!({"decision": "accept"})).await.refused(403);
        }
        assert_eq!(bob.post(&respond, &json!({"decision": "accept"})).await.is(200).json()["status"], "approved");
    }

    async fn others_see_members_that_are_approved_and_public(app: TestApp) {
        let (ada, bob, eve) = (app.user("ada").await, app.user("bob").await, app.user("eve").await);
        let (_, path) = found(&ada, "Readers", json!({})).await;
        let hidden = json!({"visibility": "private"});
        let notes = source(&bob, "notes", json!({})).await;
        let (hidden, asking) = (source(&bob, "hidden", hidden).await, source(&eve, "asking", json!({})).await);
        for (owner, id) in [(&bob, notes), (&bob, hidden), (&eve, asking)] {
            owner.post(&format!("{path}/members"), &choice(id)).await.is(201);
        }
        approve(&ada, &path, notes).await;
        approve(&ada, &path, hidden).await;
        for (who, seen) in [(&app.anon(), &["notes"][..]), (&eve, &["notes"]), (&ada, &["notes", "hidden", "asking"])] {
            let list = who.get(&format!("{path}/members")).await.is(200).json();
            assert_eq!(each(&list, "endpoint_slug"), seen);
        }
        app.anon().get(&format!("{path}/members?status=pending")).await.refused(403);
    }

    async fn shared_paths_are_what_is_chosen_and_approved(app: TestApp) {
        let (ada, bob) = (app.user("ada").await, app.user("bob").await);
        let (_, path) = found(&ada, "Readers", json!({"auto_approve": true})).await;
        let (one, two) = (source(&bob, "one", json!({})).await, source(&bob, "two", json!({})).await);
        for id in [one, two] {
            bob.post(&format!("{path}/members"), &choice(id)).await.is(201);
        }
        let shares = format!("{path}/shared-endpoints");
        let all = json!({"name": "All", "slug": "all", "endpoint_ids": [one]});
        assert_eq!(ada.post(&shares, &all).await.refused_fields(), ["slug"]);
        let body = json!({"name": "Some", "slug": "some", "endpoint_ids": [one]});
        bob.post(&shares, &body).await.refused(403);
        ada.post(&shares, &body).await.is(201);
        let paths = |shared: &str| {
            let (anon, path) = (app.anon(), format!("{PATH}/by-slug/readers{shared}/endpoint-paths"));
            async move { anon.get(&path).await.is(200).json() }
        };
        assert_eq!(paths("").await, json!(["bob/one", "bob/two"]));
        assert_eq!(paths("/shared-endpoints/all").await, json!(["bob/one", "bob/two"]));
        assert_eq!(paths("/shared-endpoints/some").await, json!(["bob/one"]));
        bob.delete(&format!("{path}/members/{one}")).await.is(204);
        assert_eq!(paths("/shared-endpoints/some").await, json!([]));
        assert_eq!(paths("").await, json!(["bob/two"]));
        for tail in ["/billing-summary", "/shared-endpoints/some/billing-summary"] {
            let billing = format!("{PATH}/by-slug/readers{tail}");
            app.anon().get(&billing).await.refused(401);
            assert!(bob.get(&billing).await.is(200).json()["free_count"].is_number());
        }
        ada.delete(&path).await.is(204);
        for gone in ["", "/endpoint-paths", "/shared-endpoints/some"] {
            app.anon().get(&format!("{PATH}/by-slug/readers{gone}")).await.refused(404);
        }
        assert_eq!(app.anon().get(&format!("{PATH}/by-endpoint/bob/two")).await.is(200).json(), json!([]));
    }
}
