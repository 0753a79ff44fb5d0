//! Who may call, and what a call carries along.

use syfthub_domain::ErrorCode;
use syfthub_logging::correlation::{self, CorrelationId};
use syfthub_logging::trace_context;
use syfthub_proto::identity::VerifyCredentialRequest;
use syfthub_proto::identity::identity_service_client::IdentityServiceClient;
use syfthub_rpc::status::from_status;
use syfthub_rpc::{CORRELATION_KEY, Caller, InternalKey, connect, stubs};
use tonic::{Code, Request};

use crate::fixture::{KEY, ask, both, both_as, find, text};

#[tokio::test]
async fn a_wrong_internal_token_is_refused() {
    for fixture in both_as(Caller::Backend, &InternalKey::new([1; 32])).await {
        let status = stubs::identity_client(fixture.peer).find_user(find("ada")).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{}", fixture.transport);
        // At the edge it is a fault of the hub, and the text says what to do only to the log.
        let error = from_status(&status);
        assert_eq!(error.code, ErrorCode::Internal, "{}", fixture.transport);
        assert!(error.chain().contains("SECRET_KEY"), "{}", fixture.transport);
    }
}

#[tokio::test]
async fn a_missing_internal_token_is_refused() {
    let [_, network] = both().await;
    let mut foreign = IdentityServiceClient::connect(network.url.clone().unwrap()).await.unwrap();
    let status = foreign.find_user(find("ada")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
}

#[tokio::test]
async fn each_method_says_who_may_call_it() {
    for (caller, allowed) in [(Caller::Mcp, true), (Caller::Aggregator, false)] {
        for fixture in both_as(caller, &KEY).await {
            let answer = stubs::identity_client(fixture.peer)
                .verify_credential(Request::new(VerifyCredentialRequest::default()))
                .await;
            match answer {
                Ok(_) => assert!(allowed, "{}", fixture.transport),
                Err(status) => {
                    assert!(!allowed, "{}: {status}", fixture.transport);
                    assert_eq!(status.code(), Code::PermissionDenied);
                }
            }
        }
    }
}

#[tokio::test]
async fn the_correlation_id_arrives_and_comes_back() {
    for fixture in both().await {
        let id = CorrelationId::from_header(Some("req-123"));
        let mut client = stubs::identity_client(fixture.peer.clone());
        let answer = correlation::scope(id.clone(), client.find_user(find("ada"))).await.unwrap();
        assert_eq!(answer.metadata().get(CORRELATION_KEY).unwrap(), "req-123", "{}", fixture.transport);
        assert_eq!(answer.into_inner().full_name, "req-123", "{}", fixture.transport);

        let mut chat = stubs::chat_client(fixture.peer);
        let mut stream =
            correlation::scope(id, chat.ask(ask("then say the id", 0, 0))).await.unwrap().into_inner();
        let event = stream.message().await.unwrap().unwrap();
        assert_eq!(text(&event), "req-123", "{}: in scope while streaming", fixture.transport);
    }
}

#[test]
fn an_address_that_is_none_is_refused_with_a_hint() {
    for url in ["", "backend:9000", "https://backend:9000", "http://"] {
        let error = connect(url, Caller::Cli, &KEY).unwrap_err();
        assert!(error.to_string().contains("http://host:port"), "{url}");
    }
}

#[tokio::test]
async fn the_trace_goes_with_a_call_and_its_stream() {
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut headers = http::HeaderMap::new();
    headers.insert("traceparent", http::HeaderValue::from_static(parent));
    for fixture in both().await {
        let mut chat = stubs::chat_client(fixture.peer);
        let call = chat.ask(ask("then say the trace", 1, 1));
        let answer = trace_context::scope(trace_context::extract(&headers), call).await.unwrap();
        let mut stream = answer.into_inner();
        stream.message().await.unwrap().expect("a first message");
        // The rest of the body is read outside the caller's scope.
        let event = stream.message().await.unwrap().unwrap();
        assert_eq!(text(&event), parent, "{}", fixture.transport);
    }
}
