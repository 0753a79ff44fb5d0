//! Names that nobody may take, because a route, a page or a role stands there today or will.

/// Owner names that are refused: every first path segment of every router and page, and words with a
/// meaning in tokens. `samples` is the sample node's own account and is created by the hub itself.
pub const RESERVED_OWNERS: &[&str] = &[
    ".well-known",
    "a2a",
    "about",
    "admin",
    "agents",
    "aggregator",
    "api",
    "assets",
    "auth",
    "authorize",
    "browse",
    "build",
    "by-owner",
    "chat",
    "collective",
    "collectives",
    "contact",
    "conversations",
    "dashboard",
    "demo",
    "docs",
    "endpoints",
    "environments",
    "executions",
    "explore",
    "favicon.ico",
    "forgot-password",
    "grouped",
    "guest",
    "guest-accessible",
    "health",
    "health-checks",
    "healthz",
    "help",
    "internal",
    "invitations",
    "invite",
    "login",
    "logout",
    "mcp",
    "me",
    "metrics",
    "models",
    "nats",
    "new",
    "nginx-health",
    "oauth",
    "openapi.json",
    "organizations",
    "orgs",
    "owners",
    "presets",
    "privacy",
    "profile",
    "projects",
    "public",
    "q",
    "ready",
    "redoc",
    "register",
    "reset-password",
    "robots.txt",
    "samples",
    "schedules",
    "search",
    "secrets",
    "settings",
    "setup",
    "share",
    "sitemap.xml",
    "slug",
    "static",
    "status",
    "support",
    "swagger-ui",
    "sync",
    "system",
    "tasks",
    "terms",
    "test",
    "token",
    "tools",
    "trending",
    "users",
    "v1",
    "verify",
    "webhook",
    "webhooks",
    "well-known",
    "workflows",
    "ws",
    "www",
];

/// Slugs that are refused (spec backend 3.2).
pub const RESERVED_SLUGS: &[&str] = &[
    "about",
    "admin",
    "api",
    "auth",
    "blog",
    "contact",
    "dashboard",
    "docs",
    "explore",
    "ftp",
    "health",
    "help",
    "login",
    "mail",
    "openapi.json",
    "privacy",
    "profile",
    "redoc",
    "register",
    "search",
    "settings",
    "support",
    "terms",
    "www",
];

/// Slugs that no collective may have: paths below `/collectives` and pages of the hub.
pub const RESERVED_COLLECTIVE_SLUGS: &[&str] = &[
    "about",
    "admin",
    "api",
    "auth",
    "by-endpoint",
    "by-slug",
    "collective",
    "collectives",
    "contact",
    "dashboard",
    "docs",
    "explore",
    "health",
    "invitations",
    "login",
    "members",
    "openapi.json",
    "privacy",
    "profile",
    "redoc",
    "register",
    "search",
    "settings",
    "shared-endpoints",
    "terms",
    "www",
];

/// In place of a shared endpoint's slug it stands for every approved member of the collective.
pub const ALL_SHARED: &str = "all";

/// Name of the account that the hub itself makes for its sample node: reserved, and yet an owner.
pub const SAMPLE_OWNER: &str = "samples";

/// Whether nobody may register this name.
pub fn is_reserved_owner(name: &str) -> bool {
    RESERVED_OWNERS.binary_search(&name).is_ok()
}

/// Whether no endpoint may have this slug.
pub fn is_reserved_slug(slug: &str) -> bool {
    RESERVED_SLUGS.binary_search(&slug).is_ok()
}

/// Whether no collective may have this slug.
pub fn is_reserved_collective_slug(slug: &str) -> bool {
    RESERVED_COLLECTIVE_SLUGS.binary_search(&slug).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lists_are_sorted_so_that_binary_search_is_right() {
        assert!(RESERVED_OWNERS.is_sorted(), "{RESERVED_OWNERS:?}");
        assert!(RESERVED_SLUGS.is_sorted());
        assert!(RESERVED_COLLECTIVE_SLUGS.is_sorted());
    }
}
