//! A hub that mints tokens by rote and counts how often it was asked; and what the service does with them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use syfthub_auth::MasterKey;
use syfthub_auth::grant_ticket::{self, TicketKey};
use syfthub_config::Secret;
use syfthub_domain::{Error, ErrorCode, Timestamp};
use syfthub_proto::directory::directory_service_server::DirectoryService;
use syfthub_proto::directory::{
    DescribeEndpointsRequest, DescribeEndpointsResponse, Description, Endpoint, ListEndpointsRequest,
    ListEndpointsResponse, ListPresetsRequest, ListPresetsResponse, Place, Preset, ReportBreakersRequest,
    ReportBreakersResponse, ResolveEndpointsRequest, ResolveEndpointsResponse, ResolvePresetRequest,
    ResolvePresetResponse, SearchEndpointsRequest, SearchEndpointsResponse,
};
use syfthub_proto::identity::identity_service_server::IdentityService;
use syfthub_proto::identity::{
    FindUserRequest, FindUserResponse, MintSatelliteTokensRequest, MintSatelliteTokensResponse,
    SatelliteToken, VerifyBoundTokenRequest, VerifyBoundTokenResponse, VerifyCredentialRequest,
    VerifyCredentialResponse,
};
use syfthub_proto::ops::ops_service_server::OpsService;
use syfthub_proto::ops::{
    ErrorReport, ListKeysRequest, ListKeysResponse, ReportErrorsRequest, ReportErrorsResponse,
    RetireKeyRequest, RetireKeyResponse, RotateKeyRequest, RotateKeyResponse,
};
use syfthub_rpc::status::to_status;
use syfthub_rpc::{Caller, InternalKey, Peer, stubs};
use tonic::service::Routes;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::actor::{TestApp, post, question};
use crate::kept::Told;
use crate::upstream::Upstream;

pub(crate) const KEY: InternalKey = InternalKey::new([7; 32]);

#[derive(Debug, Clone, Default)]
pub(crate) struct FakeHub {
    pub(crate) minted: Arc<AtomicUsize>,
    pub(crate) audiences: Arc<Mutex<Vec<String>>>,
    published: Arc<Mutex<HashMap<String, Endpoint>>>,
    pub(crate) records: Arc<Mutex<HashMap<String, Description>>>,
    /// The places that it was asked to describe, call by call.
    pub(crate) described: Arc<Mutex<Vec<Vec<String>>>>,
    pub(crate) is_dumb: Arc<AtomicBool>,
    pub(crate) broken: Arc<Mutex<Vec<ReportBreakersRequest>>>,
    pub(crate) presets: Arc<Mutex<Vec<Preset>>>,
    pub(crate) reported: Arc<Mutex<Vec<ErrorReport>>>,
    pub(crate) told: Told,
    /// What was shown with a good proof.
    pub(crate) proven: Arc<Mutex<Vec<VerifyBoundTokenRequest>>>,
}

impl FakeHub {
    pub(crate) fn peer(&self) -> Peer {
        syfthub_rpc::local(self.routes(), Caller::Aggregator, &KEY)
    }

    pub(crate) fn routes(&self) -> Routes {
        Routes::new(stubs::identity_server(self.clone()))
            .add_service(stubs::directory_server(self.clone()))
            .add_service(stubs::ops_server(self.clone()))
            .add_service(stubs::usage_server(self.told.clone()))
            .add_service(stubs::conversations_server(self.told.clone()))
    }

    /// Lists an endpoint in the directory.
    pub(crate) fn publish(&self, path: &str, url: &str) {
        self.publish_as(path, Endpoint { url: url.to_owned(), ..Endpoint::default() });
    }

    /// The same with more about it.
    pub(crate) fn publish_as(&self, path: &str, endpoint: Endpoint) {
        let (owner, slug) = path.split_once('/').unwrap();
        let endpoint = Endpoint { owner_username: owner.to_owned(), slug: slug.to_owned(), ..endpoint };
        self.published.lock().unwrap().insert(path.to_owned(), endpoint);
    }
}

/// A token that is bound to a key, and the proof with which it is good.
pub(crate) const BOUND: &str = "bound.to.key";
pub(crate) const PROOF: &str = "a.good.proof";

fn ticket() -> String {
    let key = TicketKey::new(&MasterKey::new(&Secret::new("secret")));
    grant_ticket::mint(&key, Uuid::nil(), Timestamp::from_secs(1_800_000_000)).unwrap()
}

/// The credentials that this hub knows: an access token, the session cookie of a browser, and any ticket of a grant.
fn is_good(credential: &str) -> bool {
    ["syft_pat_good", "syft_ses_good"].contains(&credential) || grant_ticket::is_ticket(credential)
}

fn is_good_or_guest(credential: &str) -> bool {
    credential.is_empty() || is_good(credential)
}

#[tonic::async_trait]
impl IdentityService for FakeHub {
    async fn verify_credential(
        &self,
        request: Request<VerifyCredentialRequest>,
    ) -> Result<Response<VerifyCredentialResponse>, Status> {
        if is_good(&request.get_ref().credential) {
            return Ok(Response::new(VerifyCredentialResponse::default()));
        }
        if request.get_ref().credential == "down" {
            return Err(Status::internal("the database is gone"));
        }
        Err(Status::unauthenticated("no"))
    }

    async fn verify_bound_token(
        &self,
        request: Request<VerifyBoundTokenRequest>,
    ) -> Result<Response<VerifyBoundTokenResponse>, Status> {
        let request = request.into_inner();
        if request.token != BOUND || request.proof != PROOF {
            let error = Error::new(ErrorCode::InvalidDpopProof, "The DPoP proof is not good");
            return Err(to_status(&error));
        }
        self.proven.lock().unwrap().push(request);
        let principal = None;
        Ok(Response::new(VerifyBoundTokenResponse { principal, ticket: ticket() }))
    }

    async fn find_user(&self, _: Request<FindUserRequest>) -> Result<Response<FindUserResponse>, Status> {
        Err(Status::not_found("nobody"))
    }

    async fn mint_satellite_tokens(
        &self,
        request: Request<MintSatelliteTokensRequest>,
    ) -> Result<Response<MintSatelliteTokensResponse>, Status> {
        let request = request.into_inner();
        if !is_good_or_guest(&request.credential) {
            return Err(Status::unauthenticated("no"));
        }
        let number = self.minted.fetch_add(1, Ordering::SeqCst);
        self.audiences.lock().unwrap().extend(request.audiences.clone());
        let token = |audience: String| SatelliteToken {
            token: format!("minted-{number}-for-{audience}"),
            audience,
            expires_in_seconds: 60,
        };
        let tokens = request.audiences.into_iter().map(token).collect();
        Ok(Response::new(MintSatelliteTokensResponse { tokens, failures: vec![] }))
    }
}

#[tonic::async_trait]
impl OpsService for FakeHub {
    async fn report_errors(
        &self,
        request: Request<ReportErrorsRequest>,
    ) -> Result<Response<ReportErrorsResponse>, Status> {
        self.reported.lock().unwrap().extend(request.into_inner().reports);
        Ok(Response::new(ReportErrorsResponse {}))
    }

    async fn list_keys(&self, _: Request<ListKeysRequest>) -> Result<Response<ListKeysResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn rotate_key(&self, _: Request<RotateKeyRequest>) -> Result<Response<RotateKeyResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn retire_key(&self, _: Request<RetireKeyRequest>) -> Result<Response<RetireKeyResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }
}

#[tonic::async_trait]
impl DirectoryService for FakeHub {
    async fn resolve_endpoints(
        &self,
        request: Request<ResolveEndpointsRequest>,
    ) -> Result<Response<ResolveEndpointsResponse>, Status> {
        let request = request.into_inner();
        if !is_good_or_guest(&request.credential) {
            return Err(Status::unauthenticated("no"));
        }
        let published = self.published.lock().unwrap();
        let mut answer = ResolveEndpointsResponse::default();
        for path in request.paths {
            match published.get(&path) {
                Some(endpoint) => answer.endpoints.push(endpoint.clone()),
                None => answer.missing.push(path),
            }
        }
        Ok(Response::new(answer))
    }

    async fn search_endpoints(
        &self,
        _: Request<SearchEndpointsRequest>,
    ) -> Result<Response<SearchEndpointsResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn list_endpoints(
        &self,
        request: Request<ListEndpointsRequest>,
    ) -> Result<Response<ListEndpointsResponse>, Status> {
        let request = request.into_inner();
        if !is_good_or_guest(&request.credential) {
            return Err(Status::unauthenticated("no"));
        }
        let mut endpoints: Vec<Endpoint> = self.published.lock().unwrap().values().cloned().collect();
        endpoints.sort_by_key(|endpoint| std::cmp::Reverse(endpoint.slug.clone()));
        let total = i64::try_from(endpoints.len()).unwrap();
        let page = endpoints.into_iter().skip(request.skip as usize).take(request.limit as usize);
        Ok(Response::new(ListEndpointsResponse { endpoints: page.collect(), total }))
    }

    async fn resolve_preset(
        &self,
        request: Request<ResolvePresetRequest>,
    ) -> Result<Response<ResolvePresetResponse>, Status> {
        let presets = self.presets.lock().unwrap();
        let found = presets
            .iter()
            .find(|preset| format!("{}/{}", preset.owner_username, preset.slug) == request.get_ref().path);
        let preset = Some(found.cloned().ok_or_else(|| Status::not_found("no preset"))?);
        Ok(Response::new(ResolvePresetResponse { preset }))
    }

    async fn list_presets(
        &self,
        _: Request<ListPresetsRequest>,
    ) -> Result<Response<ListPresetsResponse>, Status> {
        let presets = self.presets.lock().unwrap().clone();
        Ok(Response::new(ListPresetsResponse { total: 0, presets }))
    }

    async fn describe_endpoints(
        &self,
        request: Request<DescribeEndpointsRequest>,
    ) -> Result<Response<DescribeEndpointsResponse>, Status> {
        let places = request.into_inner().places;
        self.described.lock().unwrap().push(places.iter().map(|place| place.path.clone()).collect());
        if self.is_dumb.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let (published, records) = (self.published.lock().unwrap(), self.records.lock().unwrap());
        let describe = |place: &Place| {
            let endpoint = published.get(&place.path).filter(|endpoint| endpoint.url == place.url);
            endpoint.map_or_else(Description::default, |endpoint| Description {
                is_published: true,
                connection_type: endpoint.connection_type.clone(),
                upstream_model: endpoint.upstream_model.clone(),
                ..records.get(&place.path).cloned().unwrap_or_default()
            })
        };
        Ok(Response::new(DescribeEndpointsResponse { descriptions: places.iter().map(describe).collect() }))
    }

    async fn report_breakers(
        &self,
        request: Request<ReportBreakersRequest>,
    ) -> Result<Response<ReportBreakersResponse>, Status> {
        self.broken.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ReportBreakersResponse::default()))
    }
}

#[tokio::test]
async fn tokens_of_the_request_go_to_their_owner_only() {
    let (app, model) = (TestApp::new(), Upstream::model("ok").await);
    let (a, b) = (Upstream::source(&[]).await, Upstream::source(&[]).await);
    let mut body = question(&model, &[("ann/a", &a), ("bob/b", &b)]);
    body["endpoint_tokens"] = json!({"ann": "token-of-ann"});
    body["data_sources"][1]["tenant_name"] = json!("acme");
    app.chat(&body).await;
    assert_eq!(a.calls()[0].header("authorization"), Some("Bearer token-of-ann"));
    assert_eq!(a.calls()[0].header("x-tenant-name"), None);
    assert_eq!(b.calls()[0].header("authorization"), None);
    assert_eq!(b.calls()[0].header("x-tenant-name"), Some("acme"));
    assert_eq!(model.calls()[0].header("authorization"), None);
    assert_eq!(app.hub.minted.load(Ordering::SeqCst), 0, "a guest has nothing to mint on");
}

#[tokio::test]
async fn missing_tokens_are_minted_in_one_call_and_kept_until_shortly_before_their_end() {
    let (app, model) = (TestApp::new(), Upstream::model("ok").await);
    let (a, b) = (Upstream::source(&[]).await, Upstream::source(&[]).await);
    let mut body = question(&model, &[("ann/a", &a), ("bob/b", &b)]);
    body["user_token"] = json!("syft_pat_good");
    body["endpoint_tokens"] = json!({"bob": "own"});
    app.hub.publish("ann/a", &format!("{}/", a.url));
    app.hub.publish("mia/writer", &model.url);
    app.chat(&body).await;
    app.chat(&body).await;
    assert_eq!(app.hub.minted.load(Ordering::SeqCst), 1);
    assert_eq!(*app.hub.audiences.lock().unwrap(), ["ann", "mia"]);
    assert_eq!(a.calls()[1].header("authorization"), Some("Bearer minted-0-for-ann"));
    assert_eq!(b.calls()[1].header("authorization"), Some("Bearer own"));
    assert_eq!(model.calls()[1].header("authorization"), Some("Bearer minted-0-for-mia"));
    app.clock.advance(Duration::from_secs(51));
    app.chat(&body).await;
    assert_eq!(app.hub.minted.load(Ordering::SeqCst), 2);
    assert_eq!(a.calls()[2].header("authorization"), Some("Bearer minted-1-for-ann"));
}

#[tokio::test]
async fn a_burst_mints_once_and_the_credential_reaches_nobody_but_the_hub() {
    let (app, model) = (TestApp::new(), Upstream::model("ok").await);
    let source = Upstream::source(&[]).await;
    let body = question(&model, &[("ann/a", &source)]);
    app.hub.publish("ann/a", &source.url);
    let ask = || {
        let mut request = post("/api/v1/chat", &body);
        request.headers_mut().insert("authorization", "Bearer syft_pat_good".parse().unwrap());
        app.send(request)
    };
    futures::future::join_all((0..8).map(|_| ask())).await;
    assert_eq!(app.hub.minted.load(Ordering::SeqCst), 1);
    for call in source.calls().into_iter().chain(model.calls()) {
        assert!(!format!("{call:?}").contains("syft_pat_good"));
    }
}

#[tokio::test]
async fn a_minted_token_goes_to_the_published_address_only() {
    let (app, model) = (TestApp::new(), Upstream::model("ok").await);
    let (ann, foreign) = (Upstream::source(&[]).await, Upstream::source(&[]).await);
    app.hub.publish("ann/a", &ann.url);
    app.hub.publish("ann/b", &ann.url);
    let sources = [("ann/a", &ann), ("ann/b", &foreign), ("ann/unlisted", &foreign), ("eve/x", &foreign)];
    let mut body = question(&model, &sources);
    body["user_token"] = json!("syft_pat_good");
    assert_eq!(app.chat(&body).await.status, 200);
    assert_eq!(ann.calls()[0].header("authorization"), Some("Bearer minted-0-for-ann"));
    assert_eq!(foreign.calls().len(), 3);
    for call in foreign.calls().into_iter().chain(model.calls()) {
        assert_eq!(call.header("authorization"), None, "{}", call.path);
    }
    assert_eq!(*app.hub.audiences.lock().unwrap(), ["ann"], "nothing is minted for nobody");
}

#[tokio::test]
async fn the_case_of_a_username_does_not_matter() {
    let (app, model) = (TestApp::new(), Upstream::model("ok").await);
    let (ann, bob) = (Upstream::source(&[]).await, Upstream::source(&[]).await);
    app.hub.publish("ann/a", &ann.url);
    let mut body = question(&model, &[("Ann/a", &ann), ("bob/b", &bob)]);
    body["user_token"] = json!("syft_pat_good");
    body["endpoint_tokens"] = json!({"Bob": "own"});
    app.chat(&body).await;
    assert_eq!(ann.calls()[0].header("authorization"), Some("Bearer minted-0-for-ann"));
    assert_eq!(bob.calls()[0].header("authorization"), Some("Bearer own"));
}

#[tokio::test]
async fn a_hub_that_refuses_leaves_the_call_without_a_token() {
    let (app, model) = (TestApp::new(), Upstream::model("ok").await);
    let source = Upstream::source(&[]).await;
    let mut body = question(&model, &[("ann/a", &source)]);
    body["user_token"] = json!("expired");
    let answer = app.chat(&body).await;
    assert_eq!(answer.status, 200);
    assert_eq!(source.calls()[0].header("authorization"), None);
}

#[tokio::test]
async fn guests_are_refused_when_the_operator_says_so() {
    let app = TestApp::with(|settings| settings.aggregator.require_auth = true);
    let model = Upstream::model("ok").await;
    let mut body = question(&model, &[]);
    let answer = app.chat(&body).await;
    assert_eq!(answer.status, 401, "{}", answer.text);
    assert!(answer.headers.contains_key("www-authenticate"));
    body["user_token"] = json!("expired");
    assert_eq!(app.stream(&body).await.status, 401);
    body["user_token"] = json!("syft_pat_good");
    assert_eq!(app.chat(&body).await.status, 200);
    assert_eq!(model.calls().len(), 1);
}
