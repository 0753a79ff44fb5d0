//! The internal services over the local transport: who may call what, and what they answer.

use http::StatusCode;
use serde_json::json;
use syfthub_domain::{Error, ErrorCode};
use syfthub_proto::conversations::{AppendRequest, CheckRequest};
use syfthub_proto::directory::{
    DescribeEndpointsRequest, ListEndpointsRequest, ListPresetsRequest, ReportBreakersRequest,
    ResolveEndpointsRequest, ResolvePresetRequest, SearchEndpointsRequest,
};
use syfthub_proto::identity::{FindUserRequest, MintSatelliteTokensRequest, VerifyCredentialRequest};
use syfthub_proto::oauth::{GetGrantRequest, ListClientsRequest};
use syfthub_proto::ops::{ListKeysRequest, ReportErrorsRequest, RetireKeyRequest, RotateKeyRequest};
use syfthub_proto::tools::RecordCallsRequest;
use syfthub_proto::usage::RecordRequest;
use syfthub_rpc::status::from_status;
use syfthub_rpc::{Caller, InternalKey, Peer, Server, stubs};
use tonic::Status;

use crate::actor::TestApp;

fn peer(app: &TestApp, caller: Caller) -> Peer {
    let key = InternalKey::new([7; 32]);
    Server::new(app.app.grpc(), &key).local(caller, &key)
}

fn code(status: &Status) -> ErrorCode {
    let error: Error = from_status(status);
    error.code
}

#[tokio::test]
async fn a_table_says_who_may_call_what() {
    let app = TestApp::start().await;
    for caller in Caller::ALL {
        let mut identity = stubs::identity_client(peer(&app, *caller));
        let mut directory = stubs::directory_client(peer(&app, *caller));
        let mut ops = stubs::ops_client(peer(&app, *caller));
        let mut usage = stubs::usage_client(peer(&app, *caller));
        let mut tools = stubs::tools_client(peer(&app, *caller));
        let mut oauth = stubs::oauth_client(peer(&app, *caller));
        let mut conversations = stubs::conversations_client(peer(&app, *caller));
        let answers = [
            ("verify", identity.verify_credential(VerifyCredentialRequest::default()).await.err()),
            ("find", identity.find_user(FindUserRequest::default()).await.err()),
            ("mint", identity.mint_satellite_tokens(MintSatelliteTokensRequest::default()).await.err()),
            ("resolve", directory.resolve_endpoints(ResolveEndpointsRequest::default()).await.err()),
            ("search", directory.search_endpoints(SearchEndpointsRequest::default()).await.err()),
            ("list", directory.list_endpoints(ListEndpointsRequest::default()).await.err()),
            ("preset", directory.resolve_preset(ResolvePresetRequest::default()).await.err()),
            ("presets", directory.list_presets(ListPresetsRequest::default()).await.err()),
            ("describe", directory.describe_endpoints(DescribeEndpointsRequest::default()).await.err()),
            ("breakers", directory.report_breakers(ReportBreakersRequest::default()).await.err()),
            ("keys", ops.list_keys(ListKeysRequest::default()).await.err()),
            (
                "rotate",
                ops.rotate_key(RotateKeyRequest { at_once: true, ..RotateKeyRequest::default() }).await.err(),
            ),
            ("retire", ops.retire_key(RetireKeyRequest::default()).await.err()),
            ("usage", usage.record(RecordRequest::default()).await.err()),
            ("check", conversations.check(CheckRequest::default()).await.err()),
            ("append", conversations.append(AppendRequest::default()).await.err()),
            ("grant", oauth.get_grant(GetGrantRequest::default()).await.err()),
            ("clients", oauth.list_clients(ListClientsRequest::default()).await.err()),
            ("report", ops.report_errors(ReportErrorsRequest::default()).await.err()),
            ("tools", tools.record_calls(RecordCallsRequest::default()).await.err()),
        ];
        let refused: Vec<&str> = answers
            .iter()
            .filter(|(_, error)| error.as_ref().is_some_and(|e| code(e) == ErrorCode::PermissionDenied))
            .map(|(name, _)| *name)
            .collect();
        let expected: &[&str] = match caller {
            Caller::Backend => &[
                "verify", "find", "mint", "resolve", "search", "list", "preset", "presets", "describe",
                "breakers", "keys", "rotate", "retire", "usage", "check", "append", "grant", "clients",
                "report", "tools",
            ],
            Caller::Aggregator => &["find", "keys", "rotate", "retire", "grant", "clients", "tools"],
            Caller::Mcp => &["describe", "breakers", "keys", "rotate", "retire", "usage", "check", "append"],
            Caller::Cli => &[
                "mint", "resolve", "preset", "presets", "describe", "breakers", "usage", "check", "append",
                "grant", "report", "tools",
            ],
        };
        assert_eq!(refused, expected, "{caller:?}");
    }
}

#[tokio::test]
async fn a_credential_is_verified_until_it_is_revoked() {
    let (app, _, user) = TestApp::start().await.with_user("bob").await;
    let mut identity = stubs::identity_client(peer(&app, Caller::Aggregator));
    let ask = || VerifyCredentialRequest { credential: user.token.clone().unwrap() };
    let principal = identity.verify_credential(ask()).await.unwrap().into_inner().principal.unwrap();
    assert_eq!((principal.username.as_str(), principal.user_id, principal.scopes.len()), ("bob", user.id, 1));
    user.post("/api/v1/auth/logout", &json!({})).await;
    let refused = identity.verify_credential(ask()).await.unwrap_err();
    assert_eq!(code(&refused), ErrorCode::Unauthenticated);
    let mut identity = stubs::identity_client(peer(&app, Caller::Mcp));
    let found =
        identity.find_user(FindUserRequest { username: "BOB".to_owned() }).await.unwrap().into_inner();
    assert_eq!((found.username.as_str(), found.user_id), ("bob", user.id));
    let unknown = identity.find_user(FindUserRequest { username: "x".to_owned() }).await.unwrap_err();
    assert_eq!(code(&unknown), ErrorCode::NotFound);
}

#[tokio::test]
async fn tokens_are_minted_on_the_callers_own_credential() {
    let (app, _, user) = TestApp::start().await.with_user("bob").await;
    let eve = app.user("eve").await;
    let mut identity = stubs::identity_client(peer(&app, Caller::Aggregator));
    let ask = |credential: &str| MintSatelliteTokensRequest {
        credential: credential.to_owned(),
        audiences: vec!["eve".to_owned(), "nobody".to_owned()],
    };
    let minted =
        identity.mint_satellite_tokens(ask(user.token.as_deref().unwrap())).await.unwrap().into_inner();
    assert_eq!((minted.tokens[0].audience.as_str(), minted.tokens[0].expires_in_seconds), ("eve", 60));
    assert_eq!(
        (minted.failures[0].audience.as_str(), minted.failures[0].code.as_str()),
        ("nobody", "AUDIENCE_NOT_FOUND")
    );
    let verdict = eve.post("/api/v1/verify", &json!({"token": minted.tokens[0].token})).await.json();
    assert_eq!(verdict["username"], "bob");
    let guest = identity.mint_satellite_tokens(ask("")).await.unwrap().into_inner();
    let verdict = eve.post("/api/v1/verify", &json!({"token": guest.tokens[0].token})).await.json();
    assert_eq!(verdict["sub"], "guest");
    let refused = identity.mint_satellite_tokens(ask("junk")).await.unwrap_err();
    assert_eq!(code(&refused), ErrorCode::Unauthenticated);
    let many = MintSatelliteTokensRequest { credential: String::new(), audiences: vec!["a".to_owned(); 51] };
    assert_eq!(code(&identity.mint_satellite_tokens(many).await.unwrap_err()), ErrorCode::BadRequest);
}

#[tokio::test]
async fn the_directory_shows_what_the_viewer_may_see() {
    let (app, _, user) = TestApp::start().await.with_user("bob").await;
    let body = json!({"name": "Notes", "type": "data_source", "connect": [{"type": "http", "config": {"url": "http://127.0.0.1:8010/", "tenant_name": "t"}}]});
    user.post("/api/v1/endpoints", &body).await.expect(StatusCode::CREATED);
    let body = json!({"name": "Diary", "type": "data_source", "visibility": "private"});
    user.post("/api/v1/endpoints", &body).await.expect(StatusCode::CREATED);
    let mut directory = stubs::directory_client(peer(&app, Caller::Aggregator));
    let ask = |credential: &str| ResolveEndpointsRequest {
        credential: credential.to_owned(),
        paths: ["Bob/notes", "bob/diary", "nonsense"].map(str::to_owned).to_vec(),
    };
    let guest = directory.resolve_endpoints(ask("")).await.unwrap().into_inner();
    assert_eq!(
        (guest.endpoints.len(), guest.missing),
        (1, vec!["bob/diary".to_owned(), "nonsense".to_owned()])
    );
    let notes = &guest.endpoints[0];
    assert_eq!(
        (notes.url.as_str(), notes.tenant_name.as_str(), notes.owner_username.as_str()),
        ("http://127.0.0.1:8010", "t", "bob")
    );
    let owner = directory.resolve_endpoints(ask(user.token.as_deref().unwrap())).await.unwrap().into_inner();
    assert_eq!((owner.endpoints.len(), owner.missing.len()), (2, 1));
    let search =
        SearchEndpointsRequest { query: "notes".to_owned(), top_k: 5, ..SearchEndpointsRequest::default() };
    let found = directory.search_endpoints(search).await.unwrap().into_inner();
    assert_eq!(found.results.len(), 1);
    assert!(found.results[0].relevance_score > 0.0);
    let list =
        directory.list_endpoints(ListEndpointsRequest { limit: 10, ..ListEndpointsRequest::default() }).await;
    let list = list.unwrap().into_inner();
    assert_eq!((list.endpoints.len(), list.total), (1, 1));
}

#[tokio::test]
async fn keys_are_rotated_by_the_command_line_of_a_running_backend() {
    let app = TestApp::start().await;
    let mut ops = stubs::ops_client(peer(&app, Caller::Cli));
    let before = ops.list_keys(ListKeysRequest::default()).await.unwrap().into_inner().keys;
    let after = ops.rotate_key(RotateKeyRequest::default()).await.unwrap().into_inner().keys;
    let states = |keys: &[syfthub_proto::ops::SigningKey]| {
        keys.iter().map(|key| key.state.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        (states(&before), states(&after)),
        (vec!["active".to_owned()], vec!["next".to_owned(), "active".to_owned()])
    );
    let request = RetireKeyRequest { kid: before[0].kid.clone(), force: true, ring: String::new() };
    let refused = ops.retire_key(request).await.unwrap_err();
    assert_eq!(code(&refused), ErrorCode::Conflict);
    assert!(refused.message().contains("rotate first"), "{}", refused.message());
}
