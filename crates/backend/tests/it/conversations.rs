//! Conversations: kept by the chat service, read by their owner and behind a link.

use http::StatusCode;
use serde_json::{Value, json};
use syfthub_domain::{Error, ErrorCode};
use syfthub_proto::conversations::{AnswerStatus, AppendRequest, CheckRequest};
use syfthub_rpc::status::from_status;
use syfthub_rpc::{Caller, stubs};

use crate::actor::{Actor, TestApp};
use crate::shorthand::each;

const PATH: &str = "/api/v1/conversations";

async fn begin(user: &Actor, title: &str) -> String {
    let made = user.post(PATH, &json!({"title": title})).await.expect(StatusCode::CREATED);
    made["id"].as_str().unwrap().to_owned()
}

async fn append(app: &TestApp, who: &Actor, to: &str, exchange: u8, question: &str) -> Result<bool, Error> {
    let request = AppendRequest {
        credential: who.token.clone().unwrap(),
        conversation_id: to.to_owned(),
        exchange_id: format!("01980a3e-5d0c-7c52-b7a1-5f6f3f0f9f{exchange:02x}"),
        question: question.to_owned(),
        answer: "Yes [cite:1].\0".to_owned(),
        status: AnswerStatus::Partial.into(),
        model: "mia/writer".to_owned(),
        citations_json: r#"{"1": {"slug": "ada/notes", "title": "Notes"}}"#.to_owned(),
    };
    let mut client = stubs::conversations_client(app.peer(Caller::Aggregator));
    let answer = client.append(request).await.map_err(|status| from_status(&status))?;
    Ok(answer.into_inner().repeated)
}

#[tokio::test]
async fn a_conversation_is_kept_read_searched_and_removed() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    anon.get(PATH).await.refused(401);
    let id = begin(&bob, "").await;
    let other = begin(&bob, "Über Wetter").await;
    assert!(!append(&app, &bob, &id, 1, "Is  there\nan engine?").await.unwrap());
    assert!(append(&app, &bob, &id, 1, "Is there an engine?").await.unwrap(), "the same exchange again");
    assert!(!append(&app, &bob, &id, 2, "And now?").await.unwrap());
    let path = format!("{PATH}/{id}");
    let whole = bob.get(&path).await.expect(StatusCode::OK);
    assert_eq!((&whole["title"], &whole["message_count"]), (&json!("Is there an engine?"), &json!(4)));
    assert_eq!(each(&whole["messages"], "role"), ["user", "assistant", "user", "assistant"]);
    let answer = &whole["messages"][1];
    assert_eq!((&answer["content"], &answer["status"]), (&json!("Yes [cite:1].\u{fffd}"), &json!("partial")));
    assert_eq!(
        (&answer["model"], &answer["citations"]["1"]["slug"]),
        (&json!("mia/writer"), &json!("ada/notes"))
    );
    let first = bob.get(&format!("{path}?limit=3")).await.expect(StatusCode::OK);
    assert_eq!(first["next_after"], 3);
    let rest = bob.get(&format!("{path}?limit=3&after=3")).await.expect(StatusCode::OK);
    assert_eq!(
        (each(&rest["messages"], "role"), &rest["next_after"]),
        (vec!["assistant".to_owned()], &Value::Null)
    );
    let listed = async |query: &str| {
        let page = bob.get(&format!("{PATH}?{query}")).await.expect(StatusCode::OK);
        (each(&page["conversations"], "id"), page["next_cursor"].as_str().map(str::to_owned))
    };
    assert_eq!(listed("search=uber").await.0, [other.as_str()]);
    assert_eq!(listed("search=ENGINE").await.0, [id.as_str()]);
    let (one, cursor) = listed("limit=1").await;
    let (two, _) = listed(&format!("limit=1&cursor={}", cursor.unwrap())).await;
    assert_ne!(one, two);
    let renamed = bob.patch(&path, &json!({"title": " Engines "})).await.expect(StatusCode::OK);
    assert_eq!(renamed["title"], "Engines");
    let file = bob.get(&format!("{path}/export")).await;
    assert!(
        file.text.starts_with("# Engines\n\n## You") && file.text.contains("* [1] Notes (ada/notes)"),
        "{}",
        file.text
    );
    assert!(file.header("content-disposition").contains("conversation.md"));
    let file = bob.get(&format!("{path}/export?format=json")).await.expect(StatusCode::OK);
    assert_eq!(file["messages"].as_array().unwrap().len(), 4);
    bob.delete(&path).await.is(204);
    bob.get(&path).await.refused(404);
    assert_eq!(listed("").await.0, [other]);
}

#[tokio::test]
async fn what_is_somebody_elses_does_not_exist() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let eve = app.user("eve").await;
    let admin = app.admin().await;
    let id = begin(&bob, "Mine").await;
    let path = format!("{PATH}/{id}");
    for who in [&eve, &admin] {
        who.get(&path).await.refused(404);
        who.patch(&path, &json!({"title": "x"})).await.refused(404);
        who.delete(&path).await.refused(404);
        who.get(&format!("{path}/export")).await.refused(404);
        who.post(&format!("{path}/share"), &json!({})).await.refused(404);
        who.delete(&format!("{path}/share")).await.refused(404);
        let refused = append(&app, who, &id, 1, "x").await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::NotFound);
    }
    let mut client = stubs::conversations_client(app.peer(Caller::Aggregator));
    let mut check = async |credential: Option<String>, id: &str| {
        let request =
            CheckRequest { credential: credential.unwrap_or_default(), conversation_id: id.to_owned() };
        client.check(request).await.map(drop).map_err(|status| from_status(&status).code)
    };
    assert_eq!(check(bob.token.clone(), &id).await, Ok(()));
    assert_eq!(check(eve.token.clone(), &id).await, Err(ErrorCode::NotFound));
    assert_eq!(check(bob.token.clone(), "no id").await, Err(ErrorCode::NotFound));
    assert_eq!(check(None, &id).await, Err(ErrorCode::Unauthenticated));
    let reader = bob.pat(&["read"]).await;
    assert_eq!(check(reader.token, &id).await, Err(ErrorCode::PermissionDenied));
}

#[tokio::test]
async fn a_link_shows_title_and_messages_until_it_is_taken_back() {
    let (app, anon, bob) = TestApp::start().await.with_user("bob").await;
    let id = begin(&bob, "Engines").await;
    append(&app, &bob, &id, 1, "Is there an engine?").await.unwrap();
    let share = format!("{PATH}/{id}/share");
    let first = bob.post(&share, &json!({})).await.expect(StatusCode::CREATED);
    let second = bob.post(&share, &json!({})).await.expect(StatusCode::CREATED);
    let link = |made: &Value| format!("{PATH}/shared/{}", made["token"].as_str().unwrap());
    anon.get(&link(&first)).await.refused(404);
    let seen = anon.get(&link(&second)).await;
    assert_eq!((seen.header("cache-control"), seen.header("x-robots-tag")), ("no-store", "noindex"));
    let shown = seen.expect(StatusCode::OK);
    assert_eq!((&shown["title"], shown["messages"].as_array().unwrap().len()), (&json!("Engines"), 2));
    for secret in ["bob", id.as_str(), "\"id\"", "mia/writer"] {
        assert!(!seen_text(&shown).contains(secret), "{secret}: {shown}");
    }
    assert!(bob.get(&format!("{PATH}/{id}")).await.json()["shared_at"].is_string());
    bob.delete(&share).await.is(204);
    bob.delete(&share).await.is(204);
    anon.get(&link(&second)).await.refused(404);
    let third = bob.post(&share, &json!({})).await.expect(StatusCode::CREATED);
    bob.delete(&format!("/api/v1/users/{}", bob.id)).await.is(204);
    anon.get(&link(&third)).await.refused(404);
}

fn seen_text(shown: &Value) -> String {
    shown.to_string()
}

#[tokio::test]
async fn bad_fields_are_named_and_conversations_are_bounded() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    assert_eq!(bob.post(PATH, &json!({"title": "x".repeat(201)})).await.refused_fields(), ["title"]);
    let id = begin(&bob, "").await;
    assert_eq!(bob.patch(&format!("{PATH}/{id}"), &json!({})).await.refused_fields(), ["title"]);
    assert_eq!(bob.get(&format!("{PATH}?limit=0&cursor=x")).await.refused_fields(), ["limit", "cursor"]);
    assert_eq!(bob.get(&format!("{PATH}/{id}?limit=0&after=-1")).await.refused_fields(), ["after", "limit"]);
    assert_eq!(bob.get(&format!("{PATH}/{id}/export?format=pdf")).await.refused_fields(), ["format"]);
    let large = "x".repeat(3 * 1024 * 1024);
    append(&app, &bob, &id, 1, &large).await.unwrap();
    let refused = append(&app, &bob, &id, 2, &large).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::PayloadTooLarge);
    append(&app, &bob, &id, 3, "small").await.unwrap();
}
