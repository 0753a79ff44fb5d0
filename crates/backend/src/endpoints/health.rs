//! Health reports: a node says how its endpoints are and where it is.

use syfthub_auth::Principal;
use syfthub_domain::{EndpointPath, Result, Slug};
use syfthub_store::endpoints::{self, EndpointWithOwner, HealthReport as Row};
use syfthub_store::users;

use super::Endpoints;
use super::input::HealthReport;
use super::wire::Reported;

impl Endpoints {
    /// Records what a node says about the caller's endpoints, and where they are served.
    pub(crate) async fn report_health(&self, owner: &Principal, report: HealthReport) -> Result<Reported> {
        let now = self.clock.now();
        let ttl = report.ttl_seconds.unwrap_or_else(|| seconds(self.health.default_ttl));
        let ttl = ttl.min(seconds(self.health.max_ttl));
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
        let paths: Vec<EndpointPath> = rows
            .iter()
            .map(|row| EndpointPath {
                owner: owner.username.as_str().to_owned(),
                slug: row.slug.as_str().to_owned(),
            })
            .collect();
        let before = endpoints::resolve_many(&self.db, &paths).await?;
        let mut tx = self.db.begin().await?;
        let updated = endpoints::apply_health_report(&mut tx, owner.user_id, &rows, ttl).await?;
        let moved = match &report.domain {
            Some(domain) => users::set_domain(&mut tx, owner.user_id, Some(domain), now).await?,
            None => false,
        };
        tx.commit().await?;
        // Endpoints that the report does not name are served at the new place too.
        if log_flips(&before, &rows) || moved {
            self.listings.changed().await;
        }
        let known = |row: &&Row| before.iter().any(|item| item.endpoint.slug == row.slug);
        let ignored = rows.iter().filter(|row| !known(row)).count();
        Ok(Reported { updated: usize::try_from(updated).unwrap_or(rows.len()), ignored })
    }
}

/// Logs every endpoint whose health is another than before; whether there was one.
fn log_flips(before: &[EndpointWithOwner], rows: &[Row]) -> bool {
    let mut flipped = false;
    for item in before {
        let Some(row) = rows.iter().rfind(|row| row.slug == item.endpoint.slug) else { continue };
        if item.endpoint.health_status != Some(row.status) {
            flipped = true;
            let was = item.endpoint.health_status.map_or("unknown", syfthub_domain::HealthStatus::as_str);
            tracing::info!(
                target: "syfthub.api.endpoints",
                endpoint_id = item.endpoint.id.0, endpoint = item.path(), was, is = row.status.as_str(),
                "endpoint.health.changed"
            );
        }
    }
    flipped
}

fn seconds(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}
