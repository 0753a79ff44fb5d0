//! Which routes are limited, and by which rule. Counted by the client's address.

use std::net::IpAddr;

use syfthub_config::{RateLimits, Rule};
use syfthub_web::limits::RateLimiter;
use syfthub_web::{ApiResult, limit_bucket};

/// A limited kind of request. Routes of one scope share one count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Signing in.
    Login,
    /// Everything else about accounts that needs no credential.
    Auth,
    /// Refreshing a session.
    Refresh,
    /// Tokens for guests.
    GuestToken,
}

impl Scope {
    const fn name(self) -> &'static str {
        match self {
            Self::Login => "auth-login",
            Self::Auth => "auth",
            Self::Refresh => "auth-refresh",
            Self::GuestToken => "guest-token",
        }
    }
}

/// Counts requests.
#[derive(Debug)]
pub(crate) struct Limits {
    limiter: RateLimiter,
    rules: RateLimits,
}

impl Limits {
    pub(crate) fn new(limiter: RateLimiter, rules: RateLimits) -> Self {
        Self { limiter, rules }
    }

    /// Counts one request of an address; 429 when there were too many.
    pub(crate) async fn check(&self, scope: Scope, from: IpAddr) -> ApiResult<()> {
        let rule: Rule = match scope {
            Scope::Login | Scope::Auth => self.rules.auth,
            Scope::Refresh => self.rules.refresh,
            Scope::GuestToken => self.rules.guest_token,
        };
        self.limiter.check(scope.name(), &limit_bucket(from), rule).await
    }
}
