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
use tokio::sync::Notify;
use tokio::time::Instant;
use url::Url;

use super::{Failure, address};
use crate::chat::EndpointRef;

/// Most failing endpoints that are remembered; those that work take no room.
const CAPACITY: usize = 4_096;
/// Most names of one address that are remembered, the last ones.
const NAMES: usize = 4;
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

/// An endpoint that is left alone, under one of the names that callers gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failing {
    /// As it was called.
    pub endpoint: EndpointRef,
    /// How it stands.
    pub state: BreakerState,
    /// Failures in a row.
    pub failures: u32,
}

/// The digest of an endpoint's whole address.
pub(super) type Key = [u8; 32];

#[derive(Debug)]
struct Known {
    path: String,
    origin: String,
    /// Who called last, first. Whoever calls it by a wrong name does not hide the right one so easily.
    names: Vec<EndpointRef>,
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

impl State {
    const fn told(self) -> BreakerState {
        match self {
            Self::Closed => BreakerState::Closed,
            Self::Open { .. } => BreakerState::Open,
            Self::HalfOpen => BreakerState::HalfOpen,
        }
    }
}

impl Known {
    /// Remembers by which name it was called.
    fn name(&mut self, endpoint: &EndpointRef) {
        let is_same = |name: &EndpointRef| {
            (&name.owner_username, &name.slug, &name.url, &name.tenant_name)
                == (&endpoint.owner_username, &endpoint.slug, &endpoint.url, &endpoint.tenant_name)
        };
        if let Some(place) = self.names.iter().position(is_same) {
            self.names[..=place].rotate_right(1);
            return;
        }
        // What is asked there is the caller's and no part of its name.
        let named = EndpointRef { query_override: None, ..endpoint.clone() };
        self.names.insert(0, named);
        self.names.truncate(NAMES);
    }
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
            Failure::Unreachable { .. } | Failure::Certificate { .. } => Self::Failing,
            Failure::Timeout | Failure::Overdue { .. } if was_asked => Self::Failing,
            _ => Self::Nothing,
        }
    }
}

/// The breakers of all endpoints.
#[derive(Debug)]
pub(crate) struct Breakers {
    /// Failures in a row that open a breaker; 0 opens none.
    threshold: u32,
    pause: Duration,
    known: Mutex<HashMap<Key, Known>>,
    /// Rung at every change of a state.
    bell: Notify,
}

impl Breakers {
    pub(super) fn new(threshold: u32, pause: Duration) -> Self {
        Self { threshold, pause, known: Mutex::default(), bell: Notify::new() }
    }

    /// Lets a call pass, or tells why not. The ticket must be told how the call went.
    pub(super) fn admit<'a>(
        &'a self,
        endpoint: &'a EndpointRef,
        url: &'a Url,
    ) -> Result<Ticket<'a>, Failure> {
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
                    self.transition(&known, "half_open");
                }
                State::Open { until } => return Err(resting(until - now)),
                State::HalfOpen => return Err(resting(Duration::ZERO)),
            }
        }
        drop(known);
        Ok(Ticket { breakers: self, key, endpoint, url, is_probe, asked: OnceLock::new(), is_told: false })
    }

    /// Resolves after a change of a state.
    pub(crate) fn changed(&self) -> impl Future<Output = ()> + Send + '_ {
        self.bell.notified()
    }

    /// Endpoints whose breaker is not closed, under all the names that are known.
    pub(crate) fn failing(&self) -> Vec<Failing> {
        let known = self.lock();
        let open = known.values().filter(|entry| entry.state != State::Closed);
        let named = |entry: &Known| {
            let (state, failures) = (entry.state.told(), entry.failures);
            let failing = |name: &EndpointRef| Failing { endpoint: name.clone(), state, failures };
            entry.names.iter().map(failing).collect::<Vec<_>>()
        };
        open.flat_map(named).collect()
    }

    /// Endpoints that failed at their last call, in no order.
    pub(super) fn report(&self) -> Vec<BreakerReport> {
        let now = Instant::now();
        let report = |entry: &Known| BreakerReport {
            path: entry.path.clone(),
            origin: entry.origin.clone(),
            state: entry.state.told(),
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
            self.transition(&known, "closed");
        }
    }

    fn failed(&self, ticket: &Ticket<'_>) {
        let now = Instant::now();
        let mut known = self.lock();
        if known.len() >= CAPACITY && !known.contains_key(&ticket.key) {
            forget_one(&mut known);
        }
        let entry = match known.entry(ticket.key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(place) => place.insert(Known {
                path: ticket.endpoint.path(),
                origin: address::origin(ticket.url),
                names: Vec::new(),
                failures: 0,
                state: State::Closed,
                pause: self.pause,
                touched: now,
            }),
        };
        entry.failures = entry.failures.saturating_add(1);
        entry.touched = now;
        entry.name(ticket.endpoint);
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
            self.transition(&known, "open");
        }
    }

    /// Counts a change of state. Endpoints are no labels: anybody could make any number of them.
    fn transition(&self, known: &HashMap<Key, Known>, to: &'static str) {
        metrics::counter!("syfthub_breaker_transitions_total", "to" => to).increment(1);
        let open = known.values().filter(|entry| matches!(entry.state, State::Open { .. })).count();
        let half_open = known.values().filter(|entry| entry.state == State::HalfOpen).count();
        metrics::gauge!("syfthub_breakers", "state" => "open").set(open as f64);
        metrics::gauge!("syfthub_breakers", "state" => "half_open").set(half_open as f64);
        self.bell.notify_one();
    }

    /// A probe that told nothing: the next call is one.
    fn release(&self, key: &Key) {
        let mut known = self.lock();
        if let Some(entry) = known.get_mut(key).filter(|entry| entry.state == State::HalfOpen) {
            entry.state = State::Open { until: Instant::now() };
            self.transition(&known, "open");
        }
    }
}

/// Leave to call an endpoint once.
#[derive(Debug)]
pub(super) struct Ticket<'a> {
    breakers: &'a Breakers,
    key: Key,
    endpoint: &'a EndpointRef,
    url: &'a Url,
    is_probe: bool,
    asked: OnceLock<Instant>,
    is_told: bool,
}

impl Ticket<'_> {
    /// The endpoint by its address.
    pub(super) fn key(&self) -> &Key {
        &self.key
    }

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
            Verdict::Failing => self.breakers.failed(&self),
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

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;
