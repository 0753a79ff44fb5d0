//! Accounts as others and administrators see and change them.

use serde_json::json;

use crate::actor::{Actor, PASSWORD, TestApp};
use crate::shorthand::each;

const USERS: &str = "/api/v1/users";

fn path(user: &Actor, end: &str) -> String {
    format!("{USERS}/{}{end}", user.id)
}

on_both! {
    async fn accounts_are_for_themselves_and_administrators(app: TestApp) {
        let (bob, eve, root) = (app.user("bob").await, app.user("eve").await, app.admin().await);
        app.anon().get(USERS).await.refused(401);
        assert_eq!(bob.get(USERS).await.refused(403)["code"], "PERMISSION_DENIED");
        for spelling in [USERS.to_owned(), format!("{USERS}/")] {
            assert_eq!(each(&root.get(&spelling).await.is(200).json(), "username"), ["bob", "eve", "root-1"]);
        }
        assert_eq!(eve.get(&path(&bob, "")).await.refused(403)["code"], "PERMISSION_DENIED");
        assert_eq!(eve.put(&path(&bob, ""), &json!({"bio": "x"})).await.refused(403)["code"], "PERMISSION_DENIED");
        for reader in [&bob, &root] {
            let shown = reader.get(&path(&bob, "")).await.is(200).json();
            assert_eq!((&shown["username"], &shown["email"]), (&json!("bob"), &json!("bob@example.com")));
            assert!(shown.get("password_hash").is_none());
        }
        let changed = root.put(&path(&bob, ""), &json!({"full_name": "Robert"})).await.is(200).json();
        assert_eq!((&changed["full_name"], &changed["id"]), (&json!("Robert"), &json!(bob.id)));
        assert_eq!(bob.get("/api/v1/auth/me").await.json()["full_name"], "Robert");
    }

    async fn names_and_addresses_of_others_are_conflicts_and_ones_own_are_not(app: TestApp) {
        let (bob, _eve) = (app.user("bob").await, app.user("eve").await);
        for (field, value) in [("username", "Eve"), ("email", "EVE@example.com")] {
            let detail = bob.put(&format!("{USERS}/me"), &json!({field: value})).await.refused(409);
            assert_eq!(
                (&detail["code"], &detail["field"], &detail["resource"]),
                (&json!("CONFLICT"), &json!(field), &json!("user"))
            );
        }
        let own = json!({"username": "bob", "email": "bob@example.com"});
        assert_eq!(bob.put(&format!("{USERS}/me"), &own).await.is(200).json()["username"], "bob");
        let odd = bob.put(&format!("{USERS}/me"), &json!({"username": "b o b!", "domain": "bob.example.com"})).await;
        assert_eq!(odd.refused_fields(), ["username", "domain"]);
    }

    async fn only_administrators_switch_accounts_off_and_on(app: TestApp) {
        let (bob, eve, root) = (app.user("bob").await, app.user("eve").await, app.admin().await);
        for end in ["/deactivate", "/activate"] {
            assert_eq!(bob.patch(&path(&eve, end), &json!({})).await.refused(403)["code"], "PERMISSION_DENIED");
            assert_eq!(bob.patch(&path(&bob, end), &json!({})).await.refused(403)["code"], "PERMISSION_DENIED");
            root.patch(&format!("{USERS}/999999{end}"), &json!({})).await.refused(404);
        }
        let detail = root.patch(&path(&root, "/deactivate"), &json!({})).await.refused(422);
        assert_eq!(detail["code"], "VALIDATION_ERROR");
        assert_eq!(root.patch(&path(&bob, "/deactivate"), &json!({})).await.is(200).json()["is_active"], false);
        assert_eq!(app.anon().login("bob", PASSWORD).await.refused(401), "Account is deactivated");
        bob.get("/api/v1/auth/me").await.refused(401);
        app.anon().get(&format!("{USERS}/public/bob")).await.refused(404);
        assert_eq!(root.patch(&path(&bob, "/activate"), &json!({})).await.is(200).json()["is_active"], true);
        app.anon().login("bob", PASSWORD).await.is(200);
    }

    async fn who_is_not_there_is_not_found_and_who_leaves_is_gone(app: TestApp) {
        let (bob, eve, root) = (app.user("bob").await, app.user("eve").await, app.admin().await);
        let nobody = format!("{USERS}/999999");
        root.get(&nobody).await.refused(404);
        root.put(&nobody, &json!({"bio": "x"})).await.refused(404);
        root.delete(&nobody).await.refused(404);
        eve.delete(&path(&bob, "")).await.refused(403);
        bob.publish("notes", json!({})).await;
        let answer = bob.delete(&path(&bob, "")).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (204, ""));
        bob.get("/api/v1/auth/me").await.refused(401);
        app.anon().post("/api/v1/auth/refresh", &json!({"refresh_token": bob.refresh})).await.refused(401);
        app.anon().login("bob", PASSWORD).await.refused(401);
        app.anon().get("/bob/notes").await.refused(404);
        root.get(&path(&bob, "")).await.refused(404);
    }
}
