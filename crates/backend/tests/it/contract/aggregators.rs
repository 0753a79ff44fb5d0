//! The aggregators that a user chose.

use serde_json::json;

use crate::actor::TestApp;

const PATH: &str = "/api/v1/users/me/aggregators";

on_both! {
    async fn the_first_is_the_default_until_another_is_chosen(app: TestApp) {
        let bob = app.user("bob").await;
        let add = |name: &str| {
            let (bob, body) = (bob.clone(), json!({"name": name, "url": "https://a.example.org"}));
            async move { bob.post(PATH, &body).await.is(201).json() }
        };
        let (first, second) = (add("one").await, add("two").await);
        assert_eq!((&first["is_default"], &second["is_default"]), (&json!(true), &json!(false)));
        let chosen = bob.patch(&format!("{PATH}/{}/default", second["id"]), &json!({})).await.is(200).json();
        assert_eq!((&chosen["id"], &chosen["is_default"]), (&second["id"], &json!(true)));
        assert_eq!(bob.get(&format!("{PATH}/{}", first["id"])).await.is(200).json()["is_default"], false);
        let list = bob.get(&format!("{PATH}?envelope=1")).await.is(200).json();
        assert_eq!(list["default_aggregator_id"], second["id"]);
        assert_eq!(bob.get(PATH).await.is(200).json().as_array().unwrap().len(), 2);
        bob.delete(&format!("{PATH}/{}", second["id"])).await.is(204);
        assert_eq!(bob.get(&format!("{PATH}/{}", first["id"])).await.json()["is_default"], true);
    }

    async fn those_of_others_are_refused_and_bad_ones_not_taken(app: TestApp) {
        let (bob, eve) = (app.user("bob").await, app.user("eve").await);
        let good = json!({"name": "one", "url": "https://a.example.org"});
        let path = format!("{PATH}/{}", bob.post(PATH, &good).await.is(201).json()["id"]);
        for (path, status) in [(path.as_str(), 403), ("/api/v1/users/me/aggregators/999999", 404)] {
            eve.get(path).await.refused(status);
            eve.put(path, &json!({"name": "mine"})).await.refused(status);
            eve.patch(&format!("{path}/default"), &json!({})).await.refused(status);
            eve.delete(path).await.refused(status);
            app.anon().get(path).await.refused(401);
        }
        app.anon().get(PATH).await.refused(401);
        app.anon().post(PATH, &good).await.refused(401);
        assert_eq!(bob.post(PATH, &json!({"name": "x", "url": "nowhere"})).await.refused_fields(), ["url"]);
        assert_eq!(bob.post(PATH, &json!({"url": "https://a.example.org"})).await.refused_fields(), ["name"]);
        assert_eq!(bob.get(&path).await.is(200).json()["name"], "one");
    }
}
