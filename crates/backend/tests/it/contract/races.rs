//! The same change by many at once: one right outcome.

use futures::future::join_all;
use serde_json::json;

use crate::actor::{Actor, TestApp};
use crate::shorthand::{account, each};

on_both! {
    async fn fifty_refreshes_of_one_token_leave_the_session_alive(app: TestApp) {
        let bob = app.user("bob").await;
        let body = json!({"refresh_token": bob.refresh});
        let anon = app.anon();
        let answers = join_all((0..50).map(|_| anon.post("/api/v1/auth/refresh", &body))).await;
        let pairs: Vec<_> = answers.iter().map(|answer| answer.is(200).json()).collect();
        let mut tokens: Vec<&str> = pairs.iter().map(|pair| pair["refresh_token"].as_str().unwrap()).collect();
        tokens.sort_unstable();
        tokens.dedup();
        assert_eq!(tokens.len(), 50, "no two answers hold the same token");
        let holder = app.with_token(pairs[49]["access_token"].as_str().unwrap());
        holder.get("/api/v1/auth/me").await.is(200);
    }

    async fn registrations_of_one_name_give_different_names(app: TestApp) {
        let anon = app.anon();
        let bodies: Vec<_> = (0..10)
            .map(|number| {
                let mut body = account("bob");
                body["email"] = json!(format!("bob{number}@example.com"));
                body
            })
            .collect();
        let answers = join_all(bodies.iter().map(|body| anon.post("/api/v1/auth/register", body))).await;
        let mut names: Vec<String> = answers
            .iter()
            .map(|answer| answer.is(201).json()["user"]["username"].as_str().unwrap().to_owned())
            .collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 10);
        assert!(names.contains(&"bob".to_owned()));
    }

    async fn registrations_of_one_address_make_one_account(app: TestApp) {
        let (anon, body) = (app.anon(), account("bob"));
        let answers = join_all((0..10).map(|_| anon.post("/api/v1/auth/register", &body))).await;
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        let refused = answers.iter().filter(|answer| answer.status == 409).count();
        assert_eq!((made, refused), (1, 9));
    }

    async fn stars_at_once_are_all_counted(app: TestApp) {
        let bob = app.user("bob").await;
        let path = format!("/api/v1/endpoints/{}", bob.publish("notes", json!({})).await["id"]);
        let star = format!("{path}/star");
        let mut fans = Vec::new();
        for number in 0..10 {
            fans.push(app.user(&format!("fan-{number}")).await);
        }
        let body = json!({});
        // Everybody twice: only one of the two counts.
        let answers = join_all(fans.iter().chain(&fans).map(|fan| fan.post(&star, &body))).await;
        let counted = answers.iter().filter(|answer| answer.is(201).json()["starred"] == true).count();
        assert_eq!(counted, 10);
        assert_eq!(bob.get(&path).await.json()["stars_count"], 10);
    }

    async fn of_two_administrators_who_demote_each_other_one_stays(app: TestApp) {
        app.user("bob").await;
        app.admin().await;
        for _ in 0..5 {
            app.app.promote("bob").await.unwrap();
            app.app.promote("root-1").await.unwrap();
            let (first, second) = tokio::join!(app.app.demote("bob"), app.app.demote("root-1"));
            assert!(first.is_ok() != second.is_ok(), "one of two: {first:?} {second:?}");
            let refused = first.err().or(second.err()).unwrap();
            assert_eq!(refused.code.name(), "CONFLICT");
            assert_eq!(app.app.list_admins().await.unwrap().len(), 1);
        }
    }

    async fn of_two_administrators_who_switch_each_other_off_one_stays(app: TestApp) {
        let (root, other) = (app.admin().await, app.another_admin("root-2").await);
        let off = |user: &Actor| format!("/api/v1/users/{}/deactivate", user.id);
        let (nothing, first, second) = (json!({}), off(&other), off(&root));
        let (first, second) = tokio::join!(root.patch(&first, &nothing), other.patch(&second, &nothing));
        let mut statuses = [first.status.as_u16(), second.status.as_u16()];
        statuses.sort_unstable();
        // Whoever comes second is the last one, or is not signed in any more.
        assert!(statuses[0] == 200 && [401, 403, 409].contains(&statuses[1]), "{} {}", first.text, second.text);
        assert_eq!(app.app.list_admins().await.unwrap().len(), 1);
    }

    async fn two_syncs_at_once_leave_what_one_of_them_sent(app: TestApp) {
        let bob = app.user("bob").await;
        let batch = |stem: &str| {
            let items: Vec<_> = (0..20)
                .map(|number| json!({"name": "N", "type": "model", "slug": format!("{stem}-{number}")}))
                .collect();
            json!({"endpoints": items})
        };
        let (one, two) = (batch("one"), batch("two"));
        let path = "/api/v1/endpoints/sync";
        let (first, second) = tokio::join!(bob.post(path, &one), bob.post(path, &two));
        first.is(200);
        second.is(200);
        let slugs = each(&bob.get("/api/v1/endpoints?limit=100").await.json(), "slug");
        assert_eq!(slugs.len(), 20);
        let stem = slugs[0].split('-').next().unwrap();
        assert!(slugs.iter().all(|slug| slug.starts_with(stem)), "{slugs:?}");
    }
}
