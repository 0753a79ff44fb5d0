//! Use of endpoints: reported by the aggregator, read by owners and callers.

use http::StatusCode;
use serde_json::{Value, json};
use syfthub_domain::{Clock as _, Error, ErrorCode, Timestamp};
use syfthub_proto::usage::{Entry, Outcome, Part, RecordRequest, RecordResponse};
use syfthub_rpc::status::from_status;
use syfthub_rpc::{Caller, stubs};

use crate::actor::{Actor, TestApp};
use crate::shorthand::each;

const FIRST: &str = "01980a3e-5d0c-7c52-b7a1-5f6f3f0f9f10";
const SECOND: &str = "01980a3e-5d0c-7c52-b7a1-5f6f3f0f9f11";

async fn publish(owner: &Actor, slug: &str) {
    let connect = json!([{"type": "http", "config": {"url": format!("https://node.example/{slug}/")}}]);
    owner.publish(slug, json!({"connect": connect})).await;
}

fn entry(app: &TestApp, path: &str, user_id: i64) -> Entry {
    let slug = path.split('/').next_back().unwrap();
    Entry {
        at_us: app.clock.now().as_micros(),
        path: path.to_owned(),
        url: format!("https://Node.example:443/{slug}"),
        part: Part::Model.into(),
        outcome: Outcome::Success.into(),
        user_id,
        requests: 1,
        prompt_tokens: 100,
        completion_tokens: 20,
        documents: 0,
        latency_ms: 400,
        longest_ms: 400,
    }
}

async fn record(app: &TestApp, batch: &str, entries: Vec<Entry>) -> Result<RecordResponse, Error> {
    let mut usage = stubs::usage_client(app.peer(Caller::Aggregator));
    let request = RecordRequest { batch_id: batch.to_owned(), entries };
    usage.record(request).await.map(tonic::Response::into_inner).map_err(|status| from_status(&status))
}

async fn report(who: &Actor, query: &str) -> Value {
    who.get(&format!("/api/v1/usage?{query}")).await.expect(StatusCode::OK)
}

#[tokio::test]
async fn owners_and_callers_see_their_side() {
    let (app, anon, ada) = TestApp::start().await.with_user("ada").await;
    let (bob, eve) = (app.user("bob").await, app.user("eve").await);
    anon.get("/api/v1/usage").await.refused(401);
    publish(&ada, "writer").await;
    publish(&ada, "notes").await;
    let source = |outcome: Outcome| Entry {
        part: Part::Source.into(),
        outcome: outcome.into(),
        prompt_tokens: 0,
        completion_tokens: 0,
        documents: 3,
        latency_ms: 50,
        longest_ms: 50,
        ..entry(&app, "ada/notes", bob.id)
    };
    let entries = vec![
        entry(&app, "ada/writer", bob.id),
        Entry { requests: 2, latency_ms: 1000, longest_ms: 700, ..entry(&app, "ada/writer", eve.id) },
        entry(&app, "ada/writer", 0),
        source(Outcome::Success),
        source(Outcome::Timeout),
        source(Outcome::Success),
    ];
    let recorded = record(&app, FIRST, entries).await.unwrap();
    assert_eq!((recorded.counted, recorded.repeated), (6, false));
    let owner = report(&ada, "view=owner&group_by=endpoint").await;
    let total = &owner["total"];
    assert_eq!((&total["requests"], &total["failed_requests"]), (&json!(7), &json!(1)));
    assert_eq!((&total["callers"], &total["guest_requests"]), (&json!(2), &json!(1)));
    assert_eq!((&total["prompt_tokens"], &total["total_tokens"]), (&json!(300), &json!(360)));
    assert_eq!(each(&owner["items"], "path"), ["ada/writer", "ada/notes"]);
    let writer = &owner["items"][0];
    assert_eq!((&writer["average_latency_ms"], &writer["longest_latency_ms"]), (&json!(450), &json!(700)));
    assert_eq!((&writer["part"], &owner["items"][1]["documents"]), (&json!("model"), &json!(9)));
    assert!(!owner.to_string().contains("bob"), "nobody is told who called");
    let caller = report(&bob, "group_by=endpoint").await;
    assert_eq!((&caller["view"], &caller["total"]["requests"]), (&json!("caller"), &json!(4)));
    assert_eq!(caller["total"]["callers"], Value::Null);
    assert_eq!(each(&caller["items"], "path"), ["ada/notes", "ada/writer"]);
    let one = report(&bob, "endpoint=ada/writer&group_by=day").await;
    assert_eq!((one["items"].as_array().unwrap().len(), &one["total"]["requests"]), (1, &json!(1)));
    assert_eq!(one["items"][0]["day"], "2027-01-15");
    let page = report(&ada, "view=owner&group_by=endpoint&page_size=1").await;
    assert_eq!((page["items"].as_array().unwrap().len(), &page["has_more"]), (1, &json!(true)));
    assert_eq!(report(&ada, "").await["total"]["requests"], 0);
    assert_eq!(report(&bob, "view=owner").await["total"]["average_latency_ms"], Value::Null);
}

#[tokio::test]
async fn a_batch_counts_once_and_only_what_is_published_there() {
    let (app, _, ada) = TestApp::start().await.with_user("ada").await;
    let bob = app.user("bob").await;
    publish(&ada, "writer").await;
    let elsewhere =
        Entry { url: "https://evil.example/writer".to_owned(), ..entry(&app, "ada/writer", bob.id) };
    let unknown = entry(&app, "ada/other", bob.id);
    let odd = Entry { path: "a\0b".to_owned(), url: "no address".to_owned(), ..entry(&app, "x/y", bob.id) };
    let batch = vec![entry(&app, "ada/writer", bob.id), elsewhere, unknown, odd];
    assert_eq!(record(&app, FIRST, batch.clone()).await.unwrap().counted, 1);
    let again = record(&app, FIRST, batch.clone()).await.unwrap();
    assert_eq!((again.counted, again.repeated), (0, true));
    assert_eq!(report(&bob, "").await["total"]["requests"], 1);
    assert_eq!(record(&app, SECOND, batch).await.unwrap().counted, 1);
    assert_eq!(report(&bob, "").await["total"]["requests"], 2);
    let code = async |batch: &str, entries: Vec<Entry>| record(&app, batch, entries).await.unwrap_err().code;
    assert_eq!(code("x", vec![]).await, ErrorCode::BadRequest);
    assert_eq!(code(FIRST, vec![Entry::default()]).await, ErrorCode::BadRequest);
    assert_eq!(code(FIRST, vec![entry(&app, "ada/writer", 0); 501]).await, ErrorCode::BadRequest);
    // A wrong clock does not write into another year.
    let late = Entry { at_us: 0, ..entry(&app, "ada/writer", bob.id) };
    let early = Entry { at_us: i64::MAX, ..late.clone() };
    let huge = Entry { prompt_tokens: u64::MAX, latency_ms: u64::MAX, ..entry(&app, "ada/writer", bob.id) };
    record(&app, "01980a3e-5d0c-7c52-b7a1-5f6f3f0f9f12", vec![late, early, huge]).await.unwrap();
    assert_eq!(report(&bob, "").await["total"]["requests"], 5);
}

#[tokio::test]
async fn bad_questions_are_refused_and_long_spans_are_cut() {
    let (app, _, ada) = TestApp::start().await.with_user("ada").await;
    let bad = "view=all&group_by=week&from=today&to=x&endpoint=nobody&page=0&page_size=101";
    let mut fields = ada.get(&format!("/api/v1/usage?{bad}")).await.refused_fields();
    fields.sort();
    assert_eq!(fields, ["endpoint", "from", "group_by", "page", "page_size", "to", "view"]);
    let all = report(&ada, "from=1970-01-01T00:00:00Z").await;
    let from = Timestamp::parse(all["from"].as_str().unwrap()).unwrap();
    assert!(app.clock.now().since(from).as_secs() <= 401 * 24 * 3600, "{all}");
    for odd in [
        "from=9999-01-01T00:00:00Z",
        "to=0001-01-01T00:00:00Z",
        "to=9999-12-31T23:59:59Z&page=10000&page_size=100",
    ] {
        assert_eq!(report(&ada, odd).await["total"]["requests"], 0, "{odd}");
    }
}
