//! Leaves endpoints alone that fail again and again, so that nobody waits for them.
//!
//! Closed: calls pass. After some failures in a row it opens: calls are answered at once, for a while. Then
//! it is half open: one call tries, the others are still answered at once. That call closes it, or opens it
//! for twice as long. An endpoint is known by its whole address and not by the name that a caller gives it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::Instant;
use url::Url;

use super::{Failure, address};
use crate::chat::EndpointRef;

/// Most failing endpoints that are remembered; those that work take no room.
const CAPACITY: usize = 4_096;
/// How much longer than the first pause a pause can get.
const LONGEST: u32 = 8;
const TARGET: &str = "syfthub.aggregator.space";

/// How an endpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// It failed, but not often enough in a row.
    Closed,
    /// It is left alone.
    Open,
    /// One call tries it.
    HalfOpen,
}

/// An endpoint that failed at its last call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerReport {
    /// `owner/slug`, as the caller named it.
    pub path: String,
    /// Scheme, host and port.
    pub origin: String,
    /// How it stands.
    pub state: BreakerState,
    /// Failures in a row.
    pub failures: u32,
    /// Time until it is tried again.
    pub pause: Option<Duration>,
}

type Key = [u8; 32];

#[derive(Debug)]
struct Known {
    path: String,
    origin: String,
    failures: u32,
    state: State,
    pause: Duration,
    touched: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Open { until: Instant },
    HalfOpen,
}

/// What a call tells about an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It answers, if only to refuse.
    Alive,
    /// It does not answer, or only that it is broken.
    Failing,
    /// Nothing.
    Nothing,
}

impl Verdict {
    /// What a failed call tells. A timeout is not the endpoint's when it was hardly asked.
    pub(super) fn of(failure: &Failure, was_asked: bool) -> Self {
        match failure {
            Failure::Status { code, .. } | Failure::WebPage { code } if *code >= 500 => Self::Failing,
            Failure::Status { .. } | Failure::WebPage { .. } | Failure::InvalidJson | Failure::TooLarge => {
                Self::Alive
            }
            Failure::Unreachable { .. } => Self::Failing,
            Failure::Timeout if was_asked => Self::Failing,
            _ => Self::Nothing,
        }
    }
}

/// The breakers of all endpoints.
#[derive(Debug)]
pub(super) struct Breakers {
    /// Failures in a row that open a breaker; 0 opens none.
    threshold: u32,
    pause: Duration,
    known: Mutex<HashMap<Key, Known>>,
}

impl Breakers {
    pub(super) fn new(threshold: u32, pause: Duration) -> Self {
        Self { threshold, pause, known: Mutex::default() }
    }

    /// Lets a call pass, or tells why not. The ticket must be told how the call went.
    pub(super) fn admit(&self, endpoint: &EndpointRef, url: &Url) -> Result<Ticket<'_>, Failure> {
        let key = key(url, endpoint.tenant_name.as_deref());
        let now = Instant::now();
        let mut known = self.lock();
        let mut is_probe = false;
        if let Some(entry) = known.get_mut(&key) {
            match entry.state {
                State::Closed => {}
                State::Open { until } if until <= now => {
                    (entry.state, is_probe) = (State::HalfOpen, true);
                    tracing::info!(target: TARGET, path = entry.path, origin = entry.origin, "endpoint.breaker.half_open");
                    transition(&known, "half_open");
                }
                State::Open { until } => return Err(resting(until - now)),
                State::HalfOpen => return Err(resting(Duration::ZERO)),
            }
        }
        drop(known);
        let (path, origin) = (endpoint.path(), address::origin(url));
        Ok(Ticket { breakers: self, key, path, origin, is_probe, asked: OnceLock::new(), is_told: false })
    }

    /// Endpoints that failed at their last call, in no order.
    pub(super) fn report(&self) -> Vec<BreakerReport> {
        let now = Instant::now();
        let report = |entry: &Known| BreakerReport {
            path: entry.path.clone(),
            origin: entry.origin.clone(),
            state: match entry.state {
                State::Closed => BreakerState::Closed,
                State::Open { .. } => BreakerState::Open,
                State::HalfOpen => BreakerState::HalfOpen,
            },
            failures: entry.failures,
            pause: match entry.state {
                State::Open { until } => Some(until.saturating_duration_since(now)),
                State::Closed | State::HalfOpen => None,
            },
        };
        self.lock().values().map(report).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn alive(&self, key: &Key) {
        let mut known = self.lock();
        if let Some(entry) = known.remove(key).filter(|entry| entry.state != State::Closed) {
            tracing::info!(target: TARGET, path = entry.path, origin = entry.origin, "endpoint.breaker.closed");
            transition(&known, "closed");
        }
    }

    fn failing(&self, ticket: &Ticket<'_>) {
        let now = Instant::now();
        let mut known = self.lock();
        if known.len() >= CAPACITY && !known.contains_key(&ticket.key) {
            forget_one(&mut known);
        }
        let entry = match known.entry(ticket.key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(place) => place.insert(Known {
                path: ticket.path.clone(),
                origin: ticket.origin.clone(),
                failures: 0,
                state: State::Closed,
                pause: self.pause,
                touched: now,
            }),
        };
        entry.failures = entry.failures.saturating_add(1);
        entry.touched = now;
        let opens = match entry.state {
            State::Closed => entry.failures >= self.threshold,
            State::HalfOpen => {
                entry.pause = (entry.pause * 2).min(self.pause * LONGEST);
                ticket.is_probe
            }
            // A call that was under way when it opened.
            State::Open { .. } => false,
        };
        if opens {
            entry.state = State::Open { until: now + entry.pause };
            let (failures, seconds) = (entry.failures, entry.pause.as_secs());
            tracing::warn!(target: TARGET, path = entry.path, origin = entry.origin, failures, seconds, "endpoint.breaker.opened");
            transition(&known, "open");
        }
    }

    /// A probe that told nothing: the next call is one.
    fn release(&self, key: &Key) {
        let mut known = self.lock();
        if let Some(entry) = known.get_mut(key).filter(|entry| entry.state == State::HalfOpen) {
            entry.state = State::Open { until: Instant::now() };
            transition(&known, "open");
        }
    }
}

/// Leave to call an endpoint once.
#[derive(Debug)]
pub(super) struct Ticket<'a> {
    breakers: &'a Breakers,
    key: Key,
    path: String,
    origin: String,
    is_probe: bool,
    asked: OnceLock<Instant>,
    is_told: bool,
}

impl Ticket<'_> {
    /// The endpoint is being asked from now on.
    pub(super) fn asking(&self) {
        let _ = self.asked.set(Instant::now());
    }

    /// How long the endpoint has been asked.
    pub(super) fn asked_for(&self) -> Duration {
        self.asked.get().map(Instant::elapsed).unwrap_or_default()
    }

    /// Tells how the call went.
    pub(super) fn tell(mut self, verdict: Verdict) {
        if self.breakers.threshold == 0 {
            return;
        }
        self.is_told = verdict != Verdict::Nothing;
        match verdict {
            Verdict::Alive => self.breakers.alive(&self.key),
            Verdict::Failing => self.breakers.failing(&self),
            Verdict::Nothing => {}
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if self.is_probe && !self.is_told {
            self.breakers.release(&self.key);
        }
    }
}

fn key(url: &Url, tenant: Option<&str>) -> Key {
    let mut hash = Sha256::new();
    hash.update(url.as_str().as_bytes());
    hash.update([0]);
    hash.update(tenant.unwrap_or_default().as_bytes());
    hash.finalize().into()
}

fn resting(pause: Duration) -> Failure {
    metrics::counter!("syfthub_breaker_refusals_total").increment(1);
    Failure::Resting { seconds: pause.as_secs().saturating_add(1) }
}

/// Makes room: the one that failed longest ago, and a closed one rather than an open one.
fn forget_one(known: &mut HashMap<Key, Known>) {
    let least = known.iter().min_by_key(|(_, entry)| (entry.state != State::Closed, entry.touched));
    if let Some(key) = least.map(|(key, _)| *key) {
        known.remove(&key);
    }
}

/// Counts a change of state. Endpoints are no labels: anybody could make any number of them.
fn transition(known: &HashMap<Key, Known>, to: &'static str) {
    metrics::counter!("syfthub_breaker_transitions_total", "to" => to).increment(1);
    let open = known.values().filter(|entry| matches!(entry.state, State::Open { .. })).count();
    let half_open = known.values().filter(|entry| entry.state == State::HalfOpen).count();
    metrics::gauge!("syfthub_breakers", "state" => "open").set(open as f64);
    metrics::gauge!("syfthub_breakers", "state" => "half_open").set(half_open as f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(30);

    fn breakers() -> Breakers {
        Breakers::new(3, PAUSE)
    }

    fn admit<'a>(breakers: &'a Breakers, slug: &str) -> Result<Ticket<'a>, Failure> {
        let endpoint =
            EndpointRef { url: "http://x.org".to_owned(), slug: slug.to_owned(), ..EndpointRef::default() };
        breakers.admit(&endpoint, &address::query_url(&endpoint).unwrap())
    }

    fn fail(breakers: &Breakers, times: usize) {
        for _ in 0..times {
            admit(breakers, "a").unwrap().tell(Verdict::Failing);
        }
    }

    fn state(breakers: &Breakers) -> Option<BreakerState> {
        breakers.report().first().map(|report| report.state)
    }

    #[tokio::test(start_paused = true)]
    async fn opens_after_failures_in_a_row_and_closes_after_one_probe() {
        let breakers = breakers();
        fail(&breakers, 2);
        admit(&breakers, "a").unwrap().tell(Verdict::Alive);
        fail(&breakers, 2);
        assert_eq!(state(&breakers), Some(BreakerState::Closed));
        fail(&breakers, 1);
        let refusal = admit(&breakers, "a").unwrap_err();
        assert!(refusal.to_string().contains("31 seconds"), "{refusal}");
        assert!(admit(&breakers, "b").is_ok(), "others are not concerned");
        tokio::time::advance(PAUSE).await;
        let probe = admit(&breakers, "a").unwrap();
        assert_eq!(state(&breakers), Some(BreakerState::HalfOpen));
        assert!(admit(&breakers, "a").is_err(), "one probe at a time");
        probe.tell(Verdict::Alive);
        assert_eq!(state(&breakers), None);
        assert!(admit(&breakers, "a").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_probe_doubles_the_pause_up_to_a_limit() {
        let breakers = breakers();
        fail(&breakers, 3);
        for factor in [1, 2, 4, 8, 8] {
            assert_eq!(breakers.report()[0].pause, Some(PAUSE * factor));
            tokio::time::advance(PAUSE * factor).await;
            admit(&breakers, "a").unwrap().tell(Verdict::Failing);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_tells_nothing_leaves_the_next_call_to_try() {
        let breakers = breakers();
        fail(&breakers, 3);
        tokio::time::advance(PAUSE).await;
        drop(admit(&breakers, "a").unwrap());
        admit(&breakers, "a").unwrap().tell(Verdict::Nothing);
        assert!(admit(&breakers, "a").is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn only_failures_of_the_endpoint_count() {
        let status = |code| Failure::Status { code, detail: String::new(), outcome: None, policy: None };
        for (failure, was_asked, verdict) in [
            (status(500), true, Verdict::Failing),
            (Failure::WebPage { code: 502 }, true, Verdict::Failing),
            (status(404), true, Verdict::Alive),
            (status(429), true, Verdict::Alive),
            (Failure::WebPage { code: 404 }, true, Verdict::Alive),
            (Failure::InvalidJson, true, Verdict::Alive),
            (Failure::Timeout, true, Verdict::Failing),
            (Failure::Timeout, false, Verdict::Nothing),
            (Failure::Unreachable { origin: String::new() }, true, Verdict::Failing),
            (Failure::Busy, true, Verdict::Nothing),
            (Failure::BadReference(""), false, Verdict::Nothing),
        ] {
            assert_eq!(Verdict::of(&failure, was_asked), verdict, "{failure:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_threshold_of_nothing_never_opens() {
        let breakers = Breakers::new(0, PAUSE);
        fail(&breakers, 100);
        assert_eq!(breakers.report(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_that_is_remembered_is_bounded() {
        let breakers = breakers();
        fail(&breakers, 3);
        for number in 0..=CAPACITY {
            admit(&breakers, &format!("s{number}")).unwrap().tell(Verdict::Failing);
        }
        assert_eq!(breakers.report().len(), CAPACITY);
        assert!(admit(&breakers, "a").is_err(), "an open one is kept");
    }
}
