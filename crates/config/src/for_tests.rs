//! Settings for tests: cheap, complete, and without reading anything.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use url::Url;

use crate::chat_settings::ChatRules;
use crate::hub_settings::{Hub, RegistrationMode};
use crate::mail_settings::{Mail, MailProvider, OneTimeCodes};
use crate::optional_settings::OptionalParts;
use crate::service_settings::{
    Aggregator, Argon2Params, Audit, Grpc, HealthCheck, Mcp, Passwords, RateLimits, Rule, Wallet,
    WalletProvider,
};
use crate::settings::{
    Database, DatabaseUrl, Egress, EgressAllow, Environment, Http, Log, LogFormat, LogLevel, MetricsListen,
    Otlp, PublicUrls, RefreshRotation, RsaKeys, Secrets, Settings, Tokens,
};
use crate::sign_in_settings::SignIn;
use crate::{DEFAULT_BODY_LIMIT, Secret};

const PUBLIC: &str = "http://localhost:8080";
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

impl Settings {
    /// Builds settings for a test: SQLite in `data_dir`, no Redis, free ports on loopback, cheap password
    /// hashing, generous rate limits, egress to loopback allowed. Nothing is read or written.
    pub fn for_tests(data_dir: &Path) -> Self {
        #[expect(clippy::expect_used, reason = "a constant that a test of this crate parses")]
        let public = Url::parse(PUBLIC).expect("a valid address");
        let generous = Rule::per_seconds(10_000, 60);
        Self {
            environment: Environment::Test,
            data_dir: data_dir.to_path_buf(),
            http: Http {
                host: LOOPBACK,
                port: 0,
                trusted_proxies: Vec::new(),
                body_limit: DEFAULT_BODY_LIMIT,
                shutdown_grace: Duration::from_secs(5),
                shutdown_delay: Duration::ZERO,
            },
            public: test_public(public.clone()),
            database: test_database(data_dir),
            redis: None,
            secrets: Secrets {
                secret_key: Secret::new("test-master-key-of-at-least-32-bytes"),
                secret_key_previous: None,
                jwt_secret: None,
                encryption_key: None,
            },
            rsa: RsaKeys { private_pem: None, public_pem: None, size: 2048 },
            tokens: test_tokens(),
            log: TEST_LOG,
            otlp: Otlp::default(),
            metrics_listen: MetricsListen(None),
            rate_limits: RateLimits {
                enabled: true,
                fail_open: true,
                auth: generous,
                refresh: generous,
                guest_token: generous,
                chat: generous,
            },
            passwords: Passwords { min_length: 8, argon2: Argon2Params::CHEAP, max_queue: 64 },
            optional: OptionalParts::for_tests(),
            audit: TEST_AUDIT,
            health_check: test_health_check(),
            hub: test_hub(),
            mail: test_mail(),
            wallet: Wallet { provider: WalletProvider::None, daily_limit_usd: 50 },
            sign_in: SignIn::default(),
            one_time_codes: TEST_CODES,
            egress: Egress { allow: EgressAllow::Loopback, internal_ports: Vec::new() },
            aggregator: test_aggregator(public.clone()),
            mcp: test_mcp(public),
            grpc: test_grpc(),
            demo: false,
        }
    }
}

fn test_grpc() -> Grpc {
    Grpc {
        listen: SocketAddr::new(LOOPBACK, 0),
        hub_grpc_url: "http://127.0.0.1:9000".to_owned(),
        aggregator_grpc_url: "http://127.0.0.1:9001".to_owned(),
    }
}

const TEST_AUDIT: Audit = Audit {
    retention: Some(Duration::from_hours(24 * 365)),
    activity_retention: Duration::from_hours(24 * 90),
};

const TEST_LOG: Log = Log {
    level: LogLevel::Info,
    format: LogFormat::Json,
    request_headers: false,
    request_body: false,
    response_body: false,
    dir: None,
};

fn test_hub() -> Hub {
    Hub {
        registration: RegistrationMode::Open,
        allowed_domains: Vec::new(),
        guest_access: true,
        instance_name: "SyftHub".to_owned(),
    }
}

fn test_mail() -> Mail {
    Mail {
        provider: MailProvider::None,
        from_email: "hub@localhost".to_owned(),
        from_name: "SyftHub".to_owned(),
        max_tries: 3,
        retry_delay: Duration::from_secs(2),
    }
}

const TEST_CODES: OneTimeCodes = OneTimeCodes {
    life: Duration::from_mins(10),
    max_attempts: 5,
    per_email: Rule::per_seconds(3, 600),
    per_ip: Rule::per_seconds(1000, 600),
    cleanup_interval: Duration::from_hours(1),
    cleanup_retention: Duration::from_hours(24),
};

fn test_public(public: Url) -> PublicUrls {
    PublicUrls {
        public,
        api_base: format!("{PUBLIC}/mcp"),
        oauth_issuer: format!("{PUBLIC}/mcp"),
        frontend: PUBLIC.to_owned(),
        cors_origins: vec![PUBLIC.to_owned()],
        from_listener: false,
    }
}

fn test_database(data_dir: &Path) -> Database {
    Database {
        url: DatabaseUrl::Sqlite(data_dir.join("syfthub.db")),
        echo: false,
        pool_size: 4,
        max_overflow: 4,
        pool_timeout: Duration::from_secs(10),
        application_name: "syfthub-test".to_owned(),
    }
}

fn test_tokens() -> Tokens {
    Tokens {
        access_ttl: Duration::from_mins(30),
        refresh_ttl: Duration::from_hours(168),
        satellite_ttl: Duration::from_mins(1),
        rotation: RefreshRotation::Strict,
        issuer: PUBLIC.to_owned(),
    }
}

fn test_health_check() -> HealthCheck {
    HealthCheck {
        // Tests say themselves when the monitor looks.
        enabled: false,
        interval: Duration::from_secs(30),
        timeout: Duration::from_secs(5),
        max_concurrent: 20,
        failure_threshold: 3,
        paths: vec!["/api/v1/health".to_owned(), "/health".to_owned(), "/".to_owned()],
        default_ttl: Duration::from_mins(5),
        max_ttl: Duration::from_mins(30),
        uptime_bucket: Duration::from_mins(30),
        uptime_retention: Some(Duration::from_hours(24 * 90)),
    }
}

fn test_aggregator(hub_url: Url) -> Aggregator {
    Aggregator {
        host: LOOPBACK,
        port: 0,
        debug: false,
        hub_url,
        cors_origins: vec!["*".to_owned()],
        retrieval_timeout: Duration::from_secs(30),
        generation_timeout: Duration::from_mins(2),
        total_timeout: Duration::from_mins(3),
        default_top_k: 5,
        max_top_k: 20,
        max_data_sources: 10,
        model_streaming: true,
        require_auth: false,
        rules: Box::new(ChatRules::for_tests()),
        query_model: None,
        url_fetcher: None,
    }
}

fn test_mcp(public: Url) -> Mcp {
    Mcp {
        port: 0,
        oauth_issuer: format!("{PUBLIC}/mcp"),
        oauth_audience: "mcp-server".to_owned(),
        api_base_url: format!("{PUBLIC}/mcp"),
        hub_url: public.clone(),
        public_url: public.clone(),
        aggregator_url: public,
        accept_hub_tokens: false,
        signing_key: None,
        allowed_origins: vec![PUBLIC.to_owned()],
    }
}
