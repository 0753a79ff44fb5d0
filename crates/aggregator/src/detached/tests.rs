use syfthub_domain::{FixedClock, Timestamp};

use super::*;

const OWNER: &str = "0123456789abcdef";

fn runs() -> Arc<Runs> {
    let clock = FixedClock::new(Timestamp::from_secs(1_800_000_000));
    Runs::new(Cache::memory(clock), Duration::from_mins(3), Duration::from_secs(5))
}

fn request(key: &str, body: &'static str) -> Request {
    let wish = Wish { key: Some(key.to_owned()), after: None };
    Request { wish, owner: OWNER.to_owned(), route: "chat/stream", body: Bytes::from_static(body.as_bytes()) }
}

fn two_events() -> impl Stream<Item = (&'static str, Value)> + Send {
    futures::stream::iter([("token", json!({"content": "x"})), ("done", json!({}))])
}

async fn names(frames: Frames) -> Vec<String> {
    frames.map(|frame| read(&frame).unwrap().0.to_owned()).collect().await
}

#[tokio::test(start_paused = true)]
async fn a_run_is_kept_for_a_minute_after_its_end_and_no_longer() {
    let runs = runs();
    let first = runs.take_up(request("k", "{}"), two_events).await.unwrap();
    assert_eq!(names(first).await, ["token", "done"]);
    tokio::time::sleep(Duration::from_secs(59)).await;
    let again = runs.take_up(request("k", "{}"), futures::stream::empty).await.unwrap();
    assert_eq!(names(again).await, ["token", "done"], "what was said before");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(runs.here().len(), 0);
    assert_eq!(runs.bytes.load(Ordering::Relaxed), 0, "and its memory is given back");
    let anew = runs.take_up(request("k", "{}"), two_events).await.unwrap();
    assert_eq!(names(anew).await, ["token", "done"]);
}

#[tokio::test]
async fn tokens_may_be_fresh_and_nothing_else() {
    let runs = runs();
    let asked = |body| runs.take_up(request("k", body), two_events);
    assert!(asked(r#"{"prompt": "q", "user_token": "a"}"#).await.is_ok());
    assert!(asked(r#"{"prompt": "q", "user_token": "b", "endpoint_tokens": {"x": "y"}}"#).await.is_ok());
    let Err(error) = asked(r#"{"prompt": "p"}"#).await else { panic!("another question under the same key") };
    assert_eq!(error.code.http_status(), 422);
}

#[tokio::test]
async fn one_account_cannot_take_all_places() {
    let runs = runs();
    for number in 0..MAX_RUNS_OF_ONE {
        assert!(runs.take_up(request(&number.to_string(), "{}"), two_events).await.is_ok());
    }
    let Err(error) = runs.take_up(request("more", "{}"), two_events).await else { panic!("one more") };
    assert_eq!(error.code, ErrorCode::RateLimited);
    assert!(error.retry_after.is_some());
    let other = Request { owner: "another".to_owned(), ..request("more", "{}") };
    assert!(runs.take_up(other, two_events).await.is_ok(), "others are not concerned");
}

#[tokio::test]
async fn an_endless_answer_is_cut_off_with_a_word() {
    let runs = runs();
    let piece = json!({"content": "x".repeat(1024 * 1024)});
    let endless = move || futures::stream::repeat(("token", piece));
    let frames = runs.take_up(request("k", "{}"), endless).await.unwrap();
    let names = names(frames).await;
    assert_eq!(names.last().map(String::as_str), Some("error"));
    assert!(names.len() < 20, "{}", names.len());
}
