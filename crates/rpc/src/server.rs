//! Serving gRPC: in this process, on a port of its own, or both from one set of routes.

use std::time::Duration;

use http::Request;
use syfthub_domain::fault::FaultSink;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::body::Body;
use tonic::service::{AxumBody, AxumRouter, Routes};
use tower::ServiceExt;

use crate::client::local_guard;
use crate::guard::Guard;
use crate::{Caller, InternalKey, Peer};

/// Calls under way get this long to end after a shutdown was asked for.
const DRAIN: Duration = Duration::from_secs(30);
const PING_INTERVAL: Duration = Duration::from_secs(30);
const MAX_STREAMS_PER_CONNECTION: u32 = 1024;

/// The gRPC services of one process behind the checked stack.
#[derive(Clone)]
pub struct Server {
    guard: Guard,
}

impl Server {
    /// `key` is what callers must prove to know.
    pub fn new(routes: Routes, key: &InternalKey) -> Self {
        Self { guard: Guard::new(routes, key) }
    }

    /// The same, telling `sink` of every call that ends with a fault of ours.
    #[must_use]
    pub fn reporting(mut self, sink: FaultSink) -> Self {
        self.guard.report_to(sink);
        self
    }

    /// A caller in the same process.
    pub fn local(&self, caller: Caller, key: &InternalKey) -> Peer {
        local_guard(self.guard.clone(), caller, key)
    }

    /// Serves on `listener` until `shutdown` resolves; then lets calls end for up to 30 seconds.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        let (asked, was_asked) = tokio::sync::oneshot::channel();
        let shutdown = async move {
            shutdown.await;
            let _ = asked.send(());
        };
        let guarded = self.guard.map_request(|request: Request<AxumBody>| request.map(Body::new));
        let routes = Routes::from(AxumRouter::new().fallback_service(guarded));
        let served = tonic::transport::Server::builder()
            .tcp_nodelay(true)
            .http2_keepalive_interval(Some(PING_INTERVAL))
            .max_concurrent_streams(MAX_STREAMS_PER_CONNECTION)
            .add_routes(routes)
            .serve_with_incoming_shutdown(TcpListenerStream::new(listener), shutdown);
        let overdue = async move {
            if was_asked.await.is_err() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            result = served => result.map_err(std::io::Error::other),
            () = overdue => {
                tracing::warn!("rpc.drain.overdue");
                Ok(())
            }
        }
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Server")
    }
}

/// Serves `routes` on `listener`; see [`Server::serve`].
pub async fn serve(
    listener: TcpListener,
    routes: Routes,
    key: &InternalKey,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    Server::new(routes, key).serve(listener, shutdown).await
}
