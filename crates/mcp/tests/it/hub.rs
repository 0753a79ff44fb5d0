//! Fakes of the backend's and the aggregator's services, called through the real stack.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::Stream;
use syfthub_domain::{Error, ErrorCode};
use syfthub_proto::chat::chat_service_server::ChatService;
use syfthub_proto::chat::{
    AskEvent, AskRequest, Citation, Done, Failed, RetrievalStart, Source, SourceComplete, SourceStatus,
    Token, ask_event::Event,
};
use syfthub_proto::common::{CredentialKind, EndpointType, Principal, Role};
use syfthub_proto::directory::directory_service_server::DirectoryService;
use syfthub_proto::directory::{
    DescribeEndpointsRequest, DescribeEndpointsResponse, Endpoint, ListEndpointsRequest,
    ListEndpointsResponse, ListPresetsRequest, ListPresetsResponse, Preset, ReportBreakersRequest,
    ReportBreakersResponse, ResolveEndpointsRequest, ResolveEndpointsResponse, ResolvePresetRequest,
    ResolvePresetResponse, ScoredEndpoint, SearchEndpointsRequest, SearchEndpointsResponse,
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
use syfthub_proto::tools::ToolCall;
use syfthub_rpc::status::to_status;
use syfthub_rpc::{Caller, InternalKey, Peer, Server, stubs};
use tokio::sync::Notify;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// A token that may do everything.
pub(crate) const TOKEN: &str = "syft_pat_good";
/// One that may only look.
pub(crate) const READER: &str = "syft_pat_reader";
/// One that may do nothing here.
pub(crate) const NOBODY: &str = "syft_pat_nobody";

/// What the fakes saw, and switches for what they do.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) verified: AtomicUsize,
    pub(crate) down: AtomicBool,
    pub(crate) asked: Mutex<Option<AskRequest>>,
    pub(crate) chat_started: Notify,
    pub(crate) chat_dropped: Notify,
    pub(crate) reported: Mutex<Vec<ErrorReport>>,
    pub(crate) told: Notify,
    pub(crate) directory_down: AtomicBool,
    pub(crate) calls: Mutex<Vec<ToolCall>>,
    pub(crate) calls_came: Notify,
    pub(crate) published: Mutex<Vec<String>>,
    pub(crate) oauth: crate::oauth_hub::State,
    pub(crate) docs_changed_at: AtomicI64,
    pub(crate) revoked: AtomicBool,
    pub(crate) resolved: AtomicUsize,
}

/// All three services.
#[derive(Clone, Default)]
pub(crate) struct Fake(pub(crate) Arc<Seen>);

impl Fake {
    /// A peer to all of them, called by the MCP service.
    pub(crate) fn peer(&self) -> Peer {
        let key = InternalKey::new([1; 32]);
        let routes = Routes::new(stubs::identity_server(self.clone()))
            .add_service(stubs::directory_server(self.clone()))
            .add_service(stubs::chat_server(self.clone()))
            .add_service(stubs::ops_server(self.clone()))
            .add_service(stubs::oauth_server(self.clone()))
            .add_service(stubs::tools_server(self.clone()));
        Server::new(routes, &key).local(Caller::Mcp, &key)
    }

    pub(crate) fn check(&self, credential: &str) -> Result<(), Status> {
        if self.0.down.load(Ordering::SeqCst) {
            return Err(to_status(&Error::new(ErrorCode::Unavailable, "database is gone")));
        }
        if !self.0.revoked.load(Ordering::SeqCst) && [TOKEN, READER, NOBODY].contains(&credential) {
            return Ok(());
        }
        if self.0.oauth.stands_for_a_grant(credential) {
            return Ok(());
        }
        Err(to_status(&Error::unauthenticated("Could not validate credentials")))
    }
}

#[tonic::async_trait]
impl OpsService for Fake {
    async fn report_errors(
        &self,
        request: Request<ReportErrorsRequest>,
    ) -> Result<Response<ReportErrorsResponse>, Status> {
        self.0.reported.lock().unwrap().extend(request.into_inner().reports);
        self.0.told.notify_one();
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
impl IdentityService for Fake {
    async fn verify_credential(
        &self,
        request: Request<VerifyCredentialRequest>,
    ) -> Result<Response<VerifyCredentialResponse>, Status> {
        self.0.verified.fetch_add(1, Ordering::SeqCst);
        let credential = request.into_inner().credential;
        self.check(&credential)?;
        let scope = match credential.as_str() {
            READER => "read",
            NOBODY => "profile",
            _ => "full",
        };
        let principal = Principal {
            scopes: vec![scope.to_owned()],
            user_id: 7,
            username: "ada".to_owned(),
            email: "ada@example.org".to_owned(),
            role: Role::User.into(),
            kind: CredentialKind::AccessToken.into(),
            ..Principal::default()
        };
        Ok(Response::new(VerifyCredentialResponse { principal: Some(principal) }))
    }

    async fn verify_bound_token(
        &self,
        _: Request<VerifyBoundTokenRequest>,
    ) -> Result<Response<VerifyBoundTokenResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn find_user(&self, _: Request<FindUserRequest>) -> Result<Response<FindUserResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn mint_satellite_tokens(
        &self,
        request: Request<MintSatelliteTokensRequest>,
    ) -> Result<Response<MintSatelliteTokensResponse>, Status> {
        let request = request.into_inner();
        self.check(&request.credential)?;
        let token = |audience: String| SatelliteToken {
            token: format!("for-{audience}"),
            audience,
            expires_in_seconds: 60,
        };
        let tokens = request.audiences.into_iter().map(token).collect();
        Ok(Response::new(MintSatelliteTokensResponse { tokens, failures: Vec::new() }))
    }
}

fn endpoint(slug: &str, kind: EndpointType, url: &str) -> Endpoint {
    Endpoint {
        owner_username: "bob".to_owned(),
        slug: slug.to_owned(),
        name: format!("Bob's {slug} | one"),
        description: "x".repeat(300),
        r#type: kind.into(),
        url: url.to_owned(),
        tenant_name: "bob-tenant".to_owned(),
        ..Endpoint::default()
    }
}

fn all() -> Vec<Endpoint> {
    vec![
        endpoint("llm", EndpointType::Model, "https://llm.example.org"),
        endpoint("docs", EndpointType::DataSource, "http://10.0.0.9:8010"),
        endpoint("both", EndpointType::ModelDataSource, "https://both.example.org"),
        endpoint("empty", EndpointType::DataSource, ""),
        endpoint("agent", EndpointType::Agent, "https://agent.example.org"),
    ]
}

#[tonic::async_trait]
impl DirectoryService for Fake {
    async fn resolve_endpoints(
        &self,
        request: Request<ResolveEndpointsRequest>,
    ) -> Result<Response<ResolveEndpointsResponse>, Status> {
        let request = request.into_inner();
        self.check(&request.credential)?;
        self.0.resolved.fetch_add(1, Ordering::SeqCst);
        let mut answer = ResolveEndpointsResponse::default();
        for path in request.paths {
            match all().into_iter().find(|e| format!("bob/{}", e.slug) == path) {
                Some(mut endpoint) => {
                    if endpoint.slug == "docs" {
                        endpoint.updated_at_us = self.0.docs_changed_at.load(Ordering::SeqCst);
                    }
                    answer.endpoints.push(endpoint);
                }
                None => answer.missing.push(path),
            }
        }
        Ok(Response::new(answer))
    }

    async fn search_endpoints(
        &self,
        request: Request<SearchEndpointsRequest>,
    ) -> Result<Response<SearchEndpointsResponse>, Status> {
        let request = request.into_inner();
        let found = all().into_iter().filter(|e| e.slug.contains(&request.query));
        let scored = found.map(|e| ScoredEndpoint { endpoint: Some(e), relevance_score: 0.5 });
        Ok(Response::new(SearchEndpointsResponse { results: scored.collect() }))
    }

    async fn list_endpoints(
        &self,
        request: Request<ListEndpointsRequest>,
    ) -> Result<Response<ListEndpointsResponse>, Status> {
        let request = request.into_inner();
        self.check(&request.credential)?;
        if self.0.directory_down.load(Ordering::SeqCst) {
            return Err(to_status(&Error::internal("database is gone")));
        }
        if request.include_own {
            // Two pages for those who page.
            let endpoints =
                if request.skip == 0 { all() } else { vec![endpoint("late", EndpointType::Model, "")] };
            return Ok(Response::new(ListEndpointsResponse { endpoints, total: 6 }));
        }
        Ok(Response::new(ListEndpointsResponse { endpoints: all(), total: 5 }))
    }

    async fn resolve_preset(
        &self,
        request: Request<ResolvePresetRequest>,
    ) -> Result<Response<ResolvePresetResponse>, Status> {
        let request = request.into_inner();
        self.check(&request.credential)?;
        if request.path != "bob/briefing" {
            return Err(to_status(&Error::not_found("Preset not found")));
        }
        Ok(Response::new(ResolvePresetResponse { preset: Some(preset()) }))
    }

    async fn list_presets(
        &self,
        request: Request<ListPresetsRequest>,
    ) -> Result<Response<ListPresetsResponse>, Status> {
        self.check(&request.into_inner().credential)?;
        Ok(Response::new(ListPresetsResponse { presets: vec![preset()], total: 1 }))
    }

    async fn describe_endpoints(
        &self,
        _: Request<DescribeEndpointsRequest>,
    ) -> Result<Response<DescribeEndpointsResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn report_breakers(
        &self,
        _: Request<ReportBreakersRequest>,
    ) -> Result<Response<ReportBreakersResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }
}

fn preset() -> Preset {
    Preset {
        owner_username: "bob".to_owned(),
        slug: "briefing".to_owned(),
        name: "Briefing".to_owned(),
        model: "bob/llm".to_owned(),
        sources: vec!["bob/docs".to_owned()],
        system_prompt: "Be \"brief\"".to_owned(),
        ..Preset::default()
    }
}

struct OnDrop(Arc<Seen>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.chat_dropped.notify_one();
    }
}

#[tonic::async_trait]
impl ChatService for Fake {
    type AskStream = Pin<Box<dyn Stream<Item = Result<AskEvent, Status>> + Send>>;

    async fn ask(&self, request: Request<AskRequest>) -> Result<Response<Self::AskStream>, Status> {
        let ask = request.into_inner();
        let prompt = ask.prompt.clone();
        *self.0.asked.lock().unwrap() = Some(ask);
        let seen = self.0.clone();
        let stream = async_stream::stream! {
            let _guard = OnDrop(seen.clone());
            yield event(Event::RetrievalStart(RetrievalStart { sources: 1 }));
            let source = SourceComplete { path: "bob/docs".to_owned(), status: "success".to_owned(), documents: 2 };
            yield event(Event::SourceComplete(source));
            seen.chat_started.notify_one();
            match prompt.as_str() {
                "documents" => {
                    let found = Source { title: "Q3".to_owned(), path: "bob/docs".to_owned(), content: "Margins rose".to_owned() };
                    yield event(Event::Done(Done { sources: vec![found], ..done() }));
                }
                "fail" => {
                    let failed = Failed { code: "GENERATION_FAILED".to_owned(), message: "model is gone".to_owned(), billing_json: String::new() };
                    yield event(Event::Failed(failed));
                }
                "hang" => std::future::pending::<()>().await,
                "cut" => {}
                _ => {
                    yield event(Event::Token(Token { content: "Margins".to_owned() }));
                    yield event(Event::Done(done()));
                }
            }
        };
        Ok(Response::new(Box::pin(stream)))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the item of the stream")]
fn event(event: Event) -> Result<AskEvent, Status> {
    Ok(AskEvent { event: Some(event) })
}

fn done() -> Done {
    Done {
        response: "Margins rose [cite:1-0:12].".to_owned(),
        retrieval_info: vec![SourceStatus {
            path: "bob/docs".to_owned(),
            documents_retrieved: 2,
            status: "success".to_owned(),
            error_message: None,
        }],
        citations: vec![Citation {
            number: 1,
            path: "bob/docs".to_owned(),
            title: "Q3".to_owned(),
            ..Citation::default()
        }],
        retrieval_time_ms: 1,
        generation_time_ms: 2,
        total_time_ms: 3,
        ..Done::default()
    }
}
