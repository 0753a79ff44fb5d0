//! The MCP protocol, by `rmcp`: transport settings here, the handler of methods beside.

mod describe;
mod errors;
mod handler;
mod limits;
mod prompts;
mod resources;
mod schemas;
mod shape;
pub(crate) mod verdict;
mod watching;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{MethodRouter, any_service};
use rmcp::ServerHandler;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use syfthub_config::Mcp;
use tokio_util::sync::CancellationToken;
use url::Url;

pub(crate) use handler::Handler;
pub(crate) use limits::ToolLimits;

/// Largest message of a client, in bytes (1 MiB).
pub(crate) const BODY_LIMIT: usize = 1024 * 1024;

/// Web clients that may always call: those of the MCP client that most people use.
const KNOWN_ORIGINS: [&str; 2] = ["https://claude.ai:443", "https://claude.com:443"];
const LOCAL_ORIGINS: [&str; 4] =
    ["http://localhost:*", "http://127.0.0.1:*", "https://localhost:*", "http://[::1]:*"];
const LOCAL_HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The transport: streamable HTTP for both eras of the protocol, on one path.
#[derive(Debug, Clone)]
pub struct Transport {
    config: StreamableHttpServerConfig,
}

impl Transport {
    /// `open_streams` ends what is still being answered.
    pub fn new(settings: &Mcp, open_streams: CancellationToken) -> Self {
        let config = StreamableHttpServerConfig::default()
            .with_json_response(true)
            .with_max_request_body_bytes(BODY_LIMIT)
            .with_allowed_hosts(hosts(settings))
            .with_allowed_origins(origins(settings))
            .enforce_origin_validation()
            .with_cancellation_token(open_streams);
        Self { config }
    }

    /// Serves a handler without any session, also in the earlier era: nothing is lost when the service restarts, and
    /// any replica can answer. This is what the hub does.
    pub fn stateless<H: ServerHandler + Clone>(self, handler: H) -> Router {
        let config = self.config.with_legacy_session_mode(false);
        let sessions = Arc::new(NeverSessionManager::default());
        routes(any_service(StreamableHttpService::new(move || Ok(handler.clone()), sessions, config)))
    }

    /// Serves a handler with sessions in memory for clients of the earlier era: only with them a server can ask its
    /// client something back (sampling, elicitation). For servers of tests.
    pub fn with_sessions<H: ServerHandler + Clone>(self, handler: H) -> Router {
        let config = self.config.with_legacy_session_mode(true);
        let sessions = Arc::new(LocalSessionManager::default());
        routes(any_service(StreamableHttpService::new(move || Ok(handler.clone()), sessions, config)))
    }
}

/// MCP answers on `/mcp`, `/mcp/` and `/`: the last two are what a stripped trailing slash becomes, and a redirect
/// would turn POST into GET.
fn routes(service: MethodRouter) -> Router {
    Router::new()
        .route("/mcp", service.clone())
        .route("/mcp/", service.clone())
        .route("/", service)
        .layer(from_fn(unbuffered))
        .layer(from_fn(shape::layer))
}

/// Where the page after this one begins, if there is one.
fn next_page(skip: u32, shown: usize, total: i64) -> Option<u32> {
    let next = skip.saturating_add(u32::try_from(shown).unwrap_or(u32::MAX));
    (shown > 0 && i64::from(next) < total).then_some(next)
}

/// Names under which the service is reached; anything else may be DNS rebinding.
fn hosts(settings: &Mcp) -> Vec<String> {
    let named = [Some(settings.public_url.clone()), Url::parse(&settings.api_base_url).ok()];
    let named = named.into_iter().flatten().filter_map(|url| Some(url.host_str()?.to_owned()));
    LOCAL_HOSTS.iter().map(|host| (*host).to_owned()).chain(named).collect()
}

fn origins(settings: &Mcp) -> Vec<String> {
    let own = settings.public_url.origin().ascii_serialization();
    let configured = settings.allowed_origins.iter().cloned().chain([own]);
    let configured = configured.filter_map(|origin| with_port(&origin));
    let known = KNOWN_ORIGINS.iter().chain(&LOCAL_ORIGINS).map(|origin| (*origin).to_owned());
    known.chain(configured).collect()
}

/// An origin with its port spelled out; without one `rmcp` would accept any.
fn with_port(origin: &str) -> Option<String> {
    if origin.ends_with(":*") {
        return Some(origin.to_owned());
    }
    let url = Url::parse(origin).ok()?;
    Some(format!("{}://{}:{}", url.scheme(), url.host_str()?, url.port_or_known_default()?))
}

/// Layer: tells proxies not to hold back event streams.
async fn unbuffered(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    let kind = answer.headers().get(header::CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
        answer.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::{next_page, with_port};

    #[test]
    fn pages_end() {
        assert_eq!(next_page(0, 100, 250), Some(100));
        assert_eq!(next_page(200, 50, 250), None);
        assert_eq!(next_page(300, 0, 250), None);
    }

    #[test]
    fn origins_get_their_port() {
        assert_eq!(with_port("https://hub.example").as_deref(), Some("https://hub.example:443"));
        assert_eq!(with_port("http://hub.example:8080").as_deref(), Some("http://hub.example:8080"));
        assert_eq!(with_port("http://localhost:*").as_deref(), Some("http://localhost:*"));
        assert_eq!(with_port("nonsense"), None);
    }
}
