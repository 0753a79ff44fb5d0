//! The settings of a process, as plain values. Nothing here reads anything: see [`crate::load`].

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use url::Url;

use crate::Secret;
use crate::hub_settings::Hub;
use crate::mail_settings::{Mail, OneTimeCodes};
use crate::optional_settings::OptionalParts;
use crate::service_settings::{Aggregator, Audit, Grpc, HealthCheck, Mcp, Passwords, RateLimits, Wallet};
use crate::sign_in_settings::SignIn;

/// Which process loads the settings. It changes defaults (ports, host) and what is required.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `syfthub serve`: everything in one process on one port.
    AllInOne,
    /// `syfthub-backend`.
    Backend,
    /// `syfthub-aggregator`.
    Aggregator,
    /// `syfthub-mcp`.
    Mcp,
}

impl Role {
    /// Returns the name of the program, as used for `application_name` and in log lines.
    pub const fn program(self) -> &'static str {
        match self {
            Self::AllInOne => "syfthub",
            Self::Backend => "syfthub-backend",
            Self::Aggregator => "syfthub-aggregator",
            Self::Mcp => "syfthub-mcp",
        }
    }

    /// Tells whether this process shares its secrets with other processes.
    pub const fn is_service(self) -> bool {
        !matches!(self, Self::AllInOne)
    }
}

/// What kind of installation this is (`ENVIRONMENT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// The default: friendly defaults for one machine.
    Development,
    /// Strict: shared secrets are required between services, no demo.
    Production,
    /// Automated tests.
    Test,
}

impl Environment {
    /// Returns the name as written in `ENVIRONMENT`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
            Self::Test => "test",
        }
    }

    /// Tells whether this is production.
    pub const fn is_production(self) -> bool {
        matches!(self, Self::Production)
    }
}

/// All settings of one process.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Kind of installation.
    pub environment: Environment,
    /// Directory of the database file, generated secrets, the lock and the admin socket.
    pub data_dir: PathBuf,
    /// The HTTP listener.
    pub http: Http,
    /// How the outside sees the hub.
    pub public: PublicUrls,
    /// The database.
    pub database: Database,
    /// Redis, or nothing for the in-process cache.
    pub redis: Option<Redis>,
    /// Master secrets.
    pub secrets: Secrets,
    /// RSA keys given by the operator.
    pub rsa: RsaKeys,
    /// Token life times.
    pub tokens: Tokens,
    /// Logging.
    pub log: Log,
    /// Trace export.
    pub otlp: Otlp,
    /// Separate listener for metrics.
    pub metrics_listen: MetricsListen,
    /// Rate limits.
    pub rate_limits: RateLimits,
    /// Password rules and hashing cost.
    pub passwords: Passwords,
    /// Mail.
    pub mail: Mail,
    /// One-time codes.
    pub one_time_codes: OneTimeCodes,
    /// Parts that a hub may do without.
    pub optional: OptionalParts,
    /// Wallets.
    pub wallet: Wallet,
    /// Sign-in providers.
    pub sign_in: SignIn,
    /// How long the audit log is kept.
    pub audit: Audit,
    /// Endpoint health.
    pub health_check: HealthCheck,
    /// What an administrator may change at run time.
    pub hub: Hub,
    /// Which addresses user-supplied URLs may reach.
    pub egress: Egress,
    /// The chat service.
    pub aggregator: Aggregator,
    /// The MCP service.
    pub mcp: Mcp,
    /// gRPC between services.
    pub grpc: Grpc,
    /// Whether an empty hub starts the sample node (one process, outside production).
    pub demo: bool,
}

/// Where the data is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A SQLite file; a relative path is relative to the working directory.
    Sqlite(PathBuf),
    /// A `postgresql://` URL with percent-encoded user information and without pool options.
    Postgres(Secret),
}

/// Database connection settings.
#[derive(Clone, Debug)]
pub struct Database {
    /// Where the data is.
    pub url: DatabaseUrl,
    /// Log every statement at debug level (`DATABASE_ECHO`).
    pub echo: bool,
    /// Connections kept open (`DB_POOL_SIZE`).
    pub pool_size: u32,
    /// Connections opened above `pool_size` under load (`DB_MAX_OVERFLOW`).
    pub max_overflow: u32,
    /// How long a request waits for a connection (`DB_POOL_TIMEOUT_SECONDS`).
    pub pool_timeout: Duration,
    /// What PostgreSQL shows in `pg_stat_activity`.
    pub application_name: String,
}

/// Redis connection settings.
#[derive(Clone, Debug)]
pub struct Redis {
    /// `redis://` or `rediss://` URL with percent-encoded user information.
    pub url: Secret,
}

/// Which addresses a URL supplied by a user may reach (`EGRESS_ALLOW`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EgressAllow {
    /// Public addresses only.
    Public,
    /// Public addresses and this machine.
    Loopback,
    /// Public, loopback and private addresses.
    Private,
}

/// Outbound requests to URLs that users supplied.
#[derive(Clone, Debug)]
pub struct Egress {
    /// Which addresses are allowed.
    pub allow: EgressAllow,
    /// Ports on loopback and private addresses where the hub's own internals listen; refused there in
    /// every mode. A public address may use any port.
    pub internal_ports: Vec<u16>,
}

/// Lowest severity that is logged (`LOG_LEVEL`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Everything of ours.
    Debug,
    /// Normal events.
    Info,
    /// Something is not as it should be.
    Warning,
    /// A request or job failed.
    Error,
    /// The process cannot do its work.
    Critical,
}

impl LogLevel {
    /// Returns the name as written in `LOG_LEVEL` and in log lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    /// Reads a name, in any case; `warn` is `warning`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "debug" | "trace" => Some(Self::Debug),
            "info" => Some(Self::Info),
            "warning" | "warn" => Some(Self::Warning),
            "error" => Some(Self::Error),
            "critical" | "fatal" => Some(Self::Critical),
            _ => None,
        }
    }
}

/// Shape of the log lines on standard output (`LOG_FORMAT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Text for people.
    Console,
}

/// Logging settings.
#[derive(Clone, Debug)]
pub struct Log {
    /// Lowest severity that is logged.
    pub level: LogLevel,
    /// Shape of the lines on standard output.
    pub format: LogFormat,
    /// Log headers of requests, redacted and cut.
    pub request_headers: bool,
    /// Log request bodies, redacted and cut.
    pub request_body: bool,
    /// Log bodies of error responses, redacted and cut.
    pub response_body: bool,
    /// Directory of `application.log`, `errors.log` and `audit.log`; none means no files.
    pub dir: Option<PathBuf>,
}

/// Trace export settings.
#[derive(Clone, Debug, Default)]
pub struct Otlp {
    /// gRPC endpoint of the collector, for example `http://localhost:4317`; none means no export.
    pub endpoint: Option<String>,
}

/// A separate listener for `/metrics`, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsListen(pub Option<SocketAddr>);

/// Master secrets. None of them is ever stored in the database.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// The master key (`SECRET_KEY`), at least 32 bytes.
    pub secret_key: Secret,
    /// The master key before the last rotation; only unwraps what it wrapped.
    pub secret_key_previous: Option<Secret>,
    /// Key of the hub's own tokens; derived from the master key when unset.
    pub jwt_secret: Option<Secret>,
    /// Wraps the keys of what is sealed at rest; the master key does when unset.
    pub encryption_key: Option<EncryptionKey>,
}

/// The 32 bytes of `ENCRYPTION_KEY_BASE64`. `Debug` prints `[REDACTED]`; the memory is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptionKey([u8; 32]);

impl EncryptionKey {
    /// Wraps key bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the key bytes.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[REDACTED]")
    }
}

impl Drop for EncryptionKey {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

/// RSA keys that the operator pins. With none the hub generates its own and keeps them in the database.
#[derive(Clone, Debug)]
pub struct RsaKeys {
    /// PEM text of the private key.
    pub private_pem: Option<Secret>,
    /// PEM text of the public key.
    pub public_pem: Option<String>,
    /// Bits of a generated key.
    pub size: u32,
}

/// What a used refresh token means (`REFRESH_TOKEN_ROTATION`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshRotation {
    /// Each refresh token works once; using it again ends the whole session.
    Strict,
    /// A refresh token works until it expires.
    Off,
}

/// Life times of tokens.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Life of an access token.
    pub access_ttl: Duration,
    /// Life of a refresh token.
    pub refresh_ttl: Duration,
    /// Life of a satellite token.
    pub satellite_ttl: Duration,
    /// What a used refresh token means.
    pub rotation: RefreshRotation,
    /// `iss` of satellite tokens (`ISSUER_URL`), without a trailing slash.
    pub issuer: String,
}

/// How the outside sees the hub. The texts have no trailing slash.
#[derive(Clone, Debug)]
pub struct PublicUrls {
    /// The one origin (`SYFTHUB_PUBLIC_URL`).
    pub public: Url,
    /// Public base of the MCP service (`API_BASE_URL`).
    pub api_base: String,
    /// Issuer of the OAuth server (`OAUTH_ISSUER`).
    pub oauth_issuer: String,
    /// Base of the web app (`FRONTEND_URL`).
    pub frontend: String,
    /// Browser origins that may call the API (`CORS_ORIGINS`); `*` means any.
    pub cors_origins: Vec<String>,
    /// Whether `public` only follows from the listener's address.
    pub from_listener: bool,
}

impl PublicUrls {
    /// Returns the public origin without a trailing slash, for gluing paths onto.
    pub fn origin(&self) -> &str {
        self.public.as_str().trim_end_matches('/')
    }
}

/// The HTTP listener.
#[derive(Clone, Debug)]
pub struct Http {
    /// Address to listen on.
    pub host: IpAddr,
    /// Port to listen on; 0 lets the system choose.
    pub port: u16,
    /// Networks whose `X-Real-IP` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Largest request body in bytes.
    pub body_limit: usize,
    /// How long running requests may take after a stop signal.
    pub shutdown_grace: Duration,
    /// How long a service goes on after a stop signal with its readiness off.
    pub shutdown_delay: Duration,
}

impl Http {
    /// Returns the address to bind.
    pub const fn listen(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }
}
