//! The service: settings and dependencies in, routes and gRPC out.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::middleware::from_fn;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use syfthub_cache::Cache;
use syfthub_config::Settings;
use syfthub_domain::fault::FaultSink;
use syfthub_domain::{Result, SharedClock};
use syfthub_egress::{Client, Limits, Outside};
use syfthub_logging::Metrics;
use syfthub_rpc::{InternalKey, Peer, stubs};
use syfthub_web::browser::BrowserCookie;
use syfthub_web::limits::RateLimiter;
use syfthub_web::serve::{Shutdown, serve};
use syfthub_web::stack::Stack;
use syfthub_web::{docs, dpop, faults, metrics_router};
use tokio::net::TcpListener;
use tonic::service::Routes;

use crate::chat::Chat;
use crate::chat::grpc::ChatGrpc;
use crate::chat::routes::{self, ChatRoutes};
use crate::detached::Runs;
use crate::measure;
use crate::openai::{self, routes::OpenAiRoutes};
use crate::quick;
use crate::rerank::External;
use crate::space::{BreakerReport, MAX_ANSWER, RETRY_WAITS, Space};

/// Largest request body, in bytes; the history of a long conversation fits.
const BODY_LIMIT: usize = 2 * 1024 * 1024;
/// Longest wait for a connection to an endpoint.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How much later than the pipeline the layers around it give up.
const SLACK: Duration = Duration::from_secs(5);

/// What the service needs from outside.
#[derive(Debug, Clone)]
pub struct Deps {
    /// The backend, for credentials and satellite tokens.
    pub hub: Peer,
    /// Counters of the rate limits.
    pub cache: Cache,
    /// The present.
    pub clock: SharedClock,
}

/// Waits that tests shorten.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Waits before the second and third attempt at an endpoint (1 s, 2 s).
    pub retry_waits: [Duration; 2],
    /// Interval of heartbeats while the model has not said anything (3 s).
    pub heartbeat: Duration,
    /// Longest wait for a reader that takes nothing any more (60 s).
    pub patience: Duration,
    /// A process that works on a detached request and gave no sign of life for so long is gone (5 s).
    pub silence: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            retry_waits: RETRY_WAITS,
            heartbeat: Duration::from_secs(3),
            patience: Duration::from_mins(1),
            silence: Duration::from_secs(5),
        }
    }
}

/// The chat service.
#[derive(Debug, Clone)]
pub struct App {
    settings: Settings,
    chat: Arc<Chat>,
    runs: Arc<Runs>,
    limiter: RateLimiter,
    faults: FaultSink,
    clock: SharedClock,
}

impl App {
    /// Builds the service; opens no port.
    pub fn build(settings: &Settings, deps: Deps) -> Result<Self> {
        Self::build_at(settings, deps, Pace::default())
    }

    /// The same at another pace.
    pub fn build_at(settings: &Settings, deps: Deps, pace: Pace) -> Result<Self> {
        Self::build_in(&Outside::default(), settings, deps, pace)
    }

    /// The same in another world outside.
    pub fn build_in(outside: &Outside, settings: &Settings, deps: Deps, pace: Pace) -> Result<Self> {
        let aggregator = settings.aggregator.clone();
        let limits = Limits {
            connect: CONNECT_TIMEOUT.min(aggregator.retrieval_timeout),
            // The pipeline's own limits end a call earlier, with better messages.
            total: aggregator.total_timeout + SLACK,
            max_body: MAX_ANSWER,
        };
        let client = Client::guarded_in(outside, &settings.egress, limits)?;
        let quotes = settings.log.request_body || settings.log.response_body;
        let space = Space::new(client, pace.retry_waits, &aggregator.rules).quoting(quotes);
        let reranker = aggregator.rules.reranker.clone().map(External::new).transpose()?;
        let runs = Runs::new(deps.cache.clone(), aggregator.total_timeout, pace.silence);
        let limiter = RateLimiter::new(deps.cache, &settings.rate_limits);
        let faults = syfthub_rpc::sent_to(deps.hub.clone(), deps.clock.clone());
        let clock = deps.clock.clone();
        let chat = Arc::new(
            Chat::new(deps.hub, space, deps.clock, aggregator, &pace)
                .reporting(faults.clone())
                .reranking_by(reranker),
        );
        Ok(Self { settings: settings.clone(), chat, runs, limiter, faults, clock })
    }

    /// The HTTP routes, without the public prefix `/aggregator`.
    pub fn router(&self) -> Router {
        measure::describe();
        let aggregator = &self.settings.aggregator;
        let chat = ChatRoutes {
            chat: Arc::clone(&self.chat),
            runs: Arc::clone(&self.runs),
            limiter: self.limiter.clone(),
            rule: self.settings.rate_limits.chat,
            cookie: BrowserCookie::new(&self.settings.public.public),
            origin: self.settings.public.origin().into(),
        };
        let mut router = Router::new()
            .route("/health", get(|| async { health() }))
            .route("/ready", get(|| async { Json(json!({"status": "ready", "checks": {}})) }))
            .merge(quick::routes::router(chat.clone()))
            .merge(openai::routes::router(OpenAiRoutes { chat: chat.clone(), clock: self.clock.clone() }))
            .merge(routes::router(chat))
            .layer(from_fn(dpop::challenged));
        if aggregator.debug {
            match docs::router_of_json(&crate::openapi::document()) {
                Ok(pages) => router = router.merge(pages),
                Err(error) => tracing::error!(%error, "docs.unavailable"),
            }
        }
        let stack = Stack::new(&self.settings)
            .with_cors_origins(&aggregator.cors_origins)
            .with_body_limit(BODY_LIMIT.min(self.settings.http.body_limit))
            .with_request_timeout(aggregator.total_timeout + SLACK);
        let router = stack.wrap(router).layer(from_fn(openai::refusal::shaped));
        faults::reporting(router, self.faults.clone())
    }

    /// The gRPC service, for the MCP service and the command line.
    pub fn grpc(&self) -> Routes {
        Routes::new(stubs::chat_server(ChatGrpc(Arc::clone(&self.chat))))
    }

    /// Endpoints that failed at their last call, with the state of their breakers.
    pub fn breakers(&self) -> Vec<BreakerReport> {
        self.chat.breakers()
    }

    /// Sends what is still to be told to the hub, within a few seconds.
    pub async fn close(&self) {
        let chat = &self.chat;
        tokio::join!(chat.usage().flush(), chat.keeper().flush(), chat.reporter().withdraw());
    }

    /// Sends faults to the hub.
    pub fn faults(&self) -> FaultSink {
        self.faults.clone()
    }

    /// Serves HTTP (with `/metrics`) and gRPC until `shutdown`, and returns when both have drained.
    pub async fn run(
        self,
        listener: TcpListener,
        grpc_listener: TcpListener,
        key: InternalKey,
        shutdown: Shutdown,
    ) -> anyhow::Result<()> {
        let router = metrics_router(Metrics::install()).fallback_service(self.router());
        let grace = self.settings.http.shutdown_grace;
        let server = syfthub_rpc::Server::new(self.grpc(), &key).reporting(self.faults());
        let grpc = server.serve(grpc_listener, shutdown.wait());
        shutdown.readiness().set(true);
        let (http, grpc) = tokio::join!(serve(listener, router, shutdown.clone(), grace), grpc);
        self.close().await;
        http.context("HTTP")?;
        grpc.context("gRPC")
    }
}

fn health() -> Json<Value> {
    Json(json!({"status": "healthy", "service": "syfthub-aggregator"}))
}
