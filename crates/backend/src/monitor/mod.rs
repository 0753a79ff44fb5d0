//! Whether endpoints are up, and were.
//!
//! Every endpoint has its own next look. A look believes a fresh report or heartbeat of the owner; only if there
//! is none, the endpoint is asked. Whoever takes an endpoint that is due schedules its next look in the same
//! change, so that of several replicas one looks, and none has to be chosen.

mod judge;
mod probe;
mod queue;
pub(crate) mod routes;
pub(crate) mod wire;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::stream::{FuturesUnordered, StreamExt as _};
use rand::RngExt as _;
use syfthub_auth::Principal;
use syfthub_config::HealthCheck;
use syfthub_domain::{EndpointId, Error, Result, SharedClock, Timestamp};
use syfthub_rpc::spawn_linked;
use syfthub_store::endpoints::{self, CheckedEndpoint, HealthChange};
use syfthub_store::uptime::{self, Bucket, Sample};
use syfthub_store::{Db, Tx, standing, users};
use tokio::time::MissedTickBehavior;

use crate::endpoints::health::{Flip, effective_ttl};
use crate::endpoints::{Endpoints, visibility};
use crate::parts::Parts;
use judge::{Judgement, conclude, judge, release};
use probe::{Prober, Target};
use queue::{Question, Queue};
use wire::{Heartbeat, HeartbeatReceived, Uptime};

/// How often to see whether anything is due.
const TICK: Duration = Duration::from_secs(1);
/// Endpoints of one change: few enough that other writers wait for milliseconds only.
const BATCH: u32 = 1_000;
/// Part of the interval by which a look may come early, so that looks spread out over time.
const SPREAD: f64 = 0.1;
const DAY: i64 = 24 * 60 * 60;

/// Watches endpoints.
#[derive(Debug)]
pub(crate) struct Monitor {
    db: Db,
    clock: SharedClock,
    endpoints: Arc<Endpoints>,
    settings: HealthCheck,
    prober: Arc<Prober>,
    /// The UTC day of the last purge.
    purged_on: AtomicI64,
}

impl Monitor {
    /// Builds the feature.
    pub(crate) fn build(parts: &Parts, endpoints: Arc<Endpoints>) -> Result<Self> {
        let settings = parts.settings.health_check.clone();
        Ok(Self {
            db: parts.db.clone(),
            clock: parts.clock.clone(),
            endpoints,
            prober: Arc::new(Prober::new(&settings, &parts.settings.egress)?),
            settings,
            purged_on: AtomicI64::new(0),
        })
    }

    /// Watches until the process ends; at once if the operator wants no watching.
    pub(crate) async fn run(&self) {
        if !self.settings.enabled {
            return;
        }
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut queue, mut asked) = (self.queue(), FuturesUnordered::new());
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    queue.add(self.look().await.unwrap_or_else(|error| warned(&error)));
                    self.purge().await.unwrap_or_else(|error| warned(&error));
                }
                Some(answer) = asked.next() => {
                    let mut answers: Vec<Answer> = vec![answer];
                    while let Some(Some(more)) = asked.next().now_or_never() {
                        answers.push(more);
                    }
                    for answer in &answers {
                        queue.done(&answer.target);
                    }
                    self.settle(answers).await.unwrap_or_else(|error| warned(&error));
                }
            }
            // Tasks of their own, so that a slow database does not count against an endpoint.
            asked.extend(std::iter::from_fn(|| queue.next()).map(|question| self.ask(question)));
        }
    }

    /// Looks at everything that is due, once, and waits for the answers. Gives how many were asked.
    pub(crate) async fn run_once(&self) -> Result<usize> {
        let mut asked = 0;
        loop {
            let questions = self.look().await?;
            if questions.is_empty() && !endpoints::is_check_due(&self.db, self.clock.now()).await? {
                self.purge().await?;
                return Ok(asked);
            }
            asked += questions.len();
            let (mut queue, mut running, mut answers) =
                (self.queue(), FuturesUnordered::new(), Vec::with_capacity(questions.len()));
            queue.add(questions);
            loop {
                running.extend(std::iter::from_fn(|| queue.next()).map(|question| self.ask(question)));
                let Some(answer) = running.next().await else { break };
                queue.done(&answer.target);
                answers.push(answer);
            }
            self.settle(answers).await?;
        }
    }

    fn queue(&self) -> Queue {
        Queue::new(usize::try_from(self.settings.max_concurrent).unwrap_or(1))
    }

    /// Takes what is due and writes what is known about it. Gives what has to be asked.
    async fn look(&self) -> Result<Vec<Question>> {
        let now = self.clock.now();
        if !endpoints::is_check_due(&self.db, now).await? {
            return Ok(Vec::new());
        }
        let mut tx = self.db.begin().await?;
        let due = endpoints::due_checks(&mut tx, now, BATCH).await?;
        let mut round = Round::new(self, now);
        let mut questions: HashMap<Target, Vec<EndpointId>> = HashMap::new();
        for row in &due {
            round.look_again(row.id, 1);
            if let Some(target) = round.consider(row, None) {
                questions.entry(self.prober.simplified(target)).or_default().push(row.id);
            }
        }
        round.write(tx).await?;
        Ok(questions.into_iter().map(|(target, ids)| Question { target, ids }).collect())
    }

    fn ask(&self, question: Question) -> impl Future<Output = Answer> + use<> {
        let (prober, target) = (Arc::clone(&self.prober), question.target.clone());
        let task = spawn_linked(async move { prober.is_well(&target).await });
        async move {
            let well = task.join().await.unwrap_or(false);
            Answer { target: question.target, ids: question.ids, well }
        }
    }

    /// Writes how those answered who were asked. What was reported meanwhile counts more.
    async fn settle(&self, answers: Vec<Answer>) -> Result<()> {
        let each = |Answer { ids, well, .. }: Answer| ids.into_iter().map(move |id| (id, well));
        let answered: HashMap<EndpointId, bool> = answers.into_iter().flat_map(each).collect();
        if answered.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        let ids: Vec<EndpointId> = answered.keys().copied().collect();
        let mut round = Round::new(self, self.clock.now());
        for row in &endpoints::checks_of(&mut tx, &ids).await? {
            round.consider(row, answered.get(&row.id).copied());
        }
        round.write(tx).await
    }

    /// Deletes old uptime, once per UTC day. Replicas may do it at the same time; it does no harm.
    async fn purge(&self) -> Result<()> {
        let now = self.clock.now();
        let today = now.as_secs().div_euclid(DAY);
        let Some(keep) = self.settings.uptime_retention else { return Ok(()) };
        if self.purged_on.swap(today, Ordering::Relaxed) == today {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        let rows = uptime::purge(&mut tx, now.minus(keep)).await?;
        tx.commit().await?;
        tracing::debug!(rows, "endpoint.uptime.purged");
        Ok(())
    }

    /// Takes a sign of life of an owner: their endpoints without a report of their own count as healthy.
    pub(crate) async fn heartbeat(&self, owner: &Principal, beat: Heartbeat) -> Result<HeartbeatReceived> {
        let now = self.clock.now();
        let ttl = effective_ttl(&self.settings, beat.ttl_seconds);
        let expires_at = now.plus(Duration::from_secs(u64::try_from(ttl).unwrap_or(0)));
        let mut tx = self.db.begin().await?;
        endpoints::set_heartbeat(&mut tx, owner.user_id, expires_at).await?;
        let moved = users::set_domain(&mut tx, owner.user_id, Some(&beat.domain), now).await?;
        endpoints::check_owner_by(&mut tx, owner.user_id, now.plus(self.settings.interval)).await?;
        tx.commit().await?;
        self.endpoints.health_changed(&[], moved).await;
        Ok(HeartbeatReceived {
            status: "ok",
            received_at: now,
            expires_at,
            domain: beat.domain,
            ttl_seconds: ttl,
        })
    }

    /// How an endpoint was found in the last hours, switched off or not.
    pub(crate) async fn uptime(
        &self,
        viewer: Option<&Principal>,
        owner: &str,
        slug: &str,
        window_hours: u32,
    ) -> Result<Uptime> {
        let (owner, slug) = (owner.to_lowercase(), slug.to_lowercase());
        let found = endpoints::find_by_owner_and_slug(&self.db, &owner, &slug).await?;
        let shown = found.filter(|item| visibility::may_see_inactive(item, viewer));
        let item = shown.ok_or_else(|| Error::not_found("Endpoint not found"))?;
        let now = self.clock.now();
        let since = now.minus(Duration::from_hours(u64::from(window_hours)));
        let buckets: Vec<Bucket> = uptime::list(&self.db, item.endpoint.id, since).await?;
        let breaker = standing::breakers(&self.db, &[item.endpoint.id], now).await?;
        Ok(wire::uptime(&item, self.settings.uptime_bucket, window_hours, &buckets, breaker.first()))
    }
}

/// How those were found who were asked.
#[derive(Debug)]
struct Answer {
    target: Target,
    ids: Vec<EndpointId>,
    well: bool,
}

/// What one change writes.
#[derive(Debug)]
struct Round<'a> {
    monitor: &'a Monitor,
    now: Timestamp,
    next: Vec<(EndpointId, Timestamp)>,
    changes: Vec<HealthChange>,
    samples: Vec<Sample>,
    flips: Vec<Flip>,
}

impl<'a> Round<'a> {
    fn new(monitor: &'a Monitor, now: Timestamp) -> Self {
        let (next, changes, samples, flips) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { monitor, now, next, changes, samples, flips }
    }

    /// Notes what follows from what is known about an endpoint. Gives whom to ask if nobody knows.
    fn consider(&mut self, row: &CheckedEndpoint, answered: Option<bool>) -> Option<Target> {
        match judge(row, self.now, answered) {
            Judgement::NotWatched => None,
            Judgement::NothingToFail => {
                if let Some((change, flip)) = release(row) {
                    self.changes.push(change);
                    self.flips.extend(flip);
                }
                None
            }
            Judgement::Ask(target) => Some(target),
            Judgement::Found(found) => {
                let then = conclude(row, found, self.now, &self.monitor.settings);
                self.changes.extend(then.change);
                self.flips.extend(then.flip);
                self.samples.push(then.sample);
                if then.factor > 1 {
                    self.look_again(row.id, then.factor);
                }
                None
            }
        }
    }

    /// Schedules the next look after so many intervals; the last word about an endpoint counts.
    fn look_again(&mut self, id: EndpointId, factor: u32) {
        let early = rand::rng().random_range(0.0..SPREAD);
        let after = self.monitor.settings.interval.mul_f64(f64::from(factor) * (1.0 - early));
        if let Some(last) = self.next.last_mut().filter(|(last, _)| *last == id) {
            last.1 = self.now.plus(after);
        } else {
            self.next.push((id, self.now.plus(after)));
        }
    }

    async fn write(self, mut tx: Tx) -> Result<()> {
        endpoints::reschedule(&mut tx, &self.next).await?;
        endpoints::apply_health(&mut tx, &self.changes).await?;
        uptime::add(&mut tx, bucket_of(self.now, self.monitor.settings.uptime_bucket), &self.samples).await?;
        tx.commit().await?;
        self.monitor.endpoints.health_changed(&self.flips, false).await;
        Ok(())
    }
}

/// The beginning of the bucket that a moment falls into.
fn bucket_of(now: Timestamp, length: Duration) -> Timestamp {
    let length = i64::try_from(length.as_secs()).unwrap_or(i64::MAX).max(1);
    Timestamp::from_secs(now.as_secs().div_euclid(length) * length)
}

/// The database may be back at the next tick.
fn warned<T: Default>(error: &Error) -> T {
    tracing::warn!(error = error.chain(), "endpoint.monitor.failed");
    T::default()
}
