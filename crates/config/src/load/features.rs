//! Tokens, limits, health, and the services' own settings.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use syfthub_domain::EndpointPath;
use url::Url;

use super::addresses::constant;
use crate::reader::{Reader, trimmed};
use crate::{
    Aggregator, Argon2Params, Environment, Grpc, Http, Mcp, Passwords, PublicUrls, RateLimits,
    RefreshRotation, Role, Rule, Tokens,
};

/// Passwords that may wait for a hashing thread; at about 100 ms each on one core this is some seconds.
const HASH_QUEUE: usize = 64;

/// Reads the life times of tokens.
pub(super) fn tokens(reader: &mut Reader, public: &PublicUrls) -> Tokens {
    let minutes = reader.integer("ACCESS_TOKEN_EXPIRE_MINUTES", 30);
    let days = reader.integer("REFRESH_TOKEN_EXPIRE_DAYS", 7);
    let seconds = reader.integer("SATELLITE_TOKEN_EXPIRE_SECONDS", 60);
    let rotation = match reader.choice("REFRESH_TOKEN_ROTATION", "strict") {
        "off" => RefreshRotation::Off,
        _ => RefreshRotation::Strict,
    };
    Tokens {
        access_ttl: Duration::from_mins(u64::from(minutes)),
        refresh_ttl: Duration::from_hours(24 * u64::from(days)),
        satellite_ttl: Duration::from_secs(u64::from(seconds)),
        rotation,
        issuer: trimmed(&reader.url_or("ISSUER_URL", public.public.clone())),
    }
}

/// Reads the rate limits.
pub(super) fn rate_limits(reader: &mut Reader) -> RateLimits {
    let rule = |reader: &mut Reader, max: &'static str, window: &'static str, default: u32| {
        let max = reader.integer(max, default);
        Rule::per_seconds(max, u64::from(reader.integer(window, 60)))
    };
    RateLimits {
        enabled: reader.flag("RATE_LIMIT_ENABLED", true),
        fail_open: reader.flag("RATE_LIMIT_FAIL_OPEN", true),
        auth: rule(reader, "AUTH_RATE_LIMIT_MAX", "AUTH_RATE_LIMIT_WINDOW_SECONDS", 10),
        refresh: rule(reader, "REFRESH_RATE_LIMIT_MAX", "REFRESH_RATE_LIMIT_WINDOW_SECONDS", 60),
        guest_token: rule(reader, "GUEST_TOKEN_RATE_LIMIT_MAX", "GUEST_TOKEN_RATE_LIMIT_WINDOW_SECONDS", 60),
        chat: rule(reader, "CHAT_RATE_LIMIT_MAX", "CHAT_RATE_LIMIT_WINDOW_SECONDS", 60),
    }
}

/// Reads the password rules. The cost of the hash is not a setting, so that nobody weakens it.
pub(super) fn passwords(reader: &mut Reader) -> Passwords {
    let shortest = reader.integer("PASSWORD_MIN_LENGTH", 8);
    Passwords {
        min_length: usize::try_from(shortest).unwrap_or(8),
        argon2: Argon2Params::STANDARD,
        max_queue: HASH_QUEUE,
    }
}

fn default_hub_url(environment: Environment) -> Url {
    constant(if environment.is_production() { "http://backend:8000" } else { "http://localhost:8000" })
}

/// Reads the internal address of the backend, which the aggregator must be told in production.
fn hub_url(reader: &mut Reader, environment: Environment) -> Url {
    let common = reader.url_or("SYFTHUB_URL", default_hub_url(environment));
    let own = reader.url_or("AGGREGATOR_SYFTHUB_URL", common);
    let set = reader.sources.is_set("SYFTHUB_URL") || reader.sources.is_set("AGGREGATOR_SYFTHUB_URL");
    if reader.role == Role::Aggregator && environment.is_production() && !set {
        let message = "is not set; the aggregator needs the internal address of the backend, for example \
                       http://backend:8000";
        reader.problem("AGGREGATOR_SYFTHUB_URL", message);
    }
    own
}

/// Reads the settings of the chat service.
pub(super) fn aggregator(reader: &mut Reader, environment: Environment, http: &Http) -> Aggregator {
    let default_top_k = reader.integer("AGGREGATOR_DEFAULT_TOP_K", 5);
    let max_top_k = reader.integer("AGGREGATOR_MAX_TOP_K", 20);
    if default_top_k > max_top_k {
        reader.problem("AGGREGATOR_DEFAULT_TOP_K", "must not be greater than AGGREGATOR_MAX_TOP_K");
    }
    let (retrieval_timeout, generation_timeout, total_timeout) = chat_times(reader);
    Aggregator {
        host: http.host,
        port: http.port,
        debug: reader.flag("AGGREGATOR_DEBUG", false),
        hub_url: hub_url(reader, environment),
        cors_origins: reader.list("AGGREGATOR_CORS_ORIGINS", vec!["*".to_owned()]),
        retrieval_timeout,
        generation_timeout,
        total_timeout,
        default_top_k,
        max_top_k,
        max_data_sources: reader.integer("AGGREGATOR_MAX_DATA_SOURCES", 10),
        model_streaming: reader.flag("AGGREGATOR_MODEL_STREAMING_ENABLED", true),
        require_auth: reader.flag("AGGREGATOR_REQUIRE_AUTH", false),
        rules: Box::new(super::chat::chat_rules(reader)),
        query_model: published_path(reader, "AGGREGATOR_DEFAULT_QUERY_MODEL"),
        url_fetcher: published_path(reader, "AGGREGATOR_URL_FETCHER_SLUG"),
    }
}

/// Reads how long the stages of a chat, and the whole, may take. A total that ends before the stages do is accepted,
/// since each stage stops with it, but hardly what somebody wants.
fn chat_times(reader: &mut Reader) -> (Duration, Duration, Duration) {
    let retrieval = reader.seconds("AGGREGATOR_RETRIEVAL_TIMEOUT", 30);
    let generation = reader.seconds("AGGREGATOR_GENERATION_TIMEOUT", 120);
    let total = reader.seconds("AGGREGATOR_TOTAL_TIMEOUT", 180);
    if total <= retrieval {
        reader.warnings.push(format!(
            "AGGREGATOR_TOTAL_TIMEOUT ({} s) is not greater than AGGREGATOR_RETRIEVAL_TIMEOUT ({} s): one data source that \
             hangs uses up the time for the answer; set the first to at least the time for retrieval plus the time for \
             the model",
            total.as_secs(),
            retrieval.as_secs()
        ));
    } else if total < generation {
        reader.warnings.push(format!(
            "AGGREGATOR_TOTAL_TIMEOUT ({} s) is less than AGGREGATOR_GENERATION_TIMEOUT ({} s), which can so never be used up",
            total.as_secs(),
            generation.as_secs()
        ));
    }
    (retrieval, generation, total)
}

/// Reads `owner/slug`; an empty text is none.
fn published_path(reader: &mut Reader, name: &'static str) -> Option<EndpointPath> {
    let parse = |_, text: &str| match text.trim() {
        "" => Some(None),
        text => EndpointPath::parse(text).map(Some),
    };
    let show = |path: &Option<EndpointPath>| path.as_ref().map(ToString::to_string).unwrap_or_default();
    reader.optional(name, parse, show).flatten()
}

/// Reads the settings of the MCP service. `aggregator` brings what was read for both.
pub(super) fn mcp(
    reader: &mut Reader,
    environment: Environment,
    public: &PublicUrls,
    aggregator: &Aggregator,
) -> Mcp {
    let production = environment.is_production();
    let chat = constant(if production { "http://aggregator:8001" } else { "http://localhost:8001" });
    Mcp {
        port: aggregator.port,
        oauth_issuer: public.oauth_issuer.clone(),
        oauth_audience: reader.text("OAUTH_AUDIENCE", "mcp-server"),
        api_base_url: public.api_base.clone(),
        hub_url: aggregator.hub_url.clone(),
        public_url: public.public.clone(),
        aggregator_url: reader.url_or("AGGREGATOR_URL", chat),
        accept_hub_tokens: reader.flag("MCP_ACCEPT_HUB_TOKENS", false),
        signing_key: super::secrets::mcp_key(reader),
        allowed_origins: public.cors_origins.clone(),
    }
}

/// Reads where services speak gRPC.
pub(super) fn grpc(reader: &mut Reader, http: &Http, aggregator: &Aggregator, mcp: &Mcp) -> Grpc {
    let port = match reader.role {
        Role::Backend => reader.port("GRPC_PORT", 9000),
        Role::Aggregator => reader.port("GRPC_PORT", 9001),
        // These two serve no gRPC of their own.
        Role::AllInOne | Role::Mcp => 0,
    };
    let hub = reader.url_or("BACKEND_GRPC_URL", with_port(&aggregator.hub_url, 9000));
    let chat = reader.url_or("AGGREGATOR_GRPC_URL", with_port(&mcp.aggregator_url, 9001));
    let host: IpAddr = http.host;
    Grpc {
        listen: SocketAddr::new(host, port),
        hub_grpc_url: trimmed(&hub),
        aggregator_grpc_url: trimmed(&chat),
    }
}

/// gRPC between services is plain HTTP/2 inside the private network.
fn with_port(url: &Url, port: u16) -> Url {
    let host = url.host_str().unwrap_or("localhost");
    Url::parse(&format!("http://{host}:{port}")).unwrap_or_else(|_| url.clone())
}
