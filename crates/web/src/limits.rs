//! Rate limits, counted once, where a request enters.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use syfthub_cache::{Cache, Decision, Error as CacheError};
use syfthub_config::{RateLimits, Rule};
use syfthub_domain::{Clock, Error, ErrorCode, SystemClock};

use crate::error::{ApiError, ApiResult};

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// A longer key is replaced by its hash, in bytes.
const LONGEST_KEY: usize = 128;

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

    /// Counts one request of `key` (an address's bucket, a token's hash) in `scope`; 429 beyond the rule.
    /// When the counters cannot be reached or do not count, the request passes or not as
    /// `RATE_LIMIT_FAIL_OPEN` says.
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
        match self.cache.limit(&counter(scope, key), rule).await {
            Ok(decision) if decision.allowed => Ok(()),
            Ok(decision) => Err(refusal(decision)),
            // The cache itself warns, and not once per request.
            Err(error) if fail_open && is_outage(&error) => {
                tracing::debug!(%error, scope, "rate_limit.fail_open");
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%error, scope, "rate_limit.fail_closed");
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

/// Whether the counters are out of order, rather than the question wrong: a key that no cache takes must
/// not be a way around the limit.
fn is_outage(error: &CacheError) -> bool {
    matches!(error, CacheError::Unavailable(_) | CacheError::Refused(_))
}

/// The name of a counter. A long key is counted by its hash, since what a client sends has any length.
fn counter(scope: &str, key: &str) -> String {
    if key.len() <= LONGEST_KEY {
        return format!("{scope}:{key}");
    }
    format!("{scope}:sha256:{}", hex::encode(Sha256::digest(key.as_bytes())))
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn only_an_outage_opens_the_limit() {
        assert!(is_outage(&CacheError::Unavailable("gone".to_owned())));
        assert!(is_outage(&CacheError::Refused("OOM".to_owned())));
        for other in [CacheError::Key, CacheError::TooLarge, CacheError::Address] {
            assert!(!is_outage(&other), "{other}");
        }
        assert!(!is_outage(&CacheError::Unencodable(String::new())));
    }

    #[tokio::test]
    async fn a_key_of_any_length_is_counted() {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = syfthub_config::Settings::for_tests(directory.path()).rate_limits;
        (settings.enabled, settings.fail_open) = (true, true);
        let limiter = RateLimiter::new(Cache::memory(Arc::new(SystemClock)), &settings);
        let rule = Rule::per_seconds(1, 60);
        for key in ["x".repeat(128), "x".repeat(129), "x".repeat(10_000)] {
            limiter.check("auth", &key, rule).await.unwrap();
            limiter.check("auth", &key, rule).await.unwrap_err();
        }
    }

    #[tokio::test]
    async fn a_question_that_the_cache_does_not_take_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = syfthub_config::Settings::for_tests(directory.path()).rate_limits;
        (settings.enabled, settings.fail_open) = (true, true);
        let limiter = RateLimiter::new(Cache::memory(Arc::new(SystemClock)), &settings);
        let scope = "x".repeat(1000);
        limiter.check(&scope, "192.0.2.1", Rule::per_seconds(1, 60)).await.unwrap_err();
    }
}
