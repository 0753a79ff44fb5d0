//! Which service answers which path: the one source of the nginx files and of the all-in-one router.

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The hub's API.
    Backend,
    /// The chat orchestrator.
    Aggregator,
    /// The MCP endpoint and the authorization server.
    Mcp,
    /// The web app: `index.html` for every path.
    WebApp,
    /// 404 at the edge; the path is internal.
    Nobody,
}

/// How a pattern matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// This path only.
    Exact,
    /// Every path that starts with this text, which ends with `/` or is the start of a document's name.
    Prefix,
    /// One or two segments: `/{owner}` and `/{owner}/{slug}`, a page for people and JSON for programs.
    OwnerPage,
    /// What nothing else took.
    Rest,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// The text to match; a placeholder for [`Match::OwnerPage`].
    pub pattern: &'static str,
    /// How it matches.
    pub matches: Match,
    /// Who answers.
    pub owner: Owner,
    /// What is cut from the front of the path before it is handed on; empty for nothing.
    pub strip_prefix: &'static str,
    /// What the whole path is replaced by before it is handed on; empty for nothing.
    pub rewrite: &'static str,
}

const fn row(matches: Match, pattern: &'static str, owner: Owner) -> Route {
    Route { pattern, matches, owner, strip_prefix: "", rewrite: "" }
}

const fn exact(pattern: &'static str, owner: Owner) -> Route {
    row(Match::Exact, pattern, owner)
}

const fn prefix(pattern: &'static str, owner: Owner) -> Route {
    row(Match::Prefix, pattern, owner)
}

const fn strip(route: Route, strip_prefix: &'static str) -> Route {
    Route { strip_prefix, ..route }
}

const fn rewrite(route: Route, rewrite: &'static str) -> Route {
    Route { rewrite, ..route }
}

use Owner::{Aggregator, Backend, Mcp, Nobody, WebApp};

/// The table. An exact row beats a prefix, a longer prefix a shorter one; the order of rows does not
/// matter.
pub const ROUTES: &[Route] = &[
    prefix("/api/", Backend),
    exact("/health", Backend),
    prefix("/health/", Backend),
    exact("/healthz", Backend),
    exact("/docs", Backend),
    prefix("/docs/", Backend),
    exact("/redoc", Backend),
    prefix("/redoc/", Backend),
    exact("/openapi.json", Backend),
    prefix("/.well-known/", Backend),
    prefix("/webhook/", Backend),
    prefix("/webhooks/", Backend),
    strip(prefix("/aggregator/", Aggregator), "/aggregator"),
    rewrite(exact("/q", Aggregator), "/api/v1/q"),
    prefix("/v1/", Aggregator),
    exact("/mcp", Mcp),
    strip(prefix("/mcp/", Mcp), "/mcp"),
    prefix("/.well-known/oauth-protected-resource", Mcp),
    prefix("/.well-known/oauth-authorization-server", Mcp),
    prefix("/.well-known/openid-configuration", Mcp),
    rewrite(exact("/register", Mcp), "/oauth/register"),
    rewrite(exact("/authorize", Mcp), "/oauth/authorize"),
    rewrite(exact("/token", Mcp), "/oauth/token"),
    // Only for our own services, which reach it from inside.
    exact("/api/v1/errors/service-report", Nobody),
    prefix("/api/v1/errors/service-report/", Nobody),
    exact("/metrics", Nobody),
    prefix("/internal/", Nobody),
    row(Match::OwnerPage, "/{owner}", Backend),
    row(Match::OwnerPage, "/{owner}/{slug}", Backend),
    row(Match::Rest, "/", WebApp),
];

/// The last row, which takes what no other does.
const REST: &Route = &ROUTES[ROUTES.len() - 1];

/// The row for a path, without its query.
pub fn route_of(path: &str) -> &'static Route {
    let exact = ROUTES.iter().find(|route| route.matches == Match::Exact && route.pattern == path);
    let longest = || {
        ROUTES
            .iter()
            .filter(|route| route.matches == Match::Prefix && path.starts_with(route.pattern))
            .max_by_key(|route| route.pattern.len())
    };
    let page = || {
        let pattern = match segments(path) {
            1 => "/{owner}",
            2 => "/{owner}/{slug}",
            _ => return None,
        };
        ROUTES.iter().find(|route| route.matches == Match::OwnerPage && route.pattern == pattern)
    };
    exact.or_else(longest).or_else(page).unwrap_or(REST)
}

/// Who answers a path.
pub fn owner_of(path: &str) -> Owner {
    route_of(path).owner
}

/// The path that the owner of `path` sees.
pub fn inner_path(path: &str) -> &str {
    let route = route_of(path);
    if !route.rewrite.is_empty() {
        return route.rewrite;
    }
    match path.strip_prefix(route.strip_prefix) {
        Some("") | None => "/",
        Some(rest) => rest,
    }
}

/// The paths by which the outside reaches what `owner` sees under `inner`.
pub fn public_paths(owner: Owner, inner: &str) -> Vec<String> {
    let mut paths = vec![inner.to_owned()];
    for route in ROUTES.iter().filter(|route| route.owner == owner) {
        if !route.strip_prefix.is_empty() {
            paths.push(format!("{}{inner}", route.strip_prefix));
        } else if route.rewrite == inner {
            paths.push(route.pattern.to_owned());
        }
    }
    paths.retain(|path| owner_of(path) == owner && inner_path(path) == inner);
    paths
}

/// Segments of a path; a trailing slash makes none. Files of the web app (with a dot in the first
/// segment) and reserved words are no owner pages, but for the account of the sample node.
fn segments(path: &str) -> usize {
    let mut parts = path.trim_matches('/').split('/');
    let first = parts.next().unwrap_or_default();
    let is_taken = syfthub_domain::is_reserved_owner(first) && first != syfthub_domain::SAMPLE_OWNER;
    if first.is_empty() || first.contains('.') || is_taken {
        return 0;
    }
    1 + parts.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_first_segment_is_a_name_that_nobody_can_take() {
        for route in ROUTES.iter().filter(|route| matches!(route.matches, Match::Exact | Match::Prefix)) {
            let first = route.pattern.trim_start_matches('/').split('/').next().unwrap();
            assert!(syfthub_domain::is_reserved_owner(first), "{first} is not reserved");
        }
    }

    #[test]
    fn paths_go_where_the_table_says() {
        for (path, owner, inner) in [
            ("/api/v1/auth/me", Backend, "/api/v1/auth/me"),
            ("/health", Backend, "/health"),
            ("/.well-known/jwks.json", Backend, "/.well-known/jwks.json"),
            ("/.well-known/oauth-protected-resource/mcp", Mcp, "/.well-known/oauth-protected-resource/mcp"),
            ("/aggregator/api/v1/chat", Aggregator, "/api/v1/chat"),
            ("/v1/models", Aggregator, "/v1/models"),
            ("/q", Aggregator, "/api/v1/q"),
            ("/mcp", Mcp, "/mcp"),
            ("/mcp/", Mcp, "/"),
            ("/mcp/health", Mcp, "/health"),
            ("/token", Mcp, "/oauth/token"),
            ("/api/v1/errors/report", Backend, "/api/v1/errors/report"),
            ("/api/v1/errors/service-report", Nobody, "/api/v1/errors/service-report"),
            ("/api/v1/errors/service-report/", Nobody, "/api/v1/errors/service-report/"),
            ("/metrics", Nobody, "/metrics"),
            ("/internal/x", Nobody, "/internal/x"),
            ("/alice", Backend, "/alice"),
            ("/alice/docs", Backend, "/alice/docs"),
            ("/samples", Backend, "/samples"),
            ("/samples/extract", Backend, "/samples/extract"),
            ("/alice/docs/more", WebApp, "/alice/docs/more"),
            ("/", WebApp, "/"),
            ("/browse", WebApp, "/browse"),
            ("/assets/app.js", WebApp, "/assets/app.js"),
            ("/logo.svg", WebApp, "/logo.svg"),
        ] {
            assert_eq!((owner_of(path), inner_path(path)), (owner, inner), "{path}");
        }
    }

    #[test]
    fn the_last_row_takes_the_rest() {
        assert_eq!(ROUTES.last().map(|route| route.matches), Some(Match::Rest));
    }
}
