//! Health reports: a node says how its endpoints are and where it is.

use std::time::Duration;

use syfthub_auth::Principal;
use syfthub_config::HealthCheck;
use syfthub_domain::{HealthStatus, Result, Slug, Timestamp};
use syfthub_store::endpoints::{self, HealthReport as Row, HealthState};
use syfthub_store::users;

use super::Endpoints;
use super::input::HealthReport;
use super::wire::Reported;

/// How an endpoint is, in one word: what it was found to be, or `inactive` once that took it off the lists.
pub(crate) fn state_name(is_active: bool, status: Option<HealthStatus>) -> &'static str {
    if is_active { status.map_or("unknown", HealthStatus::as_str) } else { "inactive" }
}

/// Another state of an endpoint than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flip {
    pub(crate) endpoint_id: i64,
    pub(crate) owner: String,
    pub(crate) slug: String,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
}

/// How many seconds a sign of life counts.
pub(crate) fn effective_ttl(settings: &HealthCheck, asked: Option<i64>) -> i64 {
    asked.unwrap_or_else(|| seconds(settings.default_ttl)).min(seconds(settings.max_ttl))
}

impl Endpoints {
    /// Records what a node says about the caller's endpoints, and where they are served.
    pub(crate) async fn report_health(&self, owner: &Principal, report: HealthReport) -> Result<Reported> {
        let now = self.clock.now();
        let ttl = effective_ttl(&self.health, report.ttl_seconds);
        let rows: Vec<Row> = report
            .endpoints
            .iter()
            .map(|item| Row {
                slug: Slug::from_trusted(item.slug.clone()),
                status: item.status,
                // A time to come would keep an old report fresh for as long as its author likes.
                checked_at: item.checked_at.min(now),
            })
            .collect();
        let slugs: Vec<&str> = rows.iter().map(|row| row.slug.as_str()).collect();
        let mut tx = self.db.begin().await?;
        // The account before its endpoints, the way a deletion takes them, or the two would wait for each other.
        let moved = match &report.domain {
            Some(domain) => users::set_domain(&mut tx, owner.user_id, Some(domain), now).await?,
            None => false,
        };
        let before = endpoints::health_states(&mut tx, owner.user_id, &slugs).await?;
        let updated = endpoints::apply_health_report(&mut tx, owner.user_id, &rows, ttl, now).await?;
        let flips = flips(owner, &before, &rows, ttl, now);
        if moved || !flips.is_empty() {
            // What was found missing is looked at rarely; it may be back.
            endpoints::check_owner_by(&mut tx, owner.user_id, now.plus(self.health.interval)).await?;
        }
        tx.commit().await?;
        // Endpoints that the report does not name are served at the new place too.
        self.health_changed(&flips, moved).await;
        let known = |row: &&Row| before.iter().any(|item| item.slug == row.slug);
        let ignored = rows.iter().filter(|row| !known(row)).count();
        Ok(Reported { updated: usize::try_from(updated).unwrap_or(rows.len()), ignored })
    }

    /// Logs what is not as it was, and drops the listings that show it. `moved` says that an owner's endpoints
    /// are served elsewhere now.
    pub(crate) async fn health_changed(&self, flips: &[Flip], moved: bool) {
        for Flip { endpoint_id, owner, slug, from, to } in flips {
            tracing::info!(
                target: "syfthub.api.endpoints",
                endpoint_id, owner, slug, from, to, "endpoint.health.changed"
            );
        }
        if moved || !flips.is_empty() {
            self.listings.changed().await;
        }
    }
}

/// What the reports change.
fn flips(owner: &Principal, before: &[HealthState], rows: &[Row], ttl: i64, now: Timestamp) -> Vec<Flip> {
    let life = Duration::from_secs(u64::try_from(ttl).unwrap_or(0));
    let flip = |was: &HealthState| {
        let row = rows.iter().rfind(|row| row.slug == was.slug)?;
        let revives = row.status == HealthStatus::Healthy && row.checked_at.plus(life) > now;
        let from = state_name(was.is_active, was.health_status);
        let to = state_name(was.is_active || revives, Some(row.status));
        (from != to).then(|| Flip {
            endpoint_id: was.id.0,
            owner: owner.username.as_str().to_owned(),
            slug: was.slug.as_str().to_owned(),
            from,
            to,
        })
    };
    before.iter().filter_map(flip).collect()
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}
