//! What goes wrong here is told to the hub, with the id of its request.

use serde_json::{Value, json};
use syfthub_logging::correlation::{self, CorrelationId};
use syfthub_proto::chat::{AskRequest, EndpointRef};
use syfthub_proto::ops::ErrorReport;
use syfthub_rpc::{Caller, Server, stubs};
use syfthub_testing::wait;

use crate::actor::{Answer, TestApp, post, question};
use crate::hub::KEY;
use crate::upstream::Upstream;

const ID: &str = "my-request-1";

async fn ask(app: &TestApp, body: &Value) -> Answer {
    let mut request = post("/api/v1/chat", body);
    request.headers_mut().insert("x-correlation-id", ID.parse().unwrap());
    app.send(request).await
}

async fn reported(app: &TestApp, count: usize) -> Vec<ErrorReport> {
    let reported = || app.hub.reported.lock().unwrap().clone();
    wait::until(async || reported().len() >= count, "the hub to be told").await;
    reported()
}

#[tokio::test]
async fn faults_at_both_doors_are_told_and_refusals_are_not() {
    let app = TestApp::with(|settings| settings.aggregator.require_auth = true);
    let model = Upstream::model("ok").await;
    let mut body = question(&model, &[]);
    for (credential, status) in [("syft_pat_good", 200), ("expired", 401), ("down", 500)] {
        body["user_token"] = json!(credential);
        assert_eq!(ask(&app, &body).await.status, status, "{credential}");
    }
    let server = Server::new(app.app.grpc(), &KEY).reporting(app.app.faults());
    let mut client = stubs::chat_client(server.local(Caller::Mcp, &KEY));
    for credential in ["expired", "down"] {
        let endpoint = EndpointRef { url: model.url.clone(), slug: "m".to_owned(), ..EndpointRef::default() };
        let request = AskRequest {
            prompt: "?".to_owned(),
            model: Some(endpoint),
            credential: credential.to_owned(),
            ..AskRequest::default()
        };
        let id = CorrelationId::from_header(Some(ID));
        correlation::scope(id, client.ask(request)).await.unwrap_err();
    }
    let all = reported(&app, 2).await;
    let places: Vec<_> = all.iter().map(|report| (report.method.as_str(), report.path.as_str())).collect();
    assert_eq!(places, [("POST", "/api/v1/chat"), ("RPC", "/syfthub.chat.v1.ChatService/Ask")]);
    for report in &all {
        assert_eq!((report.correlation_id.as_str(), report.event.as_str()), (ID, "error.unhandled"));
        assert!(report.chain.contains("the database is gone"), "{}", report.chain);
    }
}
