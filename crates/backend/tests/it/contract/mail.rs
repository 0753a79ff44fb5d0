//! Confirming an address and resetting a password, with a mail provider.

use serde_json::{Value, json};
use syfthub_backend::Letter;
use syfthub_config::{MailProvider, Settings};

use crate::actor::{Actor, Answer, PASSWORD, TestApp};
use crate::shorthand::account;

const AUTH: &str = "/api/v1/auth";
const NEW: &str = "another horse 2";

fn with_mail(settings: &mut Settings) {
    settings.mail.provider = MailProvider::Log;
}

/// The only line of six digits.
fn code(letter: &Letter) -> String {
    let digits = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
    letter.text.lines().map(str::trim).find(digits).unwrap().to_owned()
}

fn other_than(code: &str) -> &'static str {
    if code == "123456" { "123457" } else { "123456" }
}

async fn verify(anon: &Actor, email: &str, code: &str) -> Answer {
    anon.post(&format!("{AUTH}/register/verify-otp"), &json!({"email": email, "code": code})).await
}

/// Registers bob and gives the code that he was sent.
async fn registered(app: &TestApp) -> String {
    app.anon().post(&format!("{AUTH}/register"), &account("bob")).await.is(201);
    code(&app.mail_to("bob@example.com", 1).await)
}

on_both! {
    settings with_mail;

    async fn an_address_is_confirmed_by_its_code(app: TestApp) {
        let anon = app.anon();
        let config = anon.get(&format!("{AUTH}/config")).await.is(200).json();
        for key in ["require_email_verification", "smtp_configured", "password_reset_enabled"] {
            assert_eq!(config[key], true, "{key}");
        }
        let made = anon.post(&format!("{AUTH}/register"), &account("bob")).await.is(201).json();
        assert_eq!((&made["access_token"], &made["refresh_token"]), (&Value::Null, &Value::Null));
        assert_eq!(made["requires_email_verification"], true);
        assert_eq!(made["user"]["username"], "bob");
        let detail = anon.login("bob", PASSWORD).await.refused(403);
        assert_eq!(detail["code"], "EMAIL_NOT_VERIFIED");
        let right = code(&app.mail_to("bob@example.com", 1).await);
        let wrong = verify(&anon, "bob@example.com", other_than(&right)).await.refused(400);
        assert_eq!(wrong["code"], "INVALID_OTP");
        let unknown = verify(&anon, "nobody@example.com", &right).await.refused(400);
        assert_eq!(unknown, wrong, "who has an account is not told");
        let signed_in = verify(&anon, "bob@example.com", &right).await.is(200).json();
        assert_eq!((&signed_in["token_type"], &signed_in["user"]["id"]), (&json!("bearer"), &made["user"]["id"]));
        let bob = app.actor_of(&signed_in);
        assert_eq!(bob.get(&format!("{AUTH}/me")).await.is(200).json()["is_email_verified"], true);
        anon.login("bob", PASSWORD).await.is(200);
    }

    async fn guesses_run_out(app: TestApp) {
        let (anon, right) = (app.anon(), registered(&app).await);
        for _ in 0..4 {
            let detail = verify(&anon, "bob@example.com", other_than(&right)).await.refused(400);
            assert_eq!(detail["code"], "INVALID_OTP");
        }
        for guess in [other_than(&right), &right] {
            let detail = verify(&anon, "bob@example.com", guess).await.refused(429);
            assert_eq!(detail["code"], "OTP_MAX_ATTEMPTS");
        }
    }

    async fn asking_for_a_code_always_answers_the_same(app: TestApp) {
        let anon = app.anon();
        registered(&app).await;
        for path in ["register/resend-otp", "password-reset/request"] {
            let path = format!("{AUTH}/{path}");
            let unknown = anon.post(&path, &json!({"email": "nobody@example.com"})).await.is(200).json();
            assert!(unknown["message"].is_string());
            // More often than codes are sent to one address.
            for _ in 0..5 {
                let known = anon.post(&path, &json!({"email": "bob@example.com"})).await.is(200).json();
                assert_eq!(known, unknown);
            }
        }
        assert!(app.sent_mail().iter().all(|letter| letter.to == "bob@example.com"));
    }

    async fn a_reset_code_lets_a_new_password_in(app: TestApp) {
        let anon = app.anon();
        let right = registered(&app).await;
        verify(&anon, "bob@example.com", &right).await.is(200);
        anon.post(&format!("{AUTH}/password-reset/request"), &json!({"email": "bob@example.com"})).await.is(200);
        let reset = code(&app.mail_to("bob@example.com", 2).await);
        let confirm = |code: &str, password: &str| {
            let body = json!({"email": "bob@example.com", "code": code, "new_password": password});
            let (anon, path) = (anon.clone(), format!("{AUTH}/password-reset/confirm"));
            async move { anon.post(&path, &body).await }
        };
        assert_eq!(confirm(other_than(&reset), NEW).await.refused(400)["code"], "INVALID_OTP");
        assert_eq!(confirm(&reset, "weak").await.refused_fields(), ["new_password"]);
        assert!(confirm(&reset, NEW).await.is(200).json()["message"].is_string());
        anon.login("bob", PASSWORD).await.refused(401);
        anon.login("bob", NEW).await.is(200);
        assert_eq!(confirm(&reset, PASSWORD).await.refused(400)["code"], "INVALID_OTP", "a code is good once");
    }
}

/// Two registrations of one address of the network.
fn two_of_an_address(settings: &mut Settings) {
    with_mail(settings);
    settings.one_time_codes.per_ip = syfthub_config::Rule::per_seconds(2, 600);
}

on_both! {
    settings two_of_an_address;

    async fn the_third_registration_of_one_address_is_refused_and_the_rest_answers(app: TestApp) {
        let (anon, path) = (app.anon(), format!("{AUTH}/register"));
        for name in ["ann", "bob"] {
            anon.post(&path, &account(name)).await.is(201);
        }
        let third = anon.post(&path, &account("eve")).await;
        assert_eq!(third.refused(429)["code"], "OTP_RATE_LIMITED");
        assert!(third.header("retry-after").parse::<u64>().unwrap() > 0);
        for path in ["register/resend-otp", "password-reset/request"] {
            let body = json!({"email": "bob@example.com"});
            anon.post(&format!("{AUTH}/{path}"), &body).await.is(200);
        }
        anon.login("eve", PASSWORD).await.refused(401);
    }
}
