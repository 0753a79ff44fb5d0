//! Settings of the foundation: deployment, addresses, secrets, tokens, logs and storage.

use super::{Kind, Section, SettingDoc};
use crate::Role;

const fn setting(
    name: &'static str,
    section: Section,
    kind: Kind,
    default: &'static str,
    doc: &'static str,
) -> SettingDoc {
    SettingDoc::new(name, section, kind, default, doc)
}

pub(super) const SETTINGS: &[SettingDoc] = &[
    // --- Deployment
    setting("COMPOSE_FILE", Section::Deployment, Kind::Text, "docker-compose.deploy.yml",
        "The compose file that a bare `docker compose` uses; several are separated by colons.")
        .only(&[]).example("docker-compose.deploy.yml"),
    setting("GITHUB_REPOSITORY", Section::Deployment, Kind::Text, "",
        "Repository whose images are deployed, for example `org/syfthub`, in lower case.")
        .only(&[]).required("in production with compose").example("your-org/syfthub"),
    setting("IMAGE_TAG", Section::Deployment, Kind::Text, "latest", "Tag of the images that are deployed.")
        .only(&[]).example("latest"),
    setting("DB_PASSWORD", Section::Deployment, Kind::Text, "",
        "Password of the PostgreSQL user `syfthub`. The compose files build `DATABASE_URL` from it; a value \
         from `openssl rand -base64 24` works as it is.")
        .only(&[]).required("with compose").example(""),
    setting("REDIS_PASSWORD", Section::Deployment, Kind::Text, "",
        "Password of Redis. The compose files build `REDIS_URL` from it; a value from `openssl rand -base64 24` \
         works as it is.")
        .only(&[]).required("in production with compose").example(""),
    setting("DOMAIN", Section::Deployment, Kind::Text, "localhost",
        "Domain of the hub, for TLS, CORS and all public addresses. `localhost` outside production counts as \
         not set.")
        .required("in production, unless SYFTHUB_PUBLIC_URL is set").example("localhost"),
    // --- General
    setting("ENVIRONMENT", Section::General, Kind::Choice(&["development", "production", "staging", "test"]),
        "development",
        "Kind of installation. `production` requires shared secrets between services and never starts the demo; \
         `staging` is as strict.")
        .aliases(&["NODE_ENV", "HIVE_ENV"]),
    setting("SYFTHUB_DATA_DIR", Section::General, Kind::Path, "./data",
        "Directory of the database file, generated secrets, the lock and the admin socket.")
        .aliases(&["DATA_DIR"]),
    setting("SYFTHUB_DEMO", Section::General, Kind::Flag, "true",
        "Start the sample node on an empty hub. Never happens in production.")
        .only(&[Role::AllInOne]),
    setting("SHUTDOWN_GRACE_SECONDS", Section::General, Kind::Seconds { min: 0, max: 600 }, "30",
        "How long running requests may take after a stop signal."),
    setting("SHUTDOWN_DELAY_SECONDS", Section::General, Kind::Seconds { min: 0, max: 60 }, "0",
        "How long a service goes on after a stop signal with its readiness off, so that a balancer that asks \
         for it notices before the port closes. A second signal cuts it short.")
        .only(&[Role::Backend, Role::Aggregator, Role::Mcp]),
    setting("MAX_BODY_BYTES", Section::General, Kind::Integer { min: 1024, max: 1_073_741_824 }, "10485760",
        "Largest request body in bytes."),
    // --- Addresses
    setting("HOST", Section::Addresses, Kind::Host, "127.0.0.1 for `syfthub serve`, else 0.0.0.0",
        "Address to listen on."),
    setting("PORT", Section::Addresses, Kind::Port, "8080 for `syfthub serve`, 8000 for the backend",
        "Port to listen on.")
        .only(&[Role::AllInOne, Role::Backend]),
    setting("SYFTHUB_PUBLIC_URL", Section::Addresses, Kind::Origin,
        "`https://$DOMAIN`; without a domain the listener's address (http://localhost:8080 for services)",
        "The one public origin of the hub. The other public addresses follow from it.")
        .required("in production with several services, unless DOMAIN is set"),
    setting("ISSUER_URL", Section::Addresses, Kind::Url, "SYFTHUB_PUBLIC_URL",
        "Issuer (`iss`) of satellite tokens."),
    setting("FRONTEND_URL", Section::Addresses, Kind::Url, "SYFTHUB_PUBLIC_URL",
        "Base of the web app, for links to it."),
    setting("CORS_ORIGINS", Section::Addresses, Kind::List,
        "the public origin; outside production also http://localhost:3000, :5173, :5174 and :8080",
        "Browser origins that may call the API; `*` means any."),
    setting("TRUSTED_PROXIES", Section::Addresses, Kind::Networks,
        "none for `syfthub serve`; loopback for services (the compose files name their network)",
        "Networks of the proxies whose `X-Real-IP` header is believed. Name the proxy and nothing wider: \
         whoever is believed chooses the address that limits count by."),
    setting("EGRESS_ALLOW", Section::Addresses, Kind::Choice(&["public", "loopback", "private"]),
        "loopback when listening on loopback outside production, else public",
        "Which addresses the hub may reach when a user supplied the URL: public ones, also this machine, or also \
         private networks. Cloud metadata, link-local addresses and the hub's own internal ports are always \
         refused."),
    setting("AGGREGATOR_ALLOW_PRIVATE_NETWORKS", Section::Addresses, Kind::Flag, "false",
        "`true` is the same as EGRESS_ALLOW=private.")
        .aliases(&["SSRF_ALLOW_PRIVATE"]),
    // --- Secrets and keys
    setting("SECRET_KEY", Section::Secrets, Kind::Strong,
        "generated once into `{data directory}/secrets/secret_key` by `syfthub serve`",
        "The master key: service identity, the hub's tokens unless JWT_SECRET is set, and wrapping of sealed keys \
         unless ENCRYPTION_KEY_BASE64 is set. The same for all services. Generate with `openssl rand -hex 32`.")
        .secret().required("by every service (generated by `syfthub serve`)").example(""),
    setting("SECRET_KEY_PREVIOUS", Section::Secrets, Kind::Text, "",
        "The master key before a change, so that what it sealed can still be opened.")
        .secret(),
    setting("JWT_SECRET", Section::Secrets, Kind::Strong, "derived from SECRET_KEY",
        "Key of the hub's own tokens. Changing it ends all sessions and nothing else.")
        .secret(),
    setting("ENCRYPTION_KEY_BASE64", Section::Secrets, Kind::Key32, "derived from SECRET_KEY",
        "32 bytes in base64 that wrap the keys of everything sealed at rest.")
        .secret(),
    setting("RSA_PRIVATE_KEY_PEM", Section::Secrets, Kind::Pem, "generated once, sealed in the database",
        "Private RSA key that signs satellite tokens: PEM or its base64. All replicas share the generated key, so \
         this is only needed to pin a key of your own.")
        .aliases(&["RSA_PRIVATE_KEY"]).secret(),
    setting("RSA_PUBLIC_KEY_PEM", Section::Secrets, Kind::Pem, "derived from the private key",
        "Public RSA key that belongs to RSA_PRIVATE_KEY_PEM: PEM or its base64."),
    setting("RSA_PRIVATE_KEY_PATH", Section::Secrets, Kind::Path, "", "File with the private RSA key as PEM."),
    setting("RSA_PUBLIC_KEY_PATH", Section::Secrets, Kind::Path, "", "File with the public RSA key as PEM."),
    setting("MCP_RSA_PRIVATE_KEY_PEM", Section::Secrets, Kind::Pem, "generated once, sealed in the database",
        "Private RSA key that signs the tokens of the OAuth server: PEM or its base64. Another key than \
         RSA_PRIVATE_KEY_PEM, given to every replica of the MCP service; only needed to pin a key of your own.")
        .secret(),
    setting("MCP_RSA_PRIVATE_KEY_PATH", Section::Secrets, Kind::Path, "",
        "File with the private RSA key of the OAuth server as PEM."),
    setting("RSA_KEY_SIZE", Section::Secrets, Kind::Choice(&["2048", "3072", "4096"]), "2048",
        "Bits of a generated RSA key."),
    // --- Tokens
    setting("ACCESS_TOKEN_EXPIRE_MINUTES", Section::Tokens, Kind::Integer { min: 1, max: 10_080 }, "30",
        "Life of an access token in minutes.")
        .example("30"),
    setting("REFRESH_TOKEN_EXPIRE_DAYS", Section::Tokens, Kind::Integer { min: 1, max: 365 }, "7",
        "Life of a refresh token in days.")
        .example("7"),
    setting("REFRESH_TOKEN_ROTATION", Section::Tokens, Kind::Choice(&["strict", "off"]), "strict",
        "`strict`: a refresh token works once and using it again ends the session. `off`: it works until it \
         expires."),
    setting("SATELLITE_TOKEN_EXPIRE_SECONDS", Section::Tokens, Kind::Integer { min: 10, max: 3600 }, "60",
        "Life of a satellite token in seconds."),
    // --- Logging
    setting("LOG_LEVEL", Section::Logging, Kind::Choice(&["debug", "info", "warning", "error", "critical"]), "info",
        "Lowest severity that is logged."),
    setting("LOG_FORMAT", Section::Logging, Kind::Choice(&["json", "console"]), "json",
        "`json`: one object per line. `console`: text for people."),
    setting("LOG_REQUEST_HEADERS", Section::Logging, Kind::Flag, "false",
        "Log the headers of requests, with credentials, cookies and keys replaced and long values cut."),
    setting("LOG_REQUEST_BODY", Section::Logging, Kind::Flag, "false",
        "Log request bodies, with secrets replaced and long texts cut. They may still hold personal data."),
    setting("LOG_RESPONSE_BODY", Section::Logging, Kind::Flag, "false",
        "Log the bodies of error responses, with secrets replaced and long texts cut."),
    setting("LOG_DIR", Section::Logging, Kind::Path, "",
        "Directory of `application.log`, `errors.log` and `audit.log`, rotated at 10 MB with 5 old files kept. \
         Without it nothing is written to files."),
    setting("OTEL_EXPORTER_OTLP_ENDPOINT", Section::Logging, Kind::Url, "",
        "Collector that receives traces over gRPC, for example `http://localhost:4317`. Without it nothing is \
         exported."),
    setting("METRICS_LISTEN", Section::Logging, Kind::Listener, "127.0.0.1:9464 for `syfthub serve`, else off",
        "Extra listener for `/metrics`. Services also answer `/metrics` on their own port, which the proxy hides."),
    // --- Storage
    setting("DATABASE_URL", Section::Storage, Kind::Database, "sqlite: `{data directory}/syfthub.db`",
        "The database. `sqlite:///x.db` is relative, four slashes are absolute; `postgres://`, `postgresql://` and \
         `postgresql+driver://` are the same. Passwords need no escaping. `pool_size`, `max_overflow`, \
         `pool_timeout`, `pool_recycle`, `pool_pre_ping` and `echo` in the query are accepted and removed.")
        .secret().only(&[Role::AllInOne, Role::Backend]).required("by the backend in production"),
    setting("DATABASE_ECHO", Section::Storage, Kind::Flag, "false", "Log every SQL statement (debugging only).")
        .only(&[Role::AllInOne, Role::Backend]),
    setting("DB_POOL_SIZE", Section::Storage, Kind::Integer { min: 1, max: 1000 }, "10",
        "Database connections kept open.")
        .only(&[Role::AllInOne, Role::Backend]),
    setting("DB_MAX_OVERFLOW", Section::Storage, Kind::Integer { min: 0, max: 1000 }, "10",
        "Database connections opened above DB_POOL_SIZE under load.")
        .only(&[Role::AllInOne, Role::Backend]),
    setting("DB_POOL_TIMEOUT_SECONDS", Section::Storage, Kind::Seconds { min: 1, max: 600 }, "10",
        "How long a request waits for a database connection.")
        .only(&[Role::AllInOne, Role::Backend]),
    setting("REDIS_URL", Section::Storage, Kind::Redis, "in-process memory",
        "Redis, shared by all services and replicas. One process needs none. Passwords need no escaping.")
        .secret().required("by every service in production"),
];
