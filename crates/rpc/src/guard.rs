//! The service side of the stack: identity, correlation, trace context, deadline, panics.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response};
use http_body::{Frame, SizeHint};
use syfthub_domain::fault::FaultSink;
use syfthub_domain::{Error, ErrorCode};
use syfthub_logging::{correlation, trace_context};
use tonic::Status;
use tonic::body::Body;
use tower::{Service, ServiceExt};
use tracing::Instrument;

use crate::deadline::{self, DeadlineBody};
use crate::faults::{self, Place};
use crate::panics::{self, CatchPanicBody};
use crate::status::to_status;
use crate::{CORRELATION_KEY, InternalKey};

/// Health checks come from outside our services, for example from an orchestrator's probe.
const OPEN_PREFIX: &str = "/grpc.health.v1.";

/// Wraps the routes of one process; cheap to clone.
#[derive(Clone)]
pub(crate) struct Guard {
    inner: axum_router::Inner,
    key: InternalKey,
    faults: Option<FaultSink>,
}

/// The type of a router as a service over tonic's body.
pub(crate) mod axum_router {
    use tonic::service::Routes;
    use tower::ServiceExt;
    use tower::util::BoxCloneSyncService;

    use super::{Body, Infallible, Request, Response};

    pub(crate) type Inner = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

    pub(crate) fn boxed(routes: Routes) -> Inner {
        let router = routes.prepare().into_axum_router();
        let service = router.into_service::<Body>();
        BoxCloneSyncService::new(service.map_response(|answer| answer.map(Body::new)))
    }
}

impl Guard {
    pub(crate) fn new(routes: tonic::service::Routes, key: &InternalKey) -> Self {
        Self { inner: axum_router::boxed(routes), key: key.clone(), faults: None }
    }

    pub(crate) fn report_to(&mut self, sink: FaultSink) {
        self.faults = Some(sink);
    }

    fn refused(&self, request: &Request<Body>) -> Option<Status> {
        if request.uri().path().starts_with(OPEN_PREFIX) || self.key.check(request.headers()).is_some() {
            return None;
        }
        tracing::warn!(path = request.uri().path(), "rpc.caller.refused");
        // The fault is in the settings of our own services, so the client of the edge is told nothing.
        let inner = to_status(&Error::new(ErrorCode::Internal, "Internal server error"));
        let text = "the internal token is missing or wrong: do the services share SECRET_KEY?";
        Some(Status::with_metadata(tonic::Code::Unauthenticated, text, inner.metadata().clone()))
    }
}

impl Service<Request<Body>> for Guard {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if let Some(status) = self.refused(&request) {
            return Box::pin(std::future::ready(Ok(status.into_http())));
        }
        if let Some(caller) = self.key.check(request.headers()) {
            request.extensions_mut().insert(caller);
        }
        let given = request.headers().get(CORRELATION_KEY).and_then(|value| value.to_str().ok());
        let id = correlation::CorrelationId::from_header(given);
        let span = tracing::info_span!("rpc", path = request.uri().path());
        let path = request.uri().path();
        let place = self.faults.clone().map(|sink| Place { sink, path: path.into() });
        let remote = trace_context::extract(request.headers());
        remote.attach(&span);
        let until = deadline::until(deadline::read(request.headers()));
        let call = self.inner.clone().oneshot(request);
        let context =
            CallContext { id: id.clone(), remote: remote.clone(), span: span.clone(), place: place.clone() };
        let answer = answer(call, until, context);
        let answer = trace_context::scope(remote, answer.instrument(span));
        let answer = correlation::scope(id, answer);
        match place {
            Some(place) => Box::pin(faults::scope(place, answer)),
            None => Box::pin(answer),
        }
    }
}

async fn answer(
    call: impl Future<Output = Result<Response<Body>, Infallible>> + Send,
    until: tokio::time::Instant,
    context: CallContext,
) -> Result<Response<Body>, Infallible> {
    let id = HeaderValue::from_str(context.id.as_str());
    let caught = AssertUnwindSafe(call).catch_unwind();
    let mut answer = match tokio::time::timeout_at(until, caught).await {
        Ok(Ok(Ok(answer))) => answer.map(|body| {
            // Inside the context, so that what is said about a panic has the id of its call.
            let body = ScopedBody::wrap(CatchPanicBody::wrap(body), context);
            DeadlineBody::wrap(body, until)
        }),
        Ok(Err(panic)) => panics::status(&*panic).into_http(),
        Err(_) => deadline::exceeded().into_http(),
    };
    if let Ok(value) = id {
        answer.headers_mut().insert(CORRELATION_KEY, value);
    }
    Ok(answer)
}

/// What belongs to one call wherever it is worked on.
struct CallContext {
    id: correlation::CorrelationId,
    remote: trace_context::Remote,
    span: tracing::Span,
    place: Option<Place>,
}

/// A body that is produced in the context of its call, so that the log lines of a stream carry the same
/// correlation id and its own calls continue the same trace.
struct ScopedBody {
    inner: Body,
    context: CallContext,
}

impl ScopedBody {
    fn wrap(inner: Body, context: CallContext) -> Body {
        if http_body::Body::is_end_stream(&inner) {
            return inner;
        }
        Body::new(Self { inner, context })
    }
}

impl http_body::Body for ScopedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let inner = Pin::new(&mut this.inner);
        let CallContext { id, remote, span, place } = &this.context;
        let poll = || {
            correlation::sync_scope(id.clone(), || {
                trace_context::sync_scope(remote.clone(), || span.in_scope(|| inner.poll_frame(cx)))
            })
        };
        match place {
            Some(place) => faults::sync_scope(place.clone(), poll),
            None => poll(),
        }
    }

    fn is_end_stream(&self) -> bool {
        http_body::Body::is_end_stream(&self.inner)
    }

    fn size_hint(&self) -> SizeHint {
        http_body::Body::size_hint(&self.inner)
    }
}
