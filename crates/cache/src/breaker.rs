//! Keeps calls from waiting, one after another, for a server that does not answer.
//!
//! Closed, every call is made. After a few calls in a row that got no answer it opens, and calls fail at once; now and
//! then one of them is made all the same, to see whether the server is back. Its answer closes the breaker.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Calls in a row without an answer that open it. One alone may be a hiccup of the network.
const FAILURES: u32 = 3;
/// Time between two calls that are made while it is open. Each of them may cost its caller the whole time limit.
pub(crate) const PROBE_EVERY: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Calls are made; so many of the last ones got no answer.
    Closed { failures: u32 },
    /// Calls fail at once, but for the first one from this moment on.
    Open { probe_at: Instant },
}

/// The breaker of one server. Every method is told the time.
#[derive(Debug)]
pub(crate) struct Breaker(Mutex<State>);

impl Default for Breaker {
    fn default() -> Self {
        Self(Mutex::new(State::Closed { failures: 0 }))
    }
}

impl Breaker {
    /// Whether a call is to be made. Of many that ask while it is open, one at a time is told so: should that one
    /// never come to an end, because its caller left, another one is let through later.
    pub(crate) fn admits(&self, now: Instant) -> bool {
        let mut state = self.lock();
        match *state {
            State::Closed { .. } => true,
            State::Open { probe_at } if now < probe_at => false,
            State::Open { .. } => {
                *state = State::Open { probe_at: now + PROBE_EVERY };
                true
            }
        }
    }

    /// The server answered, if only with a refusal.
    pub(crate) fn answered(&self) {
        *self.lock() = State::Closed { failures: 0 };
    }

    /// The server did not answer. Gives whether calls fail at once from now on.
    pub(crate) fn failed(&self, now: Instant) -> bool {
        let mut state = self.lock();
        *state = match *state {
            State::Closed { failures } if failures + 1 < FAILURES => State::Closed { failures: failures + 1 },
            _ => State::Open { probe_at: now + PROBE_EVERY },
        };
        matches!(*state, State::Open { .. })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(now: Instant) -> Breaker {
        let breaker = Breaker::default();
        for _ in 0..FAILURES {
            assert!(breaker.admits(now));
            breaker.failed(now);
        }
        breaker
    }

    #[test]
    fn it_opens_after_some_failures_in_a_row_only() {
        let now = Instant::now();
        let breaker = Breaker::default();
        for _ in 0..10 {
            for _ in 1..FAILURES {
                breaker.failed(now);
            }
            assert!(breaker.admits(now));
            breaker.answered();
        }
        assert!(!opened(now).admits(now));
    }

    #[test]
    fn while_it_is_open_one_call_at_a_time_looks_whether_the_server_is_back() {
        let now = Instant::now();
        let breaker = opened(now);
        let just_before = now + PROBE_EVERY - Duration::from_millis(1);
        assert!(!breaker.admits(just_before));
        let due = now + PROBE_EVERY;
        assert!(breaker.admits(due), "the probe");
        assert!(!breaker.admits(due), "the others wait for what it finds");
        breaker.failed(due + Duration::from_secs(1));
        assert!(!breaker.admits(due + PROBE_EVERY));
        let again = due + Duration::from_secs(1) + PROBE_EVERY;
        assert!(breaker.admits(again));
        breaker.answered();
        assert!(breaker.admits(again) && breaker.admits(again), "closed");
    }

    #[test]
    fn a_probe_that_never_ends_does_not_keep_it_open() {
        let now = Instant::now();
        let breaker = opened(now);
        let due = now + PROBE_EVERY;
        assert!(breaker.admits(due));
        assert!(breaker.admits(due + PROBE_EVERY));
    }

    #[test]
    fn an_answer_that_was_still_on_its_way_closes_it() {
        let now = Instant::now();
        let breaker = opened(now);
        breaker.answered();
        assert!(breaker.admits(now));
    }
}
