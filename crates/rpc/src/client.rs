//! The caller's side of the stack.

use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{HeaderName, HeaderValue, Request, Response};
use syfthub_logging::{correlation, trace_context};
use tonic::body::Body;
use tonic::service::Routes;
use tonic::transport::Endpoint;
use tonic::{Code, Status};
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};

use crate::deadline::{self, DeadlineBody};
use crate::guard::Guard;
use crate::{CORRELATION_KEY, Caller, InternalKey, Peer, retry};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// An address that cannot be one of a service.
#[derive(Debug, thiserror::Error)]
#[error("`{url}` is not the address of a gRPC service; write it as http://host:port")]
pub struct ConnectError {
    url: String,
    source: Option<tonic::transport::Error>,
}

/// Calls services in this process. `caller` names the calling service; `key` is the one that both
/// sides share.
pub fn local(routes: Routes, caller: Caller, key: &InternalKey) -> Peer {
    local_guard(Guard::new(routes, key), caller, key)
}

pub(crate) fn local_guard(guard: Guard, caller: Caller, key: &InternalKey) -> Peer {
    outbound(guard.map_err(|never| match never {}), caller, key)
}

/// Calls a service over the network. Connects on the first call and again after a failure, so it
/// succeeds while the service is still down.
pub fn connect(url: &str, caller: Caller, key: &InternalKey) -> Result<Peer, ConnectError> {
    let fault = |source| ConnectError { url: url.to_owned(), source };
    let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|error| fault(Some(error)))?;
    if endpoint.uri().scheme_str() != Some("http") || endpoint.uri().host().is_none() {
        return Err(fault(None));
    }
    let channel = endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true)
        .connect_lazy();
    Ok(outbound(channel.map_err(unreachable_service), caller, key))
}

/// A failure below gRPC: the call did not reach the service, or its answer was cut off.
fn unreachable_service(error: tonic::transport::Error) -> Status {
    let status = Status::from_error(Box::new(error));
    match status.code() {
        Code::Unknown | Code::Cancelled | Code::Internal => {
            Status::unavailable(format!("the service cannot be reached: {}", status.message()))
        }
        _ => status,
    }
}

fn outbound<S>(inner: S, caller: Caller, key: &InternalKey) -> Peer
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Status>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    let identity = key.headers(caller).map(|(name, value)| (HeaderName::from_static(name), value));
    BoxCloneSyncService::new(Outbound { inner, identity })
}

#[derive(Clone)]
struct Outbound<S> {
    inner: S,
    identity: [(HeaderName, HeaderValue); 2],
}

impl<S> Service<Request<Body>> for Outbound<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Status>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        // Readiness is awaited inside the call, where the deadline bounds it.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let headers = request.headers_mut();
        headers.extend(self.identity.iter().cloned().map(|(name, value)| (Some(name), value)));
        if let Some(id) = correlation::current()
            && let Ok(value) = HeaderValue::from_str(id.as_str())
        {
            headers.insert(CORRELATION_KEY, value);
        }
        trace_context::inject(headers);
        let until = deadline::until(deadline::prepare(headers));
        let call = retry::send(self.inner.clone(), request);
        Box::pin(async move {
            let answer = tokio::time::timeout_at(until, call).await;
            let answer = answer.unwrap_or_else(|_| Err(deadline::exceeded()))?;
            Ok(answer.map(|body| DeadlineBody::wrap(body, until)))
        })
    }
}
