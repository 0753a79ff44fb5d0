//! The settings of single features and services.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use syfthub_domain::EndpointPath;
use url::Url;

use crate::chat_settings::ChatRules;
use crate::secret::Secret;

/// At most `max` requests per `window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Number of requests, at least 1.
    pub max: u32,
    /// Length of the window, at least one second.
    pub window: Duration,
}

impl Rule {
    /// Builds a rule from a count and whole seconds.
    pub const fn per_seconds(max: u32, seconds: u64) -> Self {
        Self { max, window: Duration::from_secs(seconds) }
    }
}

/// Rate limits, each counted per client address (or per token where one is sent).
#[derive(Clone, Debug)]
pub struct RateLimits {
    /// Whether limits are enforced at all.
    pub enabled: bool,
    /// Whether requests pass while the counters cannot be reached.
    pub fail_open: bool,
    /// Login and registration.
    pub auth: Rule,
    /// Refreshing a session.
    pub refresh: Rule,
    /// Guest satellite tokens.
    pub guest_token: Rule,
    /// Chat requests.
    pub chat: Rule,
}

/// How long facts about what was done are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audit {
    /// The audit log; none keeps it for ever.
    pub retention: Option<Duration>,
    /// Sign-ins and uses of tokens.
    pub activity_retention: Duration,
}

/// Cost of the password hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argon2Params {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
}

impl Argon2Params {
    /// What a hub uses: 64 MiB, 3 passes, 4 lanes.
    pub const STANDARD: Self = Self { memory_kib: 65_536, iterations: 3, parallelism: 4 };
    /// The least Argon2 accepts, for tests that hash often.
    pub const CHEAP: Self = Self { memory_kib: 8, iterations: 1, parallelism: 1 };
}

/// Password rules and hashing.
#[derive(Clone, Copy, Debug)]
pub struct Passwords {
    /// Shortest password in characters.
    pub min_length: usize,
    /// Cost of the hash.
    pub argon2: Argon2Params,
    /// Hashes that may wait for a thread; the next one is answered with 503.
    pub max_queue: usize,
}

/// Endpoint health.
#[derive(Clone, Debug)]
pub struct HealthCheck {
    /// Whether the hub checks endpoints itself.
    pub enabled: bool,
    /// Time between two checks of one endpoint.
    pub interval: Duration,
    /// Longest time one check may take.
    pub timeout: Duration,
    /// Checks running at once, in one process.
    pub max_concurrent: u32,
    /// Paths that a check asks for, in this order until one answers well; `{slug}` stands for the endpoint's.
    pub paths: Vec<String>,
    /// Failed checks in a row after which an endpoint counts as down.
    pub failure_threshold: u32,
    /// How long a health report counts when it names no time.
    pub default_ttl: Duration,
    /// Longest time a health report may count.
    pub max_ttl: Duration,
    /// Length of the buckets that uptime is counted in.
    pub uptime_bucket: Duration,
    /// How long uptime is kept; `None` for ever.
    pub uptime_retention: Option<Duration>,
}

/// The chat service.
#[derive(Clone, Debug)]
pub struct Aggregator {
    /// Address to listen on when it runs as its own process.
    pub host: IpAddr,
    /// Port to listen on when it runs as its own process.
    pub port: u16,
    /// Serves `/docs` and logs for people.
    pub debug: bool,
    /// Internal address of the backend.
    pub hub_url: Url,
    /// Browser origins that may call it; `*` means any.
    pub cors_origins: Vec<String>,
    /// Longest time for one data source.
    pub retrieval_timeout: Duration,
    /// Longest time for the model.
    pub generation_timeout: Duration,
    /// Longest time for a whole request.
    pub total_timeout: Duration,
    /// Documents per source when the request names no number.
    pub default_top_k: u32,
    /// Most documents per source.
    pub max_top_k: u32,
    /// Most data sources of one request.
    pub max_data_sources: u32,
    /// Whether tokens of the model are passed on as they arrive.
    pub model_streaming: bool,
    /// Whether guests are refused.
    pub require_auth: bool,
    /// How sources, documents and prompts are treated.
    pub rules: Box<ChatRules>,
    /// Published model that answers at `/q`.
    pub query_model: Option<EndpointPath>,
    /// Published data source that fetches web addresses named at `/q`.
    pub url_fetcher: Option<EndpointPath>,
}

/// The MCP service.
#[derive(Clone, Debug)]
pub struct Mcp {
    /// Port to listen on when it runs as its own process.
    pub port: u16,
    /// Issuer of the OAuth server, without a trailing slash.
    pub oauth_issuer: String,
    /// An extra accepted audience of OAuth access tokens.
    pub oauth_audience: String,
    /// Public base of the service, without a trailing slash.
    pub api_base_url: String,
    /// Internal address of the backend.
    pub hub_url: Url,
    /// Public origin of the hub.
    pub public_url: Url,
    /// Internal address of the aggregator.
    pub aggregator_url: Url,
    /// Whether hub tokens and personal access tokens are accepted.
    pub accept_hub_tokens: bool,
    /// Browser origins that may call it.
    pub allowed_origins: Vec<String>,
    /// The key that signs its tokens, when the operator pins one.
    pub signing_key: Option<Secret>,
}

/// gRPC between services.
#[derive(Clone, Debug)]
pub struct Grpc {
    /// Address this service listens on for gRPC.
    pub listen: SocketAddr,
    /// Where backend answers gRPC.
    pub hub_grpc_url: String,
    /// Where the aggregator answers gRPC.
    pub aggregator_grpc_url: String,
}

/// Who keeps users' wallets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalletProvider {
    /// Nobody: there are no wallets.
    None,
    /// A ledger of play money in the process.
    Mock,
}

/// Wallets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wallet {
    /// Who keeps them.
    pub provider: WalletProvider,
    /// What one user may spend in 24 hours, in whole dollars.
    pub daily_limit_usd: u32,
}
