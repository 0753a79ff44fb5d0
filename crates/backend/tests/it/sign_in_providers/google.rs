//! Who gets in with Google, and into which account.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use syfthub_config::RegistrationMode;
use syfthub_testing::wait;

use super::fake_google::{CLIENT_ID, FakeGoogle, PATH, bring, claims, good, token};
use crate::actor::{PASSWORD, TestApp};

const CONFIG: &str = "/api/v1/auth/config";

#[tokio::test]
async fn without_a_client_id_it_is_off() {
    let app = TestApp::start().await;
    assert_eq!(bring(&app.anon(), "x").await.refused(503), "Google OAuth is not configured");
    let config = app.anon().get(CONFIG).await.json();
    assert_eq!((&config["google_client_id"], &config["github_enabled"]), (&Value::Null, &json!(false)));
    assert_eq!(app.anon().post(PATH, &json!({})).await.refused_fields(), ["credential"]);
}

#[tokio::test]
async fn somebody_new_gets_an_account_and_keeps_it() {
    let (app, google) = FakeGoogle::hub().await;
    let anon = app.anon();
    assert_eq!(anon.get(CONFIG).await.json()["google_client_id"], CLIENT_ID);
    let first = bring(&anon, &good(&app, "107", "Ada@Example.com")).await.expect(StatusCode::OK);
    let user = first["user"].as_object().unwrap();
    let fields = ["id", "username", "email", "full_name", "role", "is_active", "created_at"];
    assert_eq!(user.len(), fields.len());
    assert!(fields.iter().all(|field| user.contains_key(*field)));
    assert_eq!((&first["user"]["username"], &first["token_type"]), (&json!("ada"), &json!("bearer")));
    let ada = app.actor_of(&first);
    let me = ada.get("/api/v1/auth/me").await.json();
    assert_eq!(
        (&me["auth_provider"], &me["is_email_verified"], &me["full_name"], &me["avatar_url"], &me["role"]),
        (
            &json!("google"),
            &json!(true),
            &json!("Ada Lovelace"),
            &json!("https://pictures.example/ada.png"),
            &json!("user")
        )
    );
    assert!(me["last_login_at"].is_string());
    // The same account whatever its mail address at Google is by now, and in either spelling of the issuer.
    let moved = token(claims(&app.clock, "107", "moved@example.com"), &json!({"iss": "accounts.google.com"}));
    let again = bring(&anon, &moved).await.expect(StatusCode::OK);
    assert_eq!(again["user"]["id"], ada.id);
    assert_eq!(again["user"]["email"], "ada@example.com");
    let refresh = json!({"refresh_token": again["refresh_token"]});
    anon.post("/api/v1/auth/refresh", &refresh).await.expect(StatusCode::OK);
    assert_eq!(google.asked(), 1, "the keys are kept");

    let listed = ada.get("/api/v1/users/me/identities").await.json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(
        (&listed[0]["provider"], &listed[0]["label"]),
        (&json!("google"), &json!("moved@example.com"))
    );
    assert!(listed[0]["linked_at"].is_string() && listed[0]["last_used_at"].is_string());
    assert!(listed[0].get("subject").is_none());
}

#[tokio::test]
async fn a_taken_name_gives_another_one() {
    let (app, _google) = FakeGoogle::hub().await;
    app.user("ada").await;
    let made = bring(&app.anon(), &good(&app, "107", "ada@elsewhere.example")).await.expect(StatusCode::OK);
    let name = made["user"]["username"].as_str().unwrap();
    assert!(name.starts_with("ada") && name.len() == 6, "{name}");
}

#[tokio::test]
async fn a_browser_gets_a_cookie_from_pages_of_the_hub_only() {
    let (app, _google) = FakeGoogle::hub().await;
    let body = json!({"credential": good(&app, "107", "ada@example.com")}).to_string();
    let post = async |site: &str| {
        let headers = [("sec-fetch-site", site), ("content-type", "application/json")];
        app.anon().having(Method::POST, "/api/v1/auth/google?session=cookie", &headers, body.clone()).await
    };
    post("cross-site").await.refused(403);
    let answer = post("same-origin").await;
    let auth = answer.expect(StatusCode::OK);
    assert!(auth["access_token"].is_null() && auth["refresh_token"].is_null());
    let cookie = answer.header("set-cookie").split(';').next().unwrap();
    assert!(cookie.starts_with("syfthub_session=syft_ses_"));
    app.anon().get_with("/api/v1/auth/me", "cookie", cookie).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn an_address_that_has_an_account_is_not_linked_by_itself() {
    let (app, _google) = FakeGoogle::hub().await;
    let ada = app.user("ada").await;
    let refused = bring(&app.anon(), &good(&app, "107", "ADA@example.com")).await.refused(409);
    assert!(refused.as_str().unwrap().contains("link Google"), "{refused}");
    assert_eq!(ada.get("/api/v1/users/me/identities").await.json(), json!([]));
}

#[tokio::test]
async fn an_account_that_is_switched_off_stays_shut() {
    let (app, _google) = FakeGoogle::hub().await;
    let made = bring(&app.anon(), &good(&app, "107", "ada@example.com")).await.expect(StatusCode::OK);
    let admin = app.admin().await;
    admin.patch(&format!("/api/v1/users/{}/deactivate", made["user"]["id"]), &json!({})).await.is(200);
    let refused = bring(&app.anon(), &good(&app, "107", "ada@example.com")).await;
    assert_eq!(refused.refused(401), "Account is deactivated");
}

#[tokio::test]
async fn the_mode_of_registration_holds_for_new_accounts_only() {
    let (app, _google) = FakeGoogle::hub().await;
    let (anon, admin) = (app.anon(), app.admin().await);
    let before = good(&app, "1", "before@example.com");
    bring(&anon, &before).await.expect(StatusCode::OK);
    let decide = async |registration: &str| {
        admin.patch("/api/v1/admin/settings", &json!({"registration": registration})).await.is(200);
    };
    decide(RegistrationMode::Closed.as_str()).await;
    let ada = good(&app, "107", "ada@example.com");
    assert_eq!(bring(&anon, &ada).await.refused(403)["reason"], "registration_closed");
    bring(&anon, &before).await.expect(StatusCode::OK);
    decide(RegistrationMode::Invitation.as_str()).await;
    assert_eq!(bring(&anon, &ada).await.refused(403)["reason"], "invitation_required");
    let invitation = admin.post("/api/v1/admin/invitations", &json!({})).await.expect(StatusCode::CREATED);
    let with = async |credential: &str, code: &Value| {
        anon.post(PATH, &json!({"credential": credential, "invitation_code": code})).await
    };
    assert_eq!(with(&ada, &json!("made up")).await.refused(403)["reason"], "invitation_invalid");
    with(&ada, &invitation["code"]).await.expect(StatusCode::OK);
    let other = good(&app, "108", "eve@example.com");
    assert_eq!(with(&other, &invitation["code"]).await.refused(403)["reason"], "invitation_invalid");
}

async fn race(app: &TestApp) {
    let credential = good(app, "107", "ada@example.com");
    let anon = app.anon();
    let answers = futures::future::join_all((0..6).map(|_| bring(&anon, &credential))).await;
    let ids: std::collections::BTreeSet<i64> =
        answers.iter().map(|answer| answer.expect(StatusCode::OK)["user"]["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let admin = app.admin().await;
    let page = admin.get("/api/v1/admin/audit?action=identity.linked").await.expect(StatusCode::OK);
    assert_eq!(page["entries"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn several_sign_ins_at_once_make_one_account() {
    let (app, _google) = FakeGoogle::hub().await;
    race(&app).await;
    let google = FakeGoogle::start().await;
    let url = syfthub_testing::postgres::shared().await.fresh_database().await;
    let app = TestApp::start_with(|settings| {
        settings.database = syfthub_testing::postgres_settings(&url);
        google.configure(settings);
    });
    race(&app.await).await;
}

#[tokio::test]
async fn it_is_in_the_log_of_changes_and_in_the_accounts_activity() {
    let (app, _google) = FakeGoogle::hub().await;
    let made = bring(&app.anon(), &good(&app, "107", "ada@example.com")).await.expect(StatusCode::OK);
    let (ada, admin) = (app.actor_of(&made), app.admin().await);
    let page = admin.get("/api/v1/admin/audit?actor=ada").await.expect(StatusCode::OK);
    let entries = page["entries"].as_array().unwrap();
    let of = |action: &str| entries.iter().find(|entry| entry["action"] == action).unwrap();
    assert_eq!(of("user.created")["after"]["provider"], "google");
    assert_eq!(of("identity.linked")["after"]["label"], "ada@example.com");
    let seen = async || {
        let facts = ada.get("/api/v1/auth/activity?kind=login.").await.expect(StatusCode::OK);
        facts.to_string().contains("login.success")
    };
    wait::until(seen, "the sign-in in the activity").await;
}

#[tokio::test]
async fn an_account_without_a_password_is_told_how_to_sign_in_and_how_to_get_one() {
    let google = FakeGoogle::start().await;
    let app = TestApp::start_with(|settings| {
        google.configure(settings);
        settings.mail.provider = syfthub_config::MailProvider::Log;
    });
    let app = app.await;
    let anon = app.anon();
    let made = bring(&anon, &good(&app, "107", "ada@example.com")).await.expect(StatusCode::OK);
    let told = anon.login("ada", PASSWORD).await.refused(401);
    assert_eq!(told, "Please use Google Sign-In for this account");
    let change = json!({"current_password": "x", "new_password": PASSWORD});
    app.actor_of(&made).put("/api/v1/auth/me/password", &change).await.refused(400);
    anon.post("/api/v1/auth/password-reset/request", &json!({"email": "ada@example.com"})).await.is(200);
    let letter = app.mail_to("ada@example.com", 1).await;
    let digits: String = letter.text.chars().map(|c| if c.is_ascii_digit() { c } else { ' ' }).collect();
    let code = digits.split_whitespace().find(|word| word.len() == 6).unwrap();
    let reset = json!({"email": "ada@example.com", "code": code, "new_password": PASSWORD});
    anon.post("/api/v1/auth/password-reset/confirm", &reset).await.is(200);
    anon.login("ada", PASSWORD).await.is(200);
    bring(&anon, &good(&app, "107", "ada@example.com")).await.is(200);
}

#[tokio::test]
async fn it_counts_as_every_way_to_an_account() {
    let google = FakeGoogle::start().await;
    let app = TestApp::start_with(|settings| {
        google.configure(settings);
        settings.rate_limits.auth = syfthub_config::Rule::per_seconds(2, 60);
    });
    let app = app.await;
    for status in [401, 401, 429] {
        bring(&app.anon(), "x").await.is(status);
    }
}
