//! Who may register, guest access and the hub's name, decided at run time.

use http::StatusCode;
use serde_json::{Value, json};
use syfthub_config::RegistrationMode;
use syfthub_testing::wait;
use syfthub_web::route_table;

use crate::actor::{Actor, Answer, PASSWORD, TestApp};
use crate::matrix::table::{Door, TABLE};

const SETTINGS: &str = "/api/v1/admin/settings";
const INVITATIONS: &str = "/api/v1/admin/invitations";

async fn register(anon: &Actor, email: &str, code: Option<&str>) -> Answer {
    let body = json!({
        "username": "somebody", "email": email, "full_name": "S", "password": PASSWORD, "invitation_code": code,
    });
    anon.post("/api/v1/auth/register", &body).await
}

async fn decide(root: &Actor, change: Value) -> Value {
    root.patch(SETTINGS, &change).await.expect(StatusCode::OK)
}

#[tokio::test]
async fn settings_are_for_administrators_and_fall_back_to_their_defaults() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let root = app.admin().await;
    anon.get(SETTINGS).await.refused(401);
    bob.get(SETTINGS).await.refused(403);
    bob.patch(SETTINGS, &json!({"guest_access": false})).await.refused(403);
    let defaults = json!({
        "registration": "open", "allowed_domains": [], "guest_access": true, "instance_name": "SyftHub", "changed": [],
    });
    assert_eq!(root.get(SETTINGS).await.json(), defaults);
    let after = decide(&root, json!({"instance_name": " Ada's hub ", "registration": "closed"})).await;
    assert_eq!(
        (&after["instance_name"], &after["changed"]),
        (&json!("Ada's hub"), &json!(["registration", "instance_name"]))
    );
    assert_eq!(anon.get("/").await.json()["message"], "Welcome to Ada's hub");
    let config = anon.get("/api/v1/auth/config").await.json();
    assert_eq!((&config["registration"], &config["instance_name"]), (&json!("closed"), &json!("Ada's hub")));
    assert_eq!(decide(&root, json!({"registration": null, "instance_name": null})).await, defaults);
    let wrong =
        json!({"registration": "x", "allowed_domains": ["*"], "guest_access": "?", "instance_name": ""});
    assert_eq!(root.patch(SETTINGS, &wrong).await.refused_fields().len(), 4);
    assert_eq!(
        root.patch(SETTINGS, &json!({"registration": "domains"})).await.refused_fields(),
        ["allowed_domains"]
    );
}

#[tokio::test]
async fn the_modes_of_registration_say_what_to_do() {
    let app = TestApp::start_with(|settings| settings.hub.registration = RegistrationMode::Closed).await;
    let (anon, root) = (app.anon(), app.admin().await);
    assert_eq!(register(&anon, "a@example.com", None).await.refused(403)["reason"], "registration_closed");
    decide(&root, json!({"registration": "domains", "allowed_domains": ["example.com"]})).await;
    register(&anon, "a@example.com", None).await.expect(StatusCode::CREATED);
    let detail = register(&anon, "a@sub.example.com", None).await.refused(403);
    assert_eq!(detail["reason"], "domain_not_allowed");
    assert!(detail["message"].as_str().unwrap().contains("example.com"));
    decide(&root, json!({"registration": "invitation"})).await;
    // Whoever may not register does not learn who has an account.
    assert_eq!(register(&anon, "a@example.com", None).await.refused(403)["reason"], "invitation_required");
    assert_eq!(
        register(&anon, "b@example.com", Some("x")).await.refused(403)["reason"],
        "invitation_invalid"
    );
    decide(&root, json!({"registration": "open"})).await;
    register(&anon, "b@example.com", Some("x")).await.expect(StatusCode::CREATED);
}

#[tokio::test]
async fn an_invitation_lets_in_as_many_as_it_says() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let root = app.admin().await;
    decide(&root, json!({"registration": "invitation"})).await;
    bob.post(INVITATIONS, &json!({})).await.refused(403);
    let made = root.post(INVITATIONS, &json!({})).await.expect(StatusCode::CREATED);
    let code = made["code"].as_str().unwrap();
    let link: url::Url = made["link"].as_str().unwrap().parse().unwrap();
    assert_eq!((link.query(), link.fragment()), (None, Some(format!("invitation={code}").as_str())));
    let owner = route_table::route_of(link.path()).owner;
    assert_eq!(owner, route_table::Owner::WebApp, "{link} leads to the page where the account is made");
    assert_eq!(made["mailed"], false);
    assert!(!root.get(INVITATIONS).await.text.contains(code), "the code is shown once");
    // A registration that fails for another reason does not use it up.
    register(&anon, "bob@example.com", Some(code)).await.refused(409);
    register(&anon, "new@example.com", Some(code)).await.expect(StatusCode::CREATED);
    let detail = register(&anon, "other@example.com", Some(code)).await.refused(403);
    assert!(detail["message"].as_str().unwrap().contains("has been used"), "{detail}");
    assert_eq!(root.get(INVITATIONS).await.json()[0]["status"], "used");

    let wanted = json!({"email": "Carl@Example.com", "max_uses": 2, "expires_in_hours": 1});
    let made = root.post(INVITATIONS, &wanted).await.expect(StatusCode::CREATED);
    let code = made["code"].as_str().unwrap();
    register(&anon, "dora@example.com", Some(code)).await.refused(403);
    register(&anon, "carl@example.com", Some(code)).await.expect(StatusCode::CREATED);
    let path = format!("{INVITATIONS}/{}", made["id"].as_str().unwrap());
    assert_eq!(root.delete(&path).await.status, StatusCode::NO_CONTENT);
    root.delete(&format!("{INVITATIONS}/none")).await.refused(404);
    assert_eq!(root.get(INVITATIONS).await.json()[0]["status"], "revoked");
    let wrong = json!({"email": "x", "max_uses": 0, "expires_in_hours": 0});
    assert_eq!(root.post(INVITATIONS, &wrong).await.refused_fields().len(), 3);
}

#[tokio::test]
async fn a_hub_without_guests_shows_them_nothing() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let root = app.admin().await;
    bob.publish("weather", json!({})).await;
    anon.get("/api/v1/token/guest?aud=bob").await.expect(StatusCode::OK);
    let ice = bob.post("/api/v1/collectives", &json!({"name": "Ice", "slug": "ice"})).await;
    let ice = format!("/api/v1/collectives/{}", ice.expect(StatusCode::CREATED)["id"]);
    decide(&root, json!({"guest_access": false})).await;
    assert_eq!(anon.get("/api/v1/token/guest?aud=bob").await.refused(403)["code"], "PERMISSION_DENIED");
    for path in [
        "/api/v1/endpoints/public",
        "/api/v1/endpoints/public/grouped",
        "/api/v1/endpoints/public/owners",
        "/api/v1/endpoints/public/bob/weather",
        "/api/v1/endpoints/trending",
        "/api/v1/users/public/bob",
        "/api/v1/collectives",
        "/api/v1/collectives/by-slug/ice",
        &ice,
        "/bob",
        "/bob/weather",
    ] {
        anon.get(path).await.refused(401);
        bob.get(path).await.expect(StatusCode::OK);
    }
    anon.get_with("/bob/weather", "accept", "text/html").await.is(401);
    anon.post("/api/v1/endpoints/search", &json!({"query": "weather"})).await.refused(401);
    let refused = anon.post("/bob/weather", &json!({})).await.refused(401);
    assert_eq!(refused, "This hub is not open to guests; sign in");
    anon.get("/.well-known/jwks.json").await.expect(StatusCode::OK);
    anon.get("/api/v1/auth/config").await.expect(StatusCode::OK);
    register(&anon, "new@example.com", None).await.expect(StatusCode::CREATED);
    bob.get("/api/v1/token?aud=bob").await.expect(StatusCode::OK);
}

/// What stays open without guests: signing in and up, the keys with which services verify tokens, and reports.
const FOR_EVERYBODY: &[&str] =
    &["/.well-known/jwks.json", "/api/v1/auth/", "/api/v1/users/check-", "/api/v1/setup", "/api/v1/errors/"];

#[tokio::test]
async fn without_guests_every_other_open_route_is_closed() {
    let app = TestApp::start_with(|settings| {
        settings.hub.guest_access = false;
        settings.rate_limits.enabled = false;
        settings.optional.nats.auth_token = Some(syfthub_config::Secret::new("nats-secret"));
    })
    .await;
    app.user("bob").await.publish("weather", json!({})).await;
    let mut open = Vec::new();
    for (method, path, _) in TABLE.iter().filter(|row| row.2 == Door::Open) {
        if FOR_EVERYBODY.iter().any(|start| path.starts_with(start)) {
            continue;
        }
        let mut asked =
            path.replace("{owner}", "bob").replace("{username}", "bob").replace("{slug}", "weather");
        asked = asked.replace("{id}", "1").replace("{shared}", "all");
        if *path == "/api/v1/token/guest" {
            asked.push_str("?aud=bob");
        }
        let answer =
            app.anon().send(method.parse().unwrap(), &asked, (*method == "POST").then_some(&json!({}))).await;
        if ![401, 403].contains(&answer.status.as_u16()) {
            open.push(format!("{method} {asked}: {}", answer.status));
        }
    }
    assert!(open.is_empty(), "{open:#?}");
}

#[tokio::test]
async fn what_is_decided_here_holds_there_and_after_a_restart() {
    let app = TestApp::start().await;
    let (root, other) = (app.admin().await, app.replica().await);
    decide(&root, json!({"registration": "closed"})).await;
    let closed =
        || async { other.anon().get("/api/v1/auth/config").await.json()["registration"] == "closed" };
    wait::until(closed, "the other replica hears of it").await;
    register(&other.anon(), "a@example.com", None).await.refused(403);
    let again = app.restarted_with(|_| {}).await;
    register(&again.anon(), "a@example.com", None).await.refused(403);
}

#[tokio::test]
async fn settings_are_changed_from_the_command_line_too() {
    let app = TestApp::start().await;
    app.app.set_setting("guest_access", Some("no")).await.unwrap();
    app.app.set_setting("allowed_domains", Some("a.com,b.com")).await.unwrap();
    app.app.set_setting("registration", Some("domains")).await.unwrap();
    let values: Vec<(String, String, bool)> = app.app.settings();
    let all: Vec<String> =
        values.iter().map(|(name, value, changed)| format!("{name}={value} {changed}")).collect();
    let expected = [
        "registration=domains true",
        "allowed_domains=a.com,b.com true",
        "guest_access=false true",
        "instance_name=SyftHub false",
    ];
    assert_eq!(all, expected);
    app.app.set_setting("guest_access", None).await.unwrap();
    assert!(app.app.set_setting("nonsense", None).await.unwrap_err().message.contains("registration"));
    app.anon().get("/api/v1/endpoints/public").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn administrators_who_decide_at_once_lose_nothing() {
    let app = TestApp::start_on_postgres().await;
    let root = app.admin().await;
    let (name, guests, mode) =
        (json!({"instance_name": "One"}), json!({"guest_access": false}), json!({"registration": "closed"}));
    let (a, b, c) =
        tokio::join!(root.patch(SETTINGS, &name), root.patch(SETTINGS, &guests), root.patch(SETTINGS, &mode));
    for answer in [a, b, c] {
        answer.expect(StatusCode::OK);
    }
    let after = root.get(SETTINGS).await.json();
    assert_eq!(after["changed"], json!(["registration", "guest_access", "instance_name"]));
}
