//! Changes at the same time, on PostgreSQL: SQLite has one writer.

use http::StatusCode;
use serde_json::json;
use syfthub_config::DatabaseUrl;
use syfthub_domain::{EndpointId, Tag, Timestamp, UserId, Visibility};
use syfthub_store::Tx;
use syfthub_store::endpoints::{self, EndpointChange};
use syfthub_testing::postgres;

use crate::actor::{Answer, TestApp};
use crate::shorthand::new_endpoint;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_001);

/// Sends a request that has to wait for a change, makes the change, and gives the answer.
async fn meanwhile(
    app: &TestApp,
    request: impl Future<Output = Answer>,
    change: impl AsyncFnOnce(&mut Tx),
) -> Answer {
    let DatabaseUrl::Postgres(url) = &app.settings.database.url else { panic!("SQLite has one writer") };
    let mut tx = app.db.begin().await.unwrap();
    endpoints::lock(&mut tx).await.unwrap();
    let (answer, ()) = tokio::join!(request, async {
        postgres::somebody_waits(url.expose()).await;
        change(&mut tx).await;
        tx.commit().await.unwrap();
    });
    answer
}

#[tokio::test]
async fn a_change_keeps_what_another_one_wrote_while_it_waited() {
    let (app, _, bob) = TestApp::start_on_postgres().await.with_user("bob").await;
    let made = bob.publish("notes", json!({"tags": ["old"]})).await;
    let (path, id) = (format!("/api/v1/endpoints/{}", made["id"]), EndpointId(made["id"].as_i64().unwrap()));
    let put_away = EndpointChange {
        tags: Some(vec![Tag::parse("new").unwrap()]),
        visibility: Some(Visibility::Private),
        archived: Some(true),
        ..EndpointChange::default()
    };
    let body = json!({"description": "other words", "visibility": "public"});
    let answer = meanwhile(&app, bob.patch(&path, &body), async |tx: &mut Tx| {
        endpoints::update(tx, id, &put_away, NOW).await.unwrap();
    })
    .await;
    let after = answer.expect(StatusCode::OK);
    assert_eq!((&after["tags"], &after["description"]), (&json!(["new"]), &json!("other words")));
    assert_eq!((&after["archived"], &after["visibility"]), (&json!(true), &json!("private")));
}

#[tokio::test]
async fn a_slug_that_was_free_when_the_request_came_is_not_taken_twice() {
    let (app, _, bob) = TestApp::start_on_postgres().await.with_user("bob").await;
    let new = new_endpoint(UserId(bob.id), "notes");
    let body = json!({"name": "Notes", "type": "model"});
    let answer = meanwhile(&app, bob.post("/api/v1/endpoints", &body), async |tx: &mut Tx| {
        endpoints::insert(tx, &new, NOW).await.unwrap();
    })
    .await;
    assert_eq!(answer.expect(StatusCode::CREATED)["slug"], "notes-1");
}
