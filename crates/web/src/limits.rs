//! Rate limits, counted once, where a request enters.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use syfthub_cache::{Cache, Decision};
use syfthub_config::{RateLimits, Rule};
use syfthub_domain::{Clock, Error, ErrorCode, SystemClock};

use crate::error::{ApiError, ApiResult};

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Counts requests against rules.
#[derive(Debug, Clone)]
pub struct RateLimiter {
    cache: Cache,
    enabled: bool,
    fail_open: bool,
}

impl RateLimiter {
    /// Counts in `cache`, under the global switches of the settings.
    pub fn new(cache: Cache, settings: &RateLimits) -> Self {
        Self { cache, enabled: settings.enabled, fail_open: settings.fail_open }
    }

    /// Counts one request of `key` (an address, a token's hash) in `scope`; 429 beyond the rule. When
    /// the counters cannot be reached the request passes or not as `RATE_LIMIT_FAIL_OPEN` says.
    pub async fn check(&self, scope: &str, key: &str, rule: Rule) -> ApiResult<()> {
        if !self.enabled {
            return Ok(());
        }
        self.count(scope, key, rule, self.fail_open).await
    }

    /// The same for what must never be open: the global switch does not matter, and without counters
    /// the request is refused.
    pub async fn check_always(&self, scope: &str, key: &str, rule: Rule) -> ApiResult<()> {
        self.count(scope, key, rule, false).await
    }

    async fn count(&self, scope: &str, key: &str, rule: Rule, fail_open: bool) -> ApiResult<()> {
        match self.cache.limit(&format!("{scope}:{key}"), rule).await {
            Ok(decision) if decision.allowed => Ok(()),
            Ok(decision) => Err(refusal(decision)),
            Err(error) if fail_open => {
                tracing::debug!(%error, scope, "rate_limit.redis_unavailable_fail_open");
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%error, scope, "rate_limit.redis_unavailable_fail_closed");
                Err(refusal(Decision {
                    allowed: false,
                    limit: rule.max,
                    remaining: 0,
                    retry_after: Duration::from_secs(1),
                    reset_after: rule.window,
                }))
            }
        }
    }
}

fn refusal(decision: Decision) -> ApiError {
    let seconds = decision.retry_after.as_secs() + u64::from(decision.retry_after.subsec_nanos() > 0);
    let seconds = seconds.max(1);
    let text = format!("Too many requests; try again in {seconds} s");
    let reset = SystemClock.now().plus(decision.reset_after).as_secs();
    let error = Error::new(ErrorCode::RateLimited, text).with_retry_after(Duration::from_secs(seconds));
    ApiError::from(error)
        .with_header(LIMIT, HeaderValue::from(decision.limit))
        .with_header(REMAINING, HeaderValue::from(decision.remaining))
        .with_header(RESET, HeaderValue::from(reset))
}
