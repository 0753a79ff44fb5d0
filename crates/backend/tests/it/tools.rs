//! `tools.v1`: what the tools of assistants do at the hub.

use http::StatusCode;
use serde_json::{Value, json};
use syfthub_domain::{Detail, Error, ErrorCode};
use syfthub_proto::tools::{
    CompletePathRequest, GetEndpointHealthRequest, GetEndpointRequest, PublishEndpointRequest,
    RecordCallsRequest, ToolCall, ToolOutcome, UpdateEndpointRequest,
};
use syfthub_rpc::status::from_status;
use syfthub_rpc::{Caller, InternalKey, Peer, Server, stubs};
use tonic::Status;

use crate::actor::{Actor, TestApp};

fn peer(app: &TestApp) -> Peer {
    let key = InternalKey::new([7; 32]);
    Server::new(app.app.grpc(), &key).local(Caller::Mcp, &key)
}

fn credential(user: &Actor) -> String {
    user.token.clone().unwrap()
}

fn error(status: &Status) -> Error {
    from_status(status)
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

async fn read_only(user: &Actor) -> String {
    let made = user.post("/api/v1/auth/tokens", &json!({"name": "reader", "scopes": ["read"]})).await;
    made.expect(StatusCode::CREATED)["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn publishing_and_changing_follow_the_rules_of_the_public_routes() {
    let (app, _, ada) = TestApp::start().await.with_user("ada").await;
    let eve = app.user("eve").await;
    let mut tools = stubs::tools_client(peer(&app));
    let publish = |credential: String, endpoint: Value| PublishEndpointRequest {
        credential,
        endpoint_json: endpoint.to_string(),
    };
    let notes = json!({"name": "Notes", "type": "data_source", "readme": "# Notes"});
    let made = tools.publish_endpoint(publish(credential(&ada), notes.clone())).await.unwrap().into_inner();
    assert_eq!(made.path, "ada/notes");
    assert_eq!(parsed(&made.endpoint_json)["visibility"], "public");

    let wrong = json!({"name": "", "type": "robot", "slug": "A--b"});
    let refused = error(&tools.publish_endpoint(publish(credential(&ada), wrong)).await.unwrap_err());
    let Detail::Fields(fields) = refused.detail else { panic!("every field is named") };
    assert_eq!(fields.len(), 3);
    for (given, code) in [
        (read_only(&ada).await, ErrorCode::PermissionDenied),
        (String::new(), ErrorCode::Unauthenticated),
        ("junk".to_owned(), ErrorCode::Unauthenticated),
    ] {
        let refused = tools.publish_endpoint(publish(given, notes.clone())).await.unwrap_err();
        assert_eq!(error(&refused).code, code);
    }

    let update = |credential: String, path: &str, changes: Value| UpdateEndpointRequest {
        credential,
        path: path.to_owned(),
        changes_json: changes.to_string(),
    };
    let change = json!({"description": "All of them"});
    let changed = update(credential(&ada), "Ada/notes", change.clone());
    let changed = tools.update_endpoint(changed).await.unwrap().into_inner();
    assert_eq!(parsed(&changed.endpoint_json)["description"], "All of them");
    let foreign = tools.update_endpoint(update(credential(&eve), "ada/notes", change.clone())).await;
    assert_eq!(error(&foreign.unwrap_err()).code, ErrorCode::PermissionDenied);
    ada.post("/api/v1/endpoints", &json!({"name": "Diary", "type": "model", "visibility": "private"})).await;
    for path in ["ada/diary", "ada/none", "nonsense"] {
        let hidden = tools.update_endpoint(update(credential(&eve), path, change.clone())).await;
        assert_eq!(error(&hidden.unwrap_err()).code, ErrorCode::NotFound, "{path}");
    }
    let bad = UpdateEndpointRequest {
        credential: credential(&ada),
        path: "ada/notes".to_owned(),
        changes_json: "{".to_owned(),
    };
    assert_eq!(error(&tools.update_endpoint(bad).await.unwrap_err()).code, ErrorCode::BadRequest);
}

#[tokio::test]
async fn an_endpoint_is_shown_to_who_may_see_it() {
    let (app, _, ada) = TestApp::start().await.with_user("ada").await;
    let eve = app.user("eve").await;
    ada.post("/api/v1/endpoints", &json!({"name": "Notes", "type": "data_source", "readme": "# Hi"})).await;
    ada.post("/api/v1/endpoints", &json!({"name": "Diary", "type": "model", "visibility": "private"})).await;
    let mut tools = stubs::tools_client(peer(&app));
    let get = |credential: String, path: &str| GetEndpointRequest { credential, path: path.to_owned() };
    let shown = tools.get_endpoint(get(credential(&eve), "ada/NOTES")).await.unwrap().into_inner();
    let shown = parsed(&shown.endpoint_json);
    assert_eq!((&shown["readme"], &shown["owner_username"]), (&json!("# Hi"), &json!("ada")));
    assert!(tools.get_endpoint(get(credential(&ada), "ada/diary")).await.is_ok());
    for (who, path) in
        [(credential(&eve), "ada/diary"), (String::new(), "ada/diary"), (credential(&eve), "x")]
    {
        let hidden = tools.get_endpoint(get(who, path)).await.unwrap_err();
        assert_eq!(error(&hidden).code, ErrorCode::NotFound);
    }

    let health = |credential: String, path: &str| GetEndpointHealthRequest {
        credential,
        path: path.to_owned(),
        window_hours: 24,
    };
    let told = tools.get_endpoint_health(health(String::new(), "ada/notes")).await.unwrap().into_inner();
    assert_eq!((told.state.as_str(), told.checked_at_us), ("unknown", None));
    assert_eq!(parsed(&told.uptime_json)["window_hours"], 24);
    let report =
        json!({"endpoints": [{"slug": "notes", "status": "healthy", "checked_at": "2020-01-02T03:04:05Z"}]});
    ada.post("/api/v1/endpoints/health", &report).await.expect(StatusCode::OK);
    let told = tools.get_endpoint_health(health(String::new(), "ada/notes")).await.unwrap().into_inner();
    assert_eq!(told.state, "healthy");
    assert!(told.checked_at_us.is_some());
    let hidden = tools.get_endpoint_health(health(credential(&eve), "ada/diary")).await.unwrap_err();
    assert_eq!(error(&hidden).code, ErrorCode::NotFound);
}

#[tokio::test]
async fn names_are_completed_from_what_the_viewer_may_see() {
    let (app, _, ada) = TestApp::start().await.with_user("ada").await;
    ada.post("/api/v1/endpoints", &json!({"name": "Notes", "type": "data_source"})).await;
    ada.post("/api/v1/endpoints", &json!({"name": "Diary", "type": "model", "visibility": "private"})).await;
    let mut tools = stubs::tools_client(peer(&app));
    let complete = |credential: String, owner: Option<&str>, prefix: &str| CompletePathRequest {
        credential,
        owner: owner.map(str::to_owned),
        prefix: prefix.to_owned(),
    };
    for (asked, expected) in [
        (complete(String::new(), None, "A"), vec!["ada"]),
        (complete(String::new(), Some("ADA"), ""), vec!["notes"]),
        (complete(credential(&ada), Some("ada"), ""), vec!["diary", "notes"]),
        (complete(credential(&ada), Some(""), "no"), vec!["notes"]),
        (complete(String::new(), Some("bob"), ""), vec![]),
        (complete(String::new(), None, &"x".repeat(101)), vec![]),
    ] {
        let found = tools.complete_path(asked.clone()).await.unwrap().into_inner();
        assert_eq!(
            (found.values, found.has_more),
            (expected.iter().map(|s| (*s).to_owned()).collect(), false),
            "{asked:?}"
        );
    }
}

#[tokio::test]
async fn calls_become_activity_of_the_account() {
    let (app, _, ada) = TestApp::start().await.with_user("ada").await;
    let mut tools = stubs::tools_client(peer(&app));
    let call = ToolCall {
        at_us: 1_700_000_000_000_000,
        username: "ada".to_owned(),
        tool: "chat_with_syfthub".to_owned(),
        target: "bob/llm".to_owned(),
        outcome: ToolOutcome::Success.into(),
        duration_ms: 1234,
        correlation_id: "abc".to_owned(),
    };
    tools.record_calls(RecordCallsRequest { calls: vec![call.clone()] }).await.unwrap();
    app.app.flush_activity().await;
    let page = ada.get("/api/v1/auth/activity?kind=tool.called").await.expect(StatusCode::OK);
    assert_eq!(page["activity"][0]["detail"], "chat_with_syfthub bob/llm success 1234 ms");
    assert_eq!(page["activity"].as_array().map(Vec::len), Some(1));

    let many = RecordCallsRequest { calls: vec![call.clone(); 501] };
    assert_eq!(error(&tools.record_calls(many).await.unwrap_err()).code, ErrorCode::BadRequest);
    let odd = ToolCall { outcome: 0, ..call };
    let refused = tools.record_calls(RecordCallsRequest { calls: vec![odd] }).await.unwrap_err();
    assert_eq!(error(&refused).code, ErrorCode::BadRequest);
}
