//! How endpoints were found over time.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::actor::{Actor, TestApp};

const A_WHILE: Duration = Duration::from_secs(31);

async fn report(who: &Actor, status: &str, ttl: i64) {
    let body = json!({"ttl_seconds": ttl, "endpoints": [{"slug": "notes", "status": status, "checked_at": "2099-01-01T00:00:00Z"}]});
    who.post("/api/v1/endpoints/health", &body).await.expect(StatusCode::OK);
}

async fn look(app: &TestApp, by: Duration) {
    app.clock.advance(by);
    app.app.check_endpoints().await.unwrap();
}

fn path(window: &str) -> String {
    format!("/api/v1/endpoints/Bob/Notes/uptime{window}")
}

#[tokio::test]
async fn looks_are_counted_in_buckets_whoever_says_how_it_was() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let connect = json!([{"type": "http", "config": {"url": "/x"}}]);
    let made = bob.publish("notes", json!({"connect": connect})).await;
    report(&bob, "healthy", 90).await;
    for _ in 0..2 {
        look(&app, A_WHILE).await;
    }
    report(&bob, "unhealthy", 40).await;
    look(&app, A_WHILE).await;
    // 08:30: another bucket; the report is old and there is no address to ask.
    look(&app, Duration::from_mins(30)).await;
    let answer = anon.get(&path("")).await.expect(StatusCode::OK);
    assert_eq!(
        answer,
        json!({"endpoint_id": made["id"], "owner_username": "bob", "slug": "notes", "bucket_seconds": 1800, "window_hours": 24,
        "buckets": [
            {"bucket_start": "2027-01-15T08:00:00.000000Z", "samples": 3, "healthy_samples": 2, "uptime_pct": 66.67},
            {"bucket_start": "2027-01-15T08:30:00.000000Z", "samples": 1, "healthy_samples": 0, "uptime_pct": 0.0},
        ]})
    );
    look(&app, A_WHILE).await;
    anon.get("/api/v1/endpoints/public/bob/notes").await.refused(404);
    anon.get(&path("")).await.expect(StatusCode::OK);
    look(&app, Duration::from_hours(1)).await;
    let buckets =
        async |window: &str| anon.get(&path(window)).await.json()["buckets"].as_array().unwrap().len();
    assert_eq!((buckets("?window_hours=1").await, buckets("?window_hours=2").await), (1, 3));
}

#[tokio::test]
async fn windows_have_bounds_and_hidden_endpoints_are_not_there() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let eve = app.user("eve").await;
    for hours in ["720", "2160"] {
        anon.get(&path(&format!("?window_hours={hours}"))).await.refused(404);
    }
    for hours in ["2161", "0", "x"] {
        let refused = anon.get(&path(&format!("?window_hours={hours}"))).await.refused_fields();
        assert_eq!(refused, ["window_hours"], "{hours}");
    }
    bob.publish("notes", json!({"visibility": "private"})).await;
    assert_eq!(anon.get(&path("")).await.refused(404), "Endpoint not found");
    eve.get(&path("")).await.refused(404);
    assert_eq!(bob.get(&path("")).await.expect(StatusCode::OK)["buckets"], json!([]));
}

#[tokio::test]
async fn old_samples_go_once_a_day() {
    let (app, _anon, bob) = TestApp::start().await.with_user("bob").await;
    bob.publish("notes", json!({"connect": [{"type": "http", "config": {"url": "/x"}}]})).await;
    look(&app, A_WHILE).await;
    let kept = async || -> Value {
        let rows = syfthub_store::uptime::list(
            &app.db,
            syfthub_domain::EndpointId(1),
            syfthub_domain::Timestamp::from_secs(0),
        );
        json!(rows.await.unwrap().len())
    };
    look(&app, Duration::from_hours(24 * 89)).await;
    assert_eq!(kept().await, json!(2));
    look(&app, Duration::from_hours(48)).await;
    assert_eq!(kept().await, json!(2), "the first is gone, the newest came");
}
