//! Cross-origin access. Never with credentials: the browser's session cookie works on the own origin only.

use std::time::Duration;

use http::HeaderValue;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer, ExposeHeaders};

/// Answers preflights for the listed origins; `*` allows every origin (without credentials, so it gives
/// away nothing that is not public).
pub fn layer(origins: &[String]) -> CorsLayer {
    let origin = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        let listed =
            origins.iter().filter_map(|origin| HeaderValue::from_str(origin.trim_end_matches('/')).ok());
        AllowOrigin::list(listed)
    };
    let exposed = [
        "x-correlation-id",
        "retry-after",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
        "www-authenticate",
        "etag",
        "mcp-session-id",
        "mcp-protocol-version",
    ];
    CorsLayer::new()
        .allow_origin(origin)
        .allow_methods(AllowMethods::mirror_request())
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(ExposeHeaders::list(exposed.map(http::HeaderName::from_static)))
        .max_age(Duration::from_mins(10))
}
