//! What administrators see about users.

use http::StatusCode;
use serde_json::{Value, json};

use crate::actor::{PASSWORD, TestApp};
use crate::shorthand::each;

const HEADER: &str =
    "id,username,email,full_name,role,is_active,is_email_verified,auth_provider,created_at,last_login_at\r\n";

#[tokio::test]
async fn only_administrators_see_figures_and_lists() {
    let (app, anon, user) = TestApp::start().await.with_user("bob").await;
    for path in ["/api/v1/admin/overview", "/api/v1/admin/users", "/api/v1/admin/users/export"] {
        anon.get(path).await.refused(401);
        assert_eq!(user.get(path).await.refused(403)["code"], "PERMISSION_DENIED");
    }
    let admin = app.admin().await;
    admin.pat(&["read", "write"]).await.get("/api/v1/admin/overview").await.refused(403);
    admin.pat(&["full"]).await.get("/api/v1/admin/overview").await.expect(StatusCode::OK);
}

#[tokio::test]
async fn the_overview_counts_every_user_once() {
    let app = TestApp::start().await;
    for name in ["ann", "bob"] {
        app.user(name).await;
    }
    app.clock.advance(std::time::Duration::from_hours(48));
    let admin = app.admin().await; // signs in with a password, now
    let shown = admin.get("/api/v1/admin/overview").await.expect(StatusCode::OK);
    assert_eq!(
        shown["headline"],
        json!({"total_users": 3, "active_users": 3, "inactive_users": 0, "email_verified": 3, "email_unverified": 0, "admins": 1})
    );
    assert_eq!(
        shown["by_role"],
        json!([{"role": "admin", "count": 1}, {"role": "user", "count": 2}, {"role": "guest", "count": 0}])
    );
    assert_eq!(each(&shown["by_auth_provider"], "provider")[..2], ["local", "google"]);
    assert_eq!(shown["by_auth_provider"][0]["count"], 3);
    let days = shown["signup_trend"]["buckets"].as_array().unwrap();
    assert_eq!((days.len(), &shown["signup_trend"]["days"]), (30, &json!(30)));
    assert_eq!(days[29], json!({"date": "2027-01-17", "signups": 1}));
    assert_eq!(days[27], json!({"date": "2027-01-15", "signups": 2}));
    assert_eq!(days[28]["signups"], 0);
    let last_login = &shown["last_login"];
    assert_eq!(each(&last_login["buckets"], "bucket"), ["24h", "7d", "30d", "90d", "never"]);
    let counts: Vec<i64> =
        last_login["buckets"].as_array().unwrap().iter().map(|b| b["count"].as_i64().unwrap()).collect();
    assert_eq!(
        (counts, &last_login["active_24h"], &last_login["dormant_30d"]),
        (vec![1, 0, 0, 0, 2], &json!(1), &json!(2))
    );
}

#[tokio::test]
async fn the_trend_has_three_lengths() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    for days in [7, 30, 90] {
        let shown =
            admin.get(&format!("/api/v1/admin/overview?trend_days={days}")).await.expect(StatusCode::OK);
        assert_eq!(shown["signup_trend"]["buckets"].as_array().unwrap().len(), days);
    }
    for wrong in ["8", "0", "-7", "x", "1e9", ""] {
        let answer = admin.get(&format!("/api/v1/admin/overview?trend_days={wrong}")).await;
        assert_eq!(answer.refused_fields(), ["trend_days"], "{wrong}");
    }
}

#[tokio::test]
async fn users_are_listed_by_page_filter_and_order() {
    let app = TestApp::start().await;
    for name in ["ann", "bob", "cleo"] {
        app.user(name).await;
        app.clock.advance(std::time::Duration::from_secs(1));
    }
    let admin = app.admin().await;
    let list = async |query: &str| -> Value {
        admin.get(&format!("/api/v1/admin/users?{query}")).await.expect(StatusCode::OK)
    };
    let all = list("").await;
    assert_eq!(each(&all["items"], "username"), ["root-1", "cleo", "bob", "ann"]);
    assert_eq!(
        (&all["page"], &all["page_size"], &all["total"], &all["total_pages"]),
        (&json!(1), &json!(20), &json!(4), &json!(1))
    );
    let keys: Vec<&String> = all["items"][0].as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "id",
            "username",
            "email",
            "full_name",
            "avatar_url",
            "role",
            "is_active",
            "is_email_verified",
            "auth_provider",
            "created_at",
            "last_login_at"
        ]
    );
    let second = list("page=2&page_size=3").await;
    assert_eq!(
        (each(&second["items"], "username"), &second["total_pages"]),
        (vec!["ann".to_owned()], &json!(2))
    );
    assert_eq!(list("page=9").await["items"], json!([]));
    assert_eq!(
        each(&list("sort_by=username&sort_dir=asc").await["items"], "username"),
        ["ann", "bob", "cleo", "root-1"]
    );
    assert_eq!(each(&list("sort_by=last_login_at").await["items"], "username")[0], "root-1");
    assert_eq!(each(&list("search=B%40EXAMPLE").await["items"], "username"), ["bob"]);
    assert_eq!(
        each(&list("role=admin&is_active=true&is_email_verified=true").await["items"], "username"),
        ["root-1"]
    );
    assert_eq!(list("is_active=false").await["total"], 0);
    let wrong = "page=0&page_size=101&sort_by=password_hash&sort_dir=up&role=root&is_active=maybe";
    assert_eq!(
        admin.get(&format!("/api/v1/admin/users?{wrong}")).await.refused_fields(),
        ["page", "page_size", "sort_by", "sort_dir", "role", "is_active"]
    );
}

#[tokio::test]
async fn the_export_is_safe_for_spreadsheets_and_without_secrets() {
    let app = TestApp::start().await;
    let body = json!({"username": "eve", "email": "eve@example.com", "full_name": "=cmd|' /C calc'!A0, \"x\"", "password": PASSWORD});
    app.anon().post("/api/v1/auth/register", &body).await.expect(StatusCode::CREATED);
    let admin = app.admin().await;
    let answer = admin.get("/api/v1/admin/users/export?sort_by=username&sort_dir=asc").await;
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"syfthub-users-20270115.csv\"");
    let rows = answer.text.strip_prefix(HEADER).unwrap();
    let first = rows.lines().next().unwrap();
    assert!(first.contains(",eve,eve@example.com,\"'=cmd|' /C calc'!A0, \"\"x\"\"\",user,True,True,local,2027-01-15T08:00:00.000000+00:00,"), "{first}");
    assert_eq!(rows.lines().count(), 2);
    assert!(!answer.text.contains("argon2"));
    let filtered = admin.get("/api/v1/admin/users/export?search=nobody").await;
    assert_eq!((filtered.status, filtered.text.as_str()), (StatusCode::OK, HEADER));
    assert_eq!(admin.get("/api/v1/admin/users/export?role=x").await.refused_fields(), ["role"]);
}

#[tokio::test]
async fn the_figures_are_the_same_on_postgres() {
    let app = TestApp::start_on_postgres().await;
    app.user("ann").await;
    let admin = app.admin().await;
    let shown = admin.get("/api/v1/admin/overview?trend_days=7").await.expect(StatusCode::OK);
    assert_eq!(shown["headline"]["total_users"], 2);
    assert_eq!(shown["signup_trend"]["buckets"][6], json!({"date": "2027-01-15", "signups": 2}));
    assert_eq!(admin.get("/api/v1/admin/users?search=ann&sort_by=last_login_at").await.json()["total"], 1);
    assert!(admin.get("/api/v1/admin/users/export").await.text.starts_with(HEADER));
}
