//! Profiles: what one may change about one's own account, and what follows from it.

use http::StatusCode;
use serde_json::json;

use crate::actor::{PASSWORD, TestApp};

const ME: &str = "/api/v1/users/me";

#[tokio::test]
async fn what_is_not_sent_stays_and_null_clears_domain_and_bio_only() {
    let (_app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let all = json!({
        "full_name": " Bob B. ", "avatar_url": "https://img.example/b.png", "bio": "I bake.",
        "domain": " https://bob.example.com/ ", "aggregator_url": "https://agg.example.com", "is_email_public": true,
        "wallet_address": "0x0", "nonsense": 1,
    });
    let after = bob.put(ME, &all).await.expect(StatusCode::OK);
    assert_eq!(
        (&after["full_name"], &after["domain"]),
        (&json!("Bob B."), &json!("https://bob.example.com"))
    );
    assert_eq!(after["wallet_address"], json!(null), "wallets come from the wallet routes");
    assert_eq!(anon.get("/api/v1/users/public/bob").await.json()["email"], "bob@example.com");
    let nulls = json!({
        "domain": null, "bio": null, "full_name": null, "avatar_url": null, "aggregator_url": null,
        "username": null, "email": null, "is_email_public": null, "is_active": null,
    });
    let after = bob.put(ME, &nulls).await.expect(StatusCode::OK);
    assert_eq!((&after["domain"], &after["bio"]), (&json!(null), &json!(null)));
    assert_eq!(
        (&after["full_name"], &after["avatar_url"]),
        (&json!("Bob B."), &json!("https://img.example/b.png"))
    );
    assert_eq!(
        (&after["aggregator_url"], &after["is_email_public"]),
        (&json!("https://agg.example.com"), &json!(true))
    );
    assert_eq!(bob.get("/api/v1/auth/me").await.json(), bob.put(ME, &json!({})).await.expect(StatusCode::OK));
}

#[tokio::test]
async fn every_field_that_is_wrong_is_named() {
    let (_app, _, bob) = TestApp::start().await.with_user("bob").await;
    let wrong = json!({
        "username": "b o b!", "email": "nowhere", "full_name": " ", "avatar_url": "x".repeat(501),
        "wallet_address": "x".repeat(43), "domain": "bob.example.com", "aggregator_url": "ftp://x", "bio": "x".repeat(2001),
        "is_email_public": "perhaps",
    });
    let mut named = bob.put(ME, &wrong).await.refused_fields();
    named.sort();
    let expected = [
        "aggregator_url",
        "avatar_url",
        "bio",
        "domain",
        "email",
        "full_name",
        "is_email_public",
        "username",
        "wallet_address",
    ];
    assert_eq!(named, expected);
    for reserved in ["docs", "guest", "Admin"] {
        assert_eq!(bob.put(ME, &json!({"username": reserved})).await.refused_fields(), ["username"]);
    }
    assert_eq!(bob.put(ME, &json!({"domain": "tunneling:eve"})).await.refused_fields(), ["domain"]);
}

#[tokio::test]
async fn names_and_addresses_of_others_are_conflicts_and_ones_own_are_not() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    app.user("eve").await;
    let own = json!({"username": "BOB", "email": "Bob@Example.com"});
    assert_eq!(bob.put(ME, &own).await.expect(StatusCode::OK)["username"], "bob");
    let detail = bob.put(ME, &json!({"username": "eve"})).await.refused(409);
    assert_eq!((&detail["code"], &detail["field"]), (&json!("CONFLICT"), &json!("username")));
    let detail = bob.put(ME, &json!({"email": "eve@example.com"})).await.refused(409);
    assert_eq!((&detail["resource"], &detail["field"]), (&json!("user"), &json!("email")));
}

#[tokio::test]
async fn a_new_name_takes_everything_with_it() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    bob.publish("weather", json!({"connect": [{"type": "http", "config": {"url": "/q"}}]})).await;
    bob.put(ME, &json!({"domain": "tunneling:bob"})).await.expect(StatusCode::OK);
    assert!(anon.get("/api/v1/endpoints/public").await.text.contains("bob"));
    let after = bob.put(ME, &json!({"username": "robert"})).await.expect(StatusCode::OK);
    assert_eq!((&after["username"], &after["domain"]), (&json!("robert"), &json!("tunneling:robert")));
    let listed = anon.get("/api/v1/endpoints/public").await.json();
    assert_eq!(listed[0]["owner_username"], "robert", "listings are made anew");
    let found = anon.post("/api/v1/endpoints/search", &json!({"query": "robert weather"})).await.json();
    assert_eq!(found["results"][0]["owner_username"], "robert", "{found}");
    anon.get("/robert/weather").await.expect(StatusCode::OK);
    anon.get("/bob/weather").await.refused(404);
    anon.get("/api/v1/token/guest?aud=robert").await.expect(StatusCode::OK);
    anon.get("/api/v1/token/guest?aud=bob").await.refused(404);
    let form = |name: &str| format!("username={name}&password={}", PASSWORD.replace(' ', "+"));
    anon.form("/api/v1/auth/login", &form("robert")).await.expect(StatusCode::OK);
    anon.form("/api/v1/auth/login", &form("bob")).await.refused(401);
    assert_eq!(bob.get("/api/v1/auth/me").await.json()["username"], "robert", "the session goes on");
    let free = app.anon().get("/api/v1/users/check-username/bob").await.json();
    assert_eq!(free["available"], true, "the name is free");
}

#[tokio::test]
async fn a_new_address_has_to_be_confirmed_where_mail_is_sent() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let change = json!({"email": "robert@example.com"});
    assert_eq!(bob.put(ME, &change).await.expect(StatusCode::OK)["is_email_verified"], true);
    let app = app.restarted_with(|settings| settings.mail.provider = syfthub_config::MailProvider::Log).await;
    let bob = app.with_token(bob.token.as_deref().unwrap());
    assert_eq!(
        bob.put(ME, &change).await.expect(StatusCode::OK)["is_email_verified"],
        true,
        "nothing changed"
    );
    let after = bob.put(ME, &json!({"email": "bert@example.com"})).await.expect(StatusCode::OK);
    assert_eq!(after["is_email_verified"], false);
}

#[tokio::test]
async fn of_two_who_want_one_name_one_gets_it() {
    let app = TestApp::start_on_postgres().await;
    let (a, b) = (app.user("anna").await, app.user("berta").await);
    for round in 0..5 {
        let name = json!({"username": format!("wanted-{round}")});
        let (first, second) = tokio::join!(a.put(ME, &name), b.put(ME, &name));
        let mut statuses = [first.status.as_u16(), second.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{} {}", first.text, second.text);
    }
}

#[tokio::test]
async fn registrations_of_one_name_at_once_have_one_right_outcome_each() {
    let app = TestApp::start_on_postgres().await;
    let anon = app.anon();
    let register = |number: usize| {
        let body = json!({
            "username": "popular", "email": format!("someone{number}@example.com"), "full_name": "P", "password": PASSWORD,
        });
        let anon = anon.clone();
        async move { anon.post("/api/v1/auth/register", &body).await }
    };
    let answers = futures::future::join_all((0..12).map(register)).await;
    let mut names: Vec<String> = answers
        .iter()
        .map(|answer| answer.expect(StatusCode::CREATED)["user"]["username"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 12, "{names:?}");
    assert_eq!(names.iter().filter(|name| *name == "popular").count(), 1);
    let same = json!({"username": "x-1", "email": "one@example.com", "full_name": "P", "password": PASSWORD});
    let (a, b) =
        tokio::join!(anon.post("/api/v1/auth/register", &same), anon.post("/api/v1/auth/register", &same));
    let (good, bad) = if a.status == StatusCode::CREATED { (a, b) } else { (b, a) };
    good.expect(StatusCode::CREATED);
    assert_eq!(bad.refused(409)["code"], "USER_ALREADY_EXISTS");
}

#[tokio::test]
async fn a_token_that_may_not_set_a_password_sets_no_address_either() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let root = app.admin().await;
    let token = bob.pat(&["write"]).await;
    token.put(ME, &json!({"bio": "I bake."})).await.expect(StatusCode::OK);
    // One's own address, sent back as it was read, changes nothing.
    token.put(ME, &json!({"email": "BOB@example.com", "is_active": true})).await.expect(StatusCode::OK);
    token.put(ME, &json!({"email": "thief@example.com"})).await.refused(403);
    let path = format!("/api/v1/users/{}", bob.id);
    let admins = root.pat(&["write"]).await;
    admins.put(&path, &json!({"email": "thief@example.com"})).await.refused(403);
    admins.put(&path, &json!({"is_active": false})).await.refused(403);
    assert_eq!(bob.get(ME).await.json()["email"], "bob@example.com");
    bob.pat(&["full"]).await.put(ME, &json!({"email": "bob2@example.com"})).await.expect(StatusCode::OK);
}
