//! The first administrator.

use http::StatusCode;
use serde_json::json;

use crate::actor::{PASSWORD, TestApp};
use crate::shorthand::account;

/// The path of a link that the hub printed.
fn path(link: &str) -> String {
    url::Url::parse(link).map(|url| format!("{}?{}", url.path(), url.query().unwrap())).unwrap()
}

#[tokio::test]
async fn the_link_makes_one_administrator() {
    let app = TestApp::start().await;
    let anon = app.anon();
    let link = app.app.ensure_setup_link(true).await.unwrap().unwrap();
    assert_eq!(app.app.ensure_setup_link(true).await.unwrap(), None, "it is shown once");
    let link = path(&link);
    let form = anon.get_with(&link, "accept", "text/html").await;
    assert!(form.is(200).text.contains("name=\"password\""));
    anon.get("/api/v1/setup?token=wrong").await.refused(403);
    assert_eq!(anon.get("/api/v1/setup").await.refused_fields(), ["token"]);
    anon.post("/api/v1/setup?token=wrong", &account("ada")).await.refused(403);
    assert_eq!(
        anon.post(&link, &json!({})).await.refused_fields(),
        ["username", "email", "full_name", "password"]
    );

    let made = anon.post(&link, &account("ada")).await.expect(StatusCode::CREATED);
    assert_eq!(made["user"]["role"], "admin");
    app.with_token(made["access_token"].as_str().unwrap())
        .get("/api/v1/auth/me")
        .await
        .expect(StatusCode::OK);
    assert_eq!(app.app.list_admins().await.unwrap(), ["ada"]);
    anon.get(&link).await.refused(410);
    anon.post(&link, &account("eve")).await.refused(410);
    assert_eq!(app.app.ensure_setup_link(true).await.unwrap(), None);
    assert_eq!(app.app.renew_setup_link().await.unwrap(), None);
}

#[tokio::test]
async fn the_form_works_without_a_script() {
    let app = TestApp::start().await;
    let anon = app.anon();
    let link = path(&app.app.ensure_setup_link(true).await.unwrap().unwrap());
    let fill = async |name: &str, password: &str| {
        let pairs =
            [("username", name), ("email", "ada@example.com"), ("full_name", "Ada"), ("password", password)];
        anon.fill(&link, &pairs).await
    };
    let refused = fill("<b>a", "hunter2").await;
    refused.is(422);
    assert!(
        refused.text.contains("&lt;b&gt;a") && !refused.text.contains("<b>a"),
        "what was typed stays, escaped"
    );
    assert!(!refused.text.contains("hunter2"));
    let done = fill("ada", PASSWORD).await;
    assert!(done.is(201).header("content-security-policy").contains("default-src 'none'"));
    anon.login("ada", PASSWORD).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_new_link_voids_the_one_before() {
    let app = TestApp::start().await;
    let first = path(&app.app.ensure_setup_link(true).await.unwrap().unwrap());
    let second = path(&app.app.renew_setup_link().await.unwrap().unwrap());
    app.anon().get(&first).await.refused(403);
    app.anon().get(&second).await.is(200);
}

#[tokio::test]
async fn a_link_that_was_never_written_down_is_made_again() {
    let app = TestApp::start().await;
    let lost = path(&app.app.ensure_setup_link(false).await.unwrap().unwrap());
    let link = path(&app.app.ensure_setup_link(false).await.unwrap().unwrap());
    assert_eq!(app.app.ensure_setup_link(true).await.unwrap(), None);
    app.anon().get(&lost).await.refused(403);
    app.anon().post(&link, &account("ada")).await.is(201);
    assert_eq!(app.app.ensure_setup_link(false).await.unwrap(), None);
}

#[tokio::test]
async fn every_way_to_an_administrator_voids_the_link() {
    for promote in [false, true] {
        let app = TestApp::start().await;
        app.user("bob").await;
        app.app.ensure_setup_link(true).await.unwrap().unwrap();
        if promote {
            app.app.promote("bob").await.unwrap();
        } else {
            app.admin().await;
        }
        let kept = syfthub_store::settings::get(&app.db, "setup.token_sha256").await.unwrap();
        assert_eq!(kept, None, "promote: {promote}");
    }
}

#[tokio::test]
async fn a_hub_that_is_set_up_says_so_whatever_is_sent() {
    let app = TestApp::start().await;
    app.admin().await;
    let anon = app.anon();
    for path in ["/api/v1/setup", "/api/v1/setup?token=", "/api/v1/setup?token=x"] {
        anon.get(path).await.refused(410);
        anon.post(path, &json!({})).await.refused(410);
        let page = anon.fill(path, &[("username", "x")]).await;
        assert!(page.is(410).header("content-type").starts_with("text/html"), "{path}");
    }
}

#[tokio::test]
async fn of_two_posts_at_once_one_wins() {
    let app = TestApp::start().await;
    let link = path(&app.app.ensure_setup_link(true).await.unwrap().unwrap());
    let anon = app.anon();
    let (ada, eve) = (account("ada"), account("eve"));
    let (a, b) = tokio::join!(anon.post(&link, &ada), anon.post(&link, &eve));
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 410]);
    assert_eq!(app.app.list_admins().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_hub_with_an_administrator_has_no_link() {
    let app = TestApp::start().await;
    app.admin().await;
    assert_eq!(app.app.ensure_setup_link(true).await.unwrap(), None);
    app.anon().get("/api/v1/setup?token=x").await.refused(410);
}
