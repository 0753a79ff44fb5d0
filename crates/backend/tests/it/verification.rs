//! Confirming a mail address and resetting a password by one-time code.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use syfthub_backend::Letter;
use syfthub_config::{MailProvider, Rule};
use syfthub_domain::{Clock as _, Email};
use syfthub_store::users::{self, ProfileChange};

use crate::actor::{Actor, Answer, PASSWORD, TestApp};

const REGISTER: &str = "/api/v1/auth/register";
const VERIFY: &str = "/api/v1/auth/register/verify-otp";
const RESEND: &str = "/api/v1/auth/register/resend-otp";
const REQUEST: &str = "/api/v1/auth/password-reset/request";
const CONFIRM: &str = "/api/v1/auth/password-reset/confirm";

fn account(name: &str) -> Value {
    json!({"username": name, "email": format!("{name}@example.com"), "full_name": name, "password": PASSWORD})
}

/// The code in a mail: its only line of six digits.
fn code(letter: &Letter) -> String {
    let digits = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
    letter.text.lines().map(str::trim).find(digits).unwrap().to_owned()
}

/// Another one than this.
fn other(code: &str) -> String {
    if code == "123456" { "123457".to_owned() } else { "123456".to_owned() }
}

async fn login(anon: &Actor, name: &str, password: &str) -> Answer {
    let body = format!("username={name}&password={}", password.replace(' ', "+"));
    anon.form("/api/v1/auth/login", &body).await
}

async fn verify(anon: &Actor, name: &str, code: &str) -> Answer {
    anon.post(VERIFY, &json!({"email": format!("{name}@example.com"), "code": code})).await
}

async fn confirm(anon: &Actor, name: &str, code: &str, password: &str) -> Answer {
    let body = json!({"email": format!("{name}@example.com"), "code": code, "new_password": password});
    anon.post(CONFIRM, &body).await
}

#[tokio::test]
async fn an_address_is_confirmed_before_the_first_sign_in() {
    let app = TestApp::start_with_mail().await;
    let anon = app.anon();
    let made = anon.post(REGISTER, &account("bob")).await.expect(StatusCode::CREATED);
    assert_eq!((&made["access_token"], &made["refresh_token"]), (&Value::Null, &Value::Null));
    assert_eq!(made["requires_email_verification"], true);
    assert_eq!(login(&anon, "bob", PASSWORD).await.refused(403)["code"], "EMAIL_NOT_VERIFIED");
    // Somebody without the password does not learn that.
    login(&anon, "bob", "wrong password 1").await.refused(401);
    let letter = app.mail_to("bob@example.com", 1).await;
    assert!(letter.subject.contains("verification code") && letter.html.contains(&code(&letter)));
    let code = code(&letter);
    assert_eq!(verify(&anon, "bob", &other(&code)).await.refused(400)["code"], "INVALID_OTP");
    assert_eq!(verify(&anon, "nobody", &code).await.refused(400)["code"], "INVALID_OTP");
    let auth = verify(&anon, "BOB", &code).await.expect(StatusCode::OK);
    let bob = app.actor_of(&auth);
    let me = bob.get("/api/v1/auth/me").await.expect(StatusCode::OK);
    assert_eq!((&me["is_email_verified"], &me["last_login_at"]), (&json!(true), &Value::Null));
    login(&anon, "bob", PASSWORD).await.expect(StatusCode::OK);
    // It worked once.
    assert_eq!(verify(&anon, "bob", &code).await.refused(400)["code"], "INVALID_OTP");
}

#[tokio::test]
async fn the_fifth_wrong_code_ends_it_and_a_new_one_begins_anew() {
    let app = TestApp::start_with_mail().await;
    let anon = app.anon();
    anon.post(REGISTER, &account("bob")).await.expect(StatusCode::CREATED);
    let first = code(&app.mail_to("bob@example.com", 1).await);
    for _ in 0..4 {
        assert_eq!(verify(&anon, "bob", &other(&first)).await.refused(400)["code"], "INVALID_OTP");
    }
    for guess in [other(&first), first.clone()] {
        assert_eq!(verify(&anon, "bob", &guess).await.refused(429)["code"], "OTP_MAX_ATTEMPTS");
    }
    anon.post(RESEND, &json!({"email": "bob@example.com"})).await.expect(StatusCode::OK);
    let second = code(&app.mail_to("bob@example.com", 2).await);
    if first != second {
        assert_eq!(verify(&anon, "bob", &first).await.refused(400)["code"], "INVALID_OTP");
    }
    verify(&anon, "bob", &second).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_code_expires() {
    let app = TestApp::start_with_mail().await;
    let anon = app.anon();
    anon.post(REGISTER, &account("bob")).await.expect(StatusCode::CREATED);
    let code = code(&app.mail_to("bob@example.com", 1).await);
    app.clock.advance(Duration::from_mins(10));
    assert_eq!(verify(&anon, "bob", &code).await.refused(400)["code"], "INVALID_OTP");
}

#[tokio::test]
async fn however_many_guess_at_once_five_get_an_answer() {
    let url = syfthub_testing::postgres::shared().await.fresh_database().await;
    let app = TestApp::start_with(|settings| {
        settings.database = syfthub_testing::postgres_settings(&url);
        settings.mail.provider = MailProvider::Log;
    })
    .await;
    let anon = app.anon();
    anon.post(REGISTER, &account("bob")).await.expect(StatusCode::CREATED);
    let right = code(&app.mail_to("bob@example.com", 1).await);
    let wrong = other(&right);
    let answers = futures::future::join_all((0..30).map(|_| verify(&anon, "bob", &wrong))).await;
    let told = answers.iter().filter(|answer| answer.status == StatusCode::BAD_REQUEST).count();
    assert_eq!(told, 4, "the fifth wrong one is told that it was the last");
    assert!(answers.iter().all(|answer| matches!(answer.status.as_u16(), 400 | 429)));
    verify(&anon, "bob", &right).await.refused(429);
}

#[tokio::test]
async fn a_right_code_used_twice_at_once_works_once() {
    let url = syfthub_testing::postgres::shared().await.fresh_database().await;
    let app = TestApp::start_with(|settings| {
        settings.database = syfthub_testing::postgres_settings(&url);
        settings.mail.provider = MailProvider::Log;
    })
    .await;
    let anon = app.anon();
    anon.post(REGISTER, &account("bob")).await.expect(StatusCode::CREATED);
    let right = code(&app.mail_to("bob@example.com", 1).await);
    let answers = futures::future::join_all((0..4).map(|_| verify(&anon, "bob", &right))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == StatusCode::OK).count(), 1);
}

#[tokio::test]
async fn a_changed_address_is_confirmed_again_by_a_mail_in_the_name_of_the_hub() {
    let app = TestApp::start_with_mail().await;
    let (anon, root) = (app.anon(), app.admin().await);
    anon.post(REGISTER, &account("bob")).await.expect(StatusCode::CREATED);
    let first = app.mail_to("bob@example.com", 1).await;
    let bob = app.actor_of(&verify(&anon, "bob", &code(&first)).await.expect(StatusCode::OK));
    let named = json!({"instance_name": "Ada's hub"});
    root.patch("/api/v1/admin/settings", &named).await.expect(StatusCode::OK);
    let after = bob.put("/api/v1/users/me", &json!({"email": "new@example.com"})).await;
    assert_eq!(after.expect(StatusCode::OK)["is_email_verified"], false);
    assert_eq!(login(&anon, "bob", PASSWORD).await.refused(403)["code"], "EMAIL_NOT_VERIFIED");
    for address in ["bob@example.com", "new@example.com"] {
        anon.post(RESEND, &json!({"email": address})).await.expect(StatusCode::OK);
    }
    let letter = app.mail_to("new@example.com", 1).await;
    assert_eq!(letter.subject, "Your verification code for Ada's hub");
    assert!(letter.text.contains("Ada's hub"), "{}", letter.text);
    verify(&anon, "bob", &code(&letter)).await.refused(400);
    let auth = verify(&anon, "new", &code(&letter)).await.expect(StatusCode::OK);
    assert_eq!(auth["user"]["username"], "bob");
    login(&anon, "bob", PASSWORD).await.expect(StatusCode::OK);
    let to_the_old = app.sent_mail().iter().filter(|letter| letter.to == "bob@example.com").count();
    assert_eq!(to_the_old, 2, "the first code, and that the address is another one: {first:?}");
}

#[tokio::test]
async fn the_old_address_is_told_of_a_change_if_it_was_the_accounts_own() {
    let app = TestApp::start_with_mail().await;
    let (anon, root) = (app.anon(), app.admin().await);
    anon.post(REGISTER, &account("bob")).await.expect(StatusCode::CREATED);
    let first = app.mail_to("bob@example.com", 1).await;
    let bob = app.actor_of(&verify(&anon, "bob", &code(&first)).await.expect(StatusCode::OK));
    bob.put("/api/v1/users/me", &json!({"email": "BOB@example.com"})).await.expect(StatusCode::OK);
    let change = json!({"email": "new@example.com", "full_name": "Robert"});
    bob.put("/api/v1/users/me", &change).await.expect(StatusCode::OK);
    let notice = app.mail_to("bob@example.com", 2).await;
    assert_eq!(notice.subject, "Your account at SyftHub has a new mail address");
    for text in [&notice.text, &notice.html] {
        assert!(text.contains("Hello bob") && text.contains("tell the administrators of"), "{text}");
        assert!(!text.contains("new@example.com"), "where the account is now is not told: {text}");
    }
    assert!(notice.html.contains("<strong>bob</strong>"), "{}", notice.html);
    // An address that nobody confirmed may be a stranger's: changing it to and fro sends nothing there.
    for address in ["stranger@example.com", "other@example.com", "stranger@example.com"] {
        root.put(&format!("/api/v1/users/{}", bob.id), &json!({"email": address}))
            .await
            .expect(StatusCode::OK);
    }
    anon.post(RESEND, &json!({"email": "stranger@example.com"})).await.expect(StatusCode::OK);
    app.mail_to("stranger@example.com", 1).await;
    let notices = app.sent_mail().iter().filter(|letter| letter.subject.contains("new mail address")).count();
    assert_eq!(notices, 1);
}

#[tokio::test]
async fn a_code_for_one_address_never_proves_another() {
    let url = syfthub_testing::postgres::shared().await.fresh_database().await;
    let app = TestApp::start_with(|settings| {
        settings.database = syfthub_testing::postgres_settings(&url);
        settings.mail.provider = MailProvider::Log;
    })
    .await;
    let anon = app.anon();
    anon.post(REGISTER, &account("bob")).await.expect(StatusCode::CREATED);
    let code = code(&app.mail_to("bob@example.com", 1).await);
    // The account is given the address of somebody else while its own is being confirmed.
    let bob = users::find_by_username(&app.db, "bob").await.unwrap().unwrap();
    let mut tx = app.db.begin().await.unwrap();
    let email = Email::parse("victim@example.com").unwrap();
    let change = ProfileChange {
        email: Some(email.clone()),
        is_email_verified: Some(false),
        ..ProfileChange::default()
    };
    users::update_profile(&mut tx, bob.id, &change, app.clock.now()).await.unwrap().unwrap();
    let confirming = verify(&anon, "bob", &code);
    let given = async {
        // Not before the confirmation waits for the row.
        syfthub_testing::postgres::somebody_waits(&url).await;
        tx.commit().await.unwrap();
    };
    let (answer, ()) = tokio::join!(confirming, given);
    assert_eq!(answer.refused(400)["code"], "INVALID_OTP");
    let bob = users::find_by_id(&app.db, bob.id).await.unwrap().unwrap();
    assert_eq!((&bob.email, bob.is_email_verified), (&email, false));
}

#[tokio::test]
async fn codes_are_limited_by_network_address_before_anything_is_written() {
    let app = TestApp::start_with(|settings| {
        settings.mail.provider = MailProvider::Log;
        settings.one_time_codes.per_ip = Rule::per_seconds(2, 600);
    })
    .await;
    let anon = app.anon();
    for name in ["ann", "bob"] {
        anon.post(REGISTER, &account(name)).await.expect(StatusCode::CREATED);
    }
    let refused = anon.post(REGISTER, &account("eve")).await;
    assert_eq!(refused.refused(429)["code"], "OTP_RATE_LIMITED");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    let free = anon.get("/api/v1/users/check-username/eve").await.expect(StatusCode::OK);
    assert_eq!(free["available"], true, "no account is left behind");
    // The routes that always answer 200 do so here too, and send nothing.
    let address = json!({"email": "ann@example.com"});
    anon.post(RESEND, &address).await.expect(StatusCode::OK);
    anon.post(REQUEST, &address).await.expect(StatusCode::OK);
    app.clock.advance(Duration::from_secs(601));
    anon.post(REGISTER, &account("eve")).await.expect(StatusCode::CREATED);
    app.mail_to("eve@example.com", 1).await;
    assert_eq!(app.sent_mail().len(), 3);
}

#[tokio::test]
async fn codes_are_limited_by_mail_address_and_purpose() {
    let app = TestApp::start_with_mail().await;
    let anon = app.anon();
    anon.post(REGISTER, &account("bob")).await.expect(StatusCode::CREATED);
    let address = json!({"email": "bob@example.com"});
    for _ in 0..4 {
        anon.post(RESEND, &address).await.expect(StatusCode::OK);
    }
    anon.post(REQUEST, &address).await.expect(StatusCode::OK);
    // Three codes for the one purpose and one for the other.
    app.mail_to("bob@example.com", 4).await;
    assert!(app.sent_mail().iter().any(|letter| letter.subject.contains("password reset code")));
    assert_eq!(app.sent_mail().iter().filter(|letter| letter.subject.contains("verification")).count(), 3);
}

#[tokio::test]
async fn nobody_learns_who_has_an_account() {
    let app = TestApp::start_with_mail().await;
    let anon = app.anon();
    anon.post(REGISTER, &account("bob")).await.expect(StatusCode::CREATED);
    let known = code(&app.mail_to("bob@example.com", 1).await);
    verify(&anon, "bob", &known).await.expect(StatusCode::OK);
    for path in [RESEND, REQUEST] {
        let known = anon.post(path, &json!({"email": "bob@example.com"})).await.expect(StatusCode::OK);
        let unknown = anon.post(path, &json!({"email": "nobody@example.com"})).await.expect(StatusCode::OK);
        assert_eq!(known, unknown);
    }
    // Guesses fail the same way for both: four times like this, then like that.
    app.mail_to("bob@example.com", 2).await;
    let real = code(app.sent_mail().last().unwrap());
    for name in ["bob", "nobody"] {
        for number in 1..=6 {
            let status = if number < 5 { 400 } else { 429 };
            confirm(&anon, name, &other(&real), "another horse 2").await.refused(status);
        }
    }
    assert!(app.sent_mail().iter().all(|letter| letter.to == "bob@example.com"));
}

#[tokio::test]
async fn a_reset_sets_the_password_and_ends_every_session() {
    let app = TestApp::start_with_mail().await;
    let anon = app.anon();
    anon.post(REGISTER, &account("bob")).await.expect(StatusCode::CREATED);
    let first = code(&app.mail_to("bob@example.com", 1).await);
    let bob = app.actor_of(&verify(&anon, "bob", &first).await.expect(StatusCode::OK));
    anon.post(REQUEST, &json!({"email": "bob@example.com"})).await.expect(StatusCode::OK);
    let letter = app.mail_to("bob@example.com", 2).await;
    assert!(letter.subject.contains("password reset code"));
    let reset = code(&letter);
    // A code is for one purpose.
    verify(&anon, "bob", &reset).await.refused(400);
    assert_eq!(confirm(&anon, "bob", &reset, "weak").await.refused_fields(), ["new_password"]);
    confirm(&anon, "bob", &reset, "another horse 2").await.expect(StatusCode::OK);
    bob.get("/api/v1/auth/me").await.refused(401);
    let again = anon.post("/api/v1/auth/refresh", &json!({"refresh_token": bob.refresh})).await;
    again.refused(401);
    login(&anon, "bob", PASSWORD).await.refused(401);
    login(&anon, "bob", "another+horse+2").await.expect(StatusCode::OK);
    confirm(&anon, "bob", &reset, "a third horse 3").await.refused(400);
}

#[tokio::test]
async fn a_reset_also_proves_the_address() {
    let app = TestApp::start_with_mail().await;
    let anon = app.anon();
    anon.post(REGISTER, &account("bob")).await.expect(StatusCode::CREATED);
    anon.post(REQUEST, &json!({"email": "bob@example.com"})).await.expect(StatusCode::OK);
    let reset = code(&app.mail_to("bob@example.com", 2).await);
    confirm(&anon, "bob", &reset, "another horse 2").await.expect(StatusCode::OK);
    login(&anon, "bob", "another horse 2").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn every_wrong_field_is_reported() {
    let app = TestApp::start_with_mail().await;
    let anon = app.anon();
    let bad = json!({"email": "no address", "code": "12345", "new_password": "short"});
    assert_eq!(anon.post(CONFIRM, &bad).await.refused_fields(), ["email", "code", "new_password"]);
    assert_eq!(anon.post(VERIFY, &json!({})).await.refused_fields(), ["email", "code"]);
    assert_eq!(anon.post(RESEND, &json!({"email": 7})).await.refused_fields(), ["email"]);
    assert_eq!(anon.post(REQUEST, &json!({})).await.refused_fields(), ["email"]);
    assert!(!anon.post(CONFIRM, &bad).await.text.contains("short\""), "a password is not repeated");
}

#[tokio::test]
async fn without_a_provider_nothing_is_asked_and_nothing_sent() {
    let app = TestApp::start().await;
    let anon = app.anon();
    let config = anon.get("/api/v1/auth/config").await.expect(StatusCode::OK);
    for key in ["require_email_verification", "smtp_configured", "password_reset_enabled"] {
        assert_eq!(config[key], false, "{key}");
    }
    let made = anon.post(REGISTER, &account("bob")).await.expect(StatusCode::CREATED);
    assert!(made["access_token"].is_string() && made["requires_email_verification"] == false);
    anon.post(REQUEST, &json!({"email": "bob@example.com"})).await.expect(StatusCode::OK);
    anon.post(RESEND, &json!({"email": "bob@example.com"})).await.expect(StatusCode::OK);
    confirm(&anon, "bob", "123456", "another horse 2").await.refused(400);
    assert!(app.sent_mail().is_empty());

    let with_mail = TestApp::start_with_mail().await;
    let config = with_mail.anon().get("/api/v1/auth/config").await.expect(StatusCode::OK);
    for key in ["require_email_verification", "smtp_configured", "password_reset_enabled"] {
        assert_eq!(config[key], true, "{key}");
    }
}

#[tokio::test]
async fn accounts_from_before_the_mail_server_and_administrators_go_on() {
    let app = TestApp::start().await;
    app.user("bob").await;
    let app = app.restarted_with(|settings| settings.mail.provider = MailProvider::Log).await;
    login(&app.anon(), "bob", PASSWORD).await.expect(StatusCode::OK);
    app.admin().await;
    // And who had not confirmed may sign in once there is no way to.
    app.anon().post(REGISTER, &account("eve")).await.expect(StatusCode::CREATED);
    let app = app.restarted_with(|settings| settings.mail.provider = MailProvider::None).await;
    login(&app.anon(), "eve", PASSWORD).await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_taken_address_is_told_and_sends_nothing() {
    let app = TestApp::start_with_mail().await;
    let anon = app.anon();
    anon.post(REGISTER, &account("bob")).await.expect(StatusCode::CREATED);
    app.mail_to("bob@example.com", 1).await;
    let again = anon.post(REGISTER, &account("bob")).await.refused(409);
    assert_eq!((&again["code"], &again["field"]), (&json!("USER_ALREADY_EXISTS"), &json!("email")));
    assert_eq!(app.sent_mail().len(), 1);
}
