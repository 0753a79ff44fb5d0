//! What the internal services make of odd and good requests.

use http::StatusCode;
use serde_json::json;
use syfthub_domain::{Error, ErrorCode};
use syfthub_proto::common::{CredentialKind, EndpointType, Role};
use syfthub_proto::directory::{ListEndpointsRequest, ResolveEndpointsRequest, SearchEndpointsRequest};
use syfthub_proto::identity::{FindUserRequest, MintSatelliteTokensRequest, VerifyCredentialRequest};
use syfthub_rpc::Caller;
use syfthub_rpc::status::from_status;
use syfthub_rpc::stubs::{directory_client, identity_client};
use tonic::Status;

use crate::actor::{Actor, TestApp};

fn credential(who: &Actor) -> String {
    who.token.clone().unwrap_or_default()
}

fn error(status: &Status) -> Error {
    from_status(status)
}

#[tokio::test]
async fn a_credential_is_resolved_to_its_user() {
    let (app, _anon, bob) = TestApp::start().await.with_user("bob").await;
    let mut identity = identity_client(app.peer(Caller::Mcp));
    let mut verify =
        async |credential: String| identity.verify_credential(VerifyCredentialRequest { credential }).await;
    let reader = bob.pat(&["read"]).await;
    for (who, kind, scope) in
        [(&bob, CredentialKind::HubToken, "full"), (&reader, CredentialKind::AccessToken, "read")]
    {
        let principal = verify(credential(who)).await.unwrap().into_inner().principal.unwrap();
        assert_eq!((principal.username.as_str(), principal.email.as_str()), ("bob", "bob@example.com"));
        assert_eq!(
            (principal.kind(), principal.role(), principal.scopes),
            (kind, Role::User, vec![scope.to_owned()])
        );
    }
    for bad in ["", "x", "syft_pat_x", "a\0b"] {
        let refused = verify(bad.to_owned()).await.unwrap_err();
        assert_eq!(error(&refused).code, ErrorCode::Unauthenticated, "{bad:?}");
    }
    bob.post("/api/v1/auth/logout", &json!({})).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(verify(credential(&bob)).await.unwrap_err().code(), tonic::Code::Unauthenticated);
}

#[tokio::test]
async fn users_are_found_by_name() {
    let (app, _anon, _bob) = TestApp::start().await.with_user("bob").await;
    let mut identity = identity_client(app.peer(Caller::Cli));
    let mut find = async |name: &str| identity.find_user(FindUserRequest { username: name.to_owned() }).await;
    let bob = find("BOB").await.unwrap().into_inner();
    assert_eq!((bob.username.as_str(), bob.role()), ("bob", Role::User));
    for nobody in ["nobody", "", "bob\0"] {
        assert_eq!(error(&find(nobody).await.unwrap_err()).code, ErrorCode::NotFound);
    }
}

#[tokio::test]
async fn tokens_are_minted_for_many_audiences_at_once() {
    let (app, _anon, bob) = TestApp::start().await.with_user("bob").await;
    let alice = app.user("alice").await;
    let mut identity = identity_client(app.peer(Caller::Aggregator));
    let mut mint = async |credential: String, audiences: Vec<String>| {
        identity.mint_satellite_tokens(MintSatelliteTokensRequest { credential, audiences }).await
    };
    for (who, sub) in [(credential(&bob), "bob"), (String::new(), "guest")] {
        let audiences = ["alice", "nobody", "Bob", " "].map(str::to_owned).to_vec();
        let minted = mint(who, audiences).await.unwrap().into_inner();
        let served: Vec<&str> = minted.tokens.iter().map(|token| token.audience.as_str()).collect();
        assert_eq!(served, ["alice", "Bob"], "under the names that were asked for");
        assert_eq!(minted.tokens[0].expires_in_seconds, 60);
        let failed: Vec<&str> = minted.failures.iter().map(|failure| failure.code.as_str()).collect();
        assert_eq!(failed, ["AUDIENCE_NOT_FOUND", "MISSING_AUDIENCE"]);
        let verdict = alice
            .post("/api/v1/verify", &json!({"token": minted.tokens[0].token}))
            .await
            .expect(StatusCode::OK);
        assert_eq!((&verdict["valid"], &verdict["username"]), (&json!(true), &json!(sub)));
    }
    let refused = mint("x".to_owned(), vec!["alice".to_owned()]).await.unwrap_err();
    assert_eq!(error(&refused).code, ErrorCode::Unauthenticated, "never a guest's token instead");
    let refused = mint(String::new(), vec!["alice".to_owned(); 51]).await.unwrap_err();
    assert_eq!(error(&refused).code, ErrorCode::BadRequest);
}

#[tokio::test]
async fn paths_are_resolved_as_the_viewer_may_see() {
    let (app, _anon, bob) = TestApp::start().await.with_user("bob").await;
    let eve = app.user("eve").await;
    let connect = json!([{"type": "http", "enabled": false, "config": {"url": "/no"}},
        {"type": "http", "config": {"url": "/", "tenant_name": "acme"}}]);
    bob.publish("open", json!({"connect": connect, "type": "data_source"})).await;
    bob.publish("mine", json!({"visibility": "private"})).await;
    let report = json!({"url": "http://127.0.0.1:8010", "endpoints": [{"slug": "open", "status": "healthy", "checked_at": "2027-01-15T08:00:00Z"}]});
    bob.post("/api/v1/endpoints/health", &report).await.expect(StatusCode::OK);
    let mut directory = directory_client(app.peer(Caller::Mcp));
    let paths = ["Bob/Open", "bob/mine", "bob/none", "junk", "a/b/c", "b\0/x"].map(str::to_owned).to_vec();
    for (who, found) in [(credential(&bob), 2), (credential(&eve), 1), (String::new(), 1)] {
        let request = ResolveEndpointsRequest { credential: who, paths: paths.clone() };
        let resolved = directory.resolve_endpoints(request).await.unwrap().into_inner();
        assert_eq!((resolved.endpoints.len(), resolved.missing.len()), (found, 6 - found));
        let open = &resolved.endpoints[0];
        assert_eq!((open.owner_username.as_str(), open.slug.as_str()), ("bob", "open"));
        assert_eq!((open.url.as_str(), open.tenant_name.as_str()), ("http://127.0.0.1:8010", "acme"));
        assert_eq!((open.r#type(), open.health_status.as_str()), (EndpointType::DataSource, "healthy"));
    }
    let many = ResolveEndpointsRequest { credential: String::new(), paths: vec!["bob/open".to_owned(); 51] };
    assert_eq!(error(&directory.resolve_endpoints(many).await.unwrap_err()).code, ErrorCode::BadRequest);
    let stranger = ResolveEndpointsRequest { credential: "x".to_owned(), paths };
    assert_eq!(
        error(&directory.resolve_endpoints(stranger).await.unwrap_err()).code,
        ErrorCode::Unauthenticated
    );
}

#[tokio::test]
async fn listing_and_search_show_what_is_public() {
    let (app, _anon, bob) = TestApp::start().await.with_user("bob").await;
    for number in 0..3 {
        bob.publish(&format!("notes-{number}"), json!({"name": "Weather notes"})).await;
    }
    bob.publish("helper", json!({"type": "agent"})).await;
    bob.publish("mine", json!({"visibility": "private", "name": "Weather"})).await;
    let mut directory = directory_client(app.peer(Caller::Aggregator));
    let all = directory
        .list_endpoints(ListEndpointsRequest { limit: 2, ..Default::default() })
        .await
        .unwrap()
        .into_inner();
    let slugs: Vec<&str> = all.endpoints.iter().map(|endpoint| endpoint.slug.as_str()).collect();
    assert_eq!((slugs, all.total), (vec!["helper", "notes-2"], 4));
    let agents = ListEndpointsRequest { limit: 10, r#type: EndpointType::Agent.into(), ..Default::default() };
    assert_eq!(directory.list_endpoints(agents).await.unwrap().into_inner().total, 1);

    let query = "weather".to_owned();
    let search = SearchEndpointsRequest { query, top_k: 2, ..Default::default() };
    let found = directory.search_endpoints(search.clone()).await.unwrap().into_inner().results;
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|hit| hit.relevance_score > 0.0 && hit.relevance_score <= 1.0));
    for bad in [
        SearchEndpointsRequest { query: String::new(), ..search.clone() },
        SearchEndpointsRequest { query: "x".repeat(1001), ..search.clone() },
        SearchEndpointsRequest { r#type: 99, ..search },
    ] {
        assert_eq!(error(&directory.search_endpoints(bad).await.unwrap_err()).code, ErrorCode::BadRequest);
    }
}
