//! Settings of single features and services.

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

const COUNT: Kind = Kind::Integer { min: 1, max: 1_000_000 };
const WINDOW: Kind = Kind::Integer { min: 1, max: 86_400 };
const TIMEOUT: Kind = Kind::Seconds { min: 1, max: 3600 };
const CHAT: &[Role] = &[Role::AllInOne, Role::Aggregator];
const HUB: &[Role] = &[Role::AllInOne, Role::Backend];

pub(super) const SETTINGS: &[SettingDoc] = &[
    // --- Limits
    setting("RATE_LIMIT_ENABLED", Section::Limits, Kind::Flag, "true", "Enforce rate limits."),
    setting(
        "RATE_LIMIT_FAIL_OPEN",
        Section::Limits,
        Kind::Flag,
        "true",
        "Let requests pass while the counters cannot be reached.",
    ),
    setting(
        "AUTH_RATE_LIMIT_MAX",
        Section::Limits,
        COUNT,
        "10",
        "Logins and registrations of one address per window.",
    )
    .only(HUB),
    setting(
        "AUTH_RATE_LIMIT_WINDOW_SECONDS",
        Section::Limits,
        WINDOW,
        "60",
        "Window of AUTH_RATE_LIMIT_MAX.",
    )
    .only(HUB),
    setting(
        "REFRESH_RATE_LIMIT_MAX",
        Section::Limits,
        COUNT,
        "60",
        "Session refreshes of one address per window.",
    )
    .only(HUB),
    setting(
        "REFRESH_RATE_LIMIT_WINDOW_SECONDS",
        Section::Limits,
        WINDOW,
        "60",
        "Window of REFRESH_RATE_LIMIT_MAX.",
    )
    .only(HUB),
    setting(
        "GUEST_TOKEN_RATE_LIMIT_MAX",
        Section::Limits,
        COUNT,
        "60",
        "Guest satellite tokens of one address per window.",
    )
    .only(HUB),
    setting(
        "GUEST_TOKEN_RATE_LIMIT_WINDOW_SECONDS",
        Section::Limits,
        WINDOW,
        "60",
        "Window of GUEST_TOKEN_RATE_LIMIT_MAX.",
    )
    .only(HUB),
    setting(
        "CHAT_RATE_LIMIT_MAX",
        Section::Limits,
        COUNT,
        "60",
        "Chat requests of one address or token per window.",
    )
    .only(CHAT),
    setting(
        "CHAT_RATE_LIMIT_WINDOW_SECONDS",
        Section::Limits,
        WINDOW,
        "60",
        "Window of CHAT_RATE_LIMIT_MAX.",
    )
    .only(CHAT),
    setting(
        "PASSWORD_MIN_LENGTH",
        Section::Limits,
        Kind::Integer { min: 8, max: 128 },
        "8",
        "Shortest password in characters.",
    )
    .only(HUB),
    // --- Aggregator
    setting("AGGREGATOR_HOST", Section::Aggregator, Kind::Host, "HOST", "Address to listen on.")
        .only(&[Role::Aggregator]),
    setting("AGGREGATOR_PORT", Section::Aggregator, Kind::Port, "8001", "Port to listen on.")
        .only(&[Role::Aggregator]),
    setting(
        "AGGREGATOR_DEBUG",
        Section::Aggregator,
        Kind::Flag,
        "false",
        "Serve the API documentation, and log for people unless a format is set.",
    )
    .only(&[Role::Aggregator]),
    setting(
        "AGGREGATOR_SYFTHUB_URL",
        Section::Aggregator,
        Kind::Url,
        "SYFTHUB_URL",
        "Internal address of the backend, as the aggregator sees it.",
    )
    .only(&[Role::Aggregator])
    .required("by the aggregator in production, unless SYFTHUB_URL is set"),
    setting(
        "AGGREGATOR_CORS_ORIGINS",
        Section::Aggregator,
        Kind::List,
        "[\"*\"]",
        "Browser origins that may call the aggregator; `*` means any.",
    )
    .only(CHAT),
    setting(
        "AGGREGATOR_LOG_LEVEL",
        Section::Aggregator,
        Kind::Choice(&["debug", "info", "warning", "error", "critical"]),
        "LOG_LEVEL",
        "Lowest severity that the aggregator logs.",
    )
    .only(&[Role::Aggregator]),
    setting(
        "AGGREGATOR_LOG_FORMAT",
        Section::Aggregator,
        Kind::Choice(&["json", "console"]),
        "LOG_FORMAT",
        "Shape of the aggregator's log lines.",
    )
    .only(&[Role::Aggregator]),
    setting(
        "AGGREGATOR_LOG_REQUEST_HEADERS",
        Section::Aggregator,
        Kind::Flag,
        "LOG_REQUEST_HEADERS",
        "Log request headers of the aggregator.",
    )
    .only(&[Role::Aggregator]),
    setting(
        "AGGREGATOR_LOG_REQUEST_BODY",
        Section::Aggregator,
        Kind::Flag,
        "LOG_REQUEST_BODY",
        "Log request bodies of the aggregator.",
    )
    .only(&[Role::Aggregator]),
    setting(
        "AGGREGATOR_RETRIEVAL_TIMEOUT",
        Section::Aggregator,
        TIMEOUT,
        "30",
        "Longest time for one data source, in seconds.",
    )
    .only(CHAT),
    setting(
        "AGGREGATOR_GENERATION_TIMEOUT",
        Section::Aggregator,
        TIMEOUT,
        "120",
        "Longest time for the model, in seconds.",
    )
    .only(CHAT),
    setting(
        "AGGREGATOR_TOTAL_TIMEOUT",
        Section::Aggregator,
        TIMEOUT,
        "180",
        "Longest time for a whole request, in seconds.",
    )
    .only(CHAT),
    setting(
        "AGGREGATOR_DEFAULT_TOP_K",
        Section::Aggregator,
        Kind::Integer { min: 1, max: 100 },
        "5",
        "Documents per source when the request names no number.",
    )
    .only(CHAT),
    setting(
        "AGGREGATOR_MAX_TOP_K",
        Section::Aggregator,
        Kind::Integer { min: 1, max: 100 },
        "20",
        "Most documents per source.",
    )
    .only(CHAT),
    setting(
        "AGGREGATOR_MAX_DATA_SOURCES",
        Section::Aggregator,
        Kind::Integer { min: 1, max: 100 },
        "10",
        "Most data sources of one request.",
    )
    .only(CHAT),
    setting(
        "AGGREGATOR_MODEL_STREAMING_ENABLED",
        Section::Aggregator,
        Kind::Flag,
        "true",
        "Pass the model's words on as they arrive.",
    )
    .only(CHAT),
    setting("AGGREGATOR_REQUIRE_AUTH", Section::Aggregator, Kind::Flag, "false", "Refuse guests.").only(CHAT),
    setting(
        "AGGREGATOR_DEFAULT_QUERY_MODEL",
        Section::Aggregator,
        Kind::Text,
        "",
        "Published model that answers at `/q`, as owner/slug. Without it a question there names one itself.",
    )
    .only(CHAT),
    setting(
        "AGGREGATOR_URL_FETCHER_SLUG",
        Section::Aggregator,
        Kind::Text,
        "",
        "Published data source that fetches the web addresses named at `/q`, as owner/slug. Without it they are refused.",
    )
    .only(CHAT),
    // --- MCP
    setting("MCP_PORT", Section::Mcp, Kind::Port, "8002", "Port to listen on.").only(&[Role::Mcp]),
    setting(
        "OAUTH_ISSUER",
        Section::Mcp,
        Kind::Url,
        "`{SYFTHUB_PUBLIC_URL}/mcp`",
        "Issuer of the OAuth server, for example `https://domain.com/mcp`. Must be https in production.",
    )
    .required("in production, unless DOMAIN or SYFTHUB_PUBLIC_URL is set"),
    setting(
        "OAUTH_AUDIENCE",
        Section::Mcp,
        Kind::Text,
        "mcp-server",
        "An extra audience that is accepted in OAuth access tokens.",
    ),
    setting("API_BASE_URL", Section::Mcp, Kind::Url, "OAUTH_ISSUER", "Public base of the MCP server."),
    setting(
        "SYFTHUB_URL",
        Section::Mcp,
        Kind::Url,
        "http://localhost:8000, in production http://backend:8000",
        "Internal address of the backend.",
    )
    .only(&[Role::Aggregator, Role::Mcp]),
    setting(
        "AGGREGATOR_URL",
        Section::Mcp,
        Kind::Url,
        "http://localhost:8001, in production http://aggregator:8001",
        "Internal address of the aggregator.",
    )
    .only(&[Role::Mcp]),
    setting(
        "MCP_ACCEPT_HUB_TOKENS",
        Section::Mcp,
        Kind::Flag,
        "false",
        "Accept hub tokens and personal access tokens at `/mcp`, beside the tokens that programs get by OAuth.",
    ),
    // --- gRPC
    setting(
        "GRPC_PORT",
        Section::Grpc,
        Kind::Port,
        "9000 for the backend, 9001 for the aggregator",
        "Port that a service listens on for gRPC, never reachable from outside.",
    )
    .only(&[Role::Backend, Role::Aggregator]),
    setting(
        "BACKEND_GRPC_URL",
        Section::Grpc,
        Kind::Url,
        "port 9000 on the host of the backend's address",
        "Where the backend answers gRPC.",
    )
    .only(&[Role::Aggregator, Role::Mcp]),
    setting(
        "AGGREGATOR_GRPC_URL",
        Section::Grpc,
        Kind::Url,
        "port 9001 on the host of AGGREGATOR_URL",
        "Where the aggregator answers gRPC.",
    )
    .only(&[Role::Mcp]),
];
