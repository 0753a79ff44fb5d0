//! Signing in under attack: guesses run out, and the owner still gets in.

use std::time::Duration;

use http::Method;
use syfthub_config::Rule;

use crate::actor::{Answer, PASSWORD, TestApp};

async fn strict() -> TestApp {
    TestApp::start_with(|settings| {
        settings.http.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        settings.rate_limits.auth = Rule::per_seconds(4, 60); // of one account: 12 in five minutes
    })
    .await
}

async fn login(app: &TestApp, name: &str, password: &str, address: &str) -> Answer {
    let headers = [("x-real-ip", address), ("content-type", "application/x-www-form-urlencoded")];
    let body = format!("username={name}&password={}", password.replace(' ', "+"));
    app.anon().having(Method::POST, "/api/v1/auth/login", &headers, body).await
}

#[tokio::test]
async fn guesses_from_everywhere_run_out_and_the_owner_gets_in_from_home() {
    let app = strict().await;
    app.user("bob").await; // from 127.0.0.1
    login(&app, "bob", PASSWORD, "198.51.100.7").await.is(200);
    // That one came from a stranger too: eleven are left.
    for number in 0..11 {
        login(&app, "bob", "wrong 1", &format!("203.0.113.{number}")).await.is(401);
    }
    for name in ["bob", "bob%40example.com", "BOB"] {
        let refused = login(&app, name, "wrong 1", "203.0.113.200").await;
        refused.refused(429);
        assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
        assert_eq!(refused.header("x-ratelimit-limit"), "12");
    }
    login(&app, "bob", PASSWORD, "203.0.113.201").await.refused(429);
    for home in ["127.0.0.1", "198.51.100.7"] {
        login(&app, "bob", PASSWORD, home).await.is(200);
    }
    app.clock.advance(Duration::from_mins(5));
    login(&app, "bob", PASSWORD, "203.0.113.201").await.is(200);
}

#[tokio::test]
async fn the_limits_do_not_tell_who_has_an_account() {
    let app = strict().await;
    app.user("bob").await;
    let mut seen = Vec::new();
    for name in ["bob", "nobody", "nobody%40example.com"] {
        let mut statuses = Vec::new();
        for number in 0..14 {
            let answer = login(&app, name, "wrong 1", &format!("203.0.113.{number}")).await;
            statuses.push((answer.status.as_u16(), answer.header("x-ratelimit-limit").to_owned()));
            app.clock.advance(Duration::from_millis(1));
        }
        app.clock.advance(Duration::from_mins(1));
        seen.push(statuses);
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    assert_eq!(seen[0].iter().filter(|(status, _)| *status == 429).count(), 2);
}

#[tokio::test]
async fn a_patient_guesser_runs_out_of_one_account_and_not_of_others() {
    let app = strict().await;
    app.user("bob").await;
    app.user("eve").await;
    let mut refused_by = std::collections::BTreeSet::new();
    for _ in 0..12 {
        for _ in 0..4 {
            let answer = login(&app, "bob", "wrong 1", "127.0.0.1").await;
            refused_by.insert(answer.header("x-ratelimit-limit").to_owned());
        }
        app.clock.advance(Duration::from_mins(1));
    }
    assert_eq!(refused_by, ["", "12"].map(str::to_owned).into(), "only the limit of the account is met");
    login(&app, "eve", PASSWORD, "127.0.0.1").await.is(200);
}
