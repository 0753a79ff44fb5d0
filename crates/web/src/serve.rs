//! Serving a router: connection limits, header timeouts, a drain that ends.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, Request, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{Service, ServiceExt};

use crate::client_ip::PeerAddress;
use crate::health::Readiness;
use crate::unread;

/// Longest drain that the product allows itself.
pub const DRAIN: Duration = Duration::from_secs(30);
/// A client that takes longer for its request head is cut off, and so is a connection that is idle for
/// this long: a proxy must give its idle connections up sooner.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// Connections at the same time; more wait in the listener's queue.
const MAX_CONNECTIONS: usize = 16 * 1024;
/// Pause after a failed accept, usually for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The order to stop, and the readiness that goes off with it.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    token: CancellationToken,
    readiness: Readiness,
    delay: Duration,
}

impl Shutdown {
    /// Not asked for yet.
    pub fn new(readiness: Readiness) -> Self {
        Self { token: CancellationToken::new(), readiness, delay: Duration::ZERO }
    }

    /// The same, but after a signal everything goes on for `delay` with readiness off. A balancer that learns
    /// by asking sends requests until it has asked again; without one there is nothing to wait for.
    #[must_use]
    pub fn with_delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The readiness that goes off first.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Asks for it: readiness goes off, then everything that waits is told.
    pub fn trigger(&self) {
        self.readiness.set(false);
        self.token.cancel();
    }

    /// Whether it was asked for.
    pub fn is_triggered(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until it is asked for.
    pub fn wait(&self) -> impl Future<Output = ()> + Send + 'static {
        self.token.clone().cancelled_owned()
    }

    /// The token, for code that wants one.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Waits for SIGTERM, SIGINT or another's [`trigger`](Self::trigger), and triggers; after a signal with
    /// the delay, which a second signal cuts short.
    pub async fn on_signals(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => tracing::info!(signal = "SIGTERM", "service.stopping"),
            _ = interrupt.recv() => tracing::info!(signal = "SIGINT", "service.stopping"),
            () = self.token.cancelled() => return Ok(()),
        }
        let again = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        self.wind_down(again).await;
        Ok(())
    }

    /// Follows signals without ever ending by itself, for a `select!` in which the work decides when to end.
    pub async fn on_signals_forever(&self) -> std::io::Result<Infallible> {
        self.on_signals().await?;
        std::future::pending().await
    }

    /// Readiness goes off; after the delay, or when it is cut short, the rest is told.
    async fn wind_down(&self, again: impl Future<Output = ()>) {
        self.readiness.set(false);
        crate::process::notify_stopping();
        tokio::select! {
            () = tokio::time::sleep(self.delay) => {}
            () = again => {}
            () = self.token.cancelled() => {}
        }
        self.trigger();
    }
}

/// Where requests come from.
#[derive(Debug)]
pub enum Listener {
    /// A port.
    Tcp(TcpListener),
    /// A socket file.
    Unix(UnixListener),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

impl From<UnixListener> for Listener {
    fn from(listener: UnixListener) -> Self {
        Self::Unix(listener)
    }
}

trait Connection: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Connection for T {}

impl Listener {
    async fn accept(&self) -> std::io::Result<(Box<dyn Connection>, IpAddr)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok((Box::new(stream), address.ip()))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Box::new(stream), IpAddr::V4(Ipv4Addr::LOCALHOST)))
            }
        }
    }
}

/// What answers requests: a router, or an edge that chooses one. Cloned for every request.
pub trait Answers:
    Service<Request<Body>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<S> Answers for S where
    S: Service<Request<Body>, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

/// Serves HTTP/1.1 until `shutdown`, then lets requests end for up to `grace` (at most [`DRAIN`]).
pub async fn serve(
    listener: impl Into<Listener>,
    service: impl Answers,
    shutdown: Shutdown,
    grace: Duration,
) -> std::io::Result<()> {
    let listener = listener.into();
    let graceful = GracefulShutdown::new();
    let tasks = TaskTracker::new();
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let next = async {
            let slot = slots.clone().acquire_owned().await.map_err(std::io::Error::other)?;
            Ok::<_, std::io::Error>((slot, listener.accept().await?))
        };
        let accepted = tokio::select! {
            () = shutdown.token.cancelled() => break,
            accepted = next => accepted,
        };
        match accepted {
            Ok((slot, (stream, peer))) => {
                connection(stream, peer, service.clone(), (&graceful, &tasks), slot);
            }
            Err(error) => {
                tracing::warn!(%error, "http.accept.failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener); // new connections are refused from here on
    drain(graceful, tasks, grace.min(DRAIN)).await;
    Ok(())
}

fn connection(
    stream: Box<dyn Connection>,
    peer: IpAddr,
    service: impl Answers,
    (graceful, tasks): (&GracefulShutdown, &TaskTracker),
    slot: OwnedSemaphorePermit,
) {
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let (head, body) = request.into_parts();
        let (body, rest) = unread::lend(body);
        let mut request = Request::from_parts(head, body);
        request.extensions_mut().insert(PeerAddress(peer));
        let answer = service.clone().oneshot(request);
        // In a box: a connection keeps room for this as long as it lives, and an answer may stream for minutes.
        Box::pin(async move {
            let mut answer = answer.await.unwrap_or_else(|never| match never {});
            if !rest.read().await {
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer)
        })
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let watched = graceful.watch(connection);
    tasks.spawn(async move {
        // A client that hangs up or talks nonsense is its own affair.
        if let Err(error) = watched.await {
            tracing::debug!(%error, "http.connection.ended");
        }
        drop(slot);
    });
}

async fn drain(graceful: GracefulShutdown, tasks: TaskTracker, grace: Duration) {
    tasks.close();
    let ended = async {
        graceful.shutdown().await;
        tasks.wait().await;
    };
    if tokio::time::timeout(grace, ended).await.is_err() {
        tracing::warn!(open = tasks.len(), "http.drain.overdue");
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_balancer_gets_the_delay_to_notice() {
        let delay = Duration::from_secs(5);
        let shutdown = Shutdown::new(Readiness::ready()).with_delay(delay);
        let begun = Instant::now();
        let control = async {
            tokio::time::sleep(Duration::from_secs(4)).await;
            assert!(!shutdown.readiness().is_ready() && !shutdown.is_triggered());
        };
        tokio::join!(shutdown.wind_down(std::future::pending()), control);
        assert!(shutdown.is_triggered());
        assert_eq!(begun.elapsed(), delay);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_delay_or_with_a_second_signal_there_is_no_wait() {
        let begun = Instant::now();
        let plain = Shutdown::new(Readiness::ready());
        plain.wind_down(std::future::pending()).await;
        let delayed = Shutdown::new(Readiness::ready()).with_delay(Duration::from_hours(1));
        delayed.wind_down(tokio::time::sleep(Duration::from_millis(1))).await;
        assert!(plain.is_triggered() && delayed.is_triggered());
        assert!(begun.elapsed() < Duration::from_secs(1));
    }
}
