//! What each of our own services may present of somebody's credentials, in one process and over the network.

use http::{Method, StatusCode};
use serde_json::json;
use syfthub_domain::ErrorCode;
use syfthub_proto::directory::{ListEndpointsRequest, ResolveEndpointsRequest, SearchEndpointsRequest};
use syfthub_proto::identity::{MintSatelliteTokensRequest, VerifyCredentialRequest};
use syfthub_rpc::status::from_status;
use syfthub_rpc::{Caller, InternalKey, LinkedTask, Peer, Server, spawn_linked, stubs};
use tokio::net::TcpListener;
use tonic::Status;

use crate::actor::{PASSWORD, TestApp};

const KEY: InternalKey = InternalKey::new([9; 32]);

/// The services of one backend, with the address of their listener.
struct Hub {
    server: Server,
    url: String,
    _listener: LinkedTask<()>,
}

impl Hub {
    async fn of(app: &TestApp) -> Self {
        let server = Server::new(app.app.grpc(), &KEY);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = server.clone();
        let task = spawn_linked(async move {
            serving.serve(listener, std::future::pending()).await.unwrap();
        });
        Self { server, url, _listener: task }
    }

    fn transports(&self, caller: Caller) -> [(&'static str, Peer); 2] {
        let network = syfthub_rpc::connect(&self.url, caller, &KEY).unwrap();
        [("local", self.server.local(caller, &KEY)), ("network", network)]
    }
}

/// What every call that takes a credential makes of it.
async fn outcomes(peer: Peer, credential: &str) -> Vec<(&'static str, Result<(), ErrorCode>)> {
    let credential = || credential.to_owned();
    let mut identity = stubs::identity_client(peer.clone());
    let mut directory = stubs::directory_client(peer);
    let code = |status: Status| from_status(&status).code;
    let verify = VerifyCredentialRequest { credential: credential() };
    let mint = MintSatelliteTokensRequest { credential: credential(), audiences: vec!["bob".to_owned()] };
    let resolve = ResolveEndpointsRequest { credential: credential(), paths: vec!["bob/notes".to_owned()] };
    let search = SearchEndpointsRequest {
        credential: credential(),
        query: "notes".to_owned(),
        ..SearchEndpointsRequest::default()
    };
    let list = ListEndpointsRequest { credential: credential(), limit: 1, ..ListEndpointsRequest::default() };
    vec![
        ("verify", identity.verify_credential(verify).await.map(drop).map_err(code)),
        ("mint", identity.mint_satellite_tokens(mint).await.map(drop).map_err(code)),
        ("resolve", directory.resolve_endpoints(resolve).await.map(drop).map_err(code)),
        ("search", directory.search_endpoints(search).await.map(drop).map_err(code)),
        ("list", directory.list_endpoints(list).await.map(drop).map_err(code)),
    ]
}

async fn session_cookie(app: &TestApp) -> String {
    let body = json!({"username": "bob", "password": PASSWORD}).to_string();
    let headers = [("sec-fetch-site", "same-origin"), ("content-type", "application/json")];
    let answer = app.anon().having(Method::POST, "/api/v1/auth/session", &headers, body).await;
    answer.expect(StatusCode::OK);
    let cookie = answer.header("set-cookie").split(';').next().unwrap();
    cookie.split_once('=').unwrap().1.to_owned()
}

#[tokio::test]
async fn only_the_aggregator_may_present_the_cookie_of_a_browser() {
    let (app, _, bob) = TestApp::start().await.with_user("bob").await;
    let hub = Hub::of(&app).await;
    let cookie = session_cookie(&app).await;
    let pat = bob.pat(&["read"]).await.token.unwrap();
    let hub_token = bob.token.clone().unwrap();
    let credentials = [
        ("hub token", hub_token.as_str(), true),
        ("access token", pat.as_str(), true),
        ("session cookie", cookie.as_str(), false),
        ("refresh token", bob.refresh.as_str(), false),
        ("forged cookie", "syft_ses_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", false),
        ("junk", "junk", false),
    ];
    for caller in [Caller::Aggregator, Caller::Mcp, Caller::Cli] {
        for (transport, peer) in hub.transports(caller) {
            for (kind, credential, is_token) in credentials {
                let is_good = is_token || (kind == "session cookie" && caller == Caller::Aggregator);
                for (call, outcome) in outcomes(peer.clone(), credential).await {
                    let place = format!("{caller:?} over {transport}: {call} with a {kind}");
                    if caller == Caller::Cli && ["mint", "resolve"].contains(&call) {
                        assert_eq!(outcome, Err(ErrorCode::PermissionDenied), "{place}");
                    } else if is_good {
                        assert_eq!(outcome, Ok(()), "{place}");
                    } else {
                        assert_eq!(outcome, Err(ErrorCode::Unauthenticated), "{place}");
                    }
                }
            }
        }
    }
}
