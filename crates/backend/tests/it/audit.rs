//! The audit log and activity, from outside.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use syfthub_store::Db;
use syfthub_testing::wait;

use crate::actor::{Actor, PASSWORD, TestApp};

const LOG: &str = "/api/v1/admin/audit";

async fn entries(admin: &Actor, query: &str) -> Vec<Value> {
    let page = admin.get(&format!("{LOG}{query}")).await.expect(StatusCode::OK);
    page["entries"].as_array().unwrap().clone()
}

fn actions(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["action"].as_str().unwrap()).collect()
}

async fn execute(db: &Db, sql: &'static str) {
    match db {
        Db::Postgres(pool) => sqlx::query(sql).execute(pool).await.map(drop).unwrap(),
        Db::Sqlite { write, .. } => sqlx::query(sql).execute(write).await.map(drop).unwrap(),
    }
}

#[tokio::test]
async fn changes_of_accounts_tokens_and_endpoints_are_in_the_log() {
    let app = TestApp::start().await;
    let (admin, bob) = (app.admin().await, app.user("bob").await);
    let token = json!({"name": "ci", "scopes": ["read"]});
    let made = bob.post("/api/v1/auth/tokens", &token).await.expect(StatusCode::CREATED);
    let token = made["token"].as_str().unwrap().to_owned();
    bob.delete(&format!("/api/v1/auth/tokens/{}", made["id"])).await.expect(StatusCode::NO_CONTENT);
    let made = bob
        .post("/api/v1/endpoints", &json!({"name": "My notes", "type": "model"}))
        .await
        .expect(StatusCode::CREATED);
    let path = format!("/api/v1/endpoints/{}", made["id"]);
    bob.patch(&path, &json!({"description": "words only"})).await.expect(StatusCode::OK);
    bob.patch(&path, &json!({"visibility": "private"})).await.expect(StatusCode::OK);
    admin.patch(&format!("{path}/admin"), &json!({"is_active": false})).await.expect(StatusCode::OK);
    bob.delete(&path).await.expect(StatusCode::NO_CONTENT);
    bob.post("/api/v1/endpoints/sync", &json!({"endpoints": [{"name": "Two", "type": "model"}]}))
        .await
        .expect(StatusCode::OK);
    let change = json!({"current_password": PASSWORD, "new_password": "another horse 2"});
    bob.put("/api/v1/auth/me/password", &change).await.expect(StatusCode::NO_CONTENT);

    let of_bob = entries(&admin, "?actor=bob").await;
    let mut expected = vec![
        "user.created",
        "token.created",
        "token.revoked",
        "endpoint.created",
        "endpoint.updated",
        "endpoint.deleted",
        "endpoint.synced",
        "user.password_changed",
    ];
    expected.sort_unstable();
    let mut found = actions(&of_bob);
    found.sort_unstable();
    assert_eq!(found, expected);
    for entry in &of_bob {
        assert_eq!((&entry["address"], &entry["actor_id"]), (&json!("127.0.0.1"), &json!(bob.id)), "{entry}");
        assert!(entry["correlation_id"].is_string(), "{entry}");
    }
    let all = json!(entries(&admin, "").await).to_string();
    assert!(!all.contains(&token) && !all.contains(PASSWORD) && !all.contains("another horse"), "{all}");

    let switched = &entries(&admin, "?action=endpoint.admin_updated").await[0];
    assert_eq!((&switched["actor"], &switched["target"]), (&json!("root-1"), &json!("bob/my-notes")));
    assert_ne!(switched["before"], switched["after"]);
    let updated =
        &entries(&admin, "?target_kind=endpoint&target=bob/my-notes&action=endpoint.updated").await[0];
    assert_eq!(
        (&updated["before"]["visibility"], &updated["after"]["visibility"]),
        (&json!("public"), &json!("private"))
    );
}

#[tokio::test]
async fn only_administrators_read_the_log() {
    let (app, anon, user) = TestApp::start().await.with_user("bob").await;
    for path in ["", "/export", "/verify"] {
        assert_eq!(anon.get(&format!("{LOG}{path}")).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(user.get(&format!("{LOG}{path}")).await.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(user.get("/api/v1/admin/activity").await.status, StatusCode::FORBIDDEN);
    let admin = app.admin().await;
    let mut refused = admin.get(&format!("{LOG}?limit=0&since=x&until=y&cursor=z")).await.refused_fields();
    refused.sort_unstable();
    assert_eq!(refused, ["cursor", "limit", "since", "until"]);
    assert_eq!(
        admin.get(&format!("{LOG}/verify?known_hash=x")).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(admin.get(&format!("{LOG}/export?format=xml")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn pages_and_exports_hold_every_entry_once() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    for n in 0..5 {
        app.clock.advance(Duration::from_secs(1));
        app.user(&format!("user-{n}")).await;
    }
    let all = entries(&admin, "").await;
    let (mut paged, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = admin.get(&format!("{LOG}{query}")).await.expect(StatusCode::OK);
        paged.extend(page["entries"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=2&cursor={cursor}");
    }
    let ids = |list: &[Value]| list.iter().map(|entry| entry["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&paged), ids(&all));

    let file = admin.get(&format!("{LOG}/export?action=user.created")).await;
    assert_eq!(file.header("content-type"), "application/x-ndjson");
    let lines: Vec<Value> = file.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 6);
    assert_eq!(actions(&entries(&admin, "?action=audit.exported").await), ["audit.exported"]);
    let table = admin.get(&format!("{LOG}/export?format=csv&action=user.created")).await;
    assert!(table.header("content-type").starts_with("text/csv"));
    assert_eq!(table.text.lines().count(), 7);
}

#[tokio::test]
async fn the_job_seals_within_seconds_and_a_change_behind_its_back_is_named() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let sealed = || async { entries(&admin, "?action=user.created").await[0]["seal"].is_number() };
    wait::until(sealed, "the job seals the entry").await;
    app.app.seal_audit().await.unwrap();
    let report = admin.get(&format!("{LOG}/verify")).await.expect(StatusCode::OK);
    assert_eq!((&report["valid"], &report["unsealed"]), (&json!(true), &json!(0)), "{report}");
    let head = report["head_hash"].as_str().unwrap().to_owned();
    let known = admin.get(&format!("{LOG}/verify?known_hash={head}")).await.expect(StatusCode::OK);
    assert_eq!(known["known_hash_found"], true);

    execute(&app.db, "DROP TRIGGER audit_log_no_change").await;
    execute(&app.db, "UPDATE audit_log SET actor_name = 'eve' WHERE action = 'user.created'").await;
    let report = admin.get(&format!("{LOG}/verify")).await.expect(StatusCode::OK);
    assert_eq!(report["valid"], false);
    assert_eq!(report["fault"]["row"], entries(&admin, "?action=user.created").await[0]["id"]);
}

#[tokio::test]
async fn a_sealed_entry_that_was_deleted_is_missed() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    app.user("bob").await;
    app.app.seal_audit().await.unwrap();
    execute(&app.db, "DROP TRIGGER audit_log_no_delete").await;
    execute(&app.db, "DELETE FROM audit_log WHERE actor_name = 'bob'").await;
    let report = admin.get(&format!("{LOG}/verify")).await.expect(StatusCode::OK);
    assert!(report["fault"]["seal"].is_number(), "{report}");
}

#[tokio::test]
async fn after_a_year_old_entries_go_and_the_rest_stays_provable() {
    let app = TestApp::start().await;
    app.admin().await;
    app.app.seal_audit().await.unwrap();
    app.clock.advance(Duration::from_hours(24 * 200));
    app.user("bob").await;
    app.app.seal_audit().await.unwrap();
    assert_eq!(app.app.prune_audit().await.unwrap(), None);
    app.clock.advance(Duration::from_hours(24 * 200));
    let pruned = app.app.prune_audit().await.unwrap().unwrap();
    assert!(pruned.rows >= 1);
    app.app.seal_audit().await.unwrap();
    let report = app.app.verify_audit(None).await.unwrap();
    assert!(report.valid && report.checkpoint == Some(pruned.checkpoint), "{report:?}");
    assert!(report.rows >= 2, "bob's entry and the pruning are left: {report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_seal_at_the_same_time_make_one_chain() {
    let app = TestApp::start_on_postgres().await;
    let other = app.replica().await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..10 {
        let (anon, app) = (if n % 2 == 0 { app.anon() } else { other.anon() }, app.app.clone());
        tasks.spawn(async move {
            let name = format!("user-{n}");
            let body = json!({"username": name, "email": format!("{name}@example.com"), "full_name": name, "password": PASSWORD});
            anon.post("/api/v1/auth/register", &body).await.expect(StatusCode::CREATED);
            app.seal_audit().await.unwrap();
        });
    }
    tasks.join_all().await;
    other.app.seal_audit().await.unwrap();
    let report = app.app.verify_audit(None).await.unwrap();
    assert!(report.valid && report.unsealed == 0 && report.rows >= 10, "{report:?}");
}

#[tokio::test]
async fn users_see_their_own_sign_ins_and_administrators_everybodys() {
    let app = TestApp::start().await;
    let (admin, bob, eve) = (app.admin().await, app.user("bob").await, app.user("eve").await);
    let login = async |name: &str, password: &str| {
        let body = format!("username={name}&password={}", password.replace(' ', "+"));
        app.anon().form("/api/v1/auth/login", &body).await.status
    };
    assert_eq!(login("bob", PASSWORD).await, StatusCode::OK);
    assert_eq!(login("bob", "wrong").await, StatusCode::UNAUTHORIZED);
    assert_eq!(login("BOB@example.com", "wrong").await, StatusCode::UNAUTHORIZED);
    assert_eq!(login("my secret typed wrong", "wrong").await, StatusCode::UNAUTHORIZED);
    bob.post("/api/v1/auth/refresh", &json!({"refresh_token": bob.refresh})).await.expect(StatusCode::OK);
    for _ in 0..3 {
        bob.get("/api/v1/token?aud=eve").await.expect(StatusCode::OK);
    }
    app.app.flush_activity().await;

    let kinds = async |actor: &Actor, path: &str| {
        let page = actor.get(path).await.expect(StatusCode::OK);
        let facts = page["activity"].as_array().unwrap().clone();
        facts.iter().map(|fact| fact["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let logins = kinds(&bob, "/api/v1/auth/activity?kind=login.").await;
    assert_eq!(logins.iter().filter(|kind| *kind == "login.failed").count(), 2);
    assert_eq!(logins.iter().filter(|kind| *kind == "login.success").count(), 1);
    let own = kinds(&bob, "/api/v1/auth/activity").await;
    assert!(
        own.contains(&"token.refreshed".to_owned()) && own.contains(&"satellite_token.minted".to_owned()),
        "{own:?}"
    );
    assert!(kinds(&eve, "/api/v1/auth/activity").await.is_empty());
    let all = admin.get("/api/v1/admin/activity?kind=login.failed").await.expect(StatusCode::OK);
    assert_eq!(all["activity"].as_array().unwrap().len(), 3);
    assert!(!all.to_string().contains("my secret"), "what was typed is not kept");
    assert_eq!(bob.get("/api/v1/auth/activity?limit=501").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(app.anon().get("/api/v1/auth/activity").await.status, StatusCode::UNAUTHORIZED);
}
