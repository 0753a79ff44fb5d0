//! The same chat for our own services.

use futures::StreamExt;
use syfthub_proto::chat::ask_event::Event;
use syfthub_proto::chat::{AskRequest, EndpointRef};
use syfthub_rpc::{Caller, status, stubs};

use crate::actor::TestApp;
use crate::upstream::Upstream;

fn endpoint(path: &str, upstream: &Upstream) -> EndpointRef {
    let (owner, slug) = path.split_once('/').unwrap();
    EndpointRef {
        url: upstream.url.clone(),
        slug: slug.to_owned(),
        owner_username: owner.to_owned(),
        ..EndpointRef::default()
    }
}

fn request(model: &Upstream, source: &Upstream) -> AskRequest {
    AskRequest {
        prompt: "restore a backup".to_owned(),
        model: Some(endpoint("mia/writer", model)),
        data_sources: vec![endpoint("ann/docs", source)],
        ..AskRequest::default()
    }
}

async fn ask(app: &TestApp, request: AskRequest) -> Vec<Event> {
    let mut client = stubs::chat_client(app.peer(Caller::Mcp));
    let events = client.ask(request).await.unwrap().into_inner();
    events.map(|event| event.unwrap().event.unwrap()).collect().await
}

#[tokio::test]
async fn the_events_are_those_of_the_stream() {
    let app = TestApp::new();
    let source = Upstream::source(&[("Backups", "restore", 0.9)]).await;
    let model = Upstream::stream(&["data: Use it [cite:1].", "data: [DONE]"]).await;
    let events = ask(&app, request(&model, &source)).await;
    assert_eq!(events.len(), 8, "{events:?}");
    assert!(matches!(&events[0], Event::RetrievalStart(start) if start.sources == 1));
    assert!(
        matches!(&events[1], Event::SourceComplete(source) if source.path == "ann/docs" && source.documents == 1)
    );
    assert!(matches!(&events[2], Event::RerankingStart(_)));
    assert!(matches!(&events[3], Event::RerankingComplete(_)));
    assert!(matches!(&events[4], Event::RetrievalComplete(found) if found.total_documents == 1));
    assert!(matches!(&events[5], Event::GenerationStart(_)));
    assert!(matches!(&events[6], Event::Token(token) if token.content == "Use it [cite:1]."));
    let Event::Done(done) = &events[7] else { panic!("{events:?}") };
    assert_eq!(done.response, "Use it [cite:1-0:7].");
    assert_eq!(done.sources[0].path, "ann/docs");
    assert_eq!(done.retrieval_info[0].status, "success");
    assert_eq!((done.citations[0].number, done.citations[0].title.as_str()), (1, "Backups"));
    assert!((done.profit_share["ann/docs"] - 1.0).abs() < 1e-9);
    assert_eq!(done.billing_json, "");
}

#[tokio::test]
async fn failures_carry_a_code() {
    let app = TestApp::new();
    let denied = Upstream::status(403, serde_json::json!({"detail": "no"})).await;
    let model = Upstream::model("never").await;
    let events = ask(&app, request(&model, &denied)).await;
    assert!(
        matches!(events.last(), Some(Event::Failed(failed)) if failed.code == "SOURCE_ACCESS_DENIED"),
        "{events:?}"
    );
}

#[tokio::test]
async fn a_wrong_request_is_refused_like_over_http() {
    let app = TestApp::new();
    let model = Upstream::model("never").await;
    let mut wrong = request(&model, &model);
    wrong.prompt = String::new();
    let refusal = stubs::chat_client(app.peer(Caller::Cli)).ask(wrong).await.unwrap_err();
    assert_eq!(status::from_status(&refusal).code.name(), "VALIDATION_ERROR");
}

#[tokio::test]
async fn only_mcp_and_the_command_line_may_ask() {
    let app = TestApp::new();
    let model = Upstream::model("never").await;
    let refusal =
        stubs::chat_client(app.peer(Caller::Backend)).ask(request(&model, &model)).await.unwrap_err();
    assert_eq!(refusal.code(), tonic::Code::PermissionDenied);
}
