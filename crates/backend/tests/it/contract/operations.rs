//! Errors and reports, what administrators see, wallets, feedback, limits, and the page of an endpoint.

use http::Method;
use serde_json::{Value, json};
use syfthub_config::{FeedbackSink, Rule, Secret, Settings};

use crate::actor::{PASSWORD, TestApp};
use crate::shorthand::each;

const OVERVIEW: &str = "/api/v1/admin/overview";
const WALLET: &str = "/api/v1/wallet";
const CSV_HEADER: &str =
    "id,username,email,full_name,role,is_active,is_email_verified,auth_provider,created_at,last_login_at\r\n";

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

on_both! {
    async fn every_error_has_a_detail_and_the_callers_correlation_id(app: TestApp) {
        let bob = app.user("bob").await;
        for (method, path, body, status) in [
            (Method::GET, "/api/v1/nothing/at/all", "", 404),
            (Method::GET, "/api/v1/endpoints/999999", "", 404),
            (Method::GET, "/nobody", "", 404),
            (Method::DELETE, "/api/v1/auth/me", "", 405),
            (Method::GET, "/api/v1/admin/users", "", 403),
            (Method::POST, "/api/v1/endpoints", "{", 422),
            (Method::POST, "/api/v1/endpoints", "{}", 422),
            (Method::GET, "/api/v1/nats/credentials", "", 503),
        ] {
            let headers = [("content-type", "application/json"), ("x-correlation-id", "check-25")];
            let answer = bob.having(method, path, &headers, body.to_owned()).await;
            assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
            let error = answer.json();
            assert_eq!((answer.header("x-correlation-id"), &error["correlation_id"]), ("check-25", &json!("check-25")));
            assert!(!error["detail"].is_null() && error["success"] == false, "{error}");
        }
        let anon = app.anon().get("/api/v1/auth/me").await;
        assert_eq!((anon.refused(401), anon.header("www-authenticate").starts_with("Bearer")), (json!("Not authenticated"), true));
    }

    async fn reports_are_taken_under_the_id_they_name(app: TestApp) {
        let report = json!({"correlation_id": "c-1", "message": "It broke", "error": {"type": "TypeError"}});
        let service = json!({"correlation_id": "c-2", "service": "mcp", "event": "x", "message": "It broke"});
        for (path, body, id) in
            [("/api/v1/errors/report", &report, "c-1"), ("/api/v1/errors/service-report", &service, "c-2")]
        {
            let receipt = app.anon().post(path, body).await.is(202).json();
            assert_eq!(receipt, json!({"received": true, "correlation_id": id}));
        }
        let admin = app.admin().await;
        let kept = |id: &str| {
            let (admin, path) = (admin.clone(), format!("/api/v1/admin/errors?correlation_id={id}"));
            async move { admin.get(&path).await.is(200).json()["items"].clone() }
        };
        let written = || async { !kept("c-2").await.as_array().unwrap().is_empty() };
        syfthub_testing::wait::until(written, "the reports to be written").await;
        assert_eq!((each(&kept("c-1").await, "service"), each(&kept("c-2").await, "service")), (vec!["frontend".to_owned()], vec!["mcp".to_owned()]));
    }

    async fn administrators_see_figures_of_three_lengths(app: TestApp) {
        let (bob, root) = (app.user("bob").await, app.admin().await);
        app.anon().get(OVERVIEW).await.refused(401);
        bob.get(OVERVIEW).await.refused(403);
        let shown = root.get(OVERVIEW).await.is(200).json();
        assert_eq!(keys(&shown), ["headline", "by_role", "by_auth_provider", "signup_trend", "last_login"]);
        assert_eq!(
            shown["headline"],
            json!({"total_users": 2, "active_users": 2, "inactive_users": 0, "email_verified": 2, "email_unverified": 0, "admins": 1})
        );
        assert_eq!(each(&shown["by_role"], "role"), ["admin", "user", "guest"]);
        assert_eq!(each(&shown["last_login"]["buckets"], "bucket"), ["24h", "7d", "30d", "90d", "never"]);
        assert_eq!(shown["signup_trend"]["buckets"].as_array().unwrap().len(), 30);
        for days in [7, 30, 90] {
            let shown = root.get(&format!("{OVERVIEW}?trend_days={days}")).await.is(200).json();
            assert_eq!(shown["signup_trend"]["buckets"].as_array().unwrap().len(), days);
        }
        for wrong in ["1", "31", "x"] {
            let refused = root.get(&format!("{OVERVIEW}?trend_days={wrong}")).await.refused_fields();
            assert_eq!(refused, ["trend_days"], "{wrong}");
        }
    }

    async fn the_list_of_users_and_its_file_hold_no_secrets(app: TestApp) {
        let (_bob, root) = (app.user("bob").await, app.admin().await);
        let list = root.get("/api/v1/admin/users?sort_by=username&sort_dir=asc").await.is(200).json();
        assert_eq!(keys(&list), ["items", "page", "page_size", "total", "total_pages"]);
        assert_eq!(each(&list["items"], "username"), ["bob", "root-1"]);
        assert_eq!(
            keys(&list["items"][0]),
            ["id", "username", "email", "full_name", "avatar_url", "role", "is_active", "is_email_verified",
                "auth_provider", "created_at", "last_login_at"]
        );
        let file = root.get("/api/v1/admin/users/export?sort_by=username&sort_dir=asc").await;
        assert_eq!(file.is(200).header("content-type"), "text/csv; charset=utf-8");
        assert_eq!(file.header("content-disposition"), "attachment; filename=\"syfthub-users-20270115.csv\"");
        let rows = file.text.strip_prefix(CSV_HEADER).unwrap();
        assert!(rows.lines().next().unwrap().contains(",bob,bob@example.com,bob,user,True,True,local,2027-01-15T08:00:00"));
        assert!(rows.lines().count() == 2 && !rows.contains("argon2"), "{rows}");
        assert!(!list.to_string().contains("argon2") && !list.to_string().contains(PASSWORD));
    }

    async fn without_a_wallet_everything_is_empty_and_nothing_is_paid(app: TestApp) {
        let bob = app.user("bob").await;
        assert_eq!(bob.get(&format!("{WALLET}/")).await.is(200).json(), json!({"address": null, "exists": false}));
        assert_eq!(
            bob.get(&format!("{WALLET}/balance")).await.is(200).json(),
            json!({"balance": 0.0, "currency": "USD", "recent_transactions": [], "wallet_configured": false})
        );
        assert_eq!(bob.get(&format!("{WALLET}/transactions")).await.is(200).json(), json!([]));
        let pay = |challenge: String| {
            let body = json!({"www_authenticate": challenge, "endpoint_slug": "notes"});
            let bob = bob.clone();
            async move { bob.post(&format!("{WALLET}/pay"), &body).await.refused(400)["code"].clone() }
        };
        assert_eq!(pay("Payment id=\"1\"".to_owned()).await, "WALLET_NOT_CONFIGURED");
        assert_eq!(pay("x".repeat(10_001)).await, "CHALLENGE_TOO_LARGE");
        app.anon().get(&format!("{WALLET}/balance")).await.refused(401);
    }

    async fn subscriptions_are_told_again_and_shown_once_for_each_owner(app: TestApp) {
        let (bob, path) = (app.user("bob").await, format!("{WALLET}/subscriptions"));
        let told = |owner: &str, url: &str| json!({"credits_url": url, "payment_url": "https://p.org", "endpoint_owner": owner});
        let first = bob.post(&path, &told("ada", "https://c.org/1")).await.is(200).json();
        let again = bob.post(&path, &told("ada", "https://c.org/1")).await.is(200).json();
        assert_eq!((&again["id"], &again["currency"]), (&first["id"], &json!("IDR")));
        app.clock.advance(std::time::Duration::from_secs(1));
        let newer = bob.post(&path, &told("ada", "https://c.org/2")).await.is(200).json();
        let list = bob.get(&path).await.is(200).json();
        assert_eq!(list["subscriptions"], json!([newer]));
        bob.delete(&format!("{path}/by-owner/ada")).await.is(204);
        bob.delete(&format!("{path}/by-owner/ada")).await.refused(404);
        bob.delete(&format!("{path}/{}", newer["id"])).await.refused(404);
        assert_eq!(bob.get(&path).await.is(200).json(), json!({"subscriptions": []}));
    }

    async fn a_script_in_a_readme_is_text_on_the_page(app: TestApp) {
        app.user("bob").await.publish("tides", json!({"readme": "<script>alert(1)</script>"})).await;
        let page = app.anon().get_with("/bob/tides", "accept", "text/html").await;
        assert!(page.is(200).text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{}", page.text);
        assert!(!page.text.contains("<script"), "{}", page.text);
        let raw = app.anon().get_with("/bob/tides", "accept", "application/json").await.is(200).json();
        assert_eq!(raw["readme"], "<script>alert(1)</script>");
    }
}

fn without_feedback(settings: &mut Settings) {
    settings.optional.feedback_sink = FeedbackSink::None;
}

on_both! {
    settings without_feedback;

    async fn feedback_that_goes_nowhere_says_so_with_200(app: TestApp) {
        let bob = app.user("bob").await;
        let body = "--XX\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\nIt broke\r\n--XX--\r\n";
        let headers = [("content-type", "multipart/form-data; boundary=XX")];
        let receipt = bob.having(Method::POST, "/api/v1/feedback", &headers, body).await.is(200).json();
        assert_eq!(receipt["success"], false);
        assert!(receipt["message"].is_string() && receipt.get("ticket_id").is_none(), "{receipt}");
    }
}

/// Limits with counters that cannot be reached, as they are by default.
fn limited(settings: &mut Settings) {
    settings.rate_limits.enabled = true;
    settings.rate_limits.fail_open = true;
    settings.rate_limits.refresh = Rule::per_seconds(1, 60);
    settings.optional.nats.auth_token = Some(Secret::new("nats-secret"));
}

on_both! {
    settings limited;

    async fn without_counters_everybody_passes_but_guests_who_want_to_be_peers(app: TestApp) {
        let guest = |app: &TestApp| {
            let anon = app.anon();
            async move { anon.post("/api/v1/nats/guest-peer-token", &json!({"target_usernames": []})).await }
        };
        let refresh = |app: &TestApp| {
            let anon = app.anon();
            async move { anon.post("/api/v1/auth/refresh", &json!({"refresh_token": "x"})).await }
        };
        refresh(&app).await.refused(401);
        refresh(&app).await.refused(429);
        guest(&app).await.is(200);
        let broken = app.without_cache().await;
        for _ in 0..2 {
            refresh(&broken).await.refused(401);
        }
        let refused = guest(&broken).await;
        refused.refused(429);
        assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    }
}
