//! A test implementation of the generated services, and both transports to it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::Stream;
use syfthub_domain::fault::FaultSink;
use syfthub_domain::{Error, ErrorCode};
use syfthub_logging::correlation;
use syfthub_proto::chat::chat_service_server::ChatService;
use syfthub_proto::chat::{AskEvent, AskRequest, Token, ask_event};
use syfthub_proto::identity::identity_service_server::IdentityService;
use syfthub_proto::identity::{
    FindUserRequest, FindUserResponse, MintSatelliteTokensRequest, MintSatelliteTokensResponse,
    VerifyBoundTokenRequest, VerifyBoundTokenResponse, VerifyCredentialRequest, VerifyCredentialResponse,
};
use syfthub_rpc::status::to_status;
use syfthub_rpc::{Caller, InternalKey, LinkedTask, Peer, Server, spawn_linked, stubs};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

/// The key of both sides, unless a test says otherwise.
pub(crate) const KEY: InternalKey = InternalKey::new([42; 32]);

/// What the service saw.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// A call was dropped before its end.
    pub cancelled: Notify,
    /// A call has begun.
    pub started: Notify,
    /// Messages that a stream produced, or calls that were counted.
    pub produced: AtomicUsize,
}

/// Notifies when it is dropped, as a call's future or stream is on cancellation.
struct OnDrop(Arc<Seen>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.cancelled.notify_one();
    }
}

/// Behaves as the request's text says.
#[derive(Clone, Default)]
pub(crate) struct Scripted(pub Arc<Seen>);

#[tonic::async_trait]
impl IdentityService for Scripted {
    async fn verify_credential(
        &self,
        request: Request<VerifyCredentialRequest>,
    ) -> Result<Response<VerifyCredentialResponse>, Status> {
        syfthub_rpc::require(&request, &[Caller::Mcp])?;
        Ok(Response::new(VerifyCredentialResponse::default()))
    }

    async fn verify_bound_token(
        &self,
        _: Request<VerifyBoundTokenRequest>,
    ) -> Result<Response<VerifyBoundTokenResponse>, Status> {
        Err(Status::unimplemented("not needed"))
    }

    async fn find_user(
        &self,
        request: Request<FindUserRequest>,
    ) -> Result<Response<FindUserResponse>, Status> {
        let caller = syfthub_rpc::caller(&request)?;
        let text = request.into_inner().username;
        self.0.started.notify_one();
        match text.as_str() {
            "hang" => {
                let _dropped = OnDrop(self.0.clone());
                std::future::pending::<()>().await;
            }
            "panic" => panic!("the service fell over"),
            "missing" => {
                let error = Error::coded(ErrorCode::NotFound, "No such user")
                    .with_extra("resource", "user")
                    .with_retry_after(Duration::from_secs(7));
                return Err(to_status(&error));
            }
            "lost once" if self.0.produced.fetch_add(1, Ordering::SeqCst) == 0 => {
                return Err(Status::unavailable("lost on the way"));
            }
            "busy" => {
                self.0.produced.fetch_add(1, Ordering::SeqCst);
                return Err(to_status(&Error::new(ErrorCode::Unavailable, "busy")));
            }
            _ => {}
        }
        let id = correlation::current().map(|id| id.as_str().to_owned()).unwrap_or_default();
        Ok(Response::new(FindUserResponse { username: text, full_name: id, user_id: caller as i64, role: 0 }))
    }

    async fn mint_satellite_tokens(
        &self,
        _: Request<MintSatelliteTokensRequest>,
    ) -> Result<Response<MintSatelliteTokensResponse>, Status> {
        Err(Status::unimplemented("not scripted"))
    }
}

#[tonic::async_trait]
impl ChatService for Scripted {
    type AskStream = Pin<Box<dyn Stream<Item = Result<AskEvent, Status>> + Send>>;

    async fn ask(&self, request: Request<AskRequest>) -> Result<Response<Self::AskStream>, Status> {
        let ask = request.into_inner();
        let seen = self.0.clone();
        let size = ask.max_tokens as usize;
        let count = ask.top_k as usize;
        let stream = async_stream::stream! {
            let _dropped = OnDrop(seen.clone());
            for number in 0..count {
                seen.produced.fetch_add(1, Ordering::SeqCst);
                yield Ok(token("x".repeat(size.max(1)) + &number.to_string()));
            }
            match ask.prompt.as_str() {
                "then hang" => std::future::pending::<()>().await,
                "then panic" => panic!("the stream fell over"),
                "then fail" => yield Err(to_status(&Error::coded(ErrorCode::Gone, "gone").with_extra("a", 1))),
                "then say the trace" => {
                    let mut headers = http::HeaderMap::new();
                    syfthub_logging::trace_context::inject(&mut headers);
                    let parent = headers.get("traceparent").and_then(|value| value.to_str().ok());
                    yield Ok(token(parent.unwrap_or_default().to_owned()));
                }
                "then say the id" => {
                    let id = correlation::current().map(|id| id.as_str().to_owned());
                    yield Ok(token(id.unwrap_or_default()));
                }
                _ => {}
            }
        };
        Ok(Response::new(Box::pin(stream)))
    }
}

fn token(content: String) -> AskEvent {
    AskEvent { event: Some(ask_event::Event::Token(Token { content })) }
}

/// The text of an event.
pub(crate) fn text(event: &AskEvent) -> &str {
    match &event.event {
        Some(ask_event::Event::Token(token)) => &token.content,
        other => panic!("a token was expected, not {other:?}"),
    }
}

/// One transport to a fresh service.
pub(crate) struct Fixture {
    /// What the test calls.
    pub peer: Peer,
    /// What the service saw.
    pub seen: Arc<Seen>,
    /// For failure texts.
    pub transport: &'static str,
    /// The address of the network transport.
    pub url: Option<String>,
    _server: Option<LinkedTask<()>>,
}

/// Both transports, with `caller` calling under `key`.
pub(crate) async fn both_as(caller: Caller, key: &InternalKey) -> [Fixture; 2] {
    serving(caller, key, |routes| Server::new(routes, &KEY)).await
}

/// Both transports, telling `sink` of faults.
pub(crate) async fn both_reporting(sink: FaultSink) -> [Fixture; 2] {
    serving(Caller::Backend, &KEY, |routes| Server::new(routes, &KEY).reporting(sink.clone())).await
}

async fn serving(caller: Caller, key: &InternalKey, server_of: impl Fn(Routes) -> Server) -> [Fixture; 2] {
    let (local, remote) = (Scripted::default(), Scripted::default());
    let (local_seen, remote_seen) = (local.0.clone(), remote.0.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = server_of(routes(remote));
    let task = spawn_linked(async move {
        server.serve(listener, std::future::pending()).await.expect("serving");
    });
    [
        Fixture {
            peer: server_of(routes(local)).local(caller, key),
            seen: local_seen,
            transport: "local",
            url: None,
            _server: None,
        },
        Fixture {
            peer: syfthub_rpc::connect(&url, caller, key).unwrap(),
            seen: remote_seen,
            transport: "network",
            url: Some(url),
            _server: Some(task),
        },
    ]
}

/// Both transports in the usual case.
pub(crate) async fn both() -> [Fixture; 2] {
    both_as(Caller::Backend, &KEY).await
}

fn routes(service: Scripted) -> Routes {
    Routes::new(stubs::identity_server(service.clone())).add_service(stubs::chat_server(service))
}

/// A request for `FindUser`.
pub(crate) fn find(username: &str) -> Request<FindUserRequest> {
    Request::new(FindUserRequest { username: username.to_owned() })
}

/// A request for `Ask`: `count` tokens of `size` bytes, then what `prompt` says.
pub(crate) fn ask(prompt: &str, count: u32, size: u32) -> Request<AskRequest> {
    Request::new(AskRequest {
        prompt: prompt.to_owned(),
        top_k: count,
        max_tokens: size,
        ..AskRequest::default()
    })
}
