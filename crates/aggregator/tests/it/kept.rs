//! What the hub is told afterwards: who used what, and what belongs to a conversation.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use serde_json::json;
use syfthub_proto::conversations::conversations_service_server::ConversationsService;
use syfthub_proto::conversations::{
    AnswerStatus, AppendRequest, AppendResponse, CheckRequest, CheckResponse,
};
use syfthub_proto::usage::usage_service_server::UsageService;
use syfthub_proto::usage::{Entry, Outcome, Part, RecordRequest, RecordResponse};
use syfthub_testing::wait;
use tonic::{Request, Response, Status};
use tower::ServiceExt as _;

use crate::actor::{TestApp, post, question};
use crate::detached::Halting;
use crate::upstream::Upstream;

const MINE: &str = "01980a3e-5d0c-7c52-b7a1-5f6f3f0f9f10";
const FOREIGN: &str = "01980a3e-5d0c-7c52-b7a1-5f6f3f0f9f11";
const FULL: &str = "01980a3e-5d0c-7c52-b7a1-5f6f3f0f9f12";

/// What a hub was told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    pub(crate) batches: Arc<Mutex<Vec<RecordRequest>>>,
    pub(crate) exchanges: Arc<Mutex<Vec<AppendRequest>>>,
}

#[tonic::async_trait]
impl UsageService for Told {
    async fn record(&self, request: Request<RecordRequest>) -> Result<Response<RecordResponse>, Status> {
        let mut batches = self.batches.lock().unwrap();
        batches.push(request.into_inner());
        if batches.len() == 1 {
            return Err(Status::unavailable("the answer is lost on its way"));
        }
        Ok(Response::new(RecordResponse::default()))
    }
}

#[tonic::async_trait]
impl ConversationsService for Told {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let request = request.into_inner();
        if request.credential != "syft_pat_good" || request.conversation_id == FOREIGN {
            return Err(Status::not_found("Conversation not found"));
        }
        Ok(Response::new(CheckResponse {}))
    }

    async fn append(&self, request: Request<AppendRequest>) -> Result<Response<AppendResponse>, Status> {
        let request = request.into_inner();
        if request.conversation_id == FULL {
            return Err(Status::invalid_argument("This conversation is full"));
        }
        self.exchanges.lock().unwrap().push(request);
        Ok(Response::new(AppendResponse::default()))
    }
}

#[tokio::test]
async fn calls_are_reported_once_with_who_made_them() {
    let (app, model) = (TestApp::new(), Upstream::model("ok").await);
    let source = Upstream::source(&[]).await;
    let body = question(&model, &[("ann/a", &source)]);
    for _ in 0..3 {
        app.chat(&body).await;
    }
    app.app.close().await;
    app.app.close().await;
    let batches = app.hub.told.batches.lock().unwrap().clone();
    assert!(batches.len() >= 2, "what was not confirmed is sent again");
    assert_eq!(batches[0], batches[1], "under the same name");
    let mut seen: Vec<Entry> = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    for batch in batches {
        if names.insert(batch.batch_id) {
            seen.extend(batch.entries);
        }
    }
    let requests = |part: Part| -> u32 {
        seen.iter().filter(|entry| entry.part() == part).map(|entry| entry.requests).sum()
    };
    assert_eq!((requests(Part::Model), requests(Part::Source)), (3, 3));
    assert!(seen.iter().all(|entry| entry.user_id == 0 && entry.outcome() == Outcome::Success), "{seen:?}");
    assert!(seen.iter().any(|entry| entry.path == "ann/a" && entry.url == source.url), "{seen:?}");
}

#[tokio::test]
async fn an_answer_is_added_to_its_conversation() {
    let (app, model) = (TestApp::new(), Upstream::model("All is well").await);
    let mut body = question(&model, &[]);
    body["conversation_id"] = json!(MINE);
    assert_eq!(app.chat(&body).await.status, 401, "a guest has none");
    body["user_token"] = json!("syft_pat_good");
    body["conversation_id"] = json!(FOREIGN);
    assert_eq!(app.chat(&body).await.status, 404);
    assert_eq!(app.stream(&body).await.status, 404);
    body["conversation_id"] = json!("mine");
    assert_eq!(app.chat(&body).await.status, 422);
    assert!(model.calls().is_empty(), "nobody is asked before");
    body["conversation_id"] = json!(MINE);
    let answer = app.chat(&body).await.json();
    assert_eq!(answer["metadata"]["conversation_saved"], true, "{answer}");
    let done = app.stream(&body).await.event("done");
    assert_eq!(done["metadata"]["conversation_saved"], true, "{done}");
    let exchanges = app.hub.told.exchanges.lock().unwrap().clone();
    assert_eq!(exchanges.len(), 2);
    assert_ne!(exchanges[0].exchange_id, exchanges[1].exchange_id);
    for exchange in exchanges {
        assert_eq!((exchange.answer.as_str(), exchange.status()), ("All is well", AnswerStatus::Complete));
        assert_eq!(exchange.question, body["prompt"].as_str().unwrap());
    }
    body["conversation_id"] = json!(FULL);
    let answer = app.chat(&body).await;
    assert_eq!(answer.status, 200, "an answer never fails with its conversation");
    assert_eq!(answer.json()["metadata"]["conversation_saved"], false);
    body.as_object_mut().unwrap().remove("conversation_id");
    assert_eq!(app.chat(&body).await.json()["metadata"].get("conversation_saved"), None);
}

#[tokio::test]
async fn a_failure_is_kept_too() {
    let app = TestApp::new();
    let model = Upstream::model("x").await;
    let mut body = question(&model, &[]);
    body["model"]["url"] = json!("http://127.0.0.1:1");
    body["user_token"] = json!("syft_pat_good");
    body["conversation_id"] = json!(MINE);
    assert_eq!(app.chat(&body).await.status, 400);
    let told = app.hub.told.clone();
    let kept = async {
        while told.exchanges.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), kept).await.unwrap();
    let exchange = told.exchanges.lock().unwrap()[0].clone();
    assert_eq!((exchange.answer.as_str(), exchange.status()), ("", AnswerStatus::Failed));
}

#[tokio::test]
async fn what_had_arrived_is_kept_when_the_client_leaves() {
    let (app, halting) = (TestApp::new(), Halting::start().await);
    let mut body = question(&halting.model, &[]);
    body["user_token"] = json!("syft_pat_good");
    body["conversation_id"] = json!(MINE);
    let response = app.router().oneshot(post("/api/v1/chat/stream", &body)).await.unwrap();
    let mut stream = response.into_body().into_data_stream();
    let mut text = String::new();
    while !text.contains("event: token") {
        text.push_str(std::str::from_utf8(&stream.next().await.unwrap().unwrap()).unwrap());
    }
    assert!(app.hub.told.exchanges.lock().unwrap().is_empty());
    drop(stream);
    let told = app.hub.told.clone();
    wait::until(async || !told.exchanges.lock().unwrap().is_empty(), "the part of the answer").await;
    let exchange = told.exchanges.lock().unwrap()[0].clone();
    assert_eq!((exchange.answer.as_str(), exchange.status()), ("one ", AnswerStatus::Partial));
    assert_eq!(exchange.question, body["prompt"].as_str().unwrap());
}
