//! Requests with an `Idempotency-Key`: they outlive their client and are taken up again, here or on another replica.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::IntoResponse;
use bytes::Bytes;
use futures::{Stream, StreamExt};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use syfthub_cache::Cache;
use syfthub_config::{Redis, Secret};
use syfthub_testing::redis;
use tokio::sync::Notify;
use tower::ServiceExt;

use crate::actor::{Answer, TestApp, post, question};
use crate::upstream::Upstream;

const KEY: &str = "7b0c9a52-2f0e-4d0c-9a3e-key";

fn asking(path: &str, body: &Value, key: &str) -> Request<Body> {
    let mut request = post(path, body);
    request.headers_mut().insert("idempotency-key", HeaderValue::from_str(key).unwrap());
    request
}

fn after(mut request: Request<Body>, id: &str) -> Request<Body> {
    request.headers_mut().insert("last-event-id", HeaderValue::from_str(id).unwrap());
    request
}

/// Id, name and data of each event.
fn events(text: &str) -> Vec<(String, String, Value)> {
    let frames = text.split_terminator("\n\n").filter(|frame| !frame.starts_with(':'));
    let field = |frame: &str, name: &str| {
        frame.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned()
    };
    frames
        .map(|frame| {
            let data = serde_json::from_str(&field(frame, "data: ")).unwrap();
            (field(frame, "id: "), field(frame, "event: "), data)
        })
        .collect()
}

fn answer_of(events: &[(String, String, Value)]) -> String {
    let tokens = events.iter().filter(|(_, name, _)| name == "token");
    tokens.map(|(_, _, data)| data["content"].as_str().unwrap()).collect()
}

/// A model that says one word, waits until it may go on, and says another.
pub(crate) struct Halting {
    pub(crate) model: Upstream,
    go_on: Arc<Notify>,
}

impl Halting {
    pub(crate) async fn start() -> Self {
        let go_on = Arc::new(Notify::new());
        let gate = Arc::clone(&go_on);
        let model = Upstream::start(move |_, _| {
            let gate = Arc::clone(&gate);
            let pieces = async_stream::stream! {
                yield Ok::<_, std::convert::Infallible>(Bytes::from_static(b"data: {\"content\":\"one \"}\n\n"));
                gate.notified().await;
                yield Ok(Bytes::from_static(b"data: {\"content\":\"two\"}\n\ndata: [DONE]\n\n"));
            };
            let body = Body::from_stream(pieces);
            std::future::ready(([("content-type", "text/event-stream")], body).into_response())
        })
        .await;
        Self { model, go_on }
    }
}

/// Reads a stream until its first token, and gives that event's id.
async fn until_first_token(body: &mut (impl Stream<Item = Result<Bytes, axum::Error>> + Unpin)) -> String {
    let mut text = String::new();
    while let Some(piece) = body.next().await {
        text.push_str(std::str::from_utf8(&piece.unwrap()).unwrap());
        if text.contains("event: token") && text.ends_with("\n\n") {
            return events(&text).pop().unwrap().0;
        }
    }
    panic!("no token in {text}")
}

async fn begin(app: &TestApp, body: &Value) -> (axum::body::BodyDataStream, String) {
    let response = app.router().oneshot(asking("/api/v1/chat/stream", body, KEY)).await.unwrap();
    let mut stream = response.into_body().into_data_stream();
    let seen = until_first_token(&mut stream).await;
    (stream, seen)
}

#[tokio::test]
async fn the_same_key_gives_the_same_events_and_asks_the_model_once() {
    let (app, model) = (TestApp::new(), Upstream::model("Hello.").await);
    let body = question(&model, &[]);
    let first = app.send(asking("/api/v1/chat/stream", &body, KEY)).await;
    let again = app.send(asking("/api/v1/chat/stream", &body, KEY)).await;
    assert_eq!(first.text, again.text);
    let ids: Vec<String> = events(&first.text).into_iter().map(|(id, _, _)| id).collect();
    assert!(ids.iter().enumerate().all(|(at, id)| id.ends_with(&format!(":{}", at + 1))), "{ids:?}");
    assert_eq!(model.calls().len(), 1);
    app.send(asking("/api/v1/chat/stream", &body, "another-key-of-the-same")).await;
    assert_eq!(model.calls().len(), 2, "another key is another request");
}

#[tokio::test]
async fn a_client_that_went_away_finds_the_rest() {
    let (app, halting) = (TestApp::new(), Halting::start().await);
    let body = question(&halting.model, &[]);
    let (stream, seen) = begin(&app, &body).await;
    drop(stream);
    halting.go_on.notify_one();
    let rest = app.send(after(asking("/api/v1/chat/stream", &body, KEY), &seen)).await;
    let rest = events(&rest.text);
    assert_eq!(answer_of(&rest), "two");
    assert_eq!(rest.last().unwrap().1, "done");
    // The number of the event names the request as well.
    let by_number = app.send(after(post("/api/v1/chat/stream", &body), &seen)).await;
    assert_eq!(events(&by_number.text), rest);
    assert_eq!(halting.model.calls().len(), 1);
}

#[tokio::test]
async fn a_key_belongs_to_one_question_and_to_one_caller() {
    let (app, model) = (TestApp::new(), Upstream::model("Hello.").await);
    let body = question(&model, &[]);
    app.send(asking("/api/v1/chat/stream", &body, KEY)).await;
    let mut other = body.clone();
    other["prompt"] = json!("Something else?");
    let refused = app.send(asking("/api/v1/chat/stream", &other, KEY)).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    assert_eq!(refused.json()["detail"][0]["loc"], json!(["header", "Idempotency-Key"]));
    assert_eq!(app.send(asking("/api/v1/chat", &body, KEY)).await.status, 422, "nor to another route");
    let mut hers = body.clone();
    hers["user_token"] = json!("syft_pat_good");
    assert_eq!(app.send(asking("/api/v1/chat/stream", &hers, KEY)).await.status, 200);
    assert_eq!(model.calls().len(), 2, "her key is hers");
    assert_eq!(app.send(asking("/api/v1/chat", &body, "short")).await.status, 422);
}

#[tokio::test]
async fn an_answer_in_one_piece_is_given_again_and_so_is_a_refusal() {
    let (app, model) = (TestApp::new(), Upstream::model("Hello.").await);
    let body = question(&model, &[]);
    let first = app.send(asking("/api/v1/chat", &body, KEY)).await;
    let again = app.send(asking("/api/v1/chat", &body, KEY)).await;
    assert_eq!((first.status, first.json()), (again.status, again.json()));
    assert_eq!(first.json()["response"], "Hello.");
    assert_eq!(model.calls().len(), 1);
    let broken = Upstream::start(|_, _| std::future::ready(StatusCode::NOT_FOUND.into_response())).await;
    let body = question(&broken, &[]);
    let first: Answer = app.send(asking("/api/v1/chat", &body, "a-key-for-the-broken")).await;
    let again = app.send(asking("/api/v1/chat", &body, "a-key-for-the-broken")).await;
    assert_eq!((first.status, again.status), (StatusCode::BAD_REQUEST, StatusCode::BAD_REQUEST));
    assert_eq!(first.json()["message"], again.json()["message"]);
    assert_eq!(broken.calls().len(), 1);
}

#[tokio::test]
async fn a_request_that_nobody_knows_any_more_is_not_worked_on_again() {
    let (app, model) = (TestApp::new(), Upstream::model("Hello.").await);
    let body = question(&model, &[]);
    let seen = "00000000000000000000000000000007:3";
    let lost = app.send(after(asking("/api/v1/chat/stream", &body, KEY), seen)).await;
    let lost = events(&lost.text);
    assert_eq!(lost.len(), 1);
    assert_eq!((lost[0].1.as_str(), &lost[0].2["code"]), ("error", &json!("interrupted")));
    assert_eq!(model.calls().len(), 0);
}

#[tokio::test]
async fn any_replica_takes_a_request_up() {
    let redis = redis::private().await;
    let cache = || Some(Cache::redis(&Redis { url: Secret::new(redis.url.clone()) }, "detached").unwrap());
    let (one, two) = (TestApp::sharing(cache(), |_| {}), TestApp::sharing(cache(), |_| {}));
    let halting = Halting::start().await;
    let body = question(&halting.model, &[]);
    let (stream, seen) = begin(&one, &body).await;
    drop(stream);
    let whole = two.router().oneshot(asking("/api/v1/chat/stream", &body, KEY)).await.unwrap();
    let mut whole = whole.into_body().into_data_stream();
    assert_eq!(
        until_first_token(&mut whole).await,
        seen,
        "what was said elsewhere, while it is still going on"
    );
    halting.go_on.notify_one();
    let rest = two.send(after(asking("/api/v1/chat/stream", &body, KEY), &seen)).await;
    assert_eq!(answer_of(&events(&rest.text)), "two");
    let on_one = one.send(after(asking("/api/v1/chat/stream", &body, KEY), &seen)).await;
    assert_eq!(on_one.text, rest.text, "the same on both");
    assert_eq!(halting.model.calls().len(), 1);
}

#[tokio::test]
async fn what_a_lost_process_had_said_is_repeated_with_a_word() {
    let redis = redis::private().await;
    let cache = || Some(Cache::redis(&Redis { url: Secret::new(redis.url.clone()) }, "detached").unwrap());
    let (one, two) = (TestApp::sharing(cache(), |_| {}), TestApp::sharing(cache(), |_| {}));
    let halting = Halting::start().await;
    let body = question(&halting.model, &[]);
    let (stream, _) = begin(&one, &body).await;
    let follower = two.router().oneshot(asking("/api/v1/chat/stream", &body, KEY)).await.unwrap();
    let mut follower = follower.into_body().into_data_stream();
    until_first_token(&mut follower).await;
    // Its tasks end with it, as with a process that is killed.
    drop((stream, one));
    let rest = tokio::time::timeout(Duration::from_secs(20), Body::from_stream(follower).collect()).await;
    let rest = String::from_utf8(rest.unwrap().unwrap().to_bytes().to_vec()).unwrap();
    let last = events(&rest).pop().unwrap();
    assert_eq!((last.1.as_str(), &last.2["code"]), ("error", &json!("interrupted")));
    let late = two.send(asking("/api/v1/chat/stream", &body, KEY)).await;
    let late = events(&late.text);
    assert_eq!(answer_of(&late), "one ");
    assert_eq!(late.last().unwrap().2["code"], "interrupted");
    assert_eq!(halting.model.calls().len(), 1, "the model is never asked twice");
}
