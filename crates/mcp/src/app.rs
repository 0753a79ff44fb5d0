//! The service: settings and dependencies in, routes out.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use syfthub_auth::MasterKey;
use syfthub_auth::grant_ticket::TicketKey;
use syfthub_cache::Cache;
use syfthub_config::{Rule, Settings};
use syfthub_domain::fault::FaultSink;
use syfthub_domain::{Result, SharedClock};
use syfthub_egress::Outside;
use syfthub_logging::Metrics;
use syfthub_rpc::Peer;
use syfthub_web::faults;
use syfthub_web::limits::RateLimiter;
use syfthub_web::metrics_router;
use syfthub_web::serve::{Shutdown, serve};
use syfthub_web::stack::Stack;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::access::{self, Gate, Limits};
use crate::calls::Calls;
use crate::health::{self, Health};
use crate::oauth::{self, OAuth, Resource};
use crate::server::{self, Handler, ToolLimits, Transport, verdict};
use crate::tools::Tools;

/// A tool call ends by itself after 120 seconds; the transport waits a little longer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(130);

/// Requests that a user may send for each call of a tool that they may make: clients list, read and complete around
/// it, and a tool beside others has its own count.
const REQUESTS_PER_CALL: u32 = 5;

/// What the service needs from outside.
#[derive(Debug, Clone)]
pub struct Deps {
    /// The backend: credentials, satellite tokens, the directory.
    pub hub: Peer,
    /// The aggregator.
    pub chat: Peer,
    /// Counters of the rate limits.
    pub cache: Cache,
    /// The present.
    pub clock: SharedClock,
}

/// The MCP service.
#[derive(Debug, Clone)]
pub struct App {
    settings: Settings,
    gate: Gate,
    oauth: OAuth,
    tools: Tools,
    tool_limits: ToolLimits,
    calls: Calls,
    health: Health,
    open_streams: CancellationToken,
    faults: FaultSink,
}

impl App {
    /// Builds the service; opens no port.
    pub fn build(settings: &Settings, deps: Deps) -> Result<Self> {
        Self::build_in(&Outside::default(), settings, deps)
    }

    /// The same in another world outside, where documents of clients come from.
    pub fn build_in(outside: &Outside, settings: &Settings, deps: Deps) -> Result<Self> {
        let oauth = OAuth::new(settings, deps.hub.clone(), deps.cache.clone(), deps.clock.clone(), outside)?;
        let tickets = TicketKey::new(&MasterKey::new(&settings.secrets.secret_key));
        let limiter = RateLimiter::new(deps.cache, &settings.rate_limits);
        let tool_limits = ToolLimits::new(limiter.clone(), settings.rate_limits.chat);
        let chat = settings.rate_limits.chat;
        let rule = Rule { max: chat.max.saturating_mul(REQUESTS_PER_CALL), ..chat };
        let limits = Limits { limiter, rule };
        let faults = syfthub_rpc::sent_to(deps.hub.clone(), deps.clock.clone());
        Ok(Self {
            settings: settings.clone(),
            gate: Gate::new(
                deps.hub.clone(),
                oauth.clone(),
                tickets,
                deps.clock.clone(),
                settings.mcp.accept_hub_tokens,
                limits,
            ),
            oauth,
            health: Health::new(deps.hub.clone(), deps.clock.clone()),
            tool_limits,
            calls: Calls::new(deps.hub.clone(), deps.clock.clone()),
            tools: Tools::new(deps.hub, deps.chat, deps.clock, faults.clone()),
            faults,
            open_streams: CancellationToken::new(),
        })
    }

    /// The HTTP routes, without the public prefix `/mcp`.
    pub fn router(&self) -> Router {
        let handler = Handler::new(self.tools.clone(), self.tool_limits.clone(), self.calls.clone());
        let metadata: Arc<str> = self.oauth.urls().metadata_of(Resource::Mcp).into();
        let guarded = Transport::new(&self.settings.mcp, self.open_streams.clone())
            .stateless(handler)
            .layer(from_fn_with_state(metadata, verdict::layer))
            .layer(from_fn_with_state(self.gate.clone(), access::layer));
        let routes =
            Router::new().route("/health", get(health::route)).with_state(self.health.clone()).merge(guarded);
        let routes = routes.merge(self.oauth.router());
        let stack = Stack::new(&self.settings)
            .with_open_paths(is_open)
            .with_body_limit(server::BODY_LIMIT)
            .with_request_timeout(REQUEST_TIMEOUT);
        faults::reporting(stack.wrap(routes), self.faults.clone())
    }

    /// Serves HTTP (with `/metrics`) until `shutdown`, and returns when drained.
    pub async fn run(self, listener: TcpListener, shutdown: Shutdown) -> anyhow::Result<()> {
        let router = metrics_router(Metrics::install()).fallback_service(self.router());
        let grace = self.settings.http.shutdown_grace;
        shutdown.readiness().set(true);
        serve(listener, router, shutdown, grace).await.context("HTTP")?;
        self.open_streams.cancel();
        self.calls.flush().await;
        Ok(())
    }
}

/// Everything that programs use is open to scripts of every site; none of it works by a cookie.
fn is_open(path: &str) -> bool {
    matches!(path, "/" | "/mcp" | "/mcp/" | "/health") || oauth::is_open(path)
}
