//! The arithmetic of limits, shared by both backends.
//!
//! GCRA keeps one number per key: the theoretical arrival time, at which the whole allowance is back.
//! How far it lies in the future is the debt. A request costs one step (`window / max`) and is allowed
//! while the debt stays within the window.

use std::time::Duration;

use syfthub_config::Rule;

/// The answer to one request against a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether the request may go on.
    pub allowed: bool,
    /// The `max` of the rule.
    pub limit: u32,
    /// Requests that would be allowed right after this one.
    pub remaining: u32,
    /// How long to wait before the next request is allowed; zero when this one was.
    pub retry_after: Duration,
    /// How long until the whole allowance is back.
    pub reset_after: Duration,
}

/// A rule in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Cost of one request, at least 1.
    pub(crate) step: i64,
    /// Largest debt: exactly `max` steps.
    pub(crate) window: i64,
}

impl Pace {
    pub(crate) fn of(rule: Rule) -> Self {
        let window = i64::try_from(rule.window.as_micros()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
        let max = i64::from(rule.max.max(1));
        let step = (window / max).max(1);
        Self { step, window: step.saturating_mul(max) }
    }
}

impl Decision {
    /// For a rule that allows nothing.
    pub(crate) fn never(rule: Rule) -> Self {
        let wait = rule.window.max(Duration::from_secs(1));
        Self { allowed: false, limit: rule.max, remaining: 0, retry_after: wait, reset_after: wait }
    }

    /// From the debt after the request, in microseconds.
    pub(crate) fn from_debt(rule: Rule, pace: Pace, allowed: bool, debt: i64) -> Self {
        let micros = |value: i64| Duration::from_micros(u64::try_from(value).unwrap_or(0));
        let room = (pace.window - debt).max(0) / pace.step;
        let wait = if allowed { 0 } else { debt + pace.step - pace.window };
        Self {
            allowed,
            limit: rule.max,
            remaining: if allowed { u32::try_from(room).unwrap_or(u32::MAX) } else { 0 },
            retry_after: micros(wait),
            reset_after: micros(debt),
        }
    }
}
